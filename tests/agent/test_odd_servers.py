"""Servers that are none of ours, over real WebSockets: whatever they say, it is attributed and the run goes on."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from sql_env.agent.faults import RolloutError
from sql_env.agent.policies import RandomPolicy
from sql_env.agent.rollouts import Job, Lost, Setup, first_of, play_all
from sql_env.agent.trajectory import Trajectory

Says = Callable[[dict[str, Any], int], "str | bytes"]

ORIGIN = {
    "dataset": "d", "split": "test", "task_id": "t", "db_id": "b", "answer_form": "value", "seed": None, "index": 0,
    "num_tasks": 3,
}  # fmt: skip
END = {
    "verdict": "wrong_value", "truncated": False, "hardness": "easy", "answer_type": "integer", "par": 3,
    "components": {"correctness": -0.1}, "outcome_return": -0.1,
}  # fmt: skip


def answer(metadata: Any, *, done: bool = False, **observation: Any) -> str:
    seen = {"question": "q", "schema_info": "Tables: t", "budget_remaining": 5, "metadata": metadata} | observation
    return json.dumps({"type": "observation", "data": {"observation": seen, "done": done, "reward": 0.0}})


@contextmanager
def odd_server(says: Says) -> Iterator[str]:
    """Answer the n-th message of a session (from 0) with what ``says`` returns; a SIMULATION, no environment."""

    def session(connection: ServerConnection) -> None:
        for number, message in enumerate(connection):
            connection.send(says(json.loads(message), number))

    with serve(session, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "says",
    [
        lambda message, _: json.dumps(message),
        lambda *_: "garbage",
        lambda *_: "[]",
        lambda *_: json.dumps({"type": "observation", "data": {"observation": []}}),
        lambda *_: json.dumps({"type": "observation", "data": {"observation": {}}}),
        lambda *_: answer(None),
        lambda *_: answer({}),
        lambda *_: answer(ORIGIN | {"num_tasks": "many"}),
        lambda *_: answer(ORIGIN | {"num_tasks": 0}),
    ],
    ids=["echo", "garbage", "list", "list of observations", "nothing", "null", "no metadata", "text", "no tasks"],
)
def test_what_is_no_environment_is_told_at_once(says: Says) -> None:
    with odd_server(says) as base_url, pytest.raises(RolloutError) as raised:
        asyncio.run(first_of(base_url, {}))
    assert raised.value.source == "environment"
    assert "no SQLEnv observation" in str(raised.value)


def one_step(message: dict[str, Any], said: str) -> str:
    return answer(ORIGIN) if message["type"] == "reset" else said


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("garbage", "failed"),
        (answer({}, step_count=-4), "failed"),
        (answer(END | {"components": None}, done=True), "failed"),
        (answer({"outcome_return": 1}, done=True), "failed"),
        (answer({}, done=True, error="gone"), "lost"),
        (answer({}), "failed"),
    ],
    ids=["garbage", "invalid", "no components", "half an end", "no end", "goes on for ever"],
)
def test_an_odd_answer_in_an_episode_loses_it_and_nothing_else(said: str, kind: str) -> None:
    outcomes: list[Trajectory | Lost] = []
    with odd_server(lambda message, _: one_step(message, said)) as base_url:
        setup = Setup(base_url=base_url, selectors={}, make_policy=RandomPolicy, retries=0)
        asyncio.run(play_all(setup, [Job(0)], outcomes.append))
    (lost,) = outcomes
    assert isinstance(lost, Lost)
    assert lost.faults[0].kind == kind


def test_an_older_server_without_twins_and_one_that_gives_another_task() -> None:
    outcomes: list[Trajectory | Lost] = []
    with odd_server(lambda message, _: one_step(message, answer(END, done=True))) as base_url:
        setup = Setup(base_url=base_url, selectors={}, make_policy=RandomPolicy, retries=0)
        asyncio.run(play_all(setup, [Job(0), Job(1)], outcomes.append))
    (episode,) = [outcome for outcome in outcomes if isinstance(outcome, Trajectory)]
    (lost,) = [outcome for outcome in outcomes if isinstance(outcome, Lost)]
    assert (episode.twin_of, episode.episode_return) == ("", -0.1)
    assert "another task than number 1" in lost.faults[0].message


def test_a_server_that_knows_no_variants_plays_none() -> None:
    """It would give the original, and call it nothing else."""
    outcomes: list[Trajectory | Lost] = []
    with odd_server(lambda message, _: one_step(message, answer(END, done=True))) as base_url:
        setup = Setup(base_url=base_url, selectors={}, make_policy=RandomPolicy)
        asyncio.run(play_all(setup, [Job(0), Job(0, 0, 1)], outcomes.append))
    (episode,) = [outcome for outcome in outcomes if isinstance(outcome, Trajectory)]
    (lost,) = [outcome for outcome in outcomes if isinstance(outcome, Lost)]
    assert episode.variant == 0
    assert (lost.job, lost.faults[0].message) == (Job(0, 0, 1), "the server knows no variant 1 of this task")
