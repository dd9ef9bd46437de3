"""Answers against golds: lenient in form, strict in content."""

import itertools
import json
import math
import random
import time
import timeit
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from made_up import gold

from sql_env.server import verifier
from sql_env.server.answers import Gold
from sql_env.server.formatting import show_result
from sql_env.server.questions import QuestionSet, gold_answer, load
from sql_env.server.sandbox import QueryResult
from sql_env.server.settings import PACKAGED_DATA
from sql_env.server.verifier import Reason, grade, grade_rows

CORRECT, VALUE, SHAPE = Reason.CORRECT, Reason.WRONG_VALUE, Reason.WRONG_SHAPE
ORDER, UNPARSABLE, EMPTY = Reason.WRONG_ORDER, Reason.UNPARSABLE, Reason.EMPTY
Rows = Sequence[Sequence[Any]]


def case(answer: str, wanted: Gold, reason: Reason = CORRECT) -> Any:
    return pytest.param(answer, wanted, reason, id=f"{answer[:30]!r} for {str(wanted.rows)[:40]}"[:80])


ONE_CELL = [
    # numbers
    *(case(text, gold(12)) for text in ("12", " 12\n", "+12", "12.0", "12.", "012", "1.2e1", "120E-1", '"12"', "'12'")),
    *(
        case(text, gold(12), VALUE)
        for text in ("13", "-12", "12.5", "12 13", "twelve", "1 2", "$12", "12%", "1,2", "x")
    ),
    *(case(text, gold(12.0)) for text in ("12", "12.0", "1.2e1", "[12]", "[[12.0]]", "12.000001")),
    *(case(text, gold(12.0), VALUE) for text in ("12.0001", "11.9999", "nan", "12,0")),
    *(case(text, gold(2020), VALUE) for text in ("2021", "2019.9", "2020.001", "2020.0000001", "20 20")),
    *(case(text, gold(1234567)) for text in ("1,234,567", '"1,234,567"', "1234567", "1,234,567.0")),
    *(case(text, gold(1234567), VALUE) for text in ("1,23,4567", "1.234.567", "12,34,567", "1 234 567", "1_234_567")),
    *(case(text, gold(-1234.5)) for text in ("-1,234.5", "-1234.5", "[-1234.50]", "-1234.5000001")),
    case("9007199254740993", gold(2**53 + 1)),
    case("9007199254740992", gold(2**53 + 1), VALUE),
    case("9007199254740992.0", gold(2**53 + 1), VALUE),
    case("[9223372036854775807]", gold(2**63 - 1)),
    case("9223372036854775808", gold(2**63 - 1), VALUE),
    case("9" * 31, gold(1), VALUE),
    case("[" + "9" * 31 + "]", gold(1), VALUE),
    case("9" * 19_000, gold(1.0), VALUE),
    case("[" + "9" * 19_000 + "]", gold(1), VALUE),
    case("1e9999", gold(1), VALUE),
    case("0", gold(0)),
    case("-0", gold(0)),
    case("0", gold(0.0)),
    case("0.0000001", gold(0.0), VALUE),
    case("0", gold(1e-9), VALUE),
    case("0.3", gold(0.1 + 0.2)),
    case("33.33", gold(100 / 3), VALUE),
    case("33.3333333", gold(100 / 3)),
    case("Infinity", gold(math.inf)),
    case("-Infinity", gold(math.inf), VALUE),
    *(case(text, gold(1), VALUE) for text in ("NaN", "[NaN]", "Infinity", "[Infinity]", "-inf")),
    *(case(text, gold(math.inf), VALUE) for text in ("NaN", "[NaN]", "1e300", "-inf", "[Infinity]")),
    # booleans
    case("[true]", gold(1)),
    case("[false]", gold(0)),
    case("[true]", gold(0), VALUE),
    case("[true]", gold(2), VALUE),
    case("[true]", gold("true"), VALUE),
    # text
    *(case(text, gold("02647")) for text in ("02647", '"02647"', "'02647'", '["02647"]', "`02647`")),
    *(case(text, gold("02647"), VALUE) for text in ("2647", "[2647]", "2647.0", "002647", "02,647")),
    *(case(text, gold("12")) for text in ("12", "[12]", '["12"]')),
    *(case(text, gold("12"), VALUE) for text in ("12.0", "[12.0]", "012", "+12")),
    case("1.50", gold("1.50")),
    case("1.5", gold("1.50"), VALUE),
    *(case(text, gold("Smith, John")) for text in ("Smith, John", '"Smith, John"', "smith, JOHN", '["Smith, John"]')),
    *(case(text, gold("Smith, John"), VALUE) for text in ("Smith", "John, Smith", "Smith,John", '["Smith", "John"]')),
    *(case(text, gold(" APG")) for text in ("APG", " APG ", '" APG"', "apg")),
    *(case(text, gold("a\nb")) for text in ("a\nb", '"a\\nb"', '["a\\nb"]', "A\nB")),
    case("a b", gold("a\nb"), VALUE),
    case("a|b", gold("a|b")),
    case("a\tb", gold("a\tb")),
    case("| a | b |", gold("| a | b |")),
    case("STRASSE", gold("straße")),
    case("\ufb01ne", gold("fine")),
    case("Zu\u0308rich", gold("Zürich")),
    case("Zurich", gold("Zürich"), VALUE),
    case("2020-01-01", gold("2020-01-01")),
    case("2020-1-1", gold("2020-01-01"), VALUE),
    case("it's", gold("it's")),
    case('say "hi"', gold('say "hi"')),
    case("[1, 2]", gold("[1, 2]")),
    case('"[5]"', gold("[5]")),
    case("{x", gold("{x")),
    # NULL and the empty string
    *(case(text, gold(None)) for text in ("NULL", "null", "None", "none", " Null ", "[null]", "[[null]]")),
    *(case(text, gold(None), VALUE) for text in ("0", '""', "N/A", "nothing", "[]", '"null"', "[false]")),
    *(case(text, gold("null")) for text in ("null", "NULL", '"null"', "'null'", "[null]", '["null"]')),
    *(case(text, gold("'null'")) for text in ("'null'", "\"'null'\"")),
    case("null", gold("'null'"), VALUE),
    case("None", gold("null"), VALUE),
    case("[null]", gold("x"), VALUE),
    *(case(text, gold("none"), VALUE) for text in ("[null]", "null", "NULL")),
    *(case(text, gold(2**53)) for text in ("9007199254740992.0", "[9007199254740992.0]")),
    *(case(text, gold(2**53), VALUE) for text in ("9007199254740993.0", "[9007199254740993.0]", "9007199254740992.5")),
    *(case(text, gold("")) for text in ('""', "''", '[""]')),
    *(case(text, gold(""), VALUE) for text in ("NULL", "[null]", "x", "0")),
    *(case(text, gold(""), EMPTY) for text in ("", "  ", "\n\t", "Answer:", "```\n```")),
    *(case("", wanted, EMPTY) for wanted in (gold(None), gold(0), gold("x"), gold(1, 2))),
    # blobs
    *(case(text, gold(b"\x00\xff")) for text in ("x'00ff'", "X'00FF'", "\"x'00ff'\"", "[\"x'00ff'\"]")),
    *(case(text, gold(b"\x00\xff"), VALUE) for text in ("00ff", "x'00'", "x'00ff", "\0ÿ")),
    # wrapping
    *(case(text, gold(12)) for text in ("Answer: 12", "answer:12", "FINAL ANSWER : 12", "Answer:\n12")),
    *(case(text, gold(12)) for text in ("```\n12\n```", "```json\n[12]\n```", "Answer: ```\n12\n```")),
    *(case(text, gold(12), VALUE) for text in ("The answer is 12", "12 rows", "```\n12\n``` or 13", "Answers: 12")),
    case("Answer: Answer: 12", gold(12), VALUE),
    # shapes that are no one cell
    case('{"count": 12}', gold(12)),
    case('[{"count": 12}]', gold(12)),
    *(case(text, gold(12), VALUE) for text in ('{"a": {"b": 12}}', "[[[12]]]", "[12, 12]", "[]", "{}", "12\n12")),
    case("[" * 20_000, gold(12), VALUE),
    case("[" * 9_999 + "12" + "]" * 9_999, gold(12), VALUE),
    case("x" * 20_000, gold(12), VALUE),
    case("x" * 20_001, gold(12), UNPARSABLE),
    case("12" + " " * 19_999, gold(12), UNPARSABLE),
]


