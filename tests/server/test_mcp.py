"""MCP over the wire: stock clients on ``/mcp/stream``, OpenEnv's dialect on ``/mcp``, one episode beside ``/ws``."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress

import httpx
import pytest
from fastmcp import Client
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from openenv.core.mcp_client import MCPToolClient
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_sync
from wire import TASK_ID, ask, metric

from sql_env.agent.local_server import local_server


@pytest.fixture(scope="module")
def small_server() -> Iterator[str]:
    """Three sessions, idle for 2 s at most; the reaper looks every 5 s."""
    environ = {"SQL_ENV_DATASET": "starter", "SQL_ENV_MAX_SESSIONS": "3", "SQL_ENV_SESSION_TIMEOUT": "2"}
    with local_server(environ) as base_url:
        yield base_url


@asynccontextmanager
async def stock_client(base_url: str) -> AsyncIterator[ClientSession]:
    """The MCP SDK's own client, as hosts use it."""
    async with (
        streamable_http_client(f"{base_url}/mcp/stream") as (read, write, *_),
        ClientSession(read, write) as client,
    ):
        await client.initialize()
        yield client


def rpc(base_url: str, method: str, **params: object) -> dict:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx.post(f"{base_url}/mcp", json=body, timeout=30).json()


# --- the conforming endpoint -----------------------------------------------------------------------------


async def test_a_stock_mcp_client_plays_an_episode(starter_server: str) -> None:
    async with stock_client(starter_server) as client:
        server = (await client.send_ping(), client.get_server_capabilities())[1]
        assert server.tools is not None
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["task", "describe", "sample", "query", "answer"]
        task = await client.call_tool("task", {})
        assert task.content[0].text.startswith("Question: ")
        first_table = task.content[0].text.split("Tables: ")[1].split(",")[0].strip()
        described = await client.call_tool("describe", {"table": first_table})
        assert described.content[0].text.startswith(f"Table {first_table}, ")
        counted = await client.call_tool("query", {"sql": f'SELECT count(*) FROM "{first_table}"'})
        assert "(1 row)" in counted.content[0].text
        last = await client.call_tool("answer", {"answer": "no answer of mine"})
        assert last.content[0].text.startswith("Not correct: ")
        assert last.meta["done"] is True
        assert last.meta["reward"] == -0.1
        assert last.meta["step_count"] == 3


async def test_fastmcps_client_plays_too(starter_server: str) -> None:
    async with Client(f"{starter_server}/mcp/stream") as client:
        await client.call_tool("task")
        fault = await client.call_tool("describe", {"table": "nothing of the kind"}, raise_on_error=False)
        assert fault.is_error
        assert "no table named" in fault.content[0].text
        unknown = await client.call_tool("reset", {}, raise_on_error=False)
        assert "unknown tool 'reset'" in unknown.content[0].text


async def test_an_mcp_session_is_a_session_and_ends_with_its_client(starter_server: str) -> None:
    open_before = metric(starter_server, "sql_env_sessions_open")
    async with stock_client(starter_server) as one, stock_client(starter_server) as two:
        assert metric(starter_server, "sql_env_sessions_open") == open_before, "none before the first call"
        questions = {(await client.call_tool("task", {})).meta["metadata"]["seed"] for client in (one, two)}
        assert len(questions) == 2
        await one.call_tool("query", {"sql": "SELECT 1"})
        assert (await two.call_tool("task", {})).meta["step_count"] == 0
        assert metric(starter_server, "sql_env_sessions_open") == open_before + 2
    for _ in range(50):
        if metric(starter_server, "sql_env_sessions_open") == open_before:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the sessions of clients that left stay open")


async def test_a_full_server_says_so_and_gives_room_again(small_server: str) -> None:
    async with stock_client(small_server) as client:
        held = [rpc(small_server, "openenv/session/create")["result"]["session_id"] for _ in range(3)]
        refused = await client.call_tool("task", {})
        assert refused.isError
        assert "3" in refused.content[0].text
        assert "at capacity" in refused.content[0].text
        rpc(small_server, "openenv/session/close", session_id=held.pop())
        assert not (await client.call_tool("task", {})).isError
        for session_id in held:
            rpc(small_server, "openenv/session/close", session_id=session_id)


