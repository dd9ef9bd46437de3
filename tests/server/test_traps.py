"""OpenEnv 0.10's traps, numbered as in docs/openenv_traps.md; each test fails without the cure named there.

Real servers, real connections. Traps 9 (MCP past the episode), 11 (the validator's container) and 13 (what a push
uploads) are tested in test_mcp.py, tests/docker/ and tests/contract/test_push.py.
"""

import json
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from hostile_sql import ROOT
from made_up import copy_starter
from websockets.sync.client import ClientConnection, connect
from wire import FOREVER, TASK_ID, ask, metric, wait_for_no_session

from sql_env.agent.local_server import local_server
from sql_env.server.app import _config
from sql_env.server.environment import EPISODE_OVER, NO_EPISODE, SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings

STARTER = {"SQL_ENV_DATASET": "starter"}


def step(ws: ClientConnection, action: str, argument: str = "") -> dict:
    return ask(ws, "step", action_type=action, argument=argument)["data"]


def wsurl(base_url: str, path: str = "/ws") -> str:
    return base_url.replace("http", "ws") + path


@pytest.fixture(scope="module")
def hasty_server() -> Iterator[str]:
    """Two sessions; idle ones end after 2 s, as the reaper sees every 5 s."""
    environ = {**STARTER, "SQL_ENV_MAX_SESSIONS": "2", "SQL_ENV_SESSION_TIMEOUT": "2"}
    with local_server(environ) as base_url:
        yield base_url


def test_1_many_sessions_by_default() -> None:
    """128 without any setting; one more is told that the server is full, and a place that is left can be taken."""
    with local_server(STARTER) as base_url, ExitStack() as stack:
        opened = [stack.enter_context(connect(wsurl(base_url))) for _ in range(128)]
        for ws in opened:
            assert ask(ws, "reset", task_id=TASK_ID)["type"] == "observation"
        with connect(wsurl(base_url)) as ws:
            refused = json.loads(ws.recv(30))
        assert refused["data"]["code"] == "CAPACITY_REACHED"
        assert metric(base_url, "sql_env_sessions_refused_total") == 1
        opened[0].close()
        deadline = time.monotonic() + 10
        while metric(base_url, "sql_env_sessions_open") == 128 and time.monotonic() < deadline:
            time.sleep(0.05)
        with connect(wsurl(base_url)) as ws:
            assert ask(ws, "reset", task_id=TASK_ID)["type"] == "observation"


def test_2_a_step_never_blocks_the_event_loop(starter_server: str) -> None:
    with connect(wsurl(starter_server)) as slow, connect(wsurl(starter_server)) as quick:
        ask(slow, "reset", task_id=TASK_ID), ask(quick, "reset", task_id=TASK_ID)
        slow.send(json.dumps({"type": "step", "data": {"action_type": "QUERY", "argument": FOREVER}}))
        answered = 0
        while True:
            try:
                last = json.loads(slow.recv(timeout=0))
                break
            except TimeoutError:
                ask(quick, "state")
                answered += 1
        assert "query stopped after" in last["data"]["observation"]["error"]
        assert answered > 20


def test_3_a_session_that_the_reaper_closed_answers_clearly(hasty_server: str) -> None:
    with connect(wsurl(hasty_server)) as ws:
        ask(ws, "reset", task_id=TASK_ID)
        step(ws, "SAMPLE", "plot")
        wait_for_no_session(hasty_server, 20)
        late = step(ws, "SAMPLE", "plot")
        assert late["observation"]["error"] == NO_EPISODE
        assert (late["done"], late["reward"]) == (True, 0.0)
        assert late["observation"]["question"] == ""
        assert ask(ws, "state")["data"]["task_id"] is None
        again = ask(ws, "reset", task_id=TASK_ID)["data"]
        assert again["observation"]["step_count"] == 0
        assert step(ws, "SAMPLE", "plot")["observation"]["step_count"] == 1


def test_4_sessions_that_a_stranger_left_open_are_given_back(hasty_server: str) -> None:
    create = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create", "params": {}}
    answers = [httpx.post(f"{hasty_server}/mcp", json=create).json() for _ in range(3)]
    assert ["error" in answer for answer in answers] == [False, False, True]
    with connect(wsurl(hasty_server)) as ws:
        assert json.loads(ws.recv(30))["data"]["code"] == "CAPACITY_REACHED"
    wait_for_no_session(hasty_server, 20)
    with connect(wsurl(hasty_server)) as ws:
        assert ask(ws, "reset", task_id=TASK_ID)["type"] == "observation"


def test_4_the_default_has_a_session_timeout() -> None:
    assert 0 < Settings().session_timeout < 24 * 3600