@pytest.mark.parametrize(("answer", "wanted", "reason"), ONE_CELL)
def test_one_cell(answer: str, wanted: Gold, reason: Reason) -> None:
    assert grade(answer, wanted) is reason


LIST = gold("a", "b", "c")
PAIRS = gold(("x", 1), ("y", 2), names="name,n")
TABLES = [
    *(case(text, LIST) for text in ('["a", "b", "c"]', "a\nb\nc", "a, b, c", "c,b,a", "a | b | c", "b\tc\ta")),
    *(case(text, LIST) for text in ('[["a"], ["b"], ["c"]]', '[{"c0": "a"}, {"c0": "b"}, {"c0": "c"}]', '"a", b, "c"')),
    *(case(text, LIST) for text in ("c0\na\nb\nc", "| c0 |\n|----|\n| a |\n| b |\n| c |", "a\n\nb\n \nc\n")),
    *(case(text, LIST, SHAPE) for text in ("a", "a, b", "a, b, c, d", "a, b, c, c", '["a", "b"]', "[]", "{}")),
    *(case(text, LIST, SHAPE) for text in ('[["a", "b", "c"]]', "a | b\nc | d", '["a", "b", ["c", 1]]', "12")),
    *(case(text, LIST, VALUE) for text in ("a, b, d", "a, a, b", "a, b, b", '["a", "b", null]')),
    *(case(text, LIST, UNPARSABLE) for text in ("[a, b, c]", "['a', 'b', c]", '["a", "b", "c"', "{a}")),
    *(case(text, gold("a", "a", "b")) for text in ("a, b, a", '["b", "a", "a"]')),
    *(case(text, gold("a", "a", "b"), VALUE) for text in ("a, b, b", "b, b, a")),
    case("a, b", gold("a", "a", "b"), SHAPE),
    *(case(text, gold("b", "a", ordered=True)) for text in ("b, a", "b\na", '["b", "a"]')),
    *(case(text, gold("b", "a", ordered=True), ORDER) for text in ("a, b", "a\nb", '["a", "b"]')),
    case("a, c", gold("b", "a", ordered=True), VALUE),
    case("a, a", gold("a", "a", ordered=True)),
    *(case(text, gold("a, b", "c, d")) for text in ("a, b\nc, d", '["c, d", "a, b"]', '"a, b", "c, d"')),
    *(case(text, gold(1234, 5)) for text in ('"1,234", 5', "1,234\n5", "5 | 1,234", "[5, 1234]")),
    case("1,234, 5", gold(1234, 5), SHAPE),
    *(case(text, gold("02647", "1")) for text in ("02647, 1", '["02647", 1]')),
    *(case(text, gold("02647", "1"), VALUE) for text in ("2647, 1", '[2647, "1"]')),
    *(case(text, gold(None, "x")) for text in ("NULL, x", "x\nnull", '[null, "x"]', '["x", "None"]')),
    case(', "x"', gold(None, "x"), VALUE),
    case('"", x', gold("", "x")),
    case('["", "x"]', gold("", "x")),
    case("[NaN, 1]", gold(1, 2), UNPARSABLE),
    *(case(text, PAIRS) for text in ("x | 1\ny | 2", "y, 2\nx, 1", "x\t1\ny\t2", '[["y", 2], ["x", 1]]', "x|1\ny|2")),
    *(case(text, PAIRS) for text in ("name | n\nx | 1\ny | 2", "| Name | N |\n|---|--:|\n| x | 1 |\n| y | 2 |")),
    *(
        case(text, PAIRS)
        for text in ("1 | x\n2 | y", '[[1, "x"], [2, "y"]]', '[{"n": 1, "name": "x"}, {"n": 2, "name": "y"}]')
    ),
    *(case(text, PAIRS) for text in ("```\nx | 1\ny | 2\n```", "Answer: x, 1\ny, 2", '[["x", 1.0], ["y", "2"]]')),
    *(case(text, PAIRS, VALUE) for text in ("x | 2\ny | 1", '[["x", 1], ["x", 1]]', '[["x", 1], ["y", 3]]')),
    *(case(text, PAIRS, SHAPE) for text in ("x | 1", '["x", 1, "y", 2]', '[["x", 1, 0], ["y", 2, 0]]', "x 1\ny 2")),
    case("n | name\nx | 1\ny | 2", PAIRS),
    case("n | other\nx | 1\ny | 2", PAIRS, SHAPE),
    *(case(text, gold(7478157.0)) for text in ("7478157", "7,478,157.0", "7478157.4")),
    *(case(text, gold(7478157.0), VALUE) for text in ("7478158", "7478156", "7478157.5")),
    case("7478158.5", gold(7478157.5)),
    case('[["x", 1], ["y", 2], []]', PAIRS, SHAPE),
    *(case(text, gold((1, 2))) for text in ("1 | 2", "1, 2", "2\t1", "[1, 2]", "[[2, 1]]", '{"a": 1, "b": 2}')),
    *(case(text, gold((1, 2)), SHAPE) for text in ("12", "1", "1\n2", "[[1], [2]]", "1, 2, 3", '{"a": 1}')),
    case("1,234", gold((1, 234))),
    case("1 | 1,234", gold((1, 1234))),
    *(case(text, gold((1, 2), (2, 1))) for text in ("1 2\n2 1".replace(" ", " | "), "2, 1\n1, 2")),
    case("[[1, 1], [2, 2]]", gold((1, 2), (2, 1)), VALUE),
    case("[[1, 2], [1, 2]]", gold((1, 2), (2, 1)), VALUE),
    case("[[2, 1], [4, 3]]", gold((1, 2), (3, 4), ordered=True)),
    case("[[3, 4], [1, 2]]", gold((1, 2), (3, 4), ordered=True), ORDER),
    case("[[1, 2], [4, 3]]", gold((1, 2), (3, 4), ordered=True), VALUE),
    case("x" * 20_001, PAIRS, UNPARSABLE),
    case("[" * 20_000, PAIRS, UNPARSABLE),
    case("\n" * 19_000 + "x | 1\ny | 2", PAIRS),
]


