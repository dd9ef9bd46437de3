"""Load on a server: sessions that play over WebSockets at the same time, and how long each of their steps took.

The client is picows without compression, which costs 15 µs a step where websockets costs 25 to 60, so that the server
is measured and not the client. One process plays all sessions: beyond some 10,000 steps a second it is the limit.
"""

import asyncio
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sql_env.agent.analyst.schema_reading import read_names

try:
    from picows.websockets import ClientConnection, connect
    from picows.websockets.exceptions import ConnectionClosed, WebSocketException
except ModuleNotFoundError as error:  # pragma: no cover
    raise ModuleNotFoundError("the load test needs picows: pip install picows", name=error.name) from error

Episode: TypeAlias = Iterator[tuple[str, str]]
"""The steps of an episode: actions and the messages that ask for them."""

ACTIONS = ("DESCRIBE", "SAMPLE", "QUERY", "ANSWER")
QUERIES = ("SELECT count(*) FROM {}", "SELECT * FROM {} LIMIT 10")
PATIENCE = 60.0
"""Seconds after which an answer counts as missing."""

ECHO_STEPS = 14
"""Steps between two resets of an echo server; an episode of ours has 15 at most."""

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


@dataclass(frozen=True)
class Workload:
    """What sessions do.

    Attributes:
        sessions: how many play.
        steps: of each, resets not counted.
        seconds: where given, how long they play instead.
        think: mean seconds of a pause before each step; from half to one and a half of it, drawn evenly.
        ramp: seconds over which they begin, evenly; with 0 all are connected before the first plays.
        hostile: sessions besides, which send HOSTILE without a pause as long as the others play.
        mix: weights of the actions. DESCRIBE, SAMPLE and QUERY name a table of the episode; an ANSWER is wrong.
        selectors: what reset is given, besides a seed.
        seed: makes the same workload again.
        echo: whether the server is an echo environment: messages are words, and nothing of the above but counts.
    """

    sessions: int = 1
    steps: int = 200
    seconds: float | None = None
    think: float = 0.0
    ramp: float = 0.0
    hostile: int = 0
    mix: Mapping[str, float] = field(default_factory=lambda: {"DESCRIBE": 1.0, "SAMPLE": 1.0, "QUERY": 1.0})
    selectors: Mapping[str, Any] = field(default_factory=lambda: {"split": "all"})
    seed: int = 0
    echo: bool = False


@dataclass
class Measured:
    """What they did.

    Attributes:
        seconds: how long each answer took, by action; ``RESET`` is one.
        errors: what went wrong, by kind, and how often.
        hostile: hostile statements answered.
        elapsed: seconds from the first step to the last.
        cpu: seconds of processor time that the server took meanwhile, where that was measured.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    hostile: int = 0
    elapsed: float = 0.0
    cpu: float = 0.0

    @property
    def steps(self) -> list[float]:
        """The seconds of all steps, resets not among them."""
        return [value for action, values in self.seconds.items() if action != "RESET" for value in values]

    @property
    def rate(self) -> float:
        """Steps a second, all sessions together."""
        return len(self.steps) / self.elapsed if self.elapsed else 0.0

    def percentile(self, percent: int, action: str | None = None) -> float:
        """Return a percentile of the seconds of all steps, or of one action's; NaN where there is none."""
        values = self.steps if action is None else self.seconds.get(action, [])
        if len(values) < 2:
            return values[0] if values else float("nan")
        return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]

    def add(self, other: "Measured") -> None:
        """Add another round of the same workload."""
        for action, values in other.seconds.items():
            self.seconds.setdefault(action, []).extend(values)
        self.errors += other.errors
        self.hostile += other.hostile
        self.elapsed += other.elapsed
        self.cpu += other.cpu


async def drive(base_url: str, workload: Workload, cpu: Callable[[], float] | None = None) -> Measured:
    """Play a workload on a server. Whatever goes wrong is counted in ``errors``; a session that loses its connection
    ends.

    Args:
        base_url: the server, such as ``http://127.0.0.1:8000``.
        workload: what to play.
        cpu: returns the seconds of processor time that the server has taken so far.
    """
    made, used = Measured(), cpu or (lambda: 0.0)
    async with sockets(base_url, workload.sessions if not workload.ramp else 0, made) as opened:
        began, before = time.perf_counter(), used()
        until = began + workload.seconds if workload.seconds is not None else None
        attacks = [asyncio.create_task(_attack(base_url, number, made)) for number in range(workload.hostile)]
        players = [play(socket, workload, number, made, until) for number, socket in enumerate(opened)]
        if workload.ramp:
            players = [_late(base_url, workload, number, made, until) for number in range(workload.sessions)]
        await asyncio.gather(*players)
        made.elapsed, made.cpu = time.perf_counter() - began, used() - before
        for attack in attacks:
            attack.cancel()
        await asyncio.gather(*attacks, return_exceptions=True)
    return made


