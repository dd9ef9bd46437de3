"""Spider's official execution accuracy, computed beside the strict verdict so that results can be set against others'.

It follows test-suite-sql-eval (Zhong, Yu, Klein: *Semantic Evaluation for Text-to-SQL with Distilled Test Suites*,
EMNLP 2020) on the one database at hand, its timeouts and its random pruning aside. Its rules, weaknesses included:
DISTINCT is taken out of both statements; rows compare as a bag, in order if ``order by`` stands anywhere in the gold's
text; columns in any order; values as Python compares them (``1 == 1.0``, text by case, ``NULL == NULL``), but for a
quick rejection that sorts each row's cells by their text and so may tell an integer from a float; two empty results are
equal. docs/grading.md lists where it and the verifier part, and how often.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sql_env.server.databases import SQLValue

Rows = Sequence[Sequence[SQLValue]]

MAX_ROWS = 5_000
"""Larger results are not compared: the accuracy is then unknown."""

MAX_BYTES = 4 * 2**20
"""Bytes of a result beyond which it is not compared either."""

MAX_VISITS = 300_000
"""Cells that the search for the order of columns looks at before the accuracy counts as unknown: some 30 ms."""

_DISTINCT = re.compile(
    r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/)|\bdistinct\b""", re.I | re.S
)


def as_run(sql: str) -> str:
    """Return a statement as the official evaluation runs it: without DISTINCT, with ``> =`` joined to ``>=``."""
    for spaced in ("> =", "< =", "! ="):
        sql = sql.replace(spaced, spaced.replace(" ", ""))
    return _DISTINCT.sub(lambda match: match[1] or "", sql)


def order_matters(gold_sql: str) -> bool:
    """Return whether the official evaluation compares rows in order."""
    return "order by" in gold_sql.lower()


def same_denotation(gold: Rows, answer: Rows, *, ordered: bool) -> bool | None:
    """Return whether some order of the answer's columns gives the gold's rows; None if that is not found out."""
    if len(gold) != len(answer):
        return False
    if not gold:
        return True
    width = len(gold[0])
    if len(answer[0]) != width:
        return False
    one, other = ([_unordered(row) for row in rows] for rows in (gold, answer))
    if one != other if ordered else set(one) != set(other):
        return False
    search = _Search([*zip(*gold, strict=True)], [*zip(*answer, strict=True)], ordered)
    found = search.extend((), ())
    return None if search.given_up and not found else found


def _unordered(row: Sequence[SQLValue]) -> tuple[SQLValue, ...]:
    return tuple(sorted(row, key=lambda cell: "".join(map(str, (cell, type(cell))))))


class _Search:
    """Assigns the answer's columns to the gold's one by one, as long as the rows so far agree."""

    def __init__(self, gold: list[tuple[Any, ...]], answer: list[tuple[Any, ...]], ordered: bool) -> None:
        self.given_up = False
        self._visits = 0
        self._gold, self._answer, self._ordered = gold, answer, ordered
        self._wanted: dict[int, Any] = {}

    def _rows(self, columns: Sequence[tuple[Any, ...]]) -> Any:
        rows = zip(*columns, strict=True)
        return list(rows) if self._ordered else Counter(rows)

    def extend(self, taken: tuple[int, ...], columns: tuple[tuple[Any, ...], ...]) -> bool:
        if len(taken) == len(self._gold):
            return True
        for candidate, column in enumerate(self._answer):
            if candidate in taken:
                continue
            self._visits += len(column) * (len(taken) + 1)
            self.given_up = self._visits > MAX_VISITS
            if self.given_up:
                return False
            more = (*columns, column)
            if len(taken) not in self._wanted:
                self._wanted[len(taken)] = self._rows(self._gold[: len(more)])
            if self._rows(more) == self._wanted[len(taken)] and self.extend((*taken, candidate), more):
                return True
        return False