@pytest.mark.parametrize(("answer", "wanted", "reason"), TABLES)
def test_tables(answer: str, wanted: Gold, reason: Reason) -> None:
    assert grade(answer, wanted) is reason


@pytest.mark.parametrize(("answer", "cell"), [("true", 1), ("False", 0), ("TRUE", 1.0)])
def test_a_bare_boolean_is_a_number(answer: str, cell: float) -> None:
    assert grade(answer, gold(cell)) is CORRECT


def test_the_limit_on_length_is_the_callers() -> None:
    assert grade("12345", gold(12345), max_chars=5) is CORRECT
    assert grade("12345", gold(12345), max_chars=4) is UNPARSABLE


# --- properties ------------------------------------------------------------------------------------------

CELLS = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["", " x ", "null", "'null'", "02647", "a,b", "a|b", "a\nb", "1,234", '"q"', "[1]", "None", "ß"])
    | st.binary(max_size=3)
)


@st.composite
def golds(draw: Any, cells: Any = CELLS, max_columns: int = 4) -> Gold:
    width = draw(st.integers(1, max_columns))
    rows = draw(st.lists(st.tuples(*[cells] * width), min_size=1, max_size=6))
    return Gold(tuple(f"c{i}" for i in range(width)), tuple(rows), draw(st.booleans()))


