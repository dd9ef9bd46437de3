"""Is an answer right? Lenient in form, strict in content. Pure: text and gold rows in, a verdict out.

An answer is read in a fixed order: JSON, then lines, then ``a | b`` cells, then tabs, then commas. The first
reading that has the gold's shape counts, so a separator never splits what the gold has as one cell. The gold's
cell decides how a cell is read: TEXT as text (``02647`` is not ``2647``), INTEGER and REAL as numbers (``12`` is
``12.0``). Rows compare as a bag, in order if and only if the gold is ordered; columns may come in any order.

Every step takes polynomial time, whatever the answer: rows are assigned by bipartite matching, columns by a search
that tries the gold's own order first and stops after a fixed number of attempts.
"""

import csv
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

from sql_env.server.databases import SQLValue

RELATIVE_TOLERANCE = 1e-6
"""For REAL cells: results are shown in full, so this forgives rounding in the last digits only."""

COLUMN_ATTEMPTS = 500
"""Partial assignments of columns that are tried; beyond it an answer with its columns exchanged counts as wrong."""

Cell: TypeAlias = Any
"""A cell of an answer: a JSON value, or a string as it was written."""


class Reason(StrEnum):
    """Why an answer is right or wrong."""

    CORRECT = "correct"
    WRONG_VALUE = "wrong_value"
    WRONG_SHAPE = "wrong_shape"
    WRONG_ORDER = "wrong_order"
    UNPARSABLE = "unparsable"
    EMPTY = "empty"


@dataclass(frozen=True)
class Gold:
    """The rows that answer a question; ``columns`` only serve to recognise a header line."""

    columns: tuple[str, ...]
    rows: tuple[tuple[SQLValue, ...], ...]
    ordered: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.columns)


def grade(answer: str, gold: Gold, max_chars: int = 20_000) -> Reason:
    """Compare an answer with the gold.

    Args:
        answer: what the agent wrote.
        gold: the gold rows.
        max_chars: a longer answer is not read.
    """
    if len(answer) > max_chars:
        return Reason.UNPARSABLE
    text = _bare(answer)
    if not text:
        return Reason.EMPTY
    readings = list(_readings(text, gold))
    table = next((rows for rows in readings if _shape(rows) == gold.shape), None)
    if table is None:
        return Reason.WRONG_SHAPE if readings else Reason.UNPARSABLE
    return _compare(table, gold)


def _shape(rows: Sequence[Sequence[Cell]]) -> tuple[int, int]:
    widths = {len(row) for row in rows}
    return len(rows), widths.pop() if len(widths) == 1 else -1


# --- reading ---------------------------------------------------------------------------------------------


def _bare(answer: str) -> str:
    """Strip blanks, an ``Answer:`` prefix and a code fence."""
    text = answer.strip()
    text = re.sub(r"^(?:final )?answer ?:", "", text, count=1, flags=re.IGNORECASE).strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text[:20]:
        text = text[3:-3].partition("\n")[2].strip()
    return text


def _readings(text: str, gold: Gold) -> Iterator[list[list[Cell]]]:
    n_rows, n_columns = gold.shape
    if text[0] in "[{":
        value = _json(text)
        if value is not None:
            yield _from_json(value, gold)
        if n_rows * n_columns > 1:
            return
    lines = _lines(text)
    if n_columns == 1:
        rows = _without_header([[line.strip()] for line in lines], gold)
        yield [[text]] if n_rows == 1 and len(rows) == len(lines) else rows
        if n_rows == 1:
            return
    ruled = [line for line in lines if not _is_rule(line)]
    for kept, split in ((lines, _split_pipes), (ruled, _split_pipes), (lines, _split_tabs), (lines, _split_commas)):
        rows = [split(line) for line in kept]
        yield _without_header(rows, gold)
        if len(rows) == 1 and n_columns == 1:
            yield [[cell] for cell in rows[0]]


def _lines(text: str) -> list[str]:
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    counted = len(lines) > 1 and re.fullmatch(r"\(\d[\d,]{0,12} rows?\)", lines[-1].strip())
    return lines[:-1] if counted else lines  # the line that counts the rows of a result


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _from_json(value: Any, gold: Gold) -> list[list[Cell]]:
    if isinstance(value, dict):
        value = [value]
    if any(isinstance(row, list | dict) for row in value):
        return [_row(row) for row in value]
    is_one_row = len(gold.rows) == 1 and len(gold.columns) == len(value)
    return [value] if is_one_row else [[cell] for cell in value]


def _row(row: Any) -> list[Cell]:
    if isinstance(row, dict):
        return list(row.values())
    return row if isinstance(row, list) else [row]


def _without_header(rows: list[list[str]], gold: Gold) -> list[list[str]]:
    header = [folded(name) for name in gold.columns]
    if len(rows) == len(gold.rows) + 1 and [folded(unquoted(cell)[:200]) for cell in rows[0]] == header:
        return rows[1:]
    return rows


def _is_rule(line: str) -> bool:
    """Return whether a line looks like the rule under a Markdown header."""
    return "--" in line and set(line) <= set(" \t|:-+")


def _split_pipes(line: str) -> list[str]:
    cells, start = [], 0
    while start <= len(line):
        end = line.find("|", _after_quoted(line, start))
        end = len(line) if end < 0 else end
        cells.append(line[start:end].strip())
        start = end + 1
    if len(cells) > 2 and not cells[0] and not cells[-1]:
        cells = cells[1:-1]
    return cells


