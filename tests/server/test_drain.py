"""A server that is told to stop and may wait: running episodes end, none begins, and then it is gone."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import ServerConnection, serve

from sql_env.agent.local_server import COMMAND, server_process
from sql_env.client import SQLEnvClient
from sql_env.models import SQLAction
from sql_env.server.connections import STOPPING

TASK = {"dataset": "starter", "task_id": "choir_archive-024"}
RIGHT = {"action_type": "ANSWER", "argument": "Berceuse d'automne"}


@contextmanager
def draining(seconds: float) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    with server_process({"SQL_ENV_DATASET": "starter", "SQL_ENV_DRAIN_SECONDS": str(seconds)}) as served:
        yield served


def open_on(stack: ExitStack, base_url: str) -> ClientConnection:
    return stack.enter_context(connect(base_url.replace("http", "ws") + "/ws"))


def ask(ws: ClientConnection, kind: str, **data: Any) -> dict[str, Any]:
    ws.send(json.dumps({"type": kind, "data": data}))
    answer: dict[str, Any] = json.loads(ws.recv(20))
    return answer


def closed_with(ws: ClientConnection, seconds: float = 5) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        ws.recv(seconds)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def test_running_episodes_end_and_none_begins() -> None:
    with draining(60) as (process, base_url), ExitStack() as stack:
        playing, fresh, ended = (open_on(stack, base_url) for _ in range(3))
        ask(playing, "reset", **TASK)
        ask(ended, "reset", **TASK)
        assert ask(ended, "step", **RIGHT)["data"]["done"]
        assert httpx.get(f"{base_url}/health").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert closed_with(fresh) == closed_with(ended) == 1012
        assert httpx.get(f"{base_url}/health").status_code == 503, "a balancer has to see it"
        metrics = httpx.get(f"{base_url}/metrics").text
        assert "sql_env_draining 1.0" in metrics
        assert "sql_env_episodes_running 1.0" in metrics
        with pytest.raises(InvalidStatus) as refused:
            open_on(stack, base_url)
        assert refused.value.response.status_code == 503
        assert STOPPING in refused.value.response.body.decode()
        for _ in range(3):
            assert ask(playing, "step", action_type="DESCRIBE", argument="work")["data"]["observation"]["result"]
            time.sleep(0.5)
        assert process.poll() is None, "the episode goes on"
        last = ask(playing, "step", **RIGHT)
        assert last["data"]["observation"]["metadata"]["verdict"] == "correct"
        assert closed_with(playing) == 1012
        assert process.wait(10) == 0


def test_an_episode_that_does_not_end_has_so_much_time_and_no_more() -> None:
    with draining(1.5) as (process, base_url), ExitStack() as stack:
        playing = open_on(stack, base_url)
        ask(playing, "reset", **TASK)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        time.sleep(0.7)
        assert ask(playing, "step", action_type="SAMPLE", argument="work")["type"] == "observation"
        assert closed_with(playing, 20) == 1012
        assert process.wait(10) == 0
        assert time.monotonic() - began > 1.5


def test_whoever_asks_twice_is_in_a_hurry() -> None:
    with draining(600) as (process, base_url), ExitStack() as stack:
        playing = open_on(stack, base_url)
        ask(playing, "reset", **TASK)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert closed_with(playing, 20) == 1012
        assert process.wait(10) == 0


def test_a_reset_is_refused_and_whoever_left_is_not_waited_for() -> None:
    with draining(600) as (process, base_url), ExitStack() as stack:
        restless, leaving = open_on(stack, base_url), open_on(stack, base_url)
        for ws in (restless, leaving):
            ask(ws, "reset", **TASK)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert STOPPING in ask(restless, "reset", **TASK)["data"]["message"]
        assert closed_with(restless) == 1012
        leaving.close()
        assert process.wait(20) == 0


def test_episodes_over_http_are_waited_for_too() -> None:
    def rpc(method: str, **params: Any) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        told: dict[str, Any] = httpx.post(f"{base_url}/mcp", json=body).json()
        return told

    with draining(600) as (process, base_url):
        session = rpc("openenv/session/create")["result"]["session_id"]
        rpc("tools/call", session_id=session, name="task", arguments={})
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert "error" in rpc("openenv/session/create")
        seen = rpc("tools/call", session_id=session, name="query", arguments={"sql": "SELECT 1"})
        assert "(1 row)" in json.dumps(seen)
        assert process.poll() is None
        rpc("tools/call", session_id=session, name="answer", arguments={"answer": "no answer of mine"})
        assert process.wait(10) == 0


def test_by_default_nothing_is_waited_for() -> None:
    with server_process({"SQL_ENV_DATASET": "starter"}) as (process, base_url), ExitStack() as stack:
        playing = open_on(stack, base_url)
        ask(playing, "reset", **TASK)
        process.send_signal(signal.SIGTERM)
        assert closed_with(playing) == 1012
        assert process.wait(5) == 0


def test_a_client_that_was_closed_plays_on_elsewhere() -> None:
    """As behind a balancer: the next reset connects anew and reaches the server that is there now."""
    with ExitStack() as stack:
        with draining(60) as (process, base_url):
            env = stack.enter_context(SQLEnvClient(base_url=base_url).sync())
            env.reset(**TASK)
            process.send_signal(signal.SIGTERM)
            assert env.step(SQLAction(**RIGHT)).done
            assert process.wait(10) == 0
        port = base_url.rpartition(":")[2]
        stack.enter_context(server_process({"SQL_ENV_DATASET": "starter"}, [*COMMAND[:-1], port]))
        assert env.reset(**TASK).observation.step_count == 0
        assert env.step(SQLAction(**RIGHT)).observation.metadata["verdict"] == "correct"


@pytest.mark.parametrize("closings", [1, 2])
def test_a_reset_that_crosses_a_close_is_sent_once_more(closings: int) -> None:
    """A server of our own making, which closes as a draining one does just when the reset comes."""
    asked = []

    def handle(ws: ServerConnection) -> None:
        for text in ws:
            asked.append(json.loads(text)["type"])
            if len(asked) <= closings:
                ws.close(1012, STOPPING)
                return
            ws.send(json.dumps({"type": "observation", "data": {"observation": {"question": "?"}, "done": False}}))

    with serve(handle, "127.0.0.1", 0) as server, ThreadPoolExecutor(1) as threads:
        threads.submit(server.serve_forever)
        host, port = server.socket.getsockname()
        with SQLEnvClient(base_url=f"http://{host}:{port}").sync() as env:
            if closings == 1:
                assert env.reset().observation.question == "?"
            else:
                with pytest.raises(ConnectionClosed):
                    env.reset()
            assert asked[:2] == ["reset", "reset"]
        server.shutdown()