@settings(max_examples=400)
@given(golds())
@example(gold("null", None))
@example(gold("[5]"))
@example(gold(b""))
def test_a_gold_is_its_own_answer(wanted: Gold) -> None:
    assert grade(gold_answer(wanted.rows), wanted) is CORRECT


SIMPLE = st.sampled_from([None, 0, 1, 2, -7, 0.5, "a", "b", "cc", "12", "", b"\0"])


def content(rows: Rows) -> Counter[str]:
    return Counter(map(repr, rows))


def equal_content(answer: Rows, wanted: Gold, ordered: bool | None = None) -> bool:
    """Whether some order of the answer's columns gives the gold's rows: by trying all of them."""
    if not all(len(row) == len(wanted.columns) for row in answer):
        return False
    in_order = wanted.ordered if ordered is None else ordered
    for columns in itertools.permutations(range(len(wanted.columns))):
        moved = [tuple(row[c] for c in columns) for row in answer]
        if moved == list(wanted.rows) if in_order else content(moved) == content(wanted.rows):
            return True
    return False


@settings(max_examples=400)
@given(golds(SIMPLE), st.randoms(use_true_random=False))
def test_the_order_of_rows_matters_exactly_where_it_should(wanted: Gold, rng: Any) -> None:
    rows = list(wanted.rows)
    rng.shuffle(rows)
    reason = grade(gold_answer(rows), wanted)
    same = not wanted.ordered or equal_content(rows, wanted)
    assert reason is (CORRECT if same else ORDER)