async def test_a_session_closed_for_idleness_is_told_and_opened_anew(small_server: str) -> None:
    """Trap 3 and 4, over MCP: the slot is given back although the client is still there."""
    async with stock_client(small_server) as client:
        await client.call_tool("task", {})
        held = [rpc(small_server, "openenv/session/create")["result"]["session_id"] for _ in range(2)]
        await wait_for_room(small_server)
        assert "error" in rpc(small_server, "tools/list", session_id=held[0])
        told = await client.call_tool("query", {"sql": "SELECT 1"})
        assert told.content[0].text == "no episode is running: call task to start one"


async def wait_for_room(base_url: str) -> None:
    for _ in range(150):
        if metric(base_url, "sql_env_sessions_open") == 0:
            return
        await asyncio.sleep(0.1)
    pytest.fail("idle sessions keep their slots")


ACCEPT = {"accept": "application/json, text/event-stream"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, LIST, 406),
        (ACCEPT, LIST, 400),
        (ACCEPT | {"mcp-session-id": "x"}, LIST, 404),
        (ACCEPT, [], 400),
    ],
)
def test_what_is_no_mcp_is_refused(starter_server: str, headers: dict, body: object, status: int) -> None:
    response = httpx.post(f"{starter_server}/mcp/stream", json=body, headers=headers)
    assert response.status_code == status
    assert "Traceback" not in response.text


async def test_first_calls_in_parallel_open_one_session(starter_server: str) -> None:
    """Hosts call tools in parallel: one episode, one place, none left when the client has gone."""
    before = metric(starter_server, "sql_env_sessions_open")
    for _ in range(5):
        async with stock_client(starter_server) as client:
            tasks = await asyncio.gather(*(client.call_tool("task", {}) for _ in range(4)))
            assert len({task.meta["metadata"]["task_id"] for task in tasks}) == 1
            assert metric(starter_server, "sql_env_sessions_open") == before + 1
    await wait_until(starter_server, before)


async def wait_until(base_url: str, sessions: float) -> None:
    for _ in range(100):
        if metric(base_url, "sql_env_sessions_open") == sessions:
            return
        await asyncio.sleep(0.1)
    pytest.fail("sessions of clients that left stay open")


async def test_an_end_while_a_session_opens_leaves_no_place_taken(small_server: str) -> None:
    """A DELETE beside the first call cancels the opening; OpenEnv alone keeps a place that no reaper sees."""
    headers = {"accept": "application/json, text/event-stream"}
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "task", "arguments": {}}}
    await wait_for_room(small_server)
    async with (
        httpx.AsyncClient(base_url=small_server, timeout=30) as one,
        httpx.AsyncClient(base_url=small_server) as two,
    ):
        for number in range(60):
            start = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
            response = await one.post("/mcp/stream", json=start, headers=headers)
            if response.status_code == 503:
                await asyncio.sleep(0.2)
                continue
            mine = headers | {"mcp-session-id": response.headers["mcp-session-id"]}
            first = asyncio.create_task(one.post("/mcp/stream", json=call, headers=mine))
            await asyncio.sleep(0.0002 * (number % 20))
            await two.delete("/mcp/stream", headers=mine)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
    await wait_for_room(small_server)


def test_a_session_closed_under_its_connection_counts_when_it_plays_on(small_server: str) -> None:
    """OpenEnv closes a session by its id under a live WebSocket, which could then play beside those that count."""
    url = small_server.replace("http", "ws") + "/ws"
    with ExitStack() as stack:
        playing: list[str] = []
        for _ in range(5):
            ws = stack.enter_context(connect_sync(url))
            with suppress(ConnectionClosed):  # those who find no room at once
                answer = ask(ws, "mcp", jsonrpc="2.0", id=1, method="openenv/session/create", params={})
                if answer["type"] == "mcp":
                    rpc(small_server, "openenv/session/close", session_id=answer["data"]["result"]["session_id"])
                    playing.append(ask(ws, "reset", task_id=TASK_ID)["type"])
        assert playing == ["observation"] * 3
        assert metric(small_server, "sql_env_sessions_open") == 3


# --- OpenEnv's dialect -----------------------------------------------------------------------------------


