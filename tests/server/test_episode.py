"""The episode's state machine, and what counts as evidence."""

from typing import Any

import pytest
from made_up import QUESTION

from sql_env.server.episode import HISTORY_CHARS, Episode, evidence
from sql_env.server.questions import Question
from sql_env.server.sandbox import QueryResult
from sql_env.server.verifier import Reason


def question(rows: Any, tables: tuple[str, ...] = ("pet",)) -> Question:
    columns = tuple(f"c{i}" for i in range(len(rows[0])))
    return Question(**{**QUESTION.__dict__, "gold_rows": rows, "columns": columns, "tables": tables})


def result(rows: Any, tables: tuple[str, ...] = ("pet",), total: int | None = None, complete: bool = True) -> Any:
    columns = tuple(f"c{i}" for i in range(len(rows[0]) if rows else 1))
    reads = frozenset((table, "x") for table in tables)
    return QueryResult(columns, tuple(rows), len(rows) if total is None else total, complete, reads, 0)


def play(episode: Episode, *actions: str) -> None:
    """``ANSWER x`` answers x; anything else is a step without an answer."""
    for action in actions:
        episode.begin_step(action)
        if action.startswith("ANSWER "):
            episode.answered(action[7:], 100)
        episode.end_step()


@pytest.mark.parametrize(
    ("actions", "done", "correct", "truncated", "verdict", "left"),
    [
        ((), False, False, False, None, 3),
        (("q",), False, False, False, None, 2),
        (("q", "q"), False, False, False, None, 1),
        (("q", "q", "q"), True, False, True, None, 0),
        (("ANSWER 3",), True, True, False, Reason.CORRECT, 2),
        (("ANSWER 4",), True, False, False, Reason.WRONG_VALUE, 2),
        (("ANSWER  ",), True, False, False, Reason.EMPTY, 2),
        (("ANSWER " + "3" * 101,), True, False, False, Reason.UNPARSABLE, 2),
        (("q", "q", "ANSWER 3"), True, True, False, Reason.CORRECT, 0),
        (("q", "q", "ANSWER 4"), True, False, False, Reason.WRONG_VALUE, 0),
    ],
)
def test_states(
    actions: tuple[str, ...], done: bool, correct: bool, truncated: bool, verdict: Reason | None, left: int
) -> None:
    episode = Episode(QUESTION, 3)
    play(episode, *actions)
    assert episode.done is done
    assert episode.correct is correct
    assert episode.truncated is truncated
    assert episode.verdict is verdict
    assert episode.budget_remaining == left
    assert episode.step_count == len(actions)
    assert episode.history == list(actions)


@pytest.mark.parametrize("actions", [("ANSWER 3",), ("ANSWER 4",), ("ANSWER  ",), ("q", "q", "q")])
def test_nothing_begins_after_the_end_and_nothing_changes(actions: tuple[str, ...]) -> None:
    episode = Episode(QUESTION, 3)
    play(episode, *actions)
    before = repr(episode)
    with pytest.raises(RuntimeError, match="over"):
        episode.begin_step("ANSWER 3")
    assert repr(episode) == before


def test_a_long_action_is_cut_in_the_history() -> None:
    episode = Episode(QUESTION, 9)
    play(episode, "x" * HISTORY_CHARS, "x" * (HISTORY_CHARS + 1))
    assert episode.history[0] == "x" * HISTORY_CHARS
    assert episode.history[1] == "x" * (HISTORY_CHARS - 1) + "…"


def test_a_table_is_described_once() -> None:
    episode = Episode(QUESTION, 9)
    for name in ("b", "a", "b"):
        episode.saw_table(name)
    assert episode.described == ["b", "a"]


def test_episodes_share_nothing() -> None:
    one, other = Episode(QUESTION, 9), Episode(QUESTION, 9)
    play(one, "q", "ANSWER 3")
    one.saw_table("a")
    assert repr(other) == repr(Episode(QUESTION, 9))