@settings(max_examples=400)
@given(golds(SIMPLE), golds(SIMPLE))
def test_what_is_accepted_has_the_golds_content(wanted: Gold, other: Gold) -> None:
    """Compared with an oracle that tries every order of the columns."""
    reason = grade(as_rows(other.rows), wanted)
    loose = Gold(wanted.columns, tuple(tuple(map(as_seen, row)) for row in wanted.rows), wanted.ordered)
    if reason is CORRECT:
        assert equal_content([tuple(map(as_seen, row)) for row in other.rows], loose)


def as_rows(rows: Rows) -> str:
    """Rows as JSON; gold_answer makes a flat list of one column, which may also be read as one row."""
    return json.dumps([[f"x'{cell.hex()}'" if isinstance(cell, bytes) else cell for cell in row] for row in rows])


def as_seen(cell: Any) -> str:
    """A value as the answer's text has it: 12 and '12' are the same to a gold of text."""
    return f"{cell:g}" if isinstance(cell, int | float) else str(cell)


BITS = st.integers(0, 2)


@settings(max_examples=600)
@given(golds(BITS, 3), st.lists(st.tuples(BITS, BITS, BITS), min_size=1, max_size=4), st.booleans())
def test_nothing_is_accepted_beyond_an_order_of_columns(wanted: Gold, rows: Rows, permute: bool) -> None:
    width = len(wanted.columns)
    answer = [tuple(row[:width]) for row in (wanted.rows if permute else rows)]
    if permute:
        answer = [tuple(reversed(row)) for row in reversed(answer)]
    if grade(json.dumps(answer), wanted) is CORRECT:
        assert equal_content(answer, wanted)


@settings(max_examples=300)
@given(golds(st.integers(0, 10**6)), st.permutations(range(4)))
def test_the_order_of_columns_is_free(wanted: Gold, order: list[int]) -> None:
    columns = [c for c in order if c < len(wanted.columns)]
    assume(len({tuple(sorted(row[c] for row in wanted.rows)) for c in columns}) == len(columns))
    answer = [[row[c] for c in columns] for row in wanted.rows]
    assert grade(json.dumps(answer), wanted) is CORRECT


