"""What reaches a session at all: malformed, long, binary, half-closed, slow and late messages, and a graceful stop."""

import asyncio
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import hostile_sql
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from wire import FOREVER, HANDSHAKE, TASK_ID, ask, message, metric, wait_for_no_session

from sql_env.agent.local_server import local_server, server_process
from sql_env.server.app import SPARE_SOCKETS, build_app
from sql_env.server.connections import STOPPING
from sql_env.server.guard import Guard, _Silence, _Watch
from sql_env.server.protocols import LONGEST_FRAME, WebSocketConnection
from sql_env.server.settings import Settings
from sql_env.server.telemetry import Telemetry
from sql_env.server.traffic import MAX_DEPTH, Refusal, Traffic, clean, parse

STARTER = {"SQL_ENV_DATASET": "starter"}
LONGEST = 100_000


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Two sessions, messages of 100,000 bytes at most."""
    environ = {**STARTER, "SQL_ENV_MAX_SESSIONS": "2", "SQL_ENV_MAX_MESSAGE": str(LONGEST)}
    with local_server(environ) as base_url:
        yield base_url


@pytest.fixture
def url(server: str) -> str:
    return server.replace("http", "ws") + "/ws"


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


# --- malformed messages ----------------------------------------------------------------------------------

MALFORMED = {
    "no JSON": ("{", "this is no JSON: "),
    "empty": ("", "this is no JSON: "),
    "array": ("[]", "a message is a JSON object"),
    "number": ("7", "a message is a JSON object"),
    "null": ("null", "a message is a JSON object"),
    "string": ('"reset"', "a message is a JSON object"),
    "deep array": (nested(100_000 // 2 - 10), "the message is nested too deeply"),
    "deep object": ('{"a":' * 5000 + "1" + "}" * 5000, "the message is nested too deeply"),
    "deeper than 64": ('{"type":"step","data":' + nested(MAX_DEPTH) + "}", "nested deeper than 64 levels"),
    "long number": ('{"type":"reset","data":{"seed":' + "9" * 5000 + "}}", "a number too long to read"),
    "binary": (b'{"type":"state"}', "messages are text frames"),
    "binary rubbish": (b"\xff\x00", "messages are text frames"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_message_is_answered_and_the_session_lives_on(url: str, name: str) -> None:
    """OpenEnv alone ends the session on most of these, and sends Python's own words."""
    text, said = MALFORMED[name]
    with connect(url) as ws:
        ask(ws, "reset", task_id=TASK_ID)
        ws.send(text)
        answer = json.loads(ws.recv(30))
        assert answer["type"] == "error"
        assert said in answer["data"]["message"]
        assert answer["data"]["code"] == ("INVALID_JSON" if name in ("no JSON", "empty") else "VALIDATION_ERROR")
        taken = ask(ws, "step", action_type="SAMPLE", argument="plot")
        assert taken["data"]["observation"]["step_count"] == 1


@pytest.mark.parametrize("name", MALFORMED)
def test_the_same_on_mcp(server: str, name: str) -> None:
    text, said = MALFORMED[name]
    with connect(server.replace("http", "ws") + "/mcp") as ws:
        ws.send(text)
        answer = json.loads(ws.recv(30))
        assert (answer["jsonrpc"], answer["id"]) == ("2.0", None)
        assert answer["error"]["code"] == (-32700 if name in ("no JSON", "empty") else -32600)
        assert said in answer["error"]["message"]
        ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
        assert len(json.loads(ws.recv(30))["result"]["tools"]) == 5


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"\\ud800"}',
        '{"type":["\\ud800"]}',
        '{"type":"step","data":{"action_type":"\\ud800","argument":"x"}}',
        '{"type":"step","data":{"action_type":"QUERY","argument":"SELECT \'\\udfff\'"}}',
        '{"type":"step","data":{"\\ud800":"\\ud800"}}',
        '{"type":"reset","data":{"task_id":"\\ud800"}}',
        '{"type":"reset","data":{"\\ud800":1}}',
        '{"type":"mcp","data":{"jsonrpc":"2.0","method":"\\ud800"}}',
        '{"type":"mcp","data":{"jsonrpc":"2.0","method":"tools/call","params":{"name":"\\ud800"}}}',
    ],
)
def test_half_a_surrogate_pair_never_ends_a_session(url: str, text: str) -> None:
    with connect(url) as ws:
        ask(ws, "reset", task_id=TASK_ID)
        ws.send(text)
        answer = json.loads(ws.recv(30))
        assert "surrogates not allowed" not in json.dumps(answer)
        assert "serializ" not in json.dumps(answer)
        assert ask(ws, "state")["type"] == "state"


