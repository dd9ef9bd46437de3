"""The environment class for TRL, without TRL: tools, rewards, ends, lost connections."""

import inspect
import json
import pickle
import re
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_env.agent import prompts
from sql_env.agent.faults import RolloutError
from sql_env.agent.local_server import COMMAND, server_process
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.policies import ConstantPolicy, RandomPolicy
from sql_env.agent.sessions import Remote, play
from sql_env.agent.task_rows import SELECTORS
from sql_env.agent.trajectory import Trajectory
from sql_env.agent.trl_env import SQLToolEnv, close_all
from sql_env.models import TOOLS, SQLAction
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings

EASY = {"dataset": "starter", "split": "train", "hardness": "easy"}


@pytest.fixture(scope="module")
def resources() -> Iterator[Resources]:
    with closing(Resources.load(Settings.from_environ({}))) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def shaped() -> Iterator[Resources]:
    with closing(Resources.load(Settings.from_environ({"SQL_ENV_REWARD_MODE": "shaped"}))) as loaded:
        yield loaded


@pytest.fixture
def env(resources: Resources) -> SQLToolEnv:
    return SQLToolEnv(partial(SQLEnvironment, resources))


def test_its_public_methods_are_the_tools_word_for_word() -> None:
    """TRL offers every public function of the class and reads type hints and Google docstrings."""
    public = dict(inspect.getmembers(SQLToolEnv, inspect.isfunction))
    offered = {name: method for name, method in public.items() if not name.startswith("_")}
    assert set(offered) == {"reset", "get_reward"} | {tool.name for tool in TOOLS}
    for tool in TOOLS:
        told = inspect.getdoc(offered[tool.name])
        assert told == f"{tool.description}\n\nArgs:\n    {tool.argument}: {tool.argument_description}"
        (_, argument) = inspect.signature(offered[tool.name]).parameters.values()
        assert (argument.name, argument.annotation) == (tool.argument, str)


def test_what_it_tells_is_what_an_evaluated_model_is_told(env: SQLToolEnv, resources: Resources) -> None:
    """Every byte: the opening and each result, errors among them."""
    beside = SQLEnvironment(resources)
    row = {**EASY, "index": 3}
    first = beside.reset(**row)
    assert env.reset(**row) == prompts.opening(first)
    table = re.findall(r"Tables: (\w+)", prompts.opening(first))[0]
    for kind, argument in (("describe", table), ("sample", "nix"), ("query", f"SELECT COUNT(*) FROM {table}")):
        seen = beside.step(SQLAction(action_type=kind, argument=argument))
        assert getattr(env, kind)(argument) == prompts.told(seen.result, seen.error, seen.budget_remaining)
    assert env.answer("surely wrong") == "Not correct: wrong_value."


@pytest.mark.parametrize("kind", ["outcome", "binary"])
def test_every_starter_question_earns_its_reward_through_the_tools(resources: Resources, kind: Any) -> None:
    session = partial(SQLEnvironment, resources)
    env, oracle = SQLToolEnv(session, reward=kind), OraclePolicy(resources.datasets)
    first = SQLEnvironment(resources)
    size = first.reset(dataset="starter", split="all", index=0).metadata["num_tasks"]
    for index in range(size):
        row = {"dataset": "starter", "split": "all", "index": index}
        oracle.reset(first.reset(**row), 0)
        env.reset(**row)
        for action in oracle.plan:
            getattr(env, action.action_type.lower())(action.argument)
        assert env.get_reward() == 1.0


def test_an_episode_without_an_answer_earns_what_a_blank_answer_does(env: SQLToolEnv, resources: Resources) -> None:
    env.reset(**EASY, index=0)
    assert env.get_reward() == pytest.approx(-0.1)
    null = play(SQLEnvironment(resources), ConstantPolicy(""), {**EASY, "index": 0}, 0)
    assert env.get_reward() == null.episode_return
    with pytest.raises(ValueError, match="over"):
        env.describe("anything")


def test_after_its_end_no_tool_works_and_the_reward_stays(env: SQLToolEnv) -> None:
    env.reset(**EASY, index=0)
    env.answer("no")
    earned = env.get_reward()
    for tool in TOOLS:
        with pytest.raises(ValueError, match="the episode is over"):
            getattr(env, tool.name)("x")
    assert env.get_reward() == earned


def test_the_budget_ends_an_episode(env: SQLToolEnv) -> None:
    env.reset(**EASY, index=0)
    for _ in range(15):
        env.query("SELECT 1")
    with pytest.raises(ValueError, match="over"):
        env.answer("1")
    assert env.get_reward() == pytest.approx(-0.1)


def test_a_row_names_its_task_and_other_columns_are_the_trainers(env: SQLToolEnv, resources: Resources) -> None:
    row = {**dict.fromkeys(SELECTORS), "dataset": "procedural", "split": "train", "index": 12_345, "variant": 0}
    told = env.reset(**row, prompt=[{"role": "user", "content": ""}], seed=None, reward="1")
    again = SQLToolEnv(partial(SQLEnvironment, resources)).reset(**row)
    assert told == again
    for nameless in ({}, {"dataset": "starter", "split": "train"}, {"seed": 4, "task_id": None}):
        with pytest.raises(ValueError, match="must name its task"):
            env.reset(**nameless)