def test_the_order_of_columns_is_free_among_equal_ones_too() -> None:
    wanted = gold((1, 2, "x"), (2, 1, "y"))
    assert equal_content([(2, 1, "x"), (1, 2, "y")], wanted)
    assert grade('[[2, 1, "x"], [1, 2, "y"]]', wanted) is CORRECT


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        pytest.param('[["\'x\'"], ["x"]]', gold("x", "'x'"), id="quotes"),
        pytest.param("[1.0000007, 1.0000014, 1.0]", gold(1.0, 1.0000007, 1.0000014), id="neighbouring floats"),
    ],
)
def test_a_gold_in_another_order_of_rows_is_correct(answer: str, wanted: Gold) -> None:
    assert grade(answer, wanted) is CORRECT


def changed(cell: Any, wanted: Gold) -> Any:
    """A value that no cell of the gold has, of the same kind."""
    present = [c for row in wanted.rows for c in row]
    if isinstance(cell, int | float):
        numbers = [abs(c) for c in present if isinstance(c, int | float)]
        return int(max(numbers)) // 2 * 3 + 17 if max(numbers) < 10**17 else -1234.5
    return "zz" + "".join(c for c in present if isinstance(c, str))


def drop(rows: list[Any], i: int) -> list[Any]:
    return rows[:i] + rows[i + 1 :]


def double(rows: list[Any], i: int) -> list[Any]:
    return [*rows, rows[i]]


@settings(max_examples=300)
@given(golds(), st.data())
def test_a_changed_cell_is_never_accepted(wanted: Gold, data: Any) -> None:
    i = data.draw(st.integers(0, len(wanted.rows) - 1))
    j = data.draw(st.integers(0, len(wanted.columns) - 1))
    rows = [list(row) for row in wanted.rows]
    rows[i][j] = changed(rows[i][j], wanted)
    assert grade(gold_answer(rows), wanted) is VALUE


@settings(max_examples=200)
@given(golds(), st.data(), st.sampled_from([drop, double]))
def test_a_row_less_or_more_is_never_accepted(wanted: Gold, data: Any, change: Callable[..., Any]) -> None:
    rows = change(list(wanted.rows), data.draw(st.integers(0, len(wanted.rows) - 1)))
    answer = gold_answer(rows) if rows else "[]"
    assert grade(answer, wanted) is not CORRECT


@settings(max_examples=300)
@given(golds(st.sampled_from(["a", "b", "c", 1, 2, None])), st.data())
def test_a_row_in_place_of_another_is_never_accepted(wanted: Gold, data: Any) -> None:
    rows = list(wanted.rows)
    i, j = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(rows) - 1))
    rows[i] = rows[j]
    if not equal_content(rows, wanted):
        assert grade(gold_answer(rows), wanted) is not CORRECT


@settings(max_examples=600)
@given(
    st.text(max_size=80)
    | st.text("[]{}\",:|0-9.eE+- \n\t\r`ab'nul\x1c\x85\u2028\0", max_size=80)
    | st.from_regex(r"[\[({]{0,2}-?[0-9]{1,3}\.?[0-9]{0,3}[eE][-+]?[0-9]{1,22}[\])},]{0,2}", fullmatch=True)
    | st.lists(st.sampled_from(["[", "]", "{", "}", '"', ",", "|", "1", "a", "\n", "---", "```", "answer:", ":"])).map(
        "".join
    ),
    golds(SIMPLE),
)
@example("", gold(1))
@example("\r", gold(1, 2))
@example("\ud800", gold("x"))
@example('"\n"', gold("a", "b"))
def test_any_text_gets_a_verdict(answer: str, wanted: Gold) -> None:
    assert grade(answer, wanted) in Reason
    assert grade(answer, wanted) is grade(answer, wanted)


@pytest.fixture(scope="module")
def starter() -> QuestionSet:
    return load("starter", PACKAGED_DATA / "starter")