def _after_quoted(line: str, start: int) -> int:
    """Return where a cell goes on: behind its JSON string if it is one, which may hold a separator."""
    begin = start + len(line[start:]) - len(line[start:].lstrip())
    if line[begin : begin + 1] != '"':
        return start
    try:
        return _DECODER.raw_decode(line, begin)[1]
    except ValueError:
        return start


_DECODER = json.JSONDecoder()


def _split_tabs(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def _split_commas(line: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]


# --- comparing cells -------------------------------------------------------------------------------------


class _AnswerCell:
    """A cell of an answer and the ways in which it may be read, each worked out once."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._size = len(cell) if isinstance(cell, str) else 0

    def equals(self, gold: SQLValue) -> bool:
        if gold is None:
            return self._is_null
        if isinstance(gold, str):
            return self._size <= 4 * len(gold) + 64 and folded(gold) in self._texts
        if isinstance(gold, bytes):
            return isinstance(self._cell, str) and unquoted(self._cell).lower() == f"x'{gold.hex()}'"
        number = self._number
        if number is None or isinstance(gold, int):
            return number == gold
        return math.isclose(number, gold, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-12)

    @cached_property
    def _is_null(self) -> bool:
        return self._cell is None or (self._size in (4, 5, 6) and folded(self._cell) in ("null", "none"))

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        if self._cell is None:
            return ("null", "none")
        if isinstance(self._cell, bool | list | dict):
            return ()
        text = str(self._cell)
        return folded(text), folded(unquoted(text))

    @cached_property
    def _number(self) -> int | float | None:
        if isinstance(self._cell, float):
            return self._cell
        if isinstance(self._cell, int):
            return self._cell if abs(self._cell) < 10**30 else None
        if not isinstance(self._cell, str):
            return None
        return {"true": 1, "false": 0}.get(self._cell.strip().lower(), number(self._cell))


def number(cell: str) -> int | float | None:
    """Read a number as people and SQLite write it, or return None."""
    text = unquoted(cell).strip() if len(cell) <= 80 else ""
    if re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", text, re.ASCII):
        text = text.replace(",", "")
    if re.fullmatch(r"[-+]?\d{1,30}", text, re.ASCII):
        return int(text)
    if re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,4})?|[-+]?inf(?:inity)?", text, re.ASCII | re.IGNORECASE):
        return float(text)
    return None


def folded(text: str) -> str:
    """Return text as it is compared: Unicode-normalised (NFKC), trimmed, case-folded."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def unquoted(text: str) -> str:
    """Strip one pair of quotes, reading a JSON string as JSON."""
    text = text.strip()
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'`":
        return text
    decoded = _json(text) if text[0] == '"' else None
    return decoded if isinstance(decoded, str) else text[1:-1]


# --- comparing tables ------------------------------------------------------------------------------------


def _compare(table: list[list[Cell]], gold: Gold) -> Reason:
    fits = _Fits(table, gold)
    if fits.some_columns(ordered=gold.ordered):
        return Reason.CORRECT
    if gold.ordered and fits.some_columns(ordered=False):
        return Reason.WRONG_ORDER
    return Reason.WRONG_VALUE


class _Fits:
    """Which cells of an answer equal which of the gold; finds columns and rows that make the tables equal.

    For an answer's column and a gold's column, ``masks`` gives one integer for each row of the answer, whose bit j
    says that the cell equals the gold's in row j.
    """

    def __init__(self, table: list[list[Cell]], gold: Gold) -> None:
        self._cells = [[_AnswerCell(cell) for cell in row] for row in table]
        self._gold = gold
        self._masks: dict[tuple[int, int], list[int]] = {}

    def some_columns(self, *, ordered: bool) -> bool:
        """Return whether some assignment of columns makes the rows equal."""
        self._attempts = COLUMN_ATTEMPTS
        everything = [(1 << len(self._gold.rows)) - 1] * len(self._cells)
        return self._assign(everything, frozenset(), 0, _in_order if ordered else _as_bag)

    def _assign(self, masks: list[int], taken: frozenset[int], column: int, match: Any) -> bool:
        width = len(self._gold.columns)
        if column == width:
            return True
        for candidate in (column, *(c for c in range(width) if c != column)):
            if candidate in taken:
                continue
            self._attempts -= 1
            if self._attempts < 0:
                return False
            joined = [a & b for a, b in zip(masks, self._column(candidate, column), strict=True)]
            if match(joined) and self._assign(joined, taken | {candidate}, column + 1, match):
                return True
        return False

    def _column(self, answer: int, gold: int) -> list[int]:
        key = answer, gold
        if key not in self._masks:
            wanted = [row[gold] for row in self._gold.rows]
            self._masks[key] = [
                sum(1 << j for j, value in enumerate(wanted) if row[answer].equals(value)) for row in self._cells
            ]
        return self._masks[key]


def _in_order(masks: list[int]) -> bool:
    return all(mask >> i & 1 for i, mask in enumerate(masks))


def _as_bag(masks: list[int]) -> bool:
    """Return whether every row can be given a gold row of its own (Kuhn's bipartite matching)."""
    owner: dict[int, int] = {}
    return all(mask and _find_row(i, masks, owner, set()) for i, mask in enumerate(masks))


def _find_row(row: int, masks: list[int], owner: dict[int, int], seen: set[int]) -> bool:
    mask = masks[row]
    while mask:
        j = (mask & -mask).bit_length() - 1
        mask &= mask - 1
        if j in seen:
            continue
        seen.add(j)
        if j not in owner or _find_row(owner[j], masks, owner, seen):
            owner[j] = row
            return True
    return False