def test_a_message_may_be_as_long_as_the_setting_and_no_longer(url: str) -> None:
    frame = len(message("reset", ignored=""))
    with connect(url) as ws:
        assert ask(ws, "reset", ignored="x" * (LONGEST - frame))["type"] == "observation"
        refused = ask(ws, "reset", ignored="x" * (LONGEST - frame + 1))
        assert refused["data"]["message"] == "the message is longer than 100,000 bytes"
        assert ask(ws, "state")["type"] == "state"


@pytest.mark.parametrize("action", ["QUERY", "ANSWER", "DESCRIBE", "DANCE"])
def test_what_an_agent_writes_is_never_too_long_to_be_told_so(url: str, action: str) -> None:
    """An agent's fault costs a step and is said in the observation, five million characters too."""
    with connect(url) as ws:
        ask(ws, "reset", task_id=TASK_ID)
        for argument in ('y\\"\u2028 ' * 500_000, "SELECT '" + "x" * 5_000_000 + "'", "[" * 5_000_000):
            observation = ask(ws, "step", action_type=action, argument=argument)["data"]["observation"]
            assert observation["step_count"] > 0
            said = {"QUERY": "longer than 10,000 bytes", "DESCRIBE": "no table named", "DANCE": "unknown action"}
            assert said.get(action, "") in (observation["error"] or "")
            if action == "ANSWER":
                assert observation["result"] == "Not correct: unparsable."
                ask(ws, "reset", task_id=TASK_ID)


def test_a_connection_that_sends_beyond_all_measure_is_closed(url: str) -> None:
    with connect(url) as ws, pytest.raises(ConnectionClosed):
        ask(ws, "reset", ignored="x" * LONGEST_FRAME)
    with with_room(url) as ws:
        assert ask(ws, "state")["type"] == "state"


