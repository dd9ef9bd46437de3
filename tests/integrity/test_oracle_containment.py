"""oracle_containment: nothing a client sends after reset changes the gold, the reward or the limits.

At reset it chooses the task and the answer form, nothing else.
"""

import dataclasses
import json
from typing import Any

import pytest
from episodes import Action, act, ask, messages, oracle, play
from served import Served
from websockets.sync.client import connect

from sql_env.models import SQLAction
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.rubrics import RewardConfig

WISHES: dict[str, Any] = {
    "gold_rows": [[1]],
    "gold_sql": "SELECT 1",
    "answer": "1",
    "expected_answer": "1",
    "reward": 1.0,
    "reward_mode": "shaped",
    "reward_config": {"wrong": 1.0},
    "rubric": None,
    "max_steps": 1000,
    "budget_remaining": 1000,
    "par": 15,
    "limits": {"vm_steps": 10**12},
    "settings": {"max_steps": 1000},
    "query_seconds": 1e9,
    "done": False,
    "correct": True,
    "verdict": "correct",
    "ordered": False,
    "step_count": -5,
    "state": {"step_count": 0, "done": False},
}
"""What an agent might like to set, under every name that exists somewhere inside."""


def ways(actions: list[Action]) -> list[list[Action]]:
    """Right at par; wrong; truncated."""
    return [actions, [*actions[:-1], ("ANSWER", "no such answer")], [("SAMPLE", "nosuch")] * 16]


def test_wishes_at_reset_change_nothing(served: Served) -> None:
    """Every question, three ways to end: the same bytes with and without them."""
    dataset = served.questions
    resources = Resources(served.settings, {dataset.name: dataset})
    env = SQLEnvironment(resources)
    before = dataclasses.asdict(dataset.questions[0]), resources.engine.limits, resources.settings
    for question in dataset.questions:
        for actions in ways(oracle(question)):
            plain = play(env, actions, task_id=question.question_id, episode_id="e")
            wished = play(env, actions, task_id=question.question_id, episode_id="e", **WISHES)
            assert [o.model_dump_json() for o in plain] == [o.model_dump_json() for o in wished]
            assert plain[-1].done
    assert (dataclasses.asdict(dataset.questions[0]), resources.engine.limits, resources.settings) == before
    resources.close()


def test_wishes_in_an_action_change_nothing(served: Served) -> None:
    dataset = served.questions
    resources = Resources(served.settings, {dataset.name: dataset})
    env = SQLEnvironment(resources)
    for question in dataset.questions:
        for actions in ways(oracle(question)):
            plain = play(env, actions, task_id=question.question_id, episode_id="e")
            env.reset(task_id=question.question_id, episode_id="e")
            for action, expected in zip(actions, plain[1:], strict=True):
                wish = SQLAction(action_type=action[0], argument=action[1], metadata=WISHES)
                assert env.step(wish, **WISHES).model_dump_json() == expected.model_dump_json()
    resources.close()


def test_wishes_on_the_wire_change_nothing(served: Served, server: str) -> None:
    """Messages that set, beside and inside the ones that exist: refused or without effect."""
    dataset = served.questions
    with connect(server.replace("http", "ws") + "/ws") as ws:
        for number, question in enumerate(dataset.questions):
            actions = ways(oracle(question))[number % 3]
            first, *steps = messages(actions, task_id=question.question_id)
            expected = [ask(ws, message) for message in (first, *steps)]
            got = [ask(ws, first | {"data": first["data"] | WISHES})]
            for message in steps:
                for wish in (
                    {"type": "state", "data": WISHES},
                    {"type": "set_state", "data": WISHES},
                    {"type": "step", "data": message["data"] | WISHES},
                    {"type": "step", "data": message["data"] | {"gold": 1}},
                    message | {"reward": 1.0, "done": False},
                ):
                    answer = json.loads(ask(ws, wish))
                    assert answer["type"] in ("state", "error"), answer
                got.append(ask(ws, message))
            assert got == expected, question.question_id


def test_the_gold_and_the_constants_cannot_be_set(served: Served) -> None:
    question = served.questions.questions[0]
    for thing, name in ((question, "gold_rows"), (served.questions, "questions"), (RewardConfig(), "wrong")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, ())


def test_an_observation_shares_nothing_with_the_episode(served: Served) -> None:
    """A client in the same process, as in training, can change what it was given and nothing else."""
    dataset = served.questions
    resources = Resources(served.settings, {dataset.name: dataset})
    env = SQLEnvironment(resources)
    for question in dataset.questions:
        seen = play(env, oracle(question)[:-1], task_id=question.question_id)
        for observation in seen:
            observation.rows.clear()
            observation.columns.append("x")
            observation.action_history.clear()
            observation.metadata.clear()
        env.state.step_count = 9
        last = act(env, *oracle(question)[-1])
        assert (last.reward, last.step_count, len(last.action_history)) == (1.0, question.par, question.par)
    resources.close()
