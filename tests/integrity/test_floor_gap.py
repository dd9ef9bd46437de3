"""floor_gap: every right episode earns at least 0.5 more than every wrong one, on every question."""

from dataclasses import replace

import pytest
from episodes import Action, oracle, play
from served import Served

from sql_env.server.environment import SQLEnvironment
from sql_env.server.questions import Question
from sql_env.server.resources import Resources

WASTED: Action = ("QUERY", "SELECT nope")


def right_ways(question: Question, max_steps: int, form: str) -> list[list[Action]]:
    """At par, at once, and at the last moment after nothing but faults."""
    way = oracle(question, form)
    return [way, way[-1:], [WASTED] * (max_steps - 1) + way[-1:], [WASTED] * (max_steps - len(way)) + way]


def wrong_ways(question: Question, max_steps: int, form: str) -> list[list[Action]]:
    """With the best evidence there is, the gold itself just shown; and without any."""
    *way, _ = oracle(question, form)
    twice = f"SELECT *, * FROM ({question.gold_sql.rstrip('; ')})"
    wrong = "SELECT 'no such answer'" if form == "sql" else "no such answer"
    ends: list[Action] = [("ANSWER", wrong), ("ANSWER", "")]
    return [
        *([*way, end] for end in ends),
        *([end] for end in ends),
        [*way, ("QUERY", twice), ends[0]],
        [WASTED] * (max_steps - 1) + way[-1:],
        [("ANSWER", twice if form == "sql" else "no")],
        [WASTED] * max_steps,
    ]


@pytest.mark.parametrize("form", ["value", "sql"])
def test_floor_gap(served: Served, form: str) -> None:
    """In the mode ``shaped``, whose rewards sum to what ``outcome`` pays at the end."""
    resources = Resources(replace(served.settings, reward_mode="shaped"), {served.name: served.questions})
    env, lowest_right, highest_wrong = SQLEnvironment(resources), 2.0, -2.0
    max_steps = resources.settings.max_steps
    for question in served.questions.questions:

        def earned(actions: list[Action], correct: bool, question: Question = question) -> float:
            seen = play(env, actions, task_id=question.question_id, answer_form=form)
            assert seen[-1].done
            assert (seen[-1].metadata["verdict"] == "correct") is correct, (question.question_id, actions[-1])
            total = sum(observation.reward or 0.0 for observation in seen)
            assert total == pytest.approx(seen[-1].metadata["outcome_return"], abs=1e-9)
            return total

        right = [earned(way, True) for way in right_ways(question, max_steps, form)]
        wrong = [earned(way, False) for way in wrong_ways(question, max_steps, form)]
        assert min(right) - max(wrong) >= 0.5, question.question_id
        lowest_right, highest_wrong = min(lowest_right, *right), max(highest_wrong, *wrong)
    resources.close()
    assert lowest_right == pytest.approx(0.8, abs=1e-6)
    assert highest_wrong == pytest.approx(0.2, abs=1e-6)
