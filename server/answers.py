"""How an answer's text is read: the tables that it may stand for, given the shape of the gold. Pure.

An answer is read in a fixed order: JSON (or the same as Python writes it), then lines, then ``a | b`` cells, then
tabs, then commas. The first reading that has the gold's shape counts, so a separator never splits what the gold has as
one cell, and no answer is two guesses. What surrounds the rows goes first: an ``Answer:`` prefix, a code fence, the
header of a Markdown table, the header and the closing count of a result as QUERY shows it, the bullets of a list.
"""

import csv
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from sql_env.server.databases import SQLValue

Cell: TypeAlias = Any
"""A cell of an answer: a JSON value, or a string as it was written."""


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


class _Object(list[Cell]):
    """A JSON object as the list of its values: names do not count, and a name that comes twice loses nothing."""

    def __init__(self, pairs: list[tuple[str, Cell]]) -> None:
        super().__init__(value for _, value in pairs)
        self.names = [name for name, _ in pairs]


def shape(rows: Sequence[Sequence[Cell]]) -> tuple[int, int]:
    """Return rows and columns; -1 columns if the rows differ in length."""
    widths = {len(row) for row in rows}
    return len(rows), widths.pop() if len(widths) == 1 else -1


def bare(answer: str) -> str:
    """Strip blanks, an ``Answer:`` prefix and a code fence."""
    text = answer.strip()
    text = re.sub(r"^(?:final )?answer ?:", "", text, count=1, flags=re.IGNORECASE).strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text[:20]:
        text = text[3:-3].partition("\n")[2].strip()
    return text


def readings(text: str, gold: Gold) -> Iterator[list[list[Cell]]]:
    """Yield the tables that a bare, non-empty text may stand for, in the fixed order."""
    n_rows, n_columns = gold.shape
    if text[0] in "[{(":
        value = _json(text)
        value = _json(_as_json(text)) if value is None else value
        if isinstance(value, list):
            yield _from_json(value, gold)
        if n_rows * n_columns > 1 and (isinstance(value, list) or text[0] != "("):
            return
    lines, count = _lines(text)
    markdown = _markdown_rows(lines)
    if n_columns == 1:
        column = _without_bullets(_without_header(lines, count, gold, lambda line: [line]), gold)
        if n_rows == 1 and count is None and len(column) == len(lines):
            is_table = len(markdown) == 1 < len(lines)
            yield [_split_pipes(markdown[0]) if is_table else [text]]
        else:
            yield [[line.strip()] for line in column]
        if n_rows == 1:
            return
    for kept, split in ((lines, _split_pipes), (markdown, _split_pipes), (lines, _split_tabs), (lines, _split_commas)):
        rows = [split(line) for line in _without_header(kept, count, gold, split)]
        yield rows
        if len(rows) == 1 and n_columns == 1:
            yield [[cell] for cell in rows[0]]


# --- lines -----------------------------------------------------------------------------------------------


def _lines(text: str) -> tuple[list[str], int | None]:
    """Return the lines that hold something, and how many rows the closing line of a result counts, if there is one."""
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    counted = re.fullmatch(r"\((\d[\d,]{0,12}) rows?\)", lines[-1].strip()) if len(lines) > 1 else None
    return (lines[:-1], int(counted[1].replace(",", ""))) if counted else (lines, None)


def _without_header(lines: list[str], count: int | None, gold: Gold, split: Callable[[str], list[str]]) -> list[str]:
    """Drop a header: the line that a result's count leaves over, or one that names the gold's columns."""
    if count is not None and len(lines) == count + 1:
        return lines[1:]
    header = [folded(name) for name in gold.columns]
    if len(lines) == len(gold.rows) + 1 and [folded(unquoted(cell)[:200]) for cell in split(lines[0])] == header:
        return lines[1:]
    return lines


def _markdown_rows(lines: list[str]) -> list[str]:
    """Drop rules, and above a rule in the second line the header, which that rule makes one."""
    headed = len(lines) > 2 and _is_rule(lines[1]) and not _is_rule(lines[0])
    return [line for line in (lines[2:] if headed else lines) if not _is_rule(line)]


def _is_rule(line: str) -> bool:
    """Return whether a line looks like the rule under a Markdown header."""
    return "--" in line and set(line) <= set(" \t|:-+")


def _without_bullets(lines: list[str], gold: Gold) -> list[str]:
    """Drop bullets, or numbers from 1 on, if every line has them and no cell of the gold does."""
    cells = [cell for row in gold.rows for cell in row if isinstance(cell, str)]
    for n, mark in enumerate((r"[-*•] +", r"(\d{1,4})[.)] +")):
        found = [re.match(mark, line.lstrip()) for line in lines]
        if len(lines) < 2 or not all(found) or any(re.match(mark, cell.lstrip()) for cell in cells):
            continue
        if n == 0 or [int(match[1]) for match in found if match] == [*range(1, len(lines) + 1)]:
            return [line.lstrip()[match.end() :] for line, match in zip(lines, found, strict=True) if match]
    return lines


# --- cells in a line -------------------------------------------------------------------------------------


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


# --- JSON ------------------------------------------------------------------------------------------------


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_Object)
    except (ValueError, RecursionError, ArithmeticError):  # Decimal has its own bounds
        return None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_PYTHON = re.compile(
    r"""'(?P<text>(?:[^'\\]|\\.)*)(?:'|\\?\Z) | "(?:[^"\\]|\\.)*(?:"|\\?\Z)
        | \b(?:None|True|False)\b | [()] | ,(?=\s?[])])""",
    re.DOTALL | re.VERBOSE,
)


def _as_json(text: str) -> str:
    """Rewrite a list as Python prints it, ``[('a', 1), ("b's", None)]``, as JSON. Takes linear time."""
    words = {"None": "null", "True": "true", "False": "false", "(": "[", ")": "]", ",": ""}

    def rewrite(match: re.Match[str]) -> str:
        if match["text"] is None:
            return words.get(match[0], match[0])
        return '"' + match["text"].replace("\\'", "'").replace('"', '\\"') + '"'

    return _PYTHON.sub(rewrite, text)


def _from_json(value: list[Cell], gold: Gold) -> list[list[Cell]]:
    if isinstance(value, _Object):
        value = _unwrapped(value)
    if any(isinstance(row, list) for row in value):
        return [list(row) if isinstance(row, list) else [row] for row in value]
    is_one_row = len(gold.rows) == 1 and len(gold.columns) == len(value)
    return [value] if is_one_row else [[cell] for cell in value]


def _unwrapped(value: _Object) -> list[Cell]:
    """Return the rows that an object holds: ``{"columns": […], "rows": […]}``, ``{"answer": […]}``, or one row."""
    held = dict(zip(value.names, value, strict=True))
    rows = held.get("rows") if held.keys() == {"columns", "rows"} else value[0] if len(value) == 1 else None
    return rows if type(rows) is list else [value]


# --- text ------------------------------------------------------------------------------------------------


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