def test_starter_golds_are_accepted_and_nothing_else_is(starter: QuestionSet) -> None:
    for question in starter.questions:
        wanted = Gold.of(question)
        rows = [list(row) for row in question.gold_rows]
        assert grade(gold_answer(rows), wanted) is CORRECT
        assert grade(gold_answer(rows[::-1]), wanted) in (CORRECT, ORDER)
        assert (grade(gold_answer(rows[::-1]), wanted) is CORRECT) == equal_content(
            [*map(tuple, rows[::-1])], wanted
        ), question.question_id
        for i, row in enumerate(rows):
            for change in (drop, double):
                assert grade(gold_answer(change(rows, i)) if change(rows, i) else "[]", wanted) is not CORRECT
            for j, cell in enumerate(row):
                other = [*rows[:i], [*row[:j], changed(cell, wanted), *row[j + 1 :]], *rows[i + 1 :]]
                assert grade(gold_answer(other), wanted) is VALUE, (question.question_id, i, j)


def attempts(rows: Rows, wanted: Gold) -> int:
    """Columns that the search tries until it finds the rows equal."""
    fits = verifier._Fits([[verifier._AnswerCell(cell) for cell in row] for row in rows], wanted)
    assert fits.some_columns(ordered=wanted.ordered)
    return verifier.COLUMN_ATTEMPTS - fits._attempts


def test_the_search_for_columns_never_turns_back_on_a_starter_gold(starter: QuestionSet) -> None:
    never_turns_back(starter)


def test_the_search_for_columns_never_turns_back_on_a_gold_of_spider(whole_spider_data: Path) -> None:
    never_turns_back(load("spider", whole_spider_data))


def never_turns_back(dataset: QuestionSet) -> None:
    """Without turning back, w columns take at most w + (w − 1) + … + 1 attempts."""
    rng = random.Random(0)
    for question in dataset.questions:
        width = len(question.columns)
        wanted = Gold.of(question)
        orders = (
            itertools.permutations(range(width)) if width <= 4 else (rng.sample(range(width), width) for _ in "x" * 24)
        )
        for order in orders:
            rows = [[row[c] for c in order] for row in question.gold_rows]
            if not wanted.ordered:
                rng.shuffle(rows)
            assert attempts(rows, wanted) <= width * (width + 1) // 2, question.question_id


def test_no_starter_gold_answers_a_question_with_another_gold(starter: QuestionSet) -> None:
    """Every gold against every question: what is accepted has equal content."""
    answers = [(q, gold_answer(q.gold_rows)) for q in starter.questions]
    for question in starter.questions:
        wanted = Gold.of(question)
        for other, answer in answers:
            if len(other.gold_rows) == len(wanted.rows) and grade(answer, wanted) is CORRECT:
                seen = [sorted(as_seen(cell) for cell in row) for row in other.gold_rows]
                assert sorted(seen) == sorted(sorted(as_seen(cell) for cell in row) for row in wanted.rows)


# --- rows that an answer in SQL gave ------------------------------------------------------------------------


@settings(max_examples=400)
@given(golds(SIMPLE), golds(SIMPLE))
def test_rows_are_graded_as_they_would_be_written_out(wanted: Gold, other: Gold) -> None:
    for rows in (wanted.rows, wanted.rows[::-1], other.rows):
        assert (grade_rows(rows, wanted) is CORRECT) == (grade(as_rows(rows), wanted) is CORRECT)


ROWS = [
    ([("null",)], gold(None), VALUE),
    ([(None,)], gold("null"), VALUE),
    ([("x'00'",)], gold(b"\0"), VALUE),
    ([(b"a",)], gold("a"), VALUE),
    ([(12.0,)], gold(12), CORRECT),
    ([("12",)], gold(12), CORRECT),
    ([(float(2**53),)], gold(2**53 + 1), VALUE),
    ([(1, "x"), (2, "y")], gold(("y", 2), ("x", 1)), CORRECT),
    ([(1, "x"), (2, "y")], gold(("y", 2), ("x", 1), ordered=True), ORDER),
    ([(1,), (1,)], gold(1), SHAPE),
    ([(1, 2)], gold(1), SHAPE),
    ([], gold(1), EMPTY),
]