@pytest.mark.parametrize("path", ["/reset", "/step", "/mcp", "/mcp/stream", "/sql_env/tasks"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_may_be_as_long_as_the_setting_and_no_longer(server: str, path: str, chunked: bool) -> None:
    body = b'{"a":"' + b"x" * LONGEST + b'"}'
    content = iter([body[:70_000], body[70_000:]]) if chunked else body
    response = httpx.post(f"{server}{path}", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 413
    assert response.json() == {"detail": "the body is longer than 100,000 bytes"}
    assert httpx.get(f"{server}/health").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        nested(10_000),
        '{"a":' * 5000 + "1" + "}" * 5000,
        '{"episode_id": "\\ud800"}',
        '{"\\ud800": "\\ud800"}',
        '{"jsonrpc":"2.0","id":1,"method":"\\ud800","params":{}}',
        '{"seed":' + "9" * 5000 + "}",
        "null",
        "[]",
        "{",
        "",
        "\x00",
    ],
)
@pytest.mark.parametrize("path", ["/reset", "/step", "/mcp", "/sql_env/tasks", "/sql_env/task"])
def test_no_body_makes_the_server_fail(server: str, path: str, body: str) -> None:
    response = httpx.post(f"{server}{path}", content=body, headers={"content-type": "application/json"})
    assert response.status_code < 500
    assert "Traceback" not in response.text
    assert "sql_env.server" not in response.text


# --- connections -----------------------------------------------------------------------------------------


def test_there_is_a_highest_number_of_sockets() -> None:
    """Sessions that were closed for idleness keep their sockets, and could reset for ever beside those that count."""
    environ = {**STARTER, "SQL_ENV_MAX_SESSIONS": "40", "SQL_ENV_SESSION_TIMEOUT": "1"}
    with local_server(environ) as base_url, ExitStack() as stack:
        url = base_url.replace("http", "ws") + "/ws"
        opened: list[ClientConnection] = []
        while len(opened) < 40 + SPARE_SOCKETS:
            opened.append(with_room(url))
            stack.callback(opened[-1].close)
        with pytest.raises(InvalidStatus) as refused, connect(url):
            pytest.fail("there is no end of sockets")
        assert refused.value.response.status_code == 503
        assert b"too many open connections" in refused.value.response.body
        assert ask(opened[0], "reset", task_id=TASK_ID)["type"] == "observation"
        opened[1].close()
        with_room(url).close()


def test_dropped_connections_give_their_sessions_back(url: str) -> None:
    """Eight are dropped while a statement of theirs runs, on a server that has room for two."""
    for _ in range(8):
        ws = with_room(url)
        with ws:
            ws.send(message("step", action_type="QUERY", argument=FOREVER))
            ws.socket.shutdown(socket.SHUT_RDWR)
    with with_room(url) as ws:
        assert ask(ws, "state")["data"]["task_id"] == TASK_ID


def test_nobody_waits_for_statements_of_clients_that_left() -> None:
    """Ten leave while statements of 2 s each wait for the worker; an eleventh does not queue behind them."""
    with local_server({**STARTER, "SQL_ENV_MAX_SESSIONS": "20"}) as base_url:
        url = base_url.replace("http", "ws") + "/ws"
        for _ in range(10):
            with connect(url) as ws:
                ask(ws, "reset", task_id=TASK_ID)
                ws.send(message("step", action_type="QUERY", argument=hostile_sql.OURS["median_killer"]))
                ws.socket.shutdown(socket.SHUT_RDWR)
        create = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create", "params": {}}
        for _ in range(3):
            session = httpx.post(f"{base_url}/mcp", json=create).json()["result"]["session_id"]
            for name, sql in (("task", ""), ("query", hostile_sql.OURS["median_killer"])):
                params = {"session_id": session, "name": name, "arguments": {"sql": sql}}
                body = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
                with suppress(httpx.ReadTimeout):
                    httpx.post(f"{base_url}/mcp", json=body, timeout=0.5)
        began = time.monotonic()
        with connect(url) as ws:
            ask(ws, "reset", task_id=TASK_ID)
            assert (
                "query stopped"
                in ask(ws, "step", action_type="QUERY", argument=FOREVER)["data"]["observation"]["error"]
            )
        assert time.monotonic() - began < 12, "26 s of statements that nobody waits for were run"


@pytest.mark.parametrize("pipelined", [3, 15, 40])
def test_a_client_that_leaves_after_many_messages_is_noticed_too(pipelined: int) -> None:
    """Its slot is free again at once, and none of its statements is run for nobody."""
    with local_server({**STARTER, "SQL_ENV_MAX_SESSIONS": "20"}) as base_url:
        url = base_url.replace("http", "ws") + "/ws"
        slow = message("step", action_type="QUERY", argument=hostile_sql.OURS["median_killer"])
        for _ in range(4):
            with raw_websocket(base_url) as ws:
                ws.sendall(masked(message("reset", task_id=TASK_ID)))
                ws.sendall(masked(slow) * pipelined)
        wait_for_no_session(base_url, 8)
        began = time.monotonic()
        with connect(url) as ws:
            ask(ws, "reset", task_id=TASK_ID)
            ask(ws, "step", action_type="QUERY", argument=FOREVER)
        assert time.monotonic() - began < 9


def test_messages_sent_while_a_step_runs_are_answered_in_order(url: str) -> None:
    with with_room(url) as ws:
        ask(ws, "reset", task_id=TASK_ID)
        ws.send(message("step", action_type="QUERY", argument=FOREVER))
        time.sleep(3 * _Watch.SECONDS)
        for _ in range(_Watch.MOST_WAITING - 2):
            ws.send(message("step", action_type="SAMPLE", argument="plot"))
            time.sleep(0.01)
        counts = [json.loads(ws.recv(30))["data"]["observation"]["step_count"] for _ in range(_Watch.MOST_WAITING - 1)]
        assert counts[:15] == list(range(1, 16))


def test_an_mcp_call_of_a_client_that_left_is_given_up() -> None:
    with local_server(STARTER) as base_url:
        for _ in range(6):
            headers = mcp_session(base_url) | {"accept": "application/json, text/event-stream"}
            for number, (name, sql) in enumerate((("task", ""), ("query", hostile_sql.OURS["median_killer"])), 2):
                params = {"name": name, "arguments": {"sql": sql} if sql else {}}
                body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
                with suppress(httpx.ReadTimeout):
                    httpx.post(f"{base_url}/mcp/stream", json=body, headers=headers, timeout=0.4)
        began = time.monotonic()
        with connect(base_url.replace("http", "ws") + "/ws") as ws:
            ask(ws, "reset", task_id=TASK_ID)
            ask(ws, "step", action_type="QUERY", argument=FOREVER)
        assert time.monotonic() - began < 6, "12 s of statements that nobody waits for were run"


def test_a_silent_socket_is_closed_in_the_end() -> None:
    """Twice the idle time, and at least a minute after it: else sockets that say nothing would fill the server."""
    traffic = build_app(Settings(dataset="starter", session_timeout=1)).state.traffic
    assert traffic.patience == 61
    assert build_app(Settings(dataset="starter", session_timeout=600)).state.traffic.patience == 1200


async def test_one_timer_tells_of_a_long_silence_after_many_short_ones() -> None:
    silence = _Silence(0.2)
    for _ in range(20):
        with silence:
            await asyncio.sleep(0.03)
    await asyncio.sleep(0.5)  # outside a block nothing is silence
    began = time.monotonic()
    with pytest.raises(TimeoutError), silence:
        await asyncio.sleep(30)
    assert 0.15 < time.monotonic() - began < 10
    with silence:
        await asyncio.sleep(0)
    silence.close()


async def test_a_silence_does_not_swallow_a_cancellation_from_elsewhere() -> None:
    silences = []

    async def listen() -> None:
        silences.append(_Silence(0.05))
        with silences[0]:
            await asyncio.sleep(30)

    for late in (False, True):
        silences.clear()
        task = asyncio.create_task(listen())
        await asyncio.sleep(0)
        if late:  # both at the same moment
            silences[0]._seconds = 0
            silences[0]._look()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_silence_ends_a_socket() -> None:
    sent: list[dict] = []

    async def never() -> dict:
        await asyncio.sleep(60)
        return {"type": "websocket.receive", "text": "{}"}

    async def send(event: dict) -> None:
        sent.append(event)

    received: list[dict] = []

    async def app(scope: dict, receive: Callable, send: Callable) -> None:
        received.append(await receive())

    traffic = Traffic(1000, 1, 0.05, Telemetry())
    await Guard(app, traffic)({"type": "websocket", "path": "/ws"}, never, send)
    assert received == [{"type": "websocket.disconnect", "code": 1001}]
    assert sent[-1]["code"] == 1001
    assert traffic.sockets == 0


async def test_a_body_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sql_env.server.guard.BODY_SECONDS", 0.05)
    sent: list[dict] = []

    async def slowly() -> dict:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(event: dict) -> None:
        sent.append(event)

    scope = {"type": "http", "method": "POST", "path": "/reset", "headers": []}
    await Guard(None, Traffic(1000, 1, 1, Telemetry()))(scope, slowly, send)
    assert sent[0]["status"] == 408


def test_long_messages_under_way_are_held_within_a_budget(server: str) -> None:
    """Forty sockets that send 4 MB each of a message without end: some are let go of, and honest ones are served."""
    before = metric(server, "process_resident_memory_bytes")
    head = b"\x81\xff" + (7 * 2**20).to_bytes(8, "big") + b"\0\0\0\0"
    with ExitStack() as stack, suppress(ConnectionError, TimeoutError):
        for _ in range(SPARE_SOCKETS):
            ws = stack.enter_context(raw_websocket(server))
            ws.settimeout(10)
            ws.sendall(head + b"x" * 4 * 2**20)
    assert metric(server, "process_resident_memory_bytes") - before < 2.5 * WebSocketConnection.BUDGET


def test_what_was_compressed_is_not_asked_for(url: str) -> None:
    """A few kilobytes would unpack to as many messages of the longest length as fit."""
    with connect(url) as ws:
        assert ws.response.headers.get("Sec-WebSocket-Extensions") is None


def with_room(url: str) -> ClientConnection:
    """Connect and reset, as soon as there is room."""
    deadline = time.monotonic() + 30
    while True:
        with ExitStack() as stack, suppress(ConnectionClosed):
            ws = stack.enter_context(connect(url))
            if ask(ws, "reset", task_id=TASK_ID)["type"] == "observation":
                stack.pop_all()
                return ws
        assert time.monotonic() < deadline, "sessions of dropped connections keep their slots"
        time.sleep(0.1)


def test_a_client_that_does_not_read_stops_only_itself(url: str, server: str) -> None:
    """Its answers fill the connection's buffers, then its session waits; the server's memory does not grow with it."""
    host, port = server.removeprefix("http://").split(":")
    wait_for_no_session(server)
    before = metric(server, "process_resident_memory_bytes")
    with with_room(url) as ws, socket.create_connection((host, int(port))) as deaf:
        deaf.sendall(HANDSHAKE)
        deaf.settimeout(2)
        # Small answers would fit into the kernel's buffers: 1.5 kB each, 20,000 times, do not.
        request = {"jsonrpc": "2.0", "id": "x" * 2_000, "method": "tools/list"}
        with pytest.raises((TimeoutError, ConnectionError)):
            deaf.sendall(masked(json.dumps({"type": "mcp", "data": request})) * 20_000)
        assert ask(ws, "reset", task_id=TASK_ID)["type"] == "observation"
        assert metric(server, "process_resident_memory_bytes") - before < 30e6


@contextmanager
def raw_websocket(base_url: str) -> Iterator[socket.socket]:
    """A WebSocket without a client: what is sent and read is up to the test."""
    host, port = base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(HANDSHAKE)
        assert b" 101 " in connection.recv(4096)
        yield connection


def masked(text: str) -> bytes:
    """A client's text frame, masked with zeros."""
    data = text.encode()
    length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + length + b"\0\0\0\0" + data


@pytest.mark.timeout(400)
def test_a_flood_leaves_others_their_turn(server: str, url: str) -> None:
    """Sixty thousand messages in one go: others are answered in between, not between one read of 64 kB and the next."""
    wait_for_no_session(server)
    flood, answered = 60_000, 0
    with raw_websocket(server) as greedy, with_room(url) as ws:
        drained = threading.Thread(target=drain, args=(greedy, flood))
        drained.start()
        sender = threading.Thread(target=greedy.sendall, args=(masked('{"type":"state"}') * flood,))
        sender.start()
        while drained.is_alive():
            ask(ws, "state")
            answered += 1
        sender.join()
        drained.join()
    assert answered > 150


def drain(connection: socket.socket, answers: int) -> None:
    """Read until so many answers have come."""
    while answers > 0:
        answers -= connection.recv(2**20).count(b'"type":"state"')


def test_a_frame_in_pieces_and_a_frame_that_never_ends(url: str, server: str) -> None:
    wait_for_no_session(server)
    with raw_websocket(server) as slow, with_room(url) as ws:
        frame = masked(message("reset", task_id=TASK_ID))
        for byte in frame[:-1]:
            slow.sendall(bytes([byte]))
        assert ask(ws, "reset", task_id=TASK_ID)["type"] == "observation"
        slow.sendall(frame[-1:])
        slow.settimeout(10)
        received = b""
        while b'"observation"' not in received:
            piece = slow.recv(65536)
            assert piece, received
            received += piece


# --- a graceful stop -------------------------------------------------------------------------------------


PATIENT = STARTER | {"SQL_ENV_STOP_SECONDS": "30"}
"""However busy this machine is, a statement that takes 2 s of processor time has ended by then."""


def test_a_stop_lets_running_steps_end() -> None:
    with server_process(PATIENT) as (process, base_url), ExitStack() as stack:
        url = base_url.replace("http", "ws") + "/ws"
        busy, idle = stack.enter_context(connect(url)), stack.enter_context(connect(url))
        ask(busy, "reset", task_id=TASK_ID), ask(idle, "reset", task_id=TASK_ID)
        busy.send(message("step", action_type="QUERY", argument=hostile_sql.OURS["median_killer"]))  # 2 s
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        idle.send(message("step", action_type="SAMPLE", argument="plot"))
        assert json.loads(idle.recv(10))["data"]["message"] == STOPPING
        with pytest.raises((OSError, InvalidStatus)), connect(url):
            pytest.fail("a server that is told to stop takes no new connection")
        last = json.loads(busy.recv(30))
        assert "query stopped after 2.0 s" in last["data"]["observation"]["error"]
        for ws in (busy, idle):
            with pytest.raises(ConnectionClosed) as closed:
                ws.recv(10)
            assert closed.value.rcvd.code == 1012
        assert process.wait(10) == 0


@pytest.mark.parametrize("endpoint", ["/mcp", "/mcp/stream"])
def test_a_stop_lets_running_http_calls_end(endpoint: str) -> None:
    with server_process(PATIENT) as (process, base_url):
        if endpoint == "/mcp":
            create = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create", "params": {}}
            extra, headers = httpx.post(f"{base_url}/mcp", json=create).json()["result"], {}
        else:
            extra, headers = {}, mcp_session(base_url) | {"accept": "application/json, text/event-stream"}
        answers = []

        def call(number: int, name: str, **arguments: str) -> None:
            params = {**extra, "name": name, "arguments": arguments}
            body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
            answers.append(httpx.post(f"{base_url}{endpoint}", json=body, headers=headers, timeout=40))

        call(2, "task")
        running = threading.Thread(target=call, args=(3, "query"), kwargs={"sql": hostile_sql.OURS["median_killer"]})
        running.start()
        time.sleep(0.4)
        process.send_signal(signal.SIGTERM)
        running.join()
        assert process.wait(10) == 0
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "query stopped after 2.0 s" in answers[1].text


def test_a_stop_without_steps_under_way_is_quick_though_sessions_are_open() -> None:
    with server_process(STARTER) as (process, base_url), ExitStack() as stack:
        url = base_url.replace("http", "ws") + "/ws"
        for _ in range(20):
            ask(stack.enter_context(connect(url)), "reset", task_id=TASK_ID)
        stream = stack.enter_context(httpx.Client())
        stack.enter_context(stream.stream("GET", f"{base_url}/mcp/stream", headers=mcp_session(base_url)))
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 3


def mcp_session(base_url: str) -> dict[str, str]:
    """Open an MCP session and return the headers of its event stream."""
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client}
    accept = {"accept": "application/json, text/event-stream"}
    response = httpx.post(f"{base_url}/mcp/stream", json=body, headers=accept)
    return {"accept": "text/event-stream", "mcp-session-id": response.headers["mcp-session-id"]}


# --- parsing ---------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
)


@given(VALUES)
def test_what_is_valid_passes_unchanged_and_can_always_be_written(value: object) -> None:
    text = json.dumps(value)
    parsed = parse(text)
    assert json.dumps(parsed) == text
    cleaned = clean(text, parsed)
    cleaned.encode()
    if "\\ud" not in text:
        assert json.dumps(json.loads(cleaned)) == text


@given(st.integers(1, 200))
def test_depth_is_exact(depth: int) -> None:
    try:
        parse(nested(depth))
        assert depth <= MAX_DEPTH
    except Refusal:
        assert depth > MAX_DEPTH


def test_brackets_inside_strings_are_no_depth() -> None:
    text = json.dumps({"type": "step", "data": {"action_type": "ANSWER", "argument": "[" * 1000 + "{" * 1000}})
    assert parse(text)["type"] == "step"
