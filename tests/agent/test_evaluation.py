"""evaluate(): the small form, on a client and on an environment in process."""

from typing import Any

import pytest

from sql_env import SQLEnvClient
from sql_env.agent.evaluation import evaluate
from sql_env.agent.faults import RolloutError
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.policies import ConstantPolicy, RandomPolicy
from sql_env.models import SQLAction, SQLObservation
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources


@pytest.fixture
def oracle(resources: Resources) -> OraclePolicy:
    return OraclePolicy(resources.datasets)


def test_the_oracle_reaches_everything_on_a_client(starter_server: str, oracle: OraclePolicy) -> None:
    told: list[tuple[int, int]] = []
    with SQLEnvClient(base_url=starter_server).sync() as env:
        result = evaluate(env, oracle, 20, 3, lambda done, total: told.append((done, total)))
    assert (result.success_rate, result.avg_reward, result.n_completed, result.n_episodes) == (1.0, 1.0, 20, 20)
    assert len(result.episodes) == 20
    assert result.avg_steps == sum(len(episode.trajectory) for episode in result.episodes) / 20
    assert 0.6 < result.interval[0] < 0.84
    assert result.interval[1] == 1.0
    assert told == [(number, 20) for number in range(1, 21)]


def test_in_process_equals_the_wire(starter_server: str, resources: Resources) -> None:
    with SQLEnvClient(base_url=starter_server).sync() as env:
        wire = evaluate(env, RandomPolicy(), n_episodes=15, seed=1)
    here = evaluate(SQLEnvironment(resources), RandomPolicy(), n_episodes=15, seed=1)
    assert wire == here
    assert here != evaluate(SQLEnvironment(resources), RandomPolicy(), n_episodes=15, seed=2)


def test_without_a_number_every_task_of_the_split_is_played_once(resources: Resources, oracle: OraclePolicy) -> None:
    env = SQLEnvironment(resources)
    tasks = {q.question_id for q in resources.default_dataset.select("test")}
    result = evaluate(env, oracle)
    assert {episode.task_id for episode in result.episodes} == tasks
    assert result.n_completed == len(tasks) == len(result.episodes)
    assert {episode.split for episode in evaluate(env, oracle, split="eval").episodes} == {"eval"}


class Raises(RandomPolicy):
    name = "raises"

    def act(self, observation: SQLObservation) -> SQLAction:
        if observation.question.startswith("How many"):
            raise ValueError("no")
        return super().act(observation)


def test_a_policy_that_raises_loses_its_episodes_and_the_rest_is_played(resources: Resources) -> None:
    result = evaluate(SQLEnvironment(resources), Raises(), n_episodes=40)
    failed = [episode for episode in result.episodes if episode.fault]
    assert result.n_completed == 40
    assert 0 < len(failed) < 40
    assert {episode.question[:8] for episode in failed} == {"How many"}
    assert {(episode.correct, episode.verdict) for episode in failed} == {(False, "empty")}


class Breaks:
    """An environment that fails at every third reset."""

    def __init__(self, env: SQLEnvironment) -> None:
        self._env, self._resets = env, 0

    def reset(self, **selectors: Any) -> SQLObservation:
        self._resets += 1
        if self._resets % 3 == 0:
            raise RuntimeError("the server failed")
        return self._env.reset(**selectors)

    def step(self, action: SQLAction) -> SQLObservation:
        return self._env.step(action)


def test_tasks_are_drawn_without_replacement_from_test(resources: Resources, oracle: OraclePolicy) -> None:
    env = SQLEnvironment(resources)
    drawn = evaluate(env, oracle, n_episodes=30, seed=4).episodes
    assert len({episode.task_id for episode in drawn}) == 30
    assert {episode.split for episode in drawn} == {"test"}
    assert evaluate(env, oracle, n_episodes=10_000).n_episodes == 90
    assert drawn != evaluate(env, oracle, n_episodes=30, seed=5).episodes


def test_what_the_environment_fails_does_not_count(resources: Resources) -> None:
    result = evaluate(Breaks(SQLEnvironment(resources)), ConstantPolicy("1"), n_episodes=9)
    assert (result.n_episodes, result.n_completed, len(result.lost)) == (9, 6, 3)
    assert {fault.source for fault in result.lost} == {"environment"}


async def test_an_asynchronous_client_is_told_what_to_do(starter_server: str) -> None:
    async with SQLEnvClient(base_url=starter_server) as client:
        with pytest.raises(TypeError, match=r"client\.sync\(\)"):
            evaluate(client, RandomPolicy(), n_episodes=1)


async def test_it_runs_where_a_loop_runs_already(starter_server: str, oracle: OraclePolicy) -> None:
    """As in a notebook."""
    with SQLEnvClient(base_url=starter_server).sync() as env:
        assert evaluate(env, oracle, n_episodes=2).success_rate == 1.0


def test_what_is_wrong_is_said(resources: Resources) -> None:
    env = SQLEnvironment(resources)
    with pytest.raises(ValueError, match="at least 1"):
        evaluate(env, RandomPolicy(), n_episodes=0)
    with pytest.raises(RolloutError, match="unknown split 'nosuch'"):
        evaluate(env, RandomPolicy(), n_episodes=2, split="nosuch")
    with pytest.raises(TypeError, match="knows no hardnes; selectors are answer_form"):
        evaluate(env, RandomPolicy(), hardnes="hard")
    with pytest.raises(TypeError, match="expected an SQLObservation"):
        evaluate(Returns(), RandomPolicy(), n_episodes=1)


class Returns:
    def reset(self, **selectors: Any) -> dict[str, Any]:
        return {}

    def step(self, action: SQLAction) -> dict[str, Any]:
        return {}
