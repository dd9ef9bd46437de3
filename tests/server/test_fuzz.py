"""A hundred thousand frames that nobody should send, and every HTTP call that OpenAPI promises, with any body.

No frame may end a session that it does not close, stall it, make the server log a fault or tell anything of the
server's inside. The generators are seeded: a failure repeats.
"""

import asyncio
import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hostile_sql import ROOT
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance
from websockets.asyncio.client import ClientConnection, connect
from wire import HANDSHAKE, TASK_ID, metric

from sql_env.agent.local_server import local_server
from sql_env.server.guard import _Watch
from sql_env.server.resources import MAKERS

FRAMES = int(os.environ.get("SQL_ENV_FUZZ_FRAMES", "100000"))
RAW_FRAMES = FRAMES // 5
CONNECTIONS = 8
BURST = _Watch.MOST_WAITING - 1
"""Messages sent before an answer is read; a client that sends more while a step lasts is let go of."""
LEAKS = re.compile(
    "|".join(
        (
            re.escape(str(ROOT)),
            "Traceback",
            "site-packages",
            r"\.py\b",
            r"sql_env\.server",
            "object at 0x",
            "/home/",
            "/usr/",
        )
    )
)

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, float("nan"), float("inf"), 2**63, -(2**70), "", " ", "\x00", "\ud800", "é" * 50,
    "x" * 5000, [], {}, [[]], {"a": {"b": [1]}}, ["reset"], "__class__", "../../etc/passwd", "' OR 1=1 --", "%s%n{0}",
    "self", "\n", "\u2028", "🔎",
)  # fmt: skip
WORDS = (
    "type data reset step state close mcp action_type argument metadata seed episode_id dataset split index task_id "
    "db_id hardness answer_form variant jsonrpc method params id name arguments session_id tools/list tools/call table "
    "sql answer task describe sample query DESCRIBE SAMPLE QUERY ANSWER openenv/session/create "
    "openenv/session/close self cls"
).split()
STATEMENTS = (
    "SELECT 1", "SELECT * FROM plot", "SELEC", "DROP TABLE plot", "SELECT * FROM sqlite_master", "SELECT nosuch", ";;",
    "", "SELECT x'ff'", "SELECT 1; SELECT 2", "PRAGMA table_info(plot)", "SELECT \x00", "VALUES (1),(2)",
    "EXPLAIN SELECT 1",
)  # fmt: skip


class Fuzzer:
    """Makes messages: valid ones, valid ones with something changed, and text that is none."""

    def __init__(self, seed: int, dialect: str) -> None:
        self.rng = random.Random(seed)
        self.dialect = dialect

    def message(self) -> str | bytes:
        kind = self.rng.random()
        value = self.valid()
        if kind < 0.25:
            return json.dumps(value)
        for _ in range(self.rng.randint(1, 4)):
            value = self.changed(value)
        text = json.dumps(value)
        if kind < 0.7:
            return text
        if kind < 0.9:
            return self.broken(text)
        return text.encode("utf-8", "replace") if kind < 0.95 else self.rng.randbytes(self.rng.randint(0, 60))

    def valid(self) -> dict[str, Any]:
        rng = self.rng
        call = {"name": rng.choice(WORDS[-12:]), "arguments": {rng.choice(("table", "sql", "answer")): self.argument()}}
        rpc = {"jsonrpc": "2.0", "id": rng.choice((1, "a", None)), "method": "tools/call", "params": call}
        if rng.random() < 0.2:
            rpc["method"], rpc["params"] = rng.choice(("tools/list", "nosuch")), {}
        if self.dialect == "mcp":
            return rpc
        return rng.choice(
            (
                {"type": "reset", "data": {rng.choice(WORDS): rng.choice((*NASTY, TASK_ID))}},
                {"type": "reset", "data": {"task_id": TASK_ID}},
                {"type": "step", "data": {"action_type": rng.choice(WORDS), "argument": self.argument()}},
                {"type": "step", "data": {"action_type": "QUERY", "argument": self.argument()}},
                {"type": "state"},
                {"type": "mcp", "data": rpc},
            )
        )

    def argument(self) -> str:
        return self.rng.choice((*STATEMENTS, *(text for text in NASTY if isinstance(text, str)), "plot", "47"))

    def changed(self, value: Any) -> Any:
        """A copy with one thing replaced, added, removed or wrapped, somewhere."""
        rng = self.rng
        if isinstance(value, dict) and value and rng.random() < 0.8:
            key, copy = rng.choice(list(value)), dict(value)
            change = rng.random()
            if change < 0.5:
                copy[key] = self.changed(copy[key])
            elif change < 0.7:
                copy[rng.choice(WORDS)] = rng.choice(NASTY)
            elif change < 0.85:
                del copy[key]
            else:
                copy[rng.choice(WORDS)] = copy.pop(key)
            return copy
        return rng.choice((*NASTY, [value], {rng.choice(WORDS): value}, *WORDS))

    def broken(self, text: str) -> str:
        """JSON with characters lost, doubled or exchanged."""
        rng, characters = self.rng, list(text)
        for _ in range(rng.randint(1, 6)):
            if not characters:
                break
            at = rng.randrange(len(characters))
            characters[at : at + rng.choice((0, 1, 1, 5))] = rng.choice(
                ("", "[", "]", "{", "}", '"', "\\", ",", "9" * 400, "\x00", "null", "\\ud800", "[" * 70)
            )
        return "".join(characters).encode("utf-8", "replace").decode()


