"""The procedural data set: served like the others, remembered within bounds, the same for all who ask."""

import asyncio
import gc
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from sql_env.agent.local_server import local_server
from sql_env.client import SQLEnvClient
from sql_env.models import SQLAction
from sql_env.server.datasets import load_all
from sql_env.server.environment import SQLEnvironment
from sql_env.server.errors import TaskError
from sql_env.server.procedural import source
from sql_env.server.procedural.source import ProceduralTasks
from sql_env.server.questions import gold_answer
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings


@pytest.fixture(scope="module")
def tasks() -> ProceduralTasks:
    return ProceduralTasks()


@pytest.fixture(scope="module")
def served() -> Iterator[Resources]:
    resources = Resources.load(Settings(dataset="procedural"))
    yield resources
    resources.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with local_server({"SQL_ENV_DATASET": "procedural"}) as base_url:
        yield base_url


# --- selecting -------------------------------------------------------------------------------------------


def test_ids_name_tasks(tasks: ProceduralTasks) -> None:
    question = tasks.by_id("p1-train-123456789")
    assert question.question_id == "p1-train-123456789"
    assert tasks.select("train")[123456789] == question
    assert tasks.twin_of(question) == question.question_id
    assert tasks.database(question).db_id == question.question_id


@pytest.mark.parametrize(
    "task_id",
    ["", "p1-train", "p2-train-1", "p1-dev-1", "p1-train-01", "p1-train--1", "p1-train-1000000000", "p1-train-١"],
)
def test_an_unknown_id_is_refused_and_says_what_one_is(tasks: ProceduralTasks, task_id: str) -> None:
    with pytest.raises(TaskError, match=r"unknown task_id .*; one is p1-SPLIT-NUMBER"):
        tasks.by_id(task_id)


def test_all_is_one_split_after_the_other(tasks: ProceduralTasks) -> None:
    found = tasks.select("all")
    assert len(found) == 1_000_003_000
    assert found[1_000_000_000].question_id == "p1-eval-0"
    assert found[1_000_002_999].question_id == "p1-compositional-999"


def test_dials_choose(tasks: ProceduralTasks) -> None:
    found = tasks.select("train", hardness="hard,extra", answer_type="list", num_tables="2-3", distractors="many")
    for index in (0, 1, 17, len(found) - 1):
        question = found[index]
        assert question.hardness in ("hard", "extra")
        assert question.answer_type == "list"
    assert {tasks.select("test", "fish_market")[index].db_id for index in range(5)} == {"fish_market"}


@pytest.mark.parametrize(
    ("selectors", "said"),
    [
        ({"split": "dev"}, "unknown split 'dev'; procedural has: train, eval, test, compositional, all"),
        ({"split": "test", "db_id": "tram_depot"}, "no task of split test fits db_id=tram_depot"),
        ({"db_id": "nosuch"}, "unknown database 'nosuch'; procedural has: balloon_rides"),
        ({"hardness": "easy", "split": "compositional"}, "no task of split compositional fits hardness=easy"),
        ({"num_rows": "vast"}, "num_rows must be one of small, medium, large"),
    ],
)
def test_a_selector_that_names_nothing_is_refused(tasks: ProceduralTasks, selectors: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError) as error:
        tasks.select(**selectors)
    assert said in str(error.value)


def test_curated_sets_have_no_such_dials_and_say_so(resources: Resources) -> None:
    env = SQLEnvironment(resources)
    assert env.reset(answer_type="list", hardness="easy, hard", seed=1).done is False
    with pytest.raises(TaskError, match="starter has no dial num_rows; only data set procedural has it"):
        env.reset(num_rows="small")
    with pytest.raises(TaskError, match="distractors must be a string, not '3'"):
        env.reset(distractors=3)
    with pytest.raises(TaskError, match="num_tables must be an integer, not 'True'"):
        env.reset(num_tables=True)


# --- episodes --------------------------------------------------------------------------------------------


def test_an_episode_is_played_in_memory(served: Resources) -> None:
    env = SQLEnvironment(served)
    first = env.reset(split="test", index=3)
    task_id = first.metadata["task_id"]
    assert (task_id, first.metadata["dataset"], first.metadata["num_tasks"]) == ("p1-test-3", "procedural", 1_000)
    question = served.dataset("procedural").by_id(task_id)
    for table in question.tables:
        assert env.step(SQLAction(action_type="DESCRIBE", argument=table)).error is None
    assert env.step(SQLAction(action_type="SAMPLE", argument=question.tables[0])).rows
    env.step(SQLAction(action_type="QUERY", argument=question.gold_sql))
    refused = env.step(SQLAction(action_type="QUERY", argument=f"DELETE FROM {question.tables[0]}"))
    assert "read-only" in (refused.error or "")
    last = env.step(SQLAction(action_type="ANSWER", argument=gold_answer(question.gold_rows)))
    assert (last.done, last.metadata["verdict"], last.metadata["twin_of"]) == (True, "correct", task_id)


