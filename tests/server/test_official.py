"""Spider's official execution accuracy, against a reading of its rules that tries every order of the columns."""

import itertools
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_env.server.official import as_run, order_matters, same_denotation

VALUES = st.sampled_from([None, 0, 1, 1.0, 2, "a", "A", "1", b"a"])


@st.composite
def tables(draw: Any) -> tuple[list[Any], list[Any]]:
    """Two tables that are often the same but for order."""
    width = draw(st.integers(1, 4))
    row = st.tuples(*[VALUES] * width)
    gold = draw(st.lists(row, max_size=5))
    if not draw(st.booleans()):
        return gold, draw(st.lists(st.tuples(*[VALUES] * draw(st.integers(1, 4))), max_size=5))
    order = draw(st.permutations(range(width)))
    return gold, [tuple(row[c] for c in order) for row in draw(st.permutations(gold))]


@settings(max_examples=600)
@given(tables(), st.booleans())
def test_some_order_of_columns_makes_them_equal(pair: tuple[list[Any], list[Any]], ordered: bool) -> None:
    gold, answer = pair
    assert same_denotation(gold, answer, ordered=ordered) is by_trying(gold, answer, ordered)


def by_trying(gold: list[Any], answer: list[Any], ordered: bool) -> bool:
    if len(gold) != len(answer):
        return False
    if not gold:
        return True
    if len(gold[0]) != len(answer[0]) or quickly_rejected(gold, answer, ordered):
        return False
    for order in itertools.permutations(range(len(gold[0]))):
        moved = [tuple(row[c] for c in order) for row in answer]
        if moved == gold if ordered else Counter(moved) == Counter(gold):
            return True
    return False


def quickly_rejected(gold: list[Any], answer: list[Any], ordered: bool) -> bool:
    """Rows as their cells sorted by text and type have to be the same: where 1 and 1.0 sort elsewhere, they are not."""
    sorts = [[tuple(sorted(row, key=lambda x: str(x) + str(type(x)))) for row in rows] for rows in (gold, answer)]
    return sorts[0] != sorts[1] if ordered else set(sorts[0]) != set(sorts[1])


@pytest.mark.parametrize(
    ("gold", "answer", "ordered", "equal"),
    [
        ([], [], False, True),
        ([(1,)], [], False, False),
        ([(1,)], [(1.0,)], False, True),
        ([("a",)], [("A",)], False, False),
        ([("1",)], [(1,)], False, False),
        ([(0.3,)], [(0.1 + 0.2,)], False, False),
        ([(None,)], [(None,)], False, True),
        ([(1,), (1,)], [(1,)], False, False),
        ([(1,), (2,)], [(2,), (1,)], False, True),
        ([(1,), (2,)], [(2,), (1,)], True, False),
        ([(1, "x"), (2, "y")], [("x", 1), ("y", 2)], True, True),
        ([(1, 2), (2, 1)], [(1, 1), (2, 2)], False, False),
        ([(1, 10)], [(10, 1)], False, True),
        ([(1, 10)], [(10, 1.0)], False, False),
    ],
)
def test_denotations(gold: list[Any], answer: list[Any], ordered: bool, equal: bool) -> None:
    assert same_denotation(gold, answer, ordered=ordered) is equal


@pytest.mark.parametrize(
    ("sql", "run"),
    [
        ("SELECT DISTINCT a FROM t", "SELECT  a FROM t"),
        ("SELECT count(distinct a) FROM t", "SELECT count( a) FROM t"),
        (
            "SELECT 'distinct' , \"Distinct\", [distinct], `distinct`",
            "SELECT 'distinct' , \"Distinct\", [distinct], `distinct`",
        ),
        ("SELECT 'it''s distinct', distinct_a FROM t", "SELECT 'it''s distinct', distinct_a FROM t"),
        ("SELECT a -- distinct\nFROM t /* distinct */", "SELECT a -- distinct\nFROM t /* distinct */"),
        ("SELECT a FROM t WHERE a > = 1 AND b ! = 2 OR c < = 3", "SELECT a FROM t WHERE a >= 1 AND b != 2 OR c <= 3"),
    ],
)
def test_how_a_statement_is_run(sql: str, run: str) -> None:
    assert as_run(sql) == run


def test_order_matters_wherever_order_by_stands() -> None:
    assert order_matters("SELECT a FROM t ORDER BY a")
    assert order_matters("SELECT a FROM t WHERE a = (SELECT b FROM u Order By c LIMIT 1)")
    assert not order_matters("SELECT a FROM t")


@pytest.mark.parametrize(("height", "width"), [(5000, 13), (5000, 50), (2000, 100)])
def test_large_results_take_no_time(height: int, width: int) -> None:
    gold = [tuple("x" for _ in range(width)) for _ in range(height)]
    answer = [*gold[:-1], (*gold[-1][:-1], "y")]
    started = time.process_time()
    assert same_denotation(gold, answer, ordered=False) is not True
    assert time.process_time() - started < 1.0


def test_a_search_that_is_too_long_is_given_up() -> None:
    """Columns that look alike until the last: unknown, soon, rather than wrong."""
    width = 40
    gold = [tuple(int(i == j) for j in range(width)) for i in range(width)] * 20
    answer = [(*row[:-1], 1 - row[-1]) if n == 0 else row for n, row in enumerate(gold)]
    started = time.process_time()
    assert same_denotation(gold, answer, ordered=False) in (None, False)
    assert time.process_time() - started < 1.0