THREE = (("a",), ("b",), ("c",))


@pytest.mark.parametrize(
    ("gold", "found", "expected"),
    [
        pytest.param(THREE, result(THREE), 1.0, id="equal"),
        pytest.param(THREE, result(THREE[::-1]), 1.0, id="another order"),
        pytest.param(THREE, result([*THREE, ("d",), ("e",), ("f",)]), 1.0, id="within twice the cells"),
        pytest.param(THREE, result([(x, "y") for (x,) in THREE]), 1.0, id="one column more"),
        pytest.param(THREE, result([*THREE, *[("d",)] * 4]), 0.3, id="more than twice the cells"),
        pytest.param(THREE, result(THREE, total=6), 1.0, id="rows unseen, twice the cells"),
        pytest.param(THREE, result(THREE, total=7), 0.3, id="rows unseen count as found"),
        pytest.param(THREE, result(THREE, total=1000, complete=False), 0.0, id="a dump"),
        pytest.param(THREE, result(THREE[:2]), 0.4, id="two of three"),
        pytest.param(THREE, result(THREE[:1]), 0.0, id="F1 of a half is not enough"),
        pytest.param(THREE, result([("d",)]), 0.0, id="another value"),
        pytest.param(THREE, result([]), 0.0, id="no rows"),
        pytest.param(THREE, result([("a",)] * 3), 0.0, id="one value thrice"),
        pytest.param((("a",), ("a",), ("b",)), result([("a",), ("b",)]), 0.4, id="a duplicate is missing"),
        pytest.param(THREE, result(THREE, tables=("other",)), 0.0, id="another table"),
        pytest.param(THREE, result(THREE, tables=()), 0.0, id="no table: constants"),
        pytest.param(THREE, result(THREE, tables=("pet", "other")), 1.0, id="more tables"),
        pytest.param(((1.23456789,),), result([(1.2345678,)]), 1.0, id="float to six digits"),
        pytest.param(((1.2345,),), result([(1.2346,)]), 0.0, id="another float"),
        pytest.param((("1",),), result([(1,)]), 0.0, id="text is no number"),
        pytest.param(((None,), ("x",)), result([(None,), ("x",)]), 1.0, id="NULL"),
        pytest.param(((b"\0",),), result([(b"\0",)]), 1.0, id="blob"),
        pytest.param(((3,),), result([(3,)]), 1.0, id="the only cell"),
        pytest.param(((3,),), result([(3, 4)]), 1 / 3, id="two guesses for one cell"),
        pytest.param(((3,),), result([(2, 3, 4)]), 0.0, id="three guesses for one cell"),
        pytest.param(((3, 4),), result([(3, 4, 5, 6)]), 1.0, id="within twice two cells"),
    ],
)
def test_evidence(gold: Any, found: QueryResult, expected: float) -> None:
    episode = Episode(question(gold), 5, last_result=found)
    assert evidence(episode) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("gold", "found", "expected"),
    [(((12.0,),), result([(12,)]), 1.0), (((12,),), result([(12.0,)]), 1.0), ((("1.5",),), result([(1.5,)]), 0.0)],
)
def test_evidence_compares_numbers_as_the_verifier_does(gold: Any, found: QueryResult, expected: float) -> None:
    assert evidence(Episode(question(gold), 5, last_result=found)) == expected


def test_evidence_needs_every_table_of_the_gold() -> None:
    gold = question(THREE, tables=("owner", "pet"))
    assert evidence(Episode(gold, 5, last_result=result(THREE))) == 0.0
    assert evidence(Episode(gold, 5, last_result=result(THREE, tables=("owner", "pet")))) == 1.0


def test_no_result_is_no_evidence() -> None:
    assert evidence(Episode(QUESTION, 5)) == 0.0


def test_only_the_last_result_counts() -> None:
    episode = Episode(question(THREE), 5)
    episode.saw_result(result(THREE))
    episode.saw_result(result([("z",)]))
    assert evidence(episode) == 0.0