def test_a_seed_draws_the_same_task_and_never_a_held_out_one(served: Resources) -> None:
    env = SQLEnvironment(served)
    drawn = [env.reset(seed=seed).metadata["task_id"] for seed in range(20)]
    assert drawn == [env.reset(seed=seed).metadata["task_id"] for seed in range(20)]
    assert len(set(drawn)) == 20
    assert all(task_id.startswith("p1-train-") for task_id in drawn)


def test_the_catalogue_lists_no_more_than_can_be_made(served: Resources) -> None:
    env = SQLEnvironment(served)
    assert env.list_splits() == ["train", "eval", "test", "compositional"]
    assert env.num_tasks("train") == 1_000_000_000
    assert len(env.list_tasks("test")) == 100
    assert env.get_task("test", 7)["id"] == "p1-test-7"
    assert [task["id"] for task in env.get_task_range("eval", 998)] == ["p1-eval-998", "p1-eval-999"]
    with pytest.raises(TaskError, match="ask for at most 100 tasks at once"):
        env.get_task_range("train", 0, 101)
    with pytest.raises(IndexError):
        env.get_task("test", 1_000)


@pytest.mark.parametrize(
    "selectors",
    [
        {"num_tables": 8},
        {"num_tables": "bogus"},
        {"answer_type": "table"},
        {"hardness": "extra"},
        {"db_id": "all"},
        {"hardness": "all"},
        {"split": "eval,train"},
    ],
)
def test_what_is_asked_beside_an_id_has_to_fit(served: Resources, selectors: dict[str, Any]) -> None:
    env = SQLEnvironment(served)
    assert env.reset(task_id="p1-train-0", split="all", num_tables="1", db_id="balloon_rides").done is False
    with pytest.raises(TaskError):
        env.reset(task_id="p1-train-0", **selectors)


def test_each_data_set_is_served_once() -> None:
    assert list(load_all(Settings(dataset="starter,procedural,starter,"))) == ["starter", "procedural"]


# --- bounds ----------------------------------------------------------------------------------------------


def test_databases_are_forgotten_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "TASK_BYTES", 300_000)
    tasks = ProceduralTasks()
    found = [tasks.made("train", number) for number in range(40)]
    alive = [weakref.ref(made) for made in found]
    sizes = [made.database.size for made in found]
    del found
    gc.collect()
    kept = [size for made, size in zip(alive, sizes, strict=True) if made() is not None]
    assert 0 < sum(kept) <= 300_000 < sum(sizes)


def test_a_server_that_plays_many_tasks_does_not_grow(served: Resources) -> None:
    env = SQLEnvironment(served)
    databases_seen = []
    for number in range(300):
        first = env.reset(split="train", index=number)
        table = first.schema_info.removeprefix("Tables: ").split(", ")[0]
        env.step(SQLAction(action_type="SAMPLE", argument=table))
        question = served.dataset("procedural").by_id(first.metadata["task_id"])
        databases_seen.append(weakref.ref(served.dataset("procedural").database(question)))
    gc.collect()
    images = [found.size for ref in databases_seen if (found := ref()) is not None]
    assert sum(images) <= source.TASK_BYTES
    assert len(served.schema._in_memory) <= 256


def test_a_task_is_made_once_however_many_ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, original = [], source.make_task

    def counting(split: str, number: int) -> Any:
        made.append((split, number))
        time.sleep(0.05)
        return original(split, number)

    monkeypatch.setattr(source, "make_task", counting)
    tasks = ProceduralTasks()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tasks.by_id("p1-eval-5"), range(8)))
    assert made == [("eval", 5)]
    assert all(question is found[0] for question in found)


# --- over the wire ---------------------------------------------------------------------------------------


def test_sessions_share_a_task_and_do_not_wait_for_others(server: str) -> None:
    async def play(index: int) -> str:
        async with SQLEnvClient(base_url=server) as client:
            first = (await client.reset(split="compositional", index=index)).observation
            return f"{first.metadata['task_id']} {first.question}"

    async def crowd() -> list[str]:
        return await asyncio.gather(*(play(number % 8) for number in range(32)))

    seen = asyncio.run(crowd())
    assert len(set(seen)) == 8
    assert seen[:8] * 4 == seen


def test_the_task_api_makes_tasks_beside_the_event_loop(server: str) -> None:
    def ask_health(_: int) -> float:
        began = time.perf_counter()
        assert httpx.get(f"{server}/health").status_code == 200
        return time.perf_counter() - began

    with ThreadPoolExecutor(3) as pool:
        began = time.perf_counter()
        slow = pool.submit(
            httpx.post, f"{server}/sql_env/task_range", json={"split": "train", "start": 5000, "stop": 5100}, timeout=60
        )
        time.sleep(0.05)
        waits = []
        while not slow.done():
            waits.append(pool.submit(ask_health, 0).result())
        total = time.perf_counter() - began
    assert slow.result().status_code == 200
    assert max(waits) < total / 2, "health waited for the tasks"


def test_the_server_says_what_it_serves(server: str) -> None:
    told = httpx.get(f"{server}/metadata").json()["description"]
    assert "procedural (tasks without end in 31 domains, generator p1)" in told
