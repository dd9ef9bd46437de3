"""How an answer's text is read: the tables that it may stand for, given the shape of the gold. Pure.

An answer is read in a fixed order: JSON (or the same as Python writes it), then lines, then ``a | b`` cells, then
tabs, then commas. The first reading that has the gold's shape counts, so a separator never splits what the gold has as
one cell, and no answer is two guesses. What surrounds the rows goes first: an ``Answer:`` prefix, a code fence, the
header of a Markdown table, the header and the closing count of a result as QUERY shows it, the bullets of a list.
"""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from sql_env.server.databases import SQLValue
from sql_env.server.questions import Question

Cell: TypeAlias = Any
"""A cell of an answer: a JSON value, or a string as it was written."""


@dataclass(frozen=True)
class Gold:
    """The rows that answer a question; ``columns`` only serve to recognise a header line."""

    columns: tuple[str, ...]
    rows: tuple[tuple[SQLValue, ...], ...]
    ordered: bool

    @classmethod
    def of(cls, question: Question) -> "Gold":
        """Return a question's gold."""
        return cls(question.columns, question.gold_rows, question.ordered)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.columns)


class _Object(list[Cell]):
    """A JSON object as the list of its values; a name that comes twice loses nothing."""

    def __init__(self, pairs: list[tuple[str, Cell]]) -> None:
        super().__init__(value for _, value in pairs)
        self.names = [name for name, _ in pairs]


def shape(rows: Sequence[Sequence[Cell]]) -> tuple[int, int]:
    """Return rows and columns; -1 columns if the rows differ in length."""
    widths = {len(row) for row in rows}
    return len(rows), widths.pop() if len(widths) == 1 else -1


def bare(answer: str) -> str:
    """Strip blanks, an ``Answer:`` prefix, in bold or not, and a code fence."""
    text = answer.strip().strip("\ufeff\u200b").strip()
    text = re.sub(r"^(?:\*\*)?(?:final )?answer ?(?::\*\*|\*\* ?:|:)", "", text, count=1, flags=re.IGNORECASE).strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text[:20]:
        text = text[3:-3].partition("\n")[2].strip()
    return text


def readings(text: str, gold: Gold) -> Iterator[list[list[Cell]]]:
    """Yield the tables that a bare, non-empty text may stand for, in the fixed order."""
    n_rows, n_columns = gold.shape
    lines, count = _lines(text)
    if text[0] in "[{(":
        value = _parsed(text)
        if isinstance(value, list):
            yield _from_json(value, gold)
        # What begins like JSON and is none is nothing else either, but for a result under a name like [name].
        is_broken = text[0] != "(" and count is None
        if n_rows * n_columns > 1 and (isinstance(value, list) or is_broken):
            return
    markdown = _markdown_rows(lines)
    if count is not None and not {len(lines), len(markdown)} & {count, count + 1}:
        yield []  # what is counted is not there
        return
    if n_columns == 1:
        yield from _one_column(text, lines, markdown, count, gold)
        if n_rows == 1:
            return
    if len(markdown) > n_rows + 1:
        # Too many rows however they are split, so that a long answer costs a server no more than a short one.
        yield [[line] for line in markdown]
        lines = []
    for kept, split in ((lines, _split_pipes), (markdown, _split_pipes), (lines, _split_tabs), (lines, _split_commas)):
        if not lines:
            break
        rows = [split(line) for line in _without_bullets(_without_header(kept, count, gold, split), gold)]
        yield rows
        if len(rows) == len(lines) == 1 and n_columns == 1 and count is None:
            yield [[cell] for cell in rows[0]]
    if '"' in text:
        yield _csv(text, gold)


def _one_column(
    text: str, lines: list[str], markdown: list[str], count: int | None, gold: Gold
) -> Iterator[list[list[Cell]]]:
    """Yield the readings with one cell a line; where the gold is one cell, a text that is nothing else is that cell."""
    column = _without_bullets(_without_header(_without_edges(lines, gold), count, gold, lambda line: [line]), gold)
    if len(gold.rows) == 1 and len(markdown) < len(lines):
        yield [_split_pipes(line) for line in _without_header(markdown, count, gold, _split_pipes)]
    if len(gold.rows) == 1 and count is None and len(column) == len(lines):
        yield [[column[0] if len(lines) == 1 else text]]
    else:
        yield [[line.strip()] for line in column]


# --- lines -----------------------------------------------------------------------------------------------


def _lines(text: str) -> tuple[list[str], int | None]:
    """Return the lines that hold something, and how many rows the closing line of a result counts, if there is one."""
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    counted = re.fullmatch(r"\((\d[\d,]{0,12}) rows?\)", lines[-1].strip()) if len(lines) > 1 else None
    return (lines[:-1], int(counted[1].replace(",", ""))) if counted else (lines, None)


