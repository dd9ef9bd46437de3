"""Many sessions on one server for a long time, to see whether that changes anything."""

import asyncio
import itertools
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from sql_env.agent.analyst.schema_reading import read_names
from sql_env.agent.facts import read_facts
from sql_env.agent.load import HOSTILE, QUERIES

Message = dict[str, Any]


@asynccontextmanager
async def _session(base_url: str) -> AsyncIterator[ClientConnection]:
    # Pings off: this one process plays all clients, and must not take its own slowness for the server's.
    url = f"{base_url.replace('http', 'ws', 1)}/ws"
    async with connect(url, compression=None, ping_interval=None, open_timeout=60) as ws:
        yield ws


async def _ask(ws: ClientConnection, kind: str, **data: Any) -> Message:
    await ws.send(json.dumps({"type": kind, "data": data}))
    answer: Message = json.loads(await asyncio.wait_for(ws.recv(), 120))
    return answer


async def _reset(ws: ClientConnection, number: int) -> list[str]:
    """Start an episode and return its tables."""
    first = await _ask(ws, "reset", split="all", seed=number)
    return read_names(first["data"]["observation"]["schema_info"])


def _action(rng: random.Random, tables: list[str]) -> tuple[str, str]:
    table = rng.choice(tables)
    return rng.choice(
        (
            ("DESCRIBE", table),
            ("SAMPLE", table),
            *(("QUERY", sql.format(table)) for sql in QUERIES),
            ("ANSWER", "no answer of mine"),
        )
    )


@dataclass
class Soak:
    """What a long run was like.

    Attributes:
        samples: the server's memory, threads, descriptors and sessions, over time.
        steps: steps answered.
        errors: what went wrong, one text each.
    """

    samples: list[dict[str, float]] = field(default_factory=list)
    steps: int = 0
    errors: list[str] = field(default_factory=list)

    def growth(self, name: str) -> float:
        """Return by how much a fact grew from the second fifth of the run to the last, median to median."""
        fifth = max(len(self.samples) // 5, 1)
        early, late = self.samples[fifth : 2 * fifth] or self.samples[:1], self.samples[-fifth:]
        return statistics.median(s[name] for s in late) - statistics.median(s[name] for s in early)


async def soak(
    base_url: str, sessions: int, seconds: float, every: float, report: Callable[[dict[str, float], int], None]
) -> Soak:
    """Keep so many sessions busy for so long: most play, some send hostile SQL, some drop, some speak MCP over HTTP.

    Args:
        base_url: the server.
        sessions: how many at once, at least 8.
        seconds: how long.
        every: seconds between two looks at the server.
        report: called at each look with the server's facts and the number of steps so far.
    """
    made, until = Soak(), time.perf_counter() + seconds
    kinds = [_hostile, _dropping, _mcp, *[_honest] * 5]
    players = [
        asyncio.create_task(_keep(kinds[number % len(kinds)], base_url, number, until, made))
        for number in range(sessions)
    ]
    while time.perf_counter() < until:
        await asyncio.sleep(min(every, max(until - time.perf_counter(), 0.1)))
        made.samples.append(await read_facts(base_url))
        report(made.samples[-1], made.steps)
    await asyncio.gather(*players)
    return made


async def _keep(play: Any, base_url: str, number: int, until: float, made: Soak) -> None:
    for turn in itertools.count():
        if time.perf_counter() > until:
            return
        try:
            await play(base_url, number, turn, made)
        except Exception as error:  # noqa: BLE001 — whatever it is, it belongs into the report
            made.errors.append(f"{play.__name__}: {error!r}")
            await asyncio.sleep(1)


async def _honest(base_url: str, number: int, turn: int, made: Soak) -> None:
    """Twenty steps over one connection, with pauses."""
    rng = random.Random(f"{number} {turn}")
    async with _session(base_url) as ws:
        tables = await _reset(ws, rng.randrange(10**6))
        for _ in range(20):
            answer = await _ask(ws, "step", **dict(zip(("action_type", "argument"), _action(rng, tables), strict=True)))
            made.steps += 1
            if answer["type"] != "observation" or answer["data"]["observation"]["error"]:
                made.errors.append(f"{answer}")
            if answer["data"].get("done"):
                tables = await _reset(ws, rng.randrange(10**6))
            await asyncio.sleep(rng.random() / 5)


async def _hostile(base_url: str, number: int, turn: int, made: Soak) -> None:
    """Statements that want all of a server; each must be answered."""
    async with _session(base_url) as ws:
        await _reset(ws, number)
        for sql in HOSTILE:
            answer = await _ask(ws, "step", action_type="QUERY", argument=sql)
            made.steps += 1
            if answer["type"] != "observation":
                made.errors.append(f"{sql[:60]}: {answer}")
        await asyncio.sleep(1)


async def _dropping(base_url: str, number: int, turn: int, made: Soak) -> None:
    """A step, another whose answer is not waited for, and a connection cut without goodbye."""
    async with _session(base_url) as ws:
        tables = await _reset(ws, number + turn)
        await _ask(ws, "step", action_type="SAMPLE", argument=tables[0])
        made.steps += 1
        slow = {"type": "step", "data": {"action_type": "QUERY", "argument": HOSTILE[turn % 2]}}
        await ws.send(json.dumps(slow))
        ws.transport.abort()
    await asyncio.sleep(0.5)


async def _mcp(base_url: str, number: int, turn: int, made: Soak) -> None:
    """An episode by tool calls over HTTP; every tenth session is left open, for the reaper."""

    async def rpc(method: str, **params: Any) -> Message:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer: Message = (await client.post(f"{base_url}/mcp", json=body)).json()
        made.steps += 1
        result: Message = answer["result"]
        return result

    async with httpx.AsyncClient(timeout=120) as client:
        session = (await rpc("openenv/session/create"))["session_id"]
        await rpc("tools/call", session_id=session, name="task", arguments={})
        await rpc("tools/call", session_id=session, name="query", arguments={"sql": "SELECT 1"})
        await rpc("tools/call", session_id=session, name="answer", arguments={"answer": "no answer of mine"})
        if turn % 10:
            await rpc("openenv/session/close", session_id=session)
    await asyncio.sleep(1)
