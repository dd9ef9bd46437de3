"""Measure servers by what a client sees: step latency and throughput, several servers interleaved in one run.

Machines are shared and noisy, so servers take turns in short rounds and results are meant to be read as ratios.
The client is a raw WebSocket without compression: parsing observations is not the server's cost.
"""

import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

Message = dict[str, Any]


@dataclass
class Target:
    """A server under measurement and the times of its steps, in seconds.

    Attributes:
        episodes: whether to play SQLEnv episodes; else to send echo messages.
        variant: the changed database that they are played on; 0 is the original.
    """

    name: str
    base_url: str
    episodes: bool
    seconds: list[float] = field(default_factory=list)
    by_action: dict[str, list[float]] = field(default_factory=dict)
    variant: int = 0

    def reset(self, seed: int) -> Message:
        """Return the message that begins an episode."""
        chosen = {"split": "all", "seed": seed} | ({"variant": self.variant} if self.variant else {})
        return {"type": "reset", "data": chosen if self.episodes else {}}

    @property
    def p50(self) -> float:
        """Median seconds of a step."""
        return statistics.median(self.seconds)

    def percentile(self, percent: int) -> float:
        """Return a percentile of the seconds of a step."""
        return statistics.quantiles(self.seconds, n=100, method="inclusive")[percent - 1]


async def measure(targets: list[Target], rounds: int, steps: int) -> None:
    """Play ``steps`` steps on each target in turn, ``rounds`` times, after a round that only warms up."""
    for number in range(rounds + 1):
        for target in targets:
            async with connect(f"{target.base_url.replace('http', 'ws', 1)}/ws", compression=None) as ws:
                timed = await _round(ws, target, number, steps)
            if number:
                for action, seconds in timed:
                    target.seconds.append(seconds)
                    target.by_action.setdefault(action, []).append(seconds)


async def _round(ws: ClientConnection, target: Target, number: int, steps: int) -> list[tuple[str, float]]:
    timed: list[tuple[str, float]] = []
    for index in itertools.count(number * 7):
        first = await _ask(ws, target.reset(index))
        if first["type"] == "error":
            raise RuntimeError(f"{target.name} refused to begin: {first['data']}")
        for action, message in _actions(first, target.episodes):
            started = time.perf_counter()
            answer = await _ask(ws, message)
            timed.append((action, time.perf_counter() - started))
            if answer["type"] == "error" or answer["data"]["observation"].get("error"):
                raise RuntimeError(f"{target.name} refused {message}: {answer['data']}")
            if len(timed) >= steps:
                return timed
    return timed


def _actions(first: Message, episodes: bool) -> Iterator[tuple[str, Message]]:
    if not episodes:
        for _ in range(14):
            yield "echo", {"type": "step", "data": {"message": "hello"}}
        return
    tables = first["data"]["observation"]["schema_info"].removeprefix("Tables: ").split(", ")
    for table, (action, argument) in itertools.product(
        tables[:4], (("DESCRIBE", "{}"), ("SAMPLE", "{}"), ("QUERY", SQL))
    ):
        yield action, {"type": "step", "data": {"action_type": action, "argument": argument.format(table)}}


SQL = "SELECT *, count(*) OVER () AS total FROM {} LIMIT 20"


async def _ask(ws: ClientConnection, message: Message) -> Message:
    await ws.send(json.dumps(message))
    answer: Message = json.loads(await asyncio.wait_for(ws.recv(), 60))
    return answer


def table(targets: list[Target], references: list[Target]) -> list[str]:
    """Return the measurements as lines of Markdown, each target's median over each reference's."""
    names = [f"÷ {reference.name}" for reference in references]
    lines = [" | ".join(["| server", "steps", "p50 ms", "p95 ms", "p99 ms", *names, ""]).rstrip()]
    lines.append("|" + "---|" * (5 + len(names)))
    for target in targets:
        times = [f"{1e3 * seconds:.3f}" for seconds in (target.p50, target.percentile(95), target.percentile(99))]
        ratios = [f"{target.p50 / reference.p50:.2f}" for reference in references]
        lines.append("| " + " | ".join([target.name, f"{len(target.seconds):,}", *times, *ratios]) + " |")
    return lines


HOSTILE = (
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT count(*) FROM r",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n+1 FROM r) SELECT count(*) FROM r",
    "WITH RECURSIVE r(s) AS (SELECT 'x' UNION ALL SELECT s||s FROM r) SELECT max(length(s)) FROM r",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r LIMIT 9000000) SELECT n FROM r ORDER BY -n LIMIT 1",
    "WITH RECURSIVE d(s) AS (SELECT 'x' UNION ALL SELECT s||s FROM d WHERE length(s)<65536), a(s) AS MATERIALIZED "
    "(SELECT max(s) FROM d) SELECT unhex(s, replace(s,'x','y')||'x') FROM a",
    "SELECT 1 FROM "  # noqa: S608
    + ",".join(f"(SELECT {i} AS n) a{i}" for i in range(60))
    + " ORDER BY 1",
    "PRAGMA query_only=0",
    "SELECT sql FROM sqlite_master",
)
"""Statements that want all of a server: time, memory, one long operation; and two that are refused at once."""


async def neighbours(target: Target, honest: int, hostile: int, seconds: float, think_seconds: float) -> int:
    """Time the steps of honest sessions, which think between them, while hostile ones send their worst without pause.

    Args:
        target: gets the honest sessions' times.
        honest: sessions that play.
        hostile: sessions that attack.
        seconds: how long.
        think_seconds: mean pause of an honest session before each step; they differ, so as not to march in step.

    Returns:
        How many hostile statements were answered.
    """
    until = time.perf_counter() + seconds
    answered = await asyncio.gather(
        *(_play(target, number, until, think_seconds * (1 + number / honest) / 1.5) for number in range(honest)),
        *(_attack(target, number, until) for number in range(hostile)),
    )
    return sum(answered)


async def _play(target: Target, number: int, until: float, think_seconds: float) -> int:
    async with connect(f"{target.base_url.replace('http', 'ws', 1)}/ws", compression=None) as ws:
        while time.perf_counter() < until:
            first = await _ask(ws, target.reset(number))
            for _action, message in _actions(first, episodes=True):
                await asyncio.sleep(think_seconds)
                started = time.perf_counter()
                await _ask(ws, message)
                target.seconds.append(time.perf_counter() - started)
                if time.perf_counter() > until:
                    break
    return 0


async def _attack(target: Target, number: int, until: float) -> int:
    answered = 0
    async with connect(f"{target.base_url.replace('http', 'ws', 1)}/ws", compression=None) as ws:
        await _ask(ws, target.reset(number))
        for sql in itertools.cycle(HOSTILE[number % len(HOSTILE) :] + HOSTILE[: number % len(HOSTILE)]):
            if time.perf_counter() > until:
                break
            answer = await _ask(ws, {"type": "step", "data": {"action_type": "QUERY", "argument": sql}})
            answered += 1
            if answer["data"]["done"]:
                await _ask(ws, target.reset(number))
    return answered