def ends_the_session(message: str | bytes) -> bool:
    """Whether a message asks for the end: ``{"type": "close"}``, in any dress."""
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and value.get("type") == "close"


CODES = "INVALID_JSON VALIDATION_ERROR UNKNOWN_TYPE EXECUTION_ERROR".split() + [
    f"mcp {code}" for code in ("result", -32700, -32600, -32601, -32602)
]
"""Kinds of errors that the fuzzer has to have met."""


class Log:
    """The server's log, read for faults at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def faults(self) -> list[str]:
        text = self.path.read_text("utf-8", "replace")
        return [line for line in text.splitlines() if re.search("Traceback|ERROR|Exception in ASGI|CRITICAL", line)]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Log]]:
    log = tmp_path_factory.mktemp("fuzz") / "server.log"
    with local_server({"SQL_ENV_DATASET": "starter"}, log=log) as base_url:
        yield base_url, Log(log)


def checked(answer: str | bytes, sent: str | bytes, dialect: str) -> str:
    """Check one answer and return its kind."""
    value = json.loads(answer)
    assert not LEAKS.search(str(answer)), (sent, answer)
    if dialect == "mcp":
        assert value["jsonrpc"] == "2.0", (sent, answer)
        assert ("result" in value) != ("error" in value), (sent, answer)
        return f"mcp {value['error']['code']}" if "error" in value else "mcp result"
    assert value["type"] in ("observation", "state", "error", "mcp"), (sent, answer)
    return value["data"]["code"] if value["type"] == "error" else value["type"]


async def bombard(base_url: str, dialect: str, seed: int, frames: int) -> Counter[str]:
    """Send frames in bursts over one connection, and count the answers by kind: one for each."""
    fuzzer, kinds = Fuzzer(seed, dialect), Counter[str]()
    async with connect(base_url.replace("http", "ws") + f"/{dialect}", compression=None) as ws:
        while kinds.total() < frames:
            burst = [m for m in (fuzzer.message() for _ in range(BURST)) if dialect == "mcp" or not ends_the_session(m)]
            for message in burst:
                await ws.send(message)
            for message in burst:
                kinds[checked(await asyncio.wait_for(ws.recv(), 60), message, dialect)] += 1
        await still_lives(ws, dialect)
    return kinds


async def still_lives(ws: ClientConnection, dialect: str) -> None:
    if dialect == "mcp":
        await ws.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
        assert len(json.loads(await asyncio.wait_for(ws.recv(), 30))["result"]["tools"]) == 5
    else:
        await ws.send(json.dumps({"type": "reset", "data": {"task_id": TASK_ID}}))
        assert json.loads(await asyncio.wait_for(ws.recv(), 30))["data"]["observation"]["step_count"] == 0


@pytest.mark.timeout(400)
async def test_no_message_hurts(fuzzed: tuple[str, Log]) -> None:
    """One answer to each of 100,000 messages, on the connection that sent it, in order, to the end."""
    base_url, log = fuzzed
    threads = metric(base_url, "sql_env_threads")
    each = FRAMES // CONNECTIONS
    kinds = await asyncio.gather(
        *(bombard(base_url, ("ws", "ws", "ws", "mcp")[n % 4], n, each) for n in range(CONNECTIONS))
    )
    answered = sum(kinds, Counter[str]())
    assert answered.total() >= FRAMES
    for kind in ("observation", "state", "mcp", *CODES):
        assert answered[kind] > FRAMES / 2000, f"the fuzzer hardly ever gets {kind}: {answered}"
    assert httpx.get(f"{base_url}/health").json() == {"status": "healthy"}
    for _ in range(100):
        if not metric(base_url, "sql_env_sessions_open"):
            break
        await asyncio.sleep(0.1)
    assert metric(base_url, "sql_env_sessions_open") == 0
    assert metric(base_url, "sql_env_threads") <= threads + 1 + MAKERS
    assert not log.faults()


@pytest.mark.timeout(300)
async def test_no_bytes_hurt(fuzzed: tuple[str, Log]) -> None:
    """Frames that break the WebSocket protocol itself: they may end their connection, and nothing else."""
    base_url, log = fuzzed
    host, port = base_url.removeprefix("http://").split(":")
    rng, sent = random.Random(0), 0
    while sent < RAW_FRAMES:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(HANDSHAKE)
        assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        for _ in range(rng.randint(1, 30)):
            writer.write(raw_frame(rng))
            sent += 1
        with suppress(TimeoutError, OSError):
            await asyncio.wait_for(reader.read(), 0.01)
        writer.transport.abort()
    async with connect(base_url.replace("http", "ws") + "/ws") as ws:
        await still_lives(ws, "ws")
    assert not log.faults()


def raw_frame(rng: random.Random) -> bytes:
    """A frame with any bits set: opcodes that do not exist, no mask, lengths that lie, fragments without end."""
    payload = rng.choice((b"", b"{}", b'{"type":"state"}', b"\xff\xfe", rng.randbytes(rng.randint(0, 200))))
    first = rng.choice((0x81, 0x01, 0x00, 0x80, 0x82, 0x88, 0x89, 0x8A, 0x83, 0xF1, rng.randrange(256)))
    length = len(payload) if rng.random() < 0.7 else rng.randrange(126)
    size = rng.choice((bytes([0x80 | length]), bytes([length]), b"\xff" + rng.randbytes(8), b"\xfe" + rng.randbytes(2)))
    return bytes([first]) + size + rng.randbytes(4) + payload


# --- HTTP ------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_every_call_of_openapi_answers_as_it_promises(fuzzed: tuple[str, Log]) -> None:
    """schemathesis: no 5xx, no answer outside its schema, and nothing of the server's inside in any."""
    base_url, log = fuzzed
    schema = schemathesis.openapi.from_url(f"{base_url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    assert {"POST /reset", "POST /step", "POST /mcp", "GET /schema"} <= {operation.label for operation in operations}
    for operation in operations:
        answers_as_it_promises(operation)
    assert not log.faults()


def answers_as_it_promises(operation: Any) -> None:
    @given(case=operation.as_strategy())
    @hypothesis_settings(
        max_examples=60,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def call(case: Any) -> None:
        response = case.call(timeout=30)
        case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])
        told = set(LEAKS.findall(response.text))
        assert told <= set(LEAKS.findall(repr((case.path_parameters, case.body)))), response.text

    call()
