"""Results and schemas as text within a budget of characters, and as data that JSON can carry.

The text of a result is a table, one row a line, cells separated by `` | ``. A cell of text is written bare where
it can be mistaken for nothing else, and as a JSON string otherwise: ``"02647"`` (text, not a number),
``" APG"`` (an edge space), ``"NULL"``, ``""``, or a line break. So the text says as much as the data.

As data, what JSON has no form for is a string: a blob is ``x'00ff'`` (cut after 64 bytes), infinities are
``Infinity`` and ``-Infinity``, an integer beyond 2^53 is its digits. Invalid UTF-8 arrives with U+FFFD in place.
"""

import itertools
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from sql_env.server.databases import SQLValue
from sql_env.server.sandbox import QueryResult
from sql_env.server.schema import Schema, Table, quoted

JSONValue: TypeAlias = None | int | float | str

_BLOB_BYTES = 64
_CELL_CHARS = 300
_AMBIGUOUS = re.compile(
    r"""^$ | ^\s | \s$ | [\x00-\x1f\x7f\x85\u2028\u2029|"] | ^x' | ^(null|none)$
        | ^[-+]?(\d|\.\d|inf|nan)[\d.e+-]*(inity)?$""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Shown:
    """A result as an agent sees it.

    Attributes:
        text: the table, with a closing line that counts the rows.
        columns: the columns' names.
        rows: the rows that the text shows, as data.
        total_rows: rows that the statement gave, as far as they were counted.
        truncated: whether rows or parts of cells are missing from the text.
    """

    text: str
    columns: list[str]
    rows: list[list[JSONValue]]
    total_rows: int
    truncated: bool


def show_result(result: QueryResult, max_rows: int, max_chars: int) -> Shown:
    """Write a result as text of at most ``max_chars`` characters and ``max_rows`` rows."""
    names, columns, whole = zip(*map(_cell, result.columns), strict=True)
    header = " | ".join(names)
    cut = len(header) > max_chars // 2 or not all(whole)
    lines, rows = [_clip(header, max_chars // 2)], []
    budget = max_chars - len(lines[0]) - 80
    for values in result.rows[:max_rows]:
        texts, data, whole = zip(*map(_cell, values), strict=True)
        line = " | ".join(texts)
        budget -= len(line) + 1
        if budget < 0:
            break
        cut = cut or not all(whole)
        lines.append(line)
        rows.append(list(data))
    missing = not result.complete or len(rows) < result.total_rows
    lines.append(_count_line(len(rows), result))
    return Shown("\n".join(lines), list(columns), rows, result.total_rows, missing or cut)


def json_value(value: SQLValue) -> JSONValue:
    """Return a value in the form that JSON carries, text cut at 300 characters."""
    return _cell(value)[1]


def show_table(table: Table, max_chars: int) -> str:
    """Write what DESCRIBE shows of a table, within ``max_chars`` characters."""
    kind = "View" if table.is_view else "Table"
    rows = "row" if table.row_count == 1 else "rows"
    lines = [f"{kind} {quoted_if_needed(table.name)}, {table.row_count:,} {rows}"]
    single_key = len(table.primary_key) == 1
    for column in table.columns:
        is_key = single_key and column.name in table.primary_key
        notes = [column.type, "PRIMARY KEY" if is_key else "", "NOT NULL" if column.not_null else ""]
        lines.append("  " + " ".join(filter(None, [quoted_if_needed(column.name), *notes])))
    if len(table.primary_key) > 1:
        lines.append(f"  PRIMARY KEY ({_names(table.primary_key)})")
    for key in table.foreign_keys:
        source, target = _names(key.columns), _names(key.target_columns)
        suffix = f" ({target})" if target else ""
        lines.append(f"  FOREIGN KEY ({source}) REFERENCES {quoted_if_needed(key.target)}{suffix}")
    return _clip_lines(lines, max_chars)


def show_known(schema: Schema, described: Sequence[str]) -> str:
    """Write what the agent knows: the tables' names, and in one line each those it has described, by name."""
    if not schema.lines:
        schema.lines[None] = "Tables: " + ", ".join(map(quoted_if_needed, schema.names))
    for name in described:
        if name not in schema.lines:
            columns = ", ".join(f"{quoted_if_needed(c.name)} {c.type}".rstrip() for c in schema.named(name).columns)
            schema.lines[name] = f"{quoted_if_needed(name)}({columns})"
    return "\n".join([schema.lines[None], *map(schema.lines.__getitem__, described)])


@lru_cache(maxsize=4096)
def quoted_if_needed(name: str) -> str:
    """Return a name as it has to be written in SQL."""
    plain = re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) and name.upper() not in _RESERVED
    return name if plain else quoted(name)


