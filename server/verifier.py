"""Is an answer right? Lenient in form, strict in content. Pure: text and gold rows in, a verdict out.

An answer is read in a fixed order: JSON, then lines, then ``a | b`` cells, then tabs, then commas. The first
reading that has the gold's shape counts, so a separator never splits what the gold has as one cell. The gold's
cell decides how a cell is read: TEXT as text (``02647`` is not ``2647``), INTEGER and REAL as numbers (``12`` is
``12.0``). Rows compare as a bag, in order if and only if the gold is ordered; columns may come in any order.
"""

import csv
import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from sql_env.server.functions import SQLValue

RELATIVE_TOLERANCE = 1e-6
"""For REAL cells: results are shown in full, so this forgives rounding in the last digits only."""

Cell: TypeAlias = Any
"""A cell of an answer: a JSON scalar, or a string as it was written."""


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
        return Reason.UNPARSABLE if not readings else Reason.WRONG_SHAPE
    return _compare(table, gold)


def _shape(rows: Sequence[Sequence[Cell]]) -> tuple[int, int]:
    widths = {len(row) for row in rows}
    return len(rows), widths.pop() if len(widths) == 1 else -1


# --- reading ---------------------------------------------------------------------------------------------


def _bare(answer: str) -> str:
    """Strip blanks, a code fence and an ``Answer:`` prefix."""
    text = answer.strip()
    text = re.sub(r"^(final )?answer\s*:\s*", "", text, flags=re.IGNORECASE)
    fenced = re.fullmatch(r"```\w*\n(.*?)\n?```", text, re.DOTALL)
    return (fenced[1] if fenced else text).strip()


def _readings(text: str, gold: Gold) -> Iterator[list[list[Cell]]]:
    n_rows, n_columns = gold.shape
    if text[0] in "[{":
        value = _json(text)
        if value is not None:
            yield _from_json(value, gold)
        if n_rows * n_columns > 1:
            return
    if n_rows == n_columns == 1:
        yield [[text]]
        return
    lines = [line for line in text.splitlines() if line.strip()]
    if n_columns == 1:
        yield _without_header([[line.strip()] for line in lines], gold)
    for split in (_split_pipes, _split_tabs, _split_commas):
        rows = [cells for line in lines if (cells := split(line))]
        yield _without_header(rows, gold)
        if len(rows) == 1 and n_columns == 1:
            yield [[cell] for cell in rows[0]]


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
    if not isinstance(value, list):
        return [[value]]
    if any(isinstance(row, list | dict) for row in value):
        return [_row(row) for row in value]
    is_one_row = len(gold.rows) == 1 and len(gold.columns) == len(value)
    return [value] if is_one_row else [[cell] for cell in value]


def _row(row: Any) -> list[Cell]:
    if isinstance(row, dict):
        return list(row.values())
    return row if isinstance(row, list) else [row]


def _without_header(rows: list[list[str]], gold: Gold) -> list[list[str]]:
    header = [_folded(name) for name in gold.columns]
    if len(rows) == len(gold.rows) + 1 and [_folded(cell) for cell in rows[0]] == header:
        return rows[1:]
    return rows


def _split_pipes(line: str) -> list[str]:
    if re.fullmatch(r"[\s|:+-]*-[\s|:+-]*", line) and "--" in line:
        return []  # the rule under a Markdown header
    cells = next(csv.reader([line.strip()], delimiter="|", quoting=csv.QUOTE_NONE))
    if len(cells) > 2 and not cells[0].strip() and not cells[-1].strip():
        cells = cells[1:-1]
    return [cell.strip() for cell in cells]


def _split_tabs(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def _split_commas(line: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]


# --- comparing -------------------------------------------------------------------------------------------


def _compare(table: list[list[Cell]], gold: Gold) -> Reason:
    if _match_columns(table, gold, ordered=gold.ordered):
        return Reason.CORRECT
    if gold.ordered and _match_columns(table, gold, ordered=False):
        return Reason.WRONG_ORDER
    return Reason.WRONG_VALUE


def _match_columns(table: list[list[Cell]], gold: Gold, *, ordered: bool) -> bool:
    """Assign answer columns to gold columns, left to right, keeping the rows built so far equal.

    The gold's own order is tried first. Among equal choices the first is taken for good, so the work is
    polynomial; a choice is only kept when the rows of all columns so far still match.
    """
    match = _match_in_order if ordered else _match_as_bag
    width = len(gold.columns)
    taken: list[int] = []
    for count in range(1, width + 1):
        wanted = [row[:count] for row in gold.rows]
        candidates = [count - 1, *(c for c in range(width) if c != count - 1)]
        for column in candidates:
            if column not in taken and match([[row[c] for c in (*taken, column)] for row in table], wanted):
                taken.append(column)
                break
        else:
            return False
    return True


Rows: TypeAlias = Sequence[Sequence[Any]]


def _match_in_order(table: Rows, gold: Rows) -> bool:
    return all(map(_same_row, table, gold))


def _match_as_bag(table: Rows, gold: Rows) -> bool:
    left = list(gold)
    for row in table:
        found = next((i for i, wanted in enumerate(left) if _same_row(row, wanted)), None)
        if found is None:
            return False
        del left[found]
    return True


def _same_row(row: Sequence[Cell], gold: Sequence[SQLValue]) -> bool:
    return all(map(_same_cell, row, gold))


def _same_cell(cell: Cell, gold: SQLValue) -> bool:
    if isinstance(cell, list | dict):
        return False
    return _COMPARE[type(gold)](cell, gold)


def _same_null(cell: Cell, _gold: None) -> bool:
    return cell is None or (isinstance(cell, str) and _folded(cell) in ("null", "none"))


def _same_text(cell: Cell, gold: str) -> bool:
    wanted = _folded(gold)
    if cell is None:
        return wanted in ("null", "none")
    if not isinstance(cell, str):
        return not isinstance(cell, bool) and _folded(str(cell)) == wanted
    return wanted in (_folded(cell), _folded(_unquoted(cell)))


def _same_integer(cell: Cell, gold: int) -> bool:
    number = _number(cell)
    return number is not None and number == gold


def _same_float(cell: Cell, gold: float) -> bool:
    number = _number(cell)
    return number is not None and math.isclose(number, gold, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-12)


def _same_blob(cell: Cell, gold: bytes) -> bool:
    return isinstance(cell, str) and _unquoted(cell).lower() == f"x'{gold.hex()}'"


_COMPARE: dict[type, Callable[[Cell, Any], bool]] = {
    type(None): _same_null,
    str: _same_text,
    int: _same_integer,
    float: _same_float,
    bytes: _same_blob,
}


def _number(cell: Cell) -> int | float | None:
    if isinstance(cell, int | float):
        return cell if abs(cell) < 10**30 or isinstance(cell, float) else None
    if not isinstance(cell, str):
        return None
    text = _unquoted(cell).strip()
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", text, re.ASCII):
        text = text.replace(",", "")
    if re.fullmatch(r"[-+]?\d{1,30}", text, re.ASCII):
        return int(text)
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,4})?|[-+]?infinity", text, re.ASCII | re.IGNORECASE):
        return float(text)
    return None


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'`":
        return text
    decoded = _json(text) if text[0] == '"' else None
    return decoded if isinstance(decoded, str) else text[1:-1]
