"""Several worker processes on one port: sessions spread, one that dies costs its own, HTTP MCP is refused clearly."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from wire import ask, until

from sql_env.agent.local_server import COMMAND, server_process
from sql_env.server.sessions import NO_AFFINITY

TASK = {"dataset": "starter", "task_id": "choir_archive-024"}
RIGHT = {"action_type": "ANSWER", "argument": "Berceuse d'automne"}
ENVIRON = {"SQL_ENV_DATASET": "starter", "SQL_ENV_DRAIN_SECONDS": "30", "SQL_ENV_STOP_SECONDS": "30"}


@contextmanager
def two_workers() -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    with server_process(ENVIRON, (*COMMAND, "--workers", "2")) as (process, base_url):
        until(lambda: len(listening(process)) == 2, 120, "two processes do not listen")
        yield process, base_url


def listening(process: "subprocess.Popen[bytes]", status: str = psutil.CONN_LISTEN) -> list[psutil.Process]:
    """Which worker processes have a socket in this state."""
    found = []
    for child in psutil.Process(process.pid).children():
        with suppress(psutil.Error):
            if any(connection.status == status for connection in child.net_connections("tcp")):
                found.append(child)
    return found


def is_open(ws: ClientConnection) -> bool:
    try:
        return ask(ws, "step", action_type="DESCRIBE", argument="work")["type"] == "observation"
    except ConnectionClosed:
        return False


@pytest.mark.timeout(300)
def test_sessions_spread_a_dead_process_costs_its_own_and_a_stop_lets_episodes_end() -> None:
    with two_workers() as (process, base_url), ExitStack() as stack:
        opened = [stack.enter_context(connect(base_url.replace("http", "ws") + "/ws")) for _ in range(24)]
        for ws in opened:
            assert ask(ws, "reset", **TASK)["data"]["done"] is False
        serving = listening(process, psutil.CONN_ESTABLISHED)
        assert len(serving) == 2, "24 connections are with one process"
        serving[0].kill()
        alive = [ws for ws in opened if is_open(ws)]
        assert 0 < len(alive) < 24
        until(lambda: len(listening(process)) == 2, 120, "the dead process is not replaced")
        assert serving[0] not in listening(process)

        process.send_signal(signal.SIGTERM)
        assert ask(alive[0], "step", **RIGHT)["data"]["observation"]["metadata"]["verdict"] == "correct"
        for ws in alive[1:]:
            ask(ws, "step", **RIGHT)
        assert process.wait(60) == 0


@pytest.mark.timeout(300)
def test_mcp_over_http_is_refused_and_over_a_websocket_it_is_not() -> None:
    with two_workers() as (_process, base_url):
        create = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create", "params": {}}
        assert httpx.post(f"{base_url}/mcp", json=create).json()["error"]["message"] == NO_AFFINITY
        answer = httpx.post(f"{base_url}/mcp/stream", json=create | {"method": "initialize"})
        assert (answer.status_code, answer.json()["error"]["message"]) == (503, NO_AFFINITY)
        with connect(base_url.replace("http", "ws") + "/mcp") as ws:
            for name in ("task", "describe"):
                call = {"name": name, "arguments": {"table": "work"} if name == "describe" else {}}
                ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}))
                assert "result" in json.loads(ws.recv(30))
        assert httpx.post(f"{base_url}/reset", json={}).status_code == 200
