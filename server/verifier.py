"""Is an answer right? Lenient in form, strict in content. Pure: an answer and gold rows in, a verdict out.

The gold's cell decides how a cell is read: TEXT as text (``02647`` is not ``2647``), INTEGER and REAL as numbers
(``12`` is ``12.0``). Rows compare as a bag, in order if and only if the gold is ordered; columns may come in any order.

Every step takes polynomial time, whatever the answer: rows are assigned by bipartite matching, columns by a search
that tries the gold's own order first. Whether two tables are equal but for the order of rows and columns is as hard as
graph isomorphism, for which no polynomial algorithm is known, so the search stops after COLUMN_ATTEMPTS. No real gold
comes near: on each of the starter set's and Spider's, whatever the order of its columns, it never turned back.
"""

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any

from sql_env.server.answers import Cell, Gold, bare, folded, readings, shape, unquoted
from sql_env.server.databases import SQLValue

RELATIVE_TOLERANCE = 1e-6
"""For REAL cells: results are shown in full, so this forgives rounding in the last digits only."""

COLUMN_ATTEMPTS = 500
"""Partial assignments of columns that are tried; beyond it an answer with its columns exchanged counts as wrong."""


class Reason(StrEnum):
    """Why an answer is right or wrong."""

    CORRECT = "correct"
    WRONG_VALUE = "wrong_value"
    WRONG_SHAPE = "wrong_shape"
    WRONG_ORDER = "wrong_order"
    UNPARSABLE = "unparsable"
    EMPTY = "empty"
    WRONG_ON_VARIANT = "wrong_on_variant"


def grade(answer: str, gold: Gold, max_chars: int = 20_000) -> Reason:
    """Compare an answer with the gold.

    Args:
        answer: what the agent wrote.
        gold: the gold rows.
        max_chars: a longer answer is not read.
    """
    if len(answer) > max_chars:
        return Reason.UNPARSABLE
    text = bare(answer)
    if not text:
        return Reason.EMPTY
    tables = list(readings(text, gold))
    table = next((rows for rows in tables if shape(rows) == gold.shape), None)
    if table is None:
        return Reason.WRONG_SHAPE if tables else Reason.UNPARSABLE
    return _compare([[_AnswerCell(cell) for cell in row] for row in table], gold)


def grade_rows(rows: Sequence[Sequence[SQLValue]], gold: Gold) -> Reason:
    """Compare the rows that an answer in SQL gave with the gold, as ``grade`` would compare them written out.

    NULL alone is NULL here, since the rows have types; nothing else differs.

    Args:
        rows: all rows, or more of them than the gold has.
        gold: the gold rows.
    """
    if not rows:
        return Reason.EMPTY
    if shape(rows) != gold.shape:
        return Reason.WRONG_SHAPE
    return _compare([[_TypedCell(cell) for cell in row] for row in rows], gold)


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
        near = math.isclose(float(number), gold, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-12)
        # A whole number stored as REAL, a population say, is no less exact for it.
        return near and (not gold.is_integer() or abs(gold) >= 2**53 or abs(float(number) - gold) < 0.5)

    @cached_property
    def _is_null(self) -> bool:
        return self._cell is None or (self._size in (4, 5, 6) and folded(self._cell) in ("null", "none"))

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        if self._cell is None:
            return ("null",)
        if isinstance(self._cell, bool | list | dict):
            return ()
        text = str(self._cell)
        return folded(text), folded(unquoted(text))

    @cached_property
    def _number(self) -> int | float | Decimal | None:
        if isinstance(self._cell, float | Decimal):
            return self._cell
        if isinstance(self._cell, int):
            return self._cell if abs(self._cell) < 10**30 else None
        if not isinstance(self._cell, str):
            return None
        return {"true": 1, "false": 0}.get(self._cell.strip().lower(), number(self._cell))


class _TypedCell(_AnswerCell):
    """A cell of a result: its type is known, so text that spells null is no NULL."""

    def __init__(self, cell: SQLValue) -> None:
        super().__init__(f"x'{cell.hex()}'" if isinstance(cell, bytes) else cell)
        self._value = cell

    def equals(self, gold: SQLValue) -> bool:
        if self._value is None or gold is None:
            return self._value is gold
        if isinstance(self._value, bytes) or isinstance(gold, bytes):
            return self._value == gold
        return super().equals(gold)


def number(cell: str) -> int | float | Decimal | None:
    """Read a number as people and SQLite write it, exactly, or return None."""
    text = unquoted(cell).strip() if len(cell) <= 80 else ""
    if re.fullmatch(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", text, re.ASCII):
        text = text.replace(",", "")
    if re.fullmatch(r"[-+]?\d{1,30}", text, re.ASCII):
        return int(text)
    if re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,4})?", text, re.ASCII | re.IGNORECASE):
        return Decimal(text)
    return float(text) if re.fullmatch(r"[-+]?inf(?:inity)?", text, re.ASCII | re.IGNORECASE) else None


# --- comparing tables ------------------------------------------------------------------------------------


def _compare(table: list[list[_AnswerCell]], gold: Gold) -> Reason:
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

    def __init__(self, table: list[list[_AnswerCell]], gold: Gold) -> None:
        self._cells = table
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