def _without_header(lines: list[str], count: int | None, gold: Gold, split: Callable[[str], list[str]]) -> list[str]:
    """Drop a header: the line that a result's count leaves over, or one that names the gold's columns in any order."""
    if count is not None:
        return lines[1:] if len(lines) == count + 1 else lines
    return lines[1:] if len(lines) == len(gold.rows) + 1 and _is_header(split(lines[0]), gold) else lines


def _is_header(cells: list[str], gold: Gold) -> bool:
    return sorted(folded(unquoted(cell)[:200]) for cell in cells) == sorted(folded(name[:200]) for name in gold.columns)


def _markdown_rows(lines: list[str]) -> list[str]:
    """Drop rules, and above a rule in the second line the header, which that rule makes one."""
    headed = len(lines) > 2 and _is_rule(lines[1]) and not _is_rule(lines[0])
    return [line for line in (lines[2:] if headed else lines) if not _is_rule(line)]


def _is_rule(line: str) -> bool:
    """Return whether a line looks like the rule under a Markdown header: ``|---|:-:|``, ``-----``, ``+---+``."""
    return ("--" in line or ("-" in line and "|" in line)) and set(line) <= set(" \t|:-+")


def _without_edges(lines: list[str], gold: Gold) -> list[str]:
    """Drop the pipes around every line, or the commas behind all but the last, if no cell of the gold has one there."""
    cells = [cell.strip() for row in gold.rows for cell in row if isinstance(cell, str)]
    trimmed = [line.strip() for line in lines]
    if all(len(line) > 1 and line[0] == line[-1] == "|" for line in trimmed) and not any("|" in cell for cell in cells):
        return [line[1:-1] for line in trimmed]
    if len(lines) > 1 and all(line[-1] == "," for line in trimmed[:-1]) and not any(cell[-1:] == "," for cell in cells):
        return [line.removesuffix(",") for line in trimmed]
    return lines


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
    quoted = _QUOTED.match(line, start)
    return quoted.end() if quoted else start


_QUOTED = re.compile(r'\s*"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')


def _split_tabs(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def _split_commas(line: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True))]


def _csv(text: str, gold: Gold) -> list[list[Cell]]:
    """Read all of a text as CSV: a quoted cell may hold line breaks."""
    try:
        rows: list[list[Cell]] = [
            row for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True) if row
        ]
    except csv.Error:
        return []
    return rows[1:] if len(rows) == len(gold.rows) + 1 and _is_header(rows[0], gold) else rows


# --- JSON ------------------------------------------------------------------------------------------------


def _parsed(text: str) -> Any:
    """Read JSON, the same as Python prints it, or rows of either kind, one a line."""
    value = _json(text)
    value = _json(_as_json(text)) if value is None else value
    return _rows_by_line(text) if value is None else value


def _rows_by_line(text: str) -> list[Cell] | None:
    rows = []
    for line in re.split(r"[\r\n]+", text):
        row = line.strip().rstrip(",")
        if row[:1] == "(" and "," not in row:
            return None  # Python writes (1,); (1) may be text
        value = _json(row)
        value = _json(_as_json(row)) if value is None else value
        if not isinstance(value, list):
            return None
        rows.append(value)
    return rows


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
    if value and all(isinstance(row, _Object) for row in value):
        value = _by_name(value)
    if any(isinstance(row, list) for row in value):
        return [list(row) if isinstance(row, list) else [row] for row in value]
    is_one_row = len(gold.rows) == 1 and len(gold.columns) == len(value)
    return [value] if is_one_row else [[cell] for cell in value]


def _by_name(rows: list[_Object]) -> list[list[Cell]]:
    """Return the values of objects in the order of the first one's names, if all have the same names."""
    names = rows[0].names
    if len(set(names)) < len(names) or any(sorted(row.names) != sorted(names) for row in rows):
        return [list(row) for row in rows]
    held = (dict(zip(row.names, row, strict=True)) for row in rows)
    return [[row[name] for name in names] for row in held]


def _unwrapped(value: _Object) -> list[Cell]:
    """Return the rows that an object holds: ``{"columns": […], "rows": […]}``, ``{"answer": […]}``, or one row."""
    held = dict(zip(value.names, value, strict=True))
    rows = held.get("rows") if held.keys() == {"columns", "rows"} else value[0] if len(value) == 1 else None
    return rows if type(rows) is list else [value]


# --- text ------------------------------------------------------------------------------------------------


def folded(text: str) -> str:
    """Return text as it is compared: Unicode-normalised (NFKC), trimmed, case-folded."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


_PAIRS = ("\u201c\u201d", "\u2018\u2019", "\u00ab\u00bb", "\u201e\u201c")


def unquoted(text: str) -> str:
    """Strip one pair of quotes of any kind, or of Markdown's bold, reading a JSON string as JSON."""
    text = text.strip()
    if len(text) > 4 and text[:2] == text[-2:] == "**":
        return text[2:-2]
    if len(text) > 2 and text[0] + text[-1] in _PAIRS:
        return text[1:-1]
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "\"'`":
        return text
    decoded = _json(text) if text[0] == '"' else None
    return decoded if isinstance(decoded, str) else text[1:-1]