@asynccontextmanager
async def sockets(base_url: str, count: int, made: Measured) -> AsyncIterator[list[ClientConnection]]:
    """Connect so many WebSockets, a few at a time; those that fail are counted in ``made.errors``."""
    gate = asyncio.Semaphore(32)

    async def one() -> ClientConnection | None:
        async with gate:
            try:
                return await _connect(base_url)
            except (OSError, WebSocketException, TimeoutError) as error:
                made.errors[f"connect: {_short(error)}"] += 1
                return None

    opened = [socket for socket in await asyncio.gather(*(one() for _ in range(count))) if socket is not None]
    try:
        yield opened
    finally:
        await asyncio.gather(*(socket.close() for socket in opened), return_exceptions=True)


async def _connect(base_url: str) -> ClientConnection:
    # Pings off: one process plays all clients, and must not take its own slowness for the server's.
    url = f"{base_url.rstrip('/').replace('http', 'ws', 1)}/ws"
    return await connect(url, compression=None, ping_interval=None, open_timeout=PATIENCE, max_size=None)


async def _late(base_url: str, workload: Workload, number: int, made: Measured, until: float | None) -> None:
    await asyncio.sleep(workload.ramp * number / workload.sessions)
    async with sockets(base_url, 1, made) as opened:
        for socket in opened:
            await play(socket, workload, number, made, until)


async def play(
    socket: ClientConnection, workload: Workload, number: int, made: Measured, until: float | None = None
) -> None:
    """Play one session's part of a workload on an open connection.

    Args:
        socket: the connection.
        workload: what to play.
        number: of the session; decides what it plays.
        made: gets times and errors.
        until: when to end, on ``time.perf_counter``; without it after ``workload.steps`` steps.
    """
    rng = random.Random(f"{workload.seed} {number}")
    taken = 0
    episode: Episode = iter(())
    try:
        while taken < workload.steps if until is None else time.perf_counter() < until:
            action, message = next(episode, ("RESET", ""))
            if action == "RESET":
                episode = await _reset(socket, workload, rng, made)
                continue
            if workload.think:
                await asyncio.sleep(workload.think * (0.5 + rng.random()))
            taken += 1
            answer = await _timed(socket, action, message, made)
            if '"done":true' in answer:
                episode = iter(())
    except (ConnectionClosed, OSError, TimeoutError) as error:
        made.errors[_short(error)] += 1


async def _reset(socket: ClientConnection, workload: Workload, rng: random.Random, made: Measured) -> Episode:
    """Begin an episode and return its steps."""
    if workload.echo:
        await _timed(socket, "RESET", '{"type":"reset","data":{}}', made)
        return iter([("ECHO", '{"type":"step","data":{"message":"hello"}}')] * ECHO_STEPS)
    data = {**workload.selectors, "seed": rng.randrange(2**31)}
    answer = json.loads(await _timed(socket, "RESET", json.dumps({"type": "reset", "data": data}), made))
    if answer["type"] != "observation":
        await asyncio.sleep(0.1)  # the server may be full; do not ask it without pause
        return iter(())
    tables = read_names(answer["data"]["observation"]["schema_info"])
    return _steps(rng, tables, list(workload.mix), list(workload.mix.values()))


def _steps(rng: random.Random, tables: Sequence[str], actions: list[str], weights: list[float]) -> Episode:
    """Yield actions of an episode, with their messages, for as long as it lasts."""
    while True:
        (action,), table = rng.choices(actions, weights), rng.choice(tables)
        argument = {"QUERY": rng.choice(QUERIES).format(table), "ANSWER": "no answer of mine"}.get(action, table)
        yield action, json.dumps({"type": "step", "data": {"action_type": action, "argument": argument}})


async def _timed(socket: ClientConnection, action: str, message: str, made: Measured) -> str:
    """Send a message; note how long its answer took, and what it complains of."""
    started = time.perf_counter()
    with suppress(ConnectionClosed):  # a full server says so and closes: what it said is there to be read
        await socket.send(message)
    async with asyncio.timeout(PATIENCE):
        answer = str(await socket.recv())
    made.seconds.setdefault(action, []).append(time.perf_counter() - started)
    if '"type":"error"' in answer or ('"error":' in answer and '"error":null' not in answer):
        made.errors[_complaint(action, json.loads(answer))] += 1
    return answer


def _complaint(action: str, answer: Mapping[str, Any]) -> str:
    if answer["type"] == "error":
        return f"{action}: {answer['data'].get('code')}: {answer['data'].get('message')}"[:120]
    observation = answer["data"]["observation"]
    return f"{action}: {observation.get('metadata', {}).get('error_kind') or observation['error']}"[:120]


async def _attack(base_url: str, number: int, made: Measured) -> None:
    """Send hostile statements one after another until cancelled."""
    socket, unseen = await _connect(base_url), Measured()
    try:
        while True:
            await _timed(socket, "RESET", json.dumps({"type": "reset", "data": {"seed": number}}), unseen)
            for place in range(ECHO_STEPS):
                sql = HOSTILE[(number + place) % len(HOSTILE)]
                data = {"action_type": "QUERY", "argument": sql}
                await _timed(socket, "QUERY", json.dumps({"type": "step", "data": data}), unseen)
                made.hostile += 1
    finally:
        await socket.close()


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:120] if str(error) else type(error).__name__