@pytest.mark.parametrize(("rows", "wanted", "reason"), ROWS)
def test_rows_have_types(rows: Rows, wanted: Gold, reason: Reason) -> None:
    assert grade_rows(rows, wanted) is reason


# --- an answer copied from what QUERY shows ---------------------------------------------------------------


def copied(wanted: Gold) -> str:
    """The lines that QUERY shows of a result, header included, as an agent would copy them."""
    result = QueryResult(wanted.columns, wanted.rows, len(wanted.rows), True, frozenset(), 0)
    return show_result(result, 20, 20_000).text.rpartition("\n")[0]


@settings(max_examples=300)
@given(golds(SIMPLE | st.text("ab 01.", max_size=5)))
@example(gold("a\nb", "c\nd", ordered=True))
@example(gold(math.inf, 1.0))
def test_a_copied_result_is_accepted(wanted: Gold) -> None:
    assume(len(wanted.rows) * len(wanted.columns) > 1)
    assert grade(copied(wanted), wanted) is CORRECT


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(gold(("a|b", 1), ("c", 2)), id="a pipe in a quoted cell"),
        pytest.param(gold("a\u2028b", "c"), id="a line separator that is shown bare"),
        pytest.param(gold("a\x85b", "c"), id="a next-line character that is shown bare"),
        pytest.param(gold(12), id="one cell under its header"),
    ],
)
def test_an_odd_copied_result_is_accepted(wanted: Gold) -> None:
    assert grade(copied(wanted), wanted) is CORRECT


def test_a_copied_row_of_dashes_is_accepted() -> None:
    assert grade("- | --", gold(("-", "--"))) is CORRECT


# --- time ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        pytest.param("[" * 20_000, gold(1), id="brackets"),
        pytest.param("1" + ",111" * 4_990 + "x", gold(1), id="thousands"),
        pytest.param("|" * 20_000, gold(("a", "b"), ("c", "d")), id="pipes"),
        pytest.param("\n" * 10_000 + "x" * 9_000, gold("a", "b"), id="lines"),
        pytest.param("answer" + " " * 19_000 + "x", gold(1), id="prefix"),
        pytest.param("```" + "\n" * 19_000, gold(1), id="fence"),
        pytest.param(json.dumps([["\ufdfa" * 150] * 3] * 10), gold(*[("a", "b", "c")] * 10), id="expanding text"),
    ],
)
def test_grading_takes_no_time(answer: str, wanted: Gold) -> None:
    assert seconds(answer, wanted) < 0.2


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        pytest.param("1" * 9_000 + "x", gold(1), id="digits"),
        pytest.param("-" * 19_000 + "x", gold(("a", "b")), id="dashes"),
        pytest.param(
            json.dumps(["\u0300\u0316" * 3_000] + ["x"] * 19, ensure_ascii=False),
            gold(*"abcdefghijklmnopqrst"),
            id="marks",
        ),
    ],
)
def test_grading_takes_no_time_for_hostile_answers(answer: str, wanted: Gold) -> None:
    assert seconds(answer, wanted) < 0.2


@pytest.mark.parametrize(("width", "height"), [(12, 20), (20, 20), (60, 10)])
def test_grading_takes_no_time_where_columns_look_alike(width: int, height: int) -> None:
    """Columns of zeros and ones, one cell wrong: every search that tries permutations takes for ever."""
    rows = [[int(i == j % height) for j in range(width)] for i in range(height)]
    wanted = gold(*map(tuple, rows))
    rows[0][0] = rows[1][1] = 0
    assert seconds(json.dumps(rows), wanted) < 0.5


def seconds(answer: str, wanted: Gold) -> float:
    """Processor time of grading, the least of three."""
    return min(timeit.repeat(lambda: grade(answer, wanted), timer=time.process_time, number=1, repeat=3))