def test_http_sessions_play_an_episode(starter_server: str) -> None:
    session = rpc(starter_server, "openenv/session/create")["result"]["session_id"]
    tools = rpc(starter_server, "tools/list", session_id=session)["result"]["tools"]
    assert [tool["name"] for tool in tools] == ["task", "describe", "sample", "query", "answer"]

    def call(name: str, **arguments: object) -> dict:
        return rpc(starter_server, "tools/call", session_id=session, name=name, arguments=arguments)["result"]

    assert call("task")["_meta"]["step_count"] == 0
    assert call("query", sql="SELECT 1")["_meta"]["step_count"] == 1
    last = call("answer", answer="no answer of mine")
    assert (last["_meta"]["done"], last["_meta"]["reward"]) == (True, -0.1)
    assert rpc(starter_server, "openenv/session/close", session_id=session)["result"]["closed"] is True


def test_a_websocket_of_mcp_plays_an_episode(starter_server: str) -> None:
    with connect_sync(starter_server.replace("http", "ws") + "/mcp") as ws:

        def call(name: str, **arguments: object) -> dict:
            params = {"name": name, "arguments": arguments}
            ws.send(json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}))
            answer = json.loads(ws.recv(30))
            assert answer["id"] == 7
            return answer["result"]

        assert call("describe", table="plot")["isError"]
        assert call("task")["_meta"]["budget_remaining"] == 15
        assert call("query", sql="SELECT 1")["_meta"]["budget_remaining"] == 14


def test_mcp_and_ws_share_one_episode_budget_and_reward(starter_server: str) -> None:
    """Trap 9: with a stock MCPEnvironment a tool call goes past step(), budget and reward."""
    session = rpc(starter_server, "openenv/session/create")["result"]["session_id"]
    url = starter_server.replace("http", "ws") + f"/ws?session_id={session}"
    with connect_sync(url) as ws:
        ask(ws, "reset", task_id=TASK_ID)
        for steps in range(1, 13, 2):
            params = {"session_id": session, "name": "query", "arguments": {"sql": f"SELECT {steps}"}}
            called = rpc(starter_server, "tools/call", **params)["result"]
            assert called["_meta"]["step_count"] == steps
            stepped = ask(ws, "step", action_type="QUERY", argument="SELECT 1")["data"]["observation"]
            assert stepped["step_count"] == steps + 1
            assert stepped["action_history"][-2] == f"QUERY SELECT {steps}"
        params = {"session_id": session, "name": "answer", "arguments": {"answer": "47"}}
        last = rpc(starter_server, "tools/call", **params)["result"]
        assert last["_meta"]["metadata"]["verdict"] == "correct"
        assert 0.8 <= last["_meta"]["reward"] < 1.0, "twelve needless steps cost efficiency"
        assert ask(ws, "state")["data"]["done"] is True
    rpc(starter_server, "openenv/session/close", session_id=session)


def test_mcp_messages_on_ws_share_the_episode_too(starter_server: str) -> None:
    with connect_sync(starter_server.replace("http", "ws") + "/ws") as ws:
        ask(ws, "reset", task_id=TASK_ID)
        params = {"name": "sample", "arguments": {"table": "plot"}}
        answer = ask(ws, "mcp", jsonrpc="2.0", id=3, method="tools/call", params=params)
        assert answer["data"]["result"]["_meta"]["step_count"] == 1
        assert ask(ws, "state")["data"]["step_count"] == 1


def test_a_call_without_a_session_says_what_to_do(starter_server: str) -> None:
    tools = rpc(starter_server, "tools/list")["result"]["tools"]
    assert len(tools) == 5
    result = rpc(starter_server, "tools/call", name="query", arguments={"sql": "SELECT 1"})["result"]
    assert result["content"][0]["text"] == "no episode is running: call task to start one"


async def test_openenvs_own_mcp_client(starter_server: str) -> None:
    async with MCPToolClient(base_url=starter_server) as client:
        await client.reset(task_id=TASK_ID)
        assert [tool.name for tool in await client.list_tools()] == ["task", "describe", "sample", "query", "answer"]
        said = await client.call_tool("describe", table="plot")
        assert "has_shed INTEGER" in json.dumps(said, default=str)


async def test_a_statement_for_the_worker_does_not_stall_other_sessions(starter_server: str) -> None:
    """Trap 9: OpenEnv calls tools on the event loop; ours await."""
    forever = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
    async with stock_client(starter_server) as slow, connect(starter_server.replace("http", "ws") + "/ws") as ws:
        await slow.call_tool("task", {})
        running = asyncio.create_task(slow.call_tool("query", {"sql": forever}))
        answered = 0
        while not running.done():
            await ws.send('{"type": "state"}')
            await ws.recv()
            answered += 1
        assert (await running).isError
        assert answered > 20
