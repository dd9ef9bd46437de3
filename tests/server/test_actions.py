"""Plans of actions: what they ask to be run, what they tell the episode, and how a turn goes on."""

import pytest

from sql_env.models import ACTION_TYPES
from sql_env.server.actions import ACTIONS, Statement, Task, Turn, carry_out
from sql_env.server.episode import Episode
from sql_env.server.errors import ActionError, BusyError, LimitError, StatementError
from sql_env.server.questions import Question
from sql_env.server.resources import Resources
from sql_env.server.verifier import Reason


def make_task(resources: Resources, answer_form: str = "value") -> Task:
    question: Question = resources.default_dataset.by_id("allotment_society-001")
    database = resources.default_dataset.database(question)
    episode = Episode(question, 15, answer_form)
    episode.begin_step("x")
    return Task(episode, database, resources.schema(database), resources.settings, resources.engine.limits)


def finish(resources: Resources, turn: Turn) -> list[str]:
    """Run what a turn asks for; return the statements."""
    asked = []
    while (wanted := turn.wanted) is not None:
        assert isinstance(wanted, Statement)
        asked.append(wanted.sql)
        turn.resume(resources.engine.run(wanted.database, wanted.sql, wanted.limits))
    return asked


def test_the_actions_are_those_of_the_wire() -> None:
    assert ACTIONS == ACTION_TYPES


@pytest.mark.parametrize(
    ("form", "action", "argument", "asked"),
    [
        ("value", "DESCRIBE", "plot", []),
        ("value", "SAMPLE", "PLOT", ['SELECT * FROM "plot" LIMIT 5']),
        ("value", "QUERY", "SELECT 1", ["SELECT 1"]),
        ("value", "ANSWER", "47", []),
        (
            "sql",
            "ANSWER",
            "SELECT DISTINCT 47",
            ["SELECT DISTINCT 47", "SELECT COUNT(*) FROM plot WHERE has_shed = 1", "SELECT  47"],
        ),
        ("sql", "ANSWER", " ", []),
    ],
)
def test_what_an_action_asks_to_be_run(
    resources: Resources, form: str, action: str, argument: str, asked: list[str]
) -> None:
    for again in (False, True):
        task = make_task(resources, form)
        if not again:
            task.schema.samples.clear()
        turn = Turn(carry_out(task, action, argument))
        assert finish(resources, turn) == ([] if again and action == "SAMPLE" else asked)
        assert turn.error is None
        assert turn.text


def test_an_action_that_does_not_exist_is_the_agents_fault(resources: Resources) -> None:
    turn = Turn(carry_out(make_task(resources), "DANCE", ""))
    assert isinstance(turn.error, ActionError)
    assert turn.wanted is None


def test_an_answer_in_sql_that_fails_is_graded_and_still_measured(resources: Resources) -> None:
    task = make_task(resources, "sql")
    turn = Turn(carry_out(task, "ANSWER", "SELECT nope"))
    turn.fail(StatementError("no such column: nope"))
    assert task.episode.verdict is Reason.UNPARSABLE
    while turn.wanted is not None:
        turn.fail(LimitError("query stopped"))
    assert isinstance(turn.error, StatementError)
    assert task.episode.official is None


def test_an_answer_in_sql_without_a_turn_is_not_graded(resources: Resources) -> None:
    task = make_task(resources, "sql")
    turn = Turn(carry_out(task, "ANSWER", "SELECT 47"))
    turn.fail(BusyError("busy"))
    assert (turn.wanted, task.episode.verdict) == (None, None)
    assert isinstance(turn.error, BusyError)


def test_more_rows_than_the_gold_are_never_kept_in_numbers(resources: Resources) -> None:
    """The answer's own run keeps the rows of a QUERY, or one more than the gold has."""
    turn = Turn(carry_out(make_task(resources, "sql"), "ANSWER", "SELECT 47"))
    assert isinstance(turn.wanted, Statement)
    assert turn.wanted.limits.rows == resources.settings.result_rows
