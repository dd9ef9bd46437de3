"""Forms of an answer: what people and models write around and between the cells; and no answer is two guesses."""

import json
import time
import timeit
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_up import gold

from sql_env.server.answers import Gold
from sql_env.server.verifier import Reason, grade

ABC, PAIRS = gold("a", "b", "c"), gold(("x", 1), ("y", 2))
ACCEPTED = [
    # as Python prints it
    ("['a', 'b', 'c']", ABC),
    ("('a', 'b', 'c')", ABC),
    ("[('a',), ('b',), ('c',)]", ABC),
    ("[('x', 1), ('y', 2)]", PAIRS),
    ("(('x', 1), ('y', 2),)", PAIRS),
    ("[(12,)]", gold(12)),
    ("[None, True, 'x']", gold(None, 1, "x")),
    ("""["it's", 'say "hi"', 'a\\'b']""", gold("it's", 'say "hi"', "a'b")),
    ("['a (b)', 'None', '1,)']", gold("a (b)", "None", "1,)")),
    ("('x', 1)", gold(("x", 1))),
    # text that only begins like it
    ("(555) 123", gold("(555) 123")),
    ("(a)\n(b)", gold("(a)", "(b)")),
    ("(a), (b)", gold("(a)", "(b)")),
    ("(1, 2)", gold("(1, 2)")),
    # a result as QUERY shows it, under names of the agent's own
    ("names\na\nb\nc\n(3 rows)", ABC),
    ("n | name\n1 | x\n2 | y\n(2 rows)", PAIRS),
    ("how_many\n12\n(1 row)", gold(12)),
    ("12\n(1 row)", gold(12)),
    ("a\nb\nc\n(3 rows)", ABC),
    ("p | q\nx | 1\n(1 row)", gold(("x", 1))),
    ("[name] COLLATE NOCASE\na\nb\nc\n(3 rows)", ABC),
    ("{x | [y\nx | 1\ny | 2\n(2 rows)", PAIRS),
    # a Markdown table
    ("| any |\n|---|\n| a |\n| b |\n| c |", ABC),
    ("| any | thing |\n|:--|--:|\n| x | 1 |\n| y | 2 |", PAIRS),
    ("| count |\n|---|\n| 12 |", gold(12)),
    ("| a | b |\n|---|---|\n| x | 1 |", gold(("x", 1))),
    # lists
    ("- a\n- b\n- c", ABC),
    ("* a\n* b\n* c", ABC),
    ("• a\n• b\n• c", ABC),
    ("1. a\n2. b\n3. c", ABC),
    ("1) 7\n2) 5", gold(7, 5)),
    ("- a\n- b", gold("- a", "- b")),
    ("1. a\n2. b", gold("1. a", "2. b")),
    ("1. x | 1\n2. y | 2", PAIRS),
    ("- x, 1\n- y, 2", PAIRS),
    ("a,\nb,\nc", ABC),
    ('"a",\n"b",\n"c"', ABC),
    ("a,\nb,", gold("a,", "b,")),
    # rows one a line
    ('["x", 1]\n["y", 2]', PAIRS),
    ('["x", 1],\n["y", 2],', PAIRS),
    ("('x', 1)\n('y', 2)", PAIRS),
    ("('a',)\n('b',)\n('c',)", ABC),
    ('{"name": "x", "n": 1}\r\n{"n": 2, "name": "y"}', PAIRS),
    ("(1)\n(2)", gold("(1)", "(2)")),
    # boxes around one cell, and other drawings
    ("Sex\n---\nF\n(1 row)", gold("F")),
    ("+---+\n| Sex |\n+---+\n| F |\n+---+", gold("F", names="Sex")),
    ("| any |\n|-|\n| F |", gold("F")),
    ("| any |\n|:-:|\n| a |\n| b |\n| c |", ABC),
    ("| F |", gold("F")),
    ("| a |\n| b |\n| c |", ABC),
    ("- | -\nx | y", gold(("-", "-"), ("x", "y"))),
    ("a | b\n- | -\n(2 rows)", gold(("a", "b"), ("-", "-"))),
    # a header in the answer's own order of columns
    ("n | name\n1 | x\n2 | y", gold(("x", 1), ("y", 2), names="name,n")),
    ("x" * 300 + "\na\nb\nc", gold("a", "b", "c", names="x" * 300)),
    # quotes of every kind, bold, marks in front
    ("\u201ca\u201d\n\u2018b\u2019\n\u00abc\u00bb", ABC),
    ("**12**", gold(12)),
    ("**Answer:** 12", gold(12)),
    ("**Final answer**: 12", gold(12)),
    ("| **any** |\n|---|\n| **12** |", gold(12)),
    ("\ufeff12", gold(12)),
    # CSV with a line break in a cell
    ('"a\nb",1\n"c\nd",2', gold(("a\nb", 1), ("c\nd", 2))),
    ('name,n\n"a\nb",1', gold(("a\nb", 1), names="name,n")),
    # objects
    ('[{"a": "x", "b": 1}, {"b": 2, "a": "y"}]', PAIRS),
    ('{"columns": ["n", "m"], "rows": [["x", 1], ["y", 2]]}', PAIRS),
    ('{"answer": ["a", "b", "c"]}', ABC),
    ('{"answer": [["x", 1], ["y", 2]]}', PAIRS),
    ('{"name": "x", "name": 1}', gold(("x", 1))),
    ('{"answer": 12}', gold(12)),
]


@pytest.mark.parametrize(("answer", "wanted"), ACCEPTED)
def test_form(answer: str, wanted: Gold) -> None:
    assert grade(answer, wanted) is Reason.CORRECT