def test_5_a_new_connection_has_no_episode(starter_server: str) -> None:
    """After a drop a client reconnects to a fresh session: it must not find itself in a random task."""
    with connect(wsurl(starter_server)) as ws:
        ask(ws, "reset", task_id=TASK_ID)
        ws.socket.shutdown(socket.SHUT_RDWR)  # no closing handshake: the connection is simply gone
    with connect(wsurl(starter_server)) as ws:
        for action, argument in (("SAMPLE", "plot"), ("ANSWER", "47"), ("QUERY", "SELECT 1")):
            answer = step(ws, action, argument)
            assert answer["observation"]["error"] == NO_EPISODE
            assert (answer["done"], answer["reward"]) == (True, 0.0)
            assert answer["observation"]["result"] == answer["observation"]["question"] == ""
        ask(ws, "reset", task_id=TASK_ID)
        step(ws, "ANSWER", "47")
        assert step(ws, "ANSWER", "47")["observation"]["error"] == EPISODE_OVER


def test_6_no_text_of_our_own_faults_reaches_a_client(tmp_path: Path) -> None:
    """A database that vanishes under a running server is our fault: logged with its path, told without."""
    folder = copy_starter(tmp_path)
    log = tmp_path / "server.log"
    with local_server({"SQL_ENV_DATASET": str(folder)}, log=log) as base_url, connect(wsurl(base_url)) as ws:
        for path in folder.glob("databases/*/*.sqlite"):
            path.unlink()
        said = [
            ask(ws, "reset", task_id=TASK_ID),
            ask(ws, "reset", task_id=[]),
            ask(ws, "reset", self=1, cls=2, request=3),
            ask(ws, "step", action_type="SAMPLE", argument="plot"),
            {"type": "http", "text": httpx.post(f"{base_url}/reset", json={"task_id": TASK_ID}).text},
            {"type": "http", "text": httpx.post(f"{base_url}/reset", json={"self": 1}).text},
        ]
    told = json.dumps(said)
    assert said[0] == {
        "type": "error",
        "data": {
            "message": "the server failed to carry this out; the fault is in its log",
            "code": "EXECUTION_ERROR",
        },
    }
    for leak in (str(folder), str(ROOT), "Traceback", "site-packages", ".py", "SQLEnvironment", "sqlite"):
        assert leak not in told, leak
    assert "allotment_society.sqlite" in log.read_text("utf-8")
    assert "Traceback" in log.read_text("utf-8")


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_7_no_episode_is_shared_by_visitors_of_the_page(enabled: str) -> None:
    """OpenEnv's own web interface, one episode for all, is never mounted; the page at /web is ours."""
    with (
        local_server({**STARTER, "ENABLE_WEB_INTERFACE": enabled}) as base_url,
        httpx.Client(base_url=base_url) as http,
    ):
        assert http.post("/web/reset", json={}).status_code in (404, 405)
        assert http.post("/web/step", json={"action": {"action_type": "QUERY"}}).status_code in (404, 405)
        assert http.get("/web/state").status_code == 404
        page = http.get("/", follow_redirects=True)
        assert page.status_code == 200
        assert page.url.path == "/web/"
        assert "<title>SQLEnv</title>" in page.text
        assert not re.findall(r"(?:src|href)=\"https?:", page.text), "no asset from elsewhere"


def test_8_an_environment_costs_nothing_to_build(resources: Resources) -> None:
    """HTTP /reset, /step and the Task API build one at each call: no file is opened, no schema read."""
    opened: list[object] = []
    sys.addaudithook(lambda event, args: opened.append(args) if event in ("open", "sqlite3.connect") else None)
    before = dict(resources.schema._of_files)
    for _ in range(1000):
        SQLEnvironment(resources).close()
    assert not opened
    assert resources.schema._of_files == before


def test_10_a_trainer_may_be_silent_for_minutes() -> None:
    """The server's own pings wait that long for an answer; the client's are its user's affair (docs/environment.md)."""
    config = _config(Settings())
    assert config.ws_ping_timeout is not None
    assert config.ws_ping_timeout >= 300
    assert "websocket_ping_interval_s=None" in (ROOT / "docs" / "environment.md").read_text("utf-8")


def test_12_a_session_has_no_thread_of_its_own() -> None:
    with local_server({**STARTER, "SQL_ENV_MAX_SESSIONS": "300"}) as base_url, ExitStack() as stack:
        before = metric(base_url, "sql_env_threads")
        for _ in range(300):
            ws = stack.enter_context(connect(wsurl(base_url)))
            ask(ws, "reset", task_id=TASK_ID)
            step(ws, "SAMPLE", "plot")
        assert metric(base_url, "sql_env_sessions_open") == 300
        assert metric(base_url, "sql_env_threads") <= before + 2
