"""The MCP tools over one environment: the same episode as ``step``, and ``task``, which cannot leave one."""

import asyncio
import json

import pytest

from sql_env.models import TOOLS, SQLAction
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.tools import ALL_TOOLS, ToolClient

TASK_ID = "allotment_society-001"


@pytest.fixture
def env(resources: Resources) -> SQLEnvironment:
    return SQLEnvironment(resources)


@pytest.fixture
def client(env: SQLEnvironment) -> ToolClient:
    return ToolClient(env)


def text(result: dict) -> str:
    (content,) = result["content"]
    return content["text"]


async def test_the_tools_are_those_of_the_models_and_task(client: ToolClient) -> None:
    tools = await client.list_tools()
    assert [tool["name"] for tool in tools] == ["task", *(tool.name for tool in TOOLS)]
    for written, tool in zip(tools, ALL_TOOLS, strict=True):
        assert written["description"] == tool.description
        schema = written["inputSchema"]
        assert list(schema["properties"]) == schema["required"] == ([tool.argument] if tool.argument else [])
        assert schema["additionalProperties"] is False
    reserved = {"reset", "step", "state", "close"}
    assert not reserved & {tool["name"] for tool in tools}


async def test_task_starts_an_episode_and_never_leaves_one(env: SQLEnvironment, client: ToolClient) -> None:
    first = await client.call_tool("task", {})
    assert env.state.task_id
    assert text(first).startswith("Question: ")
    assert "Tables: " in text(first)
    assert "(15 steps left)" in text(first)
    started = env.state
    await client.call_tool("query", {"sql": "SELECT 1"})
    again = await client.call_tool("task", {})
    assert (env.state.task_id, env.state.episode_id) == (started.task_id, started.episode_id)
    assert env.state.step_count == 1, "task costs nothing"
    assert text(again).split("\n\n")[:2] == text(first).split("\n\n")[:2]
    assert "(14 steps left)" in text(again)
    await client.call_tool("answer", {"answer": "no answer of mine"})
    await client.call_tool("task", {})
    assert env.state.episode_id != started.episode_id


async def test_task_shows_what_describe_has_revealed(env: SQLEnvironment, client: ToolClient) -> None:
    env.reset(task_id=TASK_ID, answer_form="sql")
    before = text(await client.call_tool("task", {}))
    assert "has_shed" not in before
    assert "ANSWER takes one SELECT statement" in before
    await client.call_tool("describe", {"table": "plot"})
    assert "has_shed" in text(await client.call_tool("task", {}))


@pytest.mark.parametrize(
    ("tool", "argument", "action"),
    [
        ("describe", "plot", "DESCRIBE"),
        ("describe", "nothing", "DESCRIBE"),
        ("sample", "plot", "SAMPLE"),
        ("query", "SELECT count(*) FROM plot", "QUERY"),
        ("query", "DROP TABLE plot", "QUERY"),
        ("answer", "47", "ANSWER"),
        ("answer", "46", "ANSWER"),
    ],
)
async def test_a_call_is_a_step(resources: Resources, tool: str, argument: str, action: str) -> None:
    """Same text, reward, budget, history and state as the same action through step."""
    called, stepped = SQLEnvironment(resources), SQLEnvironment(resources)
    for env in (called, stepped):
        env.reset(task_id=TASK_ID, episode_id="e")
    result = await ToolClient(called).call_tool(tool, {ALL_TOOLS_BY_NAME[tool].argument: argument})
    expected = stepped.step(SQLAction(action_type=action, argument=argument))
    assert called.state == stepped.state
    assert text(result).startswith(expected.error or expected.result)
    assert result["isError"] is (expected.error is not None)
    meta = {
        name: result["_meta"].get(name) for name in ("reward", "done", "step_count", "budget_remaining", "metadata")
    }
    assert meta == {
        "reward": expected.reward,
        "done": expected.done,
        "step_count": expected.step_count,
        "budget_remaining": expected.budget_remaining,
        "metadata": expected.metadata,
    }


ALL_TOOLS_BY_NAME = {tool.name: tool for tool in ALL_TOOLS}