HEDGES = [
    ("x\na\nb\n(2 rows)", [gold("a", "b"), gold("x", "a", "b")]),
    ("x\na\nb\n(3 rows)", [gold("a", "b"), gold("x", "a", "b")]),
    ("| x |\n|---|\n| a |\n| b |", [gold("a", "b"), gold("x", "a", "b")]),
    ("x\na\nb", [gold("a", "b"), gold("x", "a", "b")]),
    ("3\n5", [gold(3), gold(5), gold(3, 5)]),
    ("3 | 5", [gold(3), gold(5), gold((3, 5))]),
    ("3, 5", [gold(3), gold(5), gold((3, 5))]),
    ("[3, 5]", [gold(3), gold(5), gold((3, 5))]),
    ("[[3], [5]]", [gold(3), gold(5), gold(3, 5)]),
    ('{"a": 3, "b": 5}', [gold(3), gold(5), gold((3, 5))]),
    ('{"answer": [3], "other": [5]}', [gold(3), gold(5)]),
    ('{"rows": [[3]], "columns": [5]}', [gold(3), gold(5)]),
    ("Answer: 3\nAnswer: 5", [gold(3), gold(5)]),
    ("```\n3\n```\n```\n5\n```", [gold(3), gold(5)]),
    ("3 or 5", [gold(3), gold(5)]),
    ("1. a\n1. b", [gold("a", "b"), gold("1. a", "1. b")]),
    ("name\nBergen\n(2 rows)", [gold("Bergen", names="name"), gold("name", "Bergen")]),
    ("name\nBergen\n(1 row)", [gold("Bergen", names="name"), gold("name", "Bergen")]),
    ('[{"a": 1, "b": 2}, {"b": 2, "a": 1}]', [gold((1, 2), (1, 2)), gold((1, 2), (2, 1))]),
    ("1. 5", [gold(5), gold(1), gold(1.5)]),
]


@pytest.mark.parametrize(("answer", "golds"), HEDGES)
def test_an_answer_is_one_guess(answer: str, golds: list[Gold]) -> None:
    """At most one of golds that differ in content accepts it."""
    assert sum(grade(answer, wanted) is Reason.CORRECT for wanted in golds) <= 1


REFUSED = [
    ("12\n(5 rows)", gold(12)),
    ("a\nb\nc\n(999 rows)", ABC),
    ("c0 | c1\n13 | 7\n(1 row)", gold(13, 7)),
    ('[{"a": 1, "b": 2}, {"b": 2, "a": 1}]', gold((1, 2), (2, 1))),
    ("Sex: F", gold("F")),
    ("12 (1 row)", gold(12)),
    ("{'a', 'b', 'c'}", ABC),
    ("a and b and c", ABC),
]


@pytest.mark.parametrize(("answer", "wanted"), REFUSED)
def test_no_form(answer: str, wanted: Gold) -> None:
    assert grade(answer, wanted) is not Reason.CORRECT


BOMBS = (
    "1e9999999999999999999",
    "1e999999999999999999",
    "-1.5e-9999999999999999999999",
    "1e4000",
    "0e99999999999999999999",
)


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("form", ["{}", "[{}]", "({},)", '{{"a": {}}}', "[[{}]]", "{}, {}"])
@pytest.mark.parametrize("wanted", [gold(1), gold(1.5), gold("x"), gold(None), gold((1, 2))])
def test_a_number_beyond_all_bounds_is_wrong_and_no_fault(form: str, bomb: str, wanted: Gold) -> None:
    answer = form.replace("{}", bomb).replace("{{", "{").replace("}}", "}")
    assert grade(answer, wanted) in (Reason.WRONG_VALUE, Reason.WRONG_SHAPE, Reason.UNPARSABLE)
    assert min(timeit.repeat(lambda: grade(answer, wanted), timer=time.process_time, number=1, repeat=2)) < 0.1


CELLS = st.none() | st.booleans() | st.integers(-99, 99) | st.text("ab'\\\"(),[] \n|", max_size=6) | st.just("None")


@settings(max_examples=500)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), st.booleans())
@example([("\\", "'")], True)
def test_what_python_prints_is_read_as_json_is(rows: list[tuple[Any, Any]], as_lists: bool) -> None:
    wanted = Gold(("a", "b"), tuple(tuple(map(stored, row)) for row in rows), ordered=True)
    printed = repr([list(row) for row in rows] if as_lists else rows)
    assert grade(printed, wanted) is grade(json.dumps(rows), wanted) is Reason.CORRECT


def stored(cell: Any) -> Any:
    return int(cell) if isinstance(cell, bool) else cell


UNITS = ["'", "\\'", "(", ",)", ", ", "[", "None", '"', "'\\", "1.", "- a\n", "1. a\n", "(1 row)\n", '|"\\', '|"\\u']
UNITS += ['|"\t', "|", '"\n', "(1,)\n", "[1]\n", " ", "] ", "*", "**", "| ", "- ", "--|", ",\n", '""', '{"a": 1}\n']


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("wanted", [gold("a"), ABC, PAIRS], ids=["cell", "list", "table"])
@pytest.mark.parametrize("opening", ["[", "(", "", "x"])
def test_reading_takes_no_time(unit: str, wanted: Gold, opening: str) -> None:
    answer = (opening + unit * 20_000)[:19_990] + "\n```"
    took = min(timeit.repeat(lambda: grade(answer, wanted), timer=time.process_time, number=1, repeat=3))
    assert took < 0.25  # 0.05 s on the machine that this was written on; quadratic reading took seconds