_RESERVED = frozenset(
    """ALL AND AS ASC BETWEEN BY CASE CHECK COLLATE COMMIT CREATE CROSS DEFAULT DELETE DESC DISTINCT DROP ELSE END
    ESCAPE EXCEPT EXISTS FOREIGN FROM FULL GROUP HAVING IN INDEX INNER INSERT INTERSECT INTO IS ISNULL JOIN LEFT
    LIKE LIMIT NATURAL NOT NOTNULL NULL OFFSET ON OR ORDER OUTER PRIMARY REFERENCES RIGHT SELECT SET TABLE THEN TO
    UNION UNIQUE UPDATE USING VALUES WHEN WHERE WITH""".split()
)


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(quoted_if_needed, names))


def _cell(value: SQLValue) -> tuple[str, JSONValue, bool]:
    """Return a cell as text, as data, and whether both are uncut."""
    if isinstance(value, str):
        if len(value) <= _CELL_CHARS:
            return _short_cell(value)
        kept = _clip(value, _CELL_CHARS)
        return _bare_or_quoted(kept), kept, False
    if value is None:
        return "NULL", None, True
    if isinstance(value, int):
        digits = repr(value)
        return digits, value if -_EXACT <= value <= _EXACT else digits, True
    if isinstance(value, float):
        if math.isfinite(value):
            return repr(value), value, True
        name = "Infinity" if value > 0 else "-Infinity"
        return name, name, True
    blob = _blob(value)
    return blob, blob, len(value) <= _BLOB_BYTES


_EXACT = 2**53
"""Integers up to this are numbers in JSON, whoever reads it."""


@lru_cache(maxsize=4096)
def _short_cell(value: str) -> tuple[str, JSONValue, bool]:
    return _bare_or_quoted(value), value, True


def _bare_or_quoted(text: str) -> str:
    return json_text(text) if _AMBIGUOUS.search(text) else text


def json_text(text: str) -> str:
    """Return text as a JSON string on one line, whatever counts as a line break."""
    return json.dumps(text, ensure_ascii=False).translate(_LINE_BREAKS)


_LINE_BREAKS = {code: f"\\u{code:04x}" for code in (0x7F, 0x85, 0x2028, 0x2029)}


def _blob(value: bytes) -> str:
    more = "" if len(value) <= _BLOB_BYTES else "…"
    return f"x'{value[:_BLOB_BYTES].hex()}{more}'"


def _clip(text: str, max_chars: int) -> str:
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def _clip_lines(lines: list[str], max_chars: int) -> str:
    text = "\n".join(lines)
    if len(text) <= max_chars:
        return text
    sizes = itertools.accumulate(len(line) + 1 for line in lines)
    kept = sum(size <= max_chars - 40 for size in sizes)
    return "\n".join([*lines[:kept], f"  … {len(lines) - kept} more lines"])


def _count_line(shown: int, result: QueryResult) -> str:
    if not shown and result.total_rows:
        return "(no row fits here; select fewer columns, or cut text with substr())"
    if not result.complete:
        return f"({shown} of more than {result.total_rows:,} rows)"
    if shown < result.total_rows:
        return f"({shown} of {result.total_rows:,} rows)"
    return f"({shown} row)" if shown == 1 else f"({shown} rows)"