async def test_the_reward_is_beside_the_content_never_in_it(env: SQLEnvironment, client: ToolClient) -> None:
    env.reset(task_id=TASK_ID)
    result = await client.call_tool("answer", {"answer": "47"})
    assert result["_meta"]["reward"] == 1.0
    said = json.dumps(result["content"])
    assert "reward" not in said.lower()
    assert "1.0" not in said


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (47, "correct"),
        (47.0, "correct"),
        ([47], "correct"),
        ([[47]], "correct"),
        ([46], "wrong_value"),
        ({"n": 47}, "correct"),
        (True, "wrong_value"),
    ],
)
async def test_an_answer_in_json(env: SQLEnvironment, client: ToolClient, given: object, verdict: str) -> None:
    """Models write numbers and lists although the schema says string."""
    env.reset(task_id=TASK_ID)
    result = await client.call_tool("answer", {"answer": given})
    assert result["_meta"]["metadata"]["verdict"] == verdict


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("nosuch", {}, "unknown tool 'nosuch'; use task, describe"),
        ("reset", {}, "unknown tool 'reset'"),
        ("", {}, "unknown tool ''"),
        (None, {}, "unknown tool"),
        (["query"], {}, "unknown tool"),
        ("x" * 1000, {}, "unknown tool"),
        ("query", {}, "query takes one argument, sql"),
        ("query", {"SQL": "SELECT 1"}, "query takes one argument, sql"),
        ("query", {"sql": 5}, "query takes one argument, sql"),
        ("query", {"sql": None}, "query takes one argument, sql"),
        ("query", None, "query takes one argument, sql"),
        ("query", ["SELECT 1"], "query takes one argument, sql"),
        ("describe", {"table": ["plot"]}, "describe takes one argument, table"),
        ("answer", {}, "answer takes one argument, answer"),
        ("answer", {"answer": None}, "answer takes one argument, answer"),
    ],
)
async def test_a_call_that_tries_nothing_costs_nothing(
    env: SQLEnvironment, client: ToolClient, name: object, arguments: object, said: str
) -> None:
    env.reset(task_id=TASK_ID)
    result = await client.call_tool(name, arguments)
    assert result["isError"] is True
    assert text(result).startswith(said)
    assert len(text(result)) < 300
    assert env.state.step_count == 0


async def test_without_an_episode_the_agent_is_told_to_call_task(env: SQLEnvironment, client: ToolClient) -> None:
    result = await client.call_tool("describe", {"table": "plot"})
    assert text(result) == "no episode is running: call task to start one"
    assert result["isError"] is True
    env.reset(task_id=TASK_ID)
    await client.call_tool("answer", {"answer": "no"})
    after = await client.call_tool("query", {"sql": "SELECT 1"})
    assert text(after) == "the episode is over: call task to start another"
    assert "reset" not in text(after)


async def test_the_end_of_the_budget_is_said(env: SQLEnvironment, client: ToolClient) -> None:
    env.reset(task_id=TASK_ID)
    results = [await client.call_tool("query", {"sql": "SELECT 1"}) for _ in range(15)]
    assert ["(1 steps left)" in text(result) for result in results] == [False] * 13 + [True, False]
    assert text(results[-1]).endswith("The episode is over: its last step was no answer.")
    assert results[-1]["_meta"]["done"] is True
    assert results[-1]["_meta"]["metadata"]["truncated"] is True


async def test_an_end_that_nobody_was_told_is_told_by_task(env: SQLEnvironment, client: ToolClient) -> None:
    """A last step whose client left is spent; task tells the end once before it starts anything."""
    env.reset(task_id=TASK_ID, episode_id="e")
    for _ in range(14):
        await client.call_tool("query", {"sql": "SELECT 1"})
    forever = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
    last = asyncio.create_task(client.call_tool("query", {"sql": forever}))
    await asyncio.sleep(0.1)
    last.cancel()
    await asyncio.gather(last, return_exceptions=True)
    assert env.state.done
    told = await client.call_tool("task", {})
    assert told["_meta"]["metadata"]["truncated"] is True
    assert told["_meta"]["reward"] is not None
    assert env.state.episode_id == "e"
    await client.call_tool("task", {})
    assert env.state.episode_id != "e"