def test_arguments_of_any_type_are_taken_as_text(env: SQLToolEnv) -> None:
    """Chat templates that write JSON do not check types."""
    env.reset(**EASY, index=0)
    assert "no table named '12'" in env.describe(12)  # type: ignore[arg-type]
    assert "Error" in env.query({"sql": "SELECT 1"})  # type: ignore[arg-type]
    assert env.answer(["a", "b"]).startswith("Not correct")  # type: ignore[arg-type]


def test_what_a_model_is_told_is_bounded(resources: Resources) -> None:
    env = SQLToolEnv(partial(SQLEnvironment, resources), max_chars=60)
    assert len(env.reset(**EASY, index=0)) == 60 + len(prompts.SHORTENED)
    assert len(env.query("SELECT 'a long text' || hex(zeroblob(400))")) == 60 + len(prompts.SHORTENED)


actions = st.tuples(
    st.sampled_from(["describe", "sample", "query"]), st.sampled_from(["plot", "nix", "SELECT 1", "SELECT * FROM plot"])
)


@settings(max_examples=60)
@given(st.lists(actions, max_size=16), st.booleans())
def test_shaping_by_a_potential_sums_to_the_outcome(
    shaped: Resources, taken: list[tuple[str, str]], answers: bool
) -> None:
    """Policy invariance where a trainer sees one number: no sequence of actions earns more by progress."""
    env = SQLToolEnv(partial(SQLEnvironment, shaped), reward="shaped")
    episodes: list[Trajectory] = []
    beside = SQLToolEnv(partial(SQLEnvironment, shaped), reward="outcome", told=episodes.append)
    naive = SQLToolEnv(partial(SQLEnvironment, shaped), reward="progress")
    for one in (env, beside, naive):
        one.reset(dataset="starter", split="test", db_id="allotment_society", index=0)
        for name, argument in taken[:14] + [("answer", "1")] * answers:
            getattr(one, name)(argument)
    assert env.get_reward() == pytest.approx(beside.get_reward(), abs=1e-9)
    progress = naive.get_reward()
    assert progress is not None
    assert progress >= env.get_reward() - 1e-9  # type: ignore[operator]
    assert len(episodes) == 1


def test_progress_pays_for_looking_around(shaped: Resources) -> None:
    """What naive shaping does, so that an ablation can show it: two DESCRIBEs and a wrong answer earn more."""
    lazy, busy = (SQLToolEnv(partial(SQLEnvironment, shaped), reward="progress") for _ in range(2))
    for env in (lazy, busy):
        env.reset(dataset="starter", split="train", index=0)
    busy.describe(re.findall(r"Tables: (\w+)", busy.reset(dataset="starter", split="train", index=0))[0])
    for env in (lazy, busy):
        env.answer("surely wrong")
    assert busy.get_reward() > lazy.get_reward() + 0.01  # type: ignore[operator]


def test_over_the_wire_it_is_the_same(env: SQLToolEnv) -> None:
    with server_process({"SQL_ENV_DATASET": "starter"}) as (_, url):
        connect = pickle.loads(pickle.dumps(Remote([url])))  # AsyncGRPOTrainer starts its workers with a pickle
        remote = SQLToolEnv(connect)
        for index in (0, 1):
            row = {**EASY, "index": index}
            assert remote.reset(**row) == env.reset(**row)
            assert remote.query("SELECT 6 * 7") == env.query("SELECT 6 * 7")
            assert remote.answer("42") == env.answer("42")
            assert remote.get_reward() == env.get_reward()
        with pytest.raises(RolloutError, match=r"unknown split"):
            remote.reset(dataset="starter", split="nowhere", index=0)
        close_all([remote])


def test_a_server_that_dies_costs_its_episode_and_no_more() -> None:
    with server_process({"SQL_ENV_DATASET": "starter"}) as (process, url):
        port = url.rsplit(":", 1)[1]
        env = SQLToolEnv(Remote([url], message_seconds=5))
        env.reset(**EASY, index=0)
        process.kill()
        process.wait()
        with pytest.raises(ValueError, match="connection to the environment was lost"):
            env.query("SELECT 1")
        with pytest.raises(ValueError, match="does not count"):
            env.answer("1")
        assert env.get_reward() is None, "TRL leaves such a rollout out"
    with server_process({"SQL_ENV_DATASET": "starter"}, [*COMMAND[:-1], port]):
        assert env.reset(**EASY, index=0).startswith("Question: ")
        env.answer("1")
        assert env.get_reward() == pytest.approx(-0.1)
        close_all([env])


def test_no_server_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sql_env.agent.trl_env.WAITS", (0.0, 0.0))
    env = SQLToolEnv(Remote(["http://127.0.0.1:9"]))
    with pytest.raises(RolloutError, match=r"no server answers at http://127\.0\.0\.1:9"):
        env.reset(**EASY, index=0)


def test_servers_are_taken_in_turn() -> None:
    connect = Remote(["http://a", "http://b"])
    assert [connect()._base_url for _ in range(3)] == ["http://a", "http://b", "http://a"]


def test_play_records_what_an_evaluation_records(resources: Resources) -> None:
    played = play(SQLEnvironment(resources), RandomPolicy(), {**EASY, "index": 2}, 5)
    assert played.policy_seed == 5
    line = json.loads(played.to_json())
    assert line["steps"] == len(line["trajectory"])
    assert line["trajectory"][-1]["action_type"] == "ANSWER"
