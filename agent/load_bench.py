"""The speed that this environment promises, each promise a ratio to OpenEnv's own echo environment in the same run.

Machines are shared and noisy: servers take turns in short rounds, and only ratios are judged. docs/scaling.md says what
each line means.
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import psutil

from sql_env.agent.analyst.schema_reading import read_names
from sql_env.agent.facts import MEMORY, THREADS, read_facts
from sql_env.agent.load import QUERIES, Measured, Workload, drive, play, sockets
from sql_env.agent.local_server import COMMAND, server_process
from sql_env.agent.sessions import Connect
from sql_env.agent.tables import table
from sql_env.models import SQLAction

OURS, SYNC, ASYNC = "SQLEnv", "sync echo", "async echo"
SWEEP = (1, 4, 16, 64, 256)
"""Numbers of sessions at once."""


@dataclass(frozen=True)
class Target:
    """A promise, and what was measured.

    Attributes:
        name: what is promised.
        measured: the ratio or figure.
        bound: what it may be.
        at_most: whether ``bound`` is the most that it may be, or the least.
    """

    name: str
    measured: float
    bound: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        """Whether it was kept; what could not be measured was not."""
        return self.measured <= self.bound if self.at_most else self.measured >= self.bound

    def row(self) -> tuple[str, str, str, str]:
        """Return a line of the table."""
        sign = "≤" if self.at_most else "≥"
        return self.name, f"{self.measured:,.2f}", f"{sign} {self.bound:,g}", "pass" if self.met else "FAIL"


@dataclass
class Served:
    """A server under measurement.

    Attributes:
        measured: what sessions did on it, by their number.
    """

    name: str
    process: "subprocess.Popen[bytes]"
    base_url: str
    measured: dict[int, Measured] = field(default_factory=dict)

    def cpu_step(self, sessions: int) -> float:
        """Return the seconds of processor time that a step cost it, its share of the resets included."""
        return self.measured[sessions].cpu / len(self.measured[sessions].steps)


@dataclass(frozen=True)
class Bench:
    """Everything that was measured.

    Attributes:
        served: the three servers.
        targets: the promises.
        facts: figures besides, by name.
    """

    served: Sequence[Served]
    targets: Sequence[Target]
    facts: Mapping[str, float]

    def lines(self) -> list[str]:
        """Return the report as lines of Markdown."""
        rows = [
            (
                served.name,
                f"{sessions}",
                f"{served.measured[sessions].rate:,.0f}",
                *(f"{1e3 * served.measured[sessions].percentile(percent):.3f}" for percent in (50, 95, 99)),
                f"{1e6 * served.cpu_step(sessions):.0f}",
            )
            for sessions in SWEEP
            for served in self.served
        ]
        header = ("server", "sessions", "steps/s", "p50, ms", "p95, ms", "p99, ms", "server's CPU, µs a step")
        ours = self.served[0].measured[1]
        actions = ", ".join(f"{action} {1e3 * ours.percentile(50, action):.3f}" for action in sorted(ours.seconds))
        return [
            *table(("promise", "measured", "bound", ""), [target.row() for target in self.targets]),
            "",
            *table(header, rows),
            "",
            f"One session, p50 by action, ms: {actions}.",
            *(f"{name}: {value:,.2f}." for name, value in self.facts.items()),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the report as data; seconds unless a name says otherwise."""
        return {
            "targets": [vars(target) | {"met": target.met} for target in self.targets],
            "servers": {
                served.name: {
                    sessions: {
                        "steps": len(made.steps),
                        "steps_per_second": made.rate,
                        **{f"p{percent}": made.percentile(percent) for percent in (50, 95, 99)},
                        "cpu_per_step": served.cpu_step(sessions),
                        "errors": dict(made.errors),
                    }
                    for sessions, made in served.measured.items()
                }
                for served in self.served
            },
            "facts": dict(self.facts),
        }


def bench(
    echo: Sequence[str], connect: Connect, *, rounds: int = 6, seconds: float = 10.0, sessions: int = 1024
) -> Bench:
    """Measure everything, which takes some three minutes.

    Args:
        echo: the command that serves the echo environment; ``--asynchronous`` makes it the other one.
        connect: makes a session in this process.
        rounds: turns that each server gets for each number of sessions; one before them only warms up.
        seconds: length of each part with thinking sessions.
        sessions: how many at once in the part that counts what one costs.
    """
    with ExitStack() as stack:
        commands = {OURS: COMMAND, SYNC: echo, ASYNC: (*echo, "--asynchronous")}
        room = {"SQL_ENV_MAX_SESSIONS": "2048"}
        served = [
            Served(name, *stack.enter_context(server_process(room, command))) for name, command in commands.items()
        ]
        for server in served:  # the first visit to a database costs milliseconds, and is no step's
            asyncio.run(drive(server.base_url, Workload(sessions=16, steps=600, seed=-1, echo=server.name != OURS)))
        for number in SWEEP:
            asyncio.run(_sweep(served, number, rounds))
        thinking = Workload(sessions=56, seconds=seconds, think=0.1)
        alone = asyncio.run(drive(served[0].base_url, thinking))
        beside = asyncio.run(drive(served[0].base_url, Workload(**vars(thinking) | {"hostile": 8})))
    crowd = asyncio.run(_fresh_crowd(room, sessions))
    started = start_up(commands)
    return Bench(served, _targets(served, alone, beside, crowd, started, direct(connect)), _facts(alone, beside, crowd))


async def _sweep(served: Sequence[Served], sessions: int, rounds: int) -> None:
    """Let so many sessions play on each server in turn, in rounds."""
    steps = max(6_000 // rounds // sessions, 30)
    for turn in range(rounds + 1):
        for server in served:
            workload = Workload(sessions=sessions, steps=steps, seed=turn, echo=server.name != OURS)
            made = await drive(server.base_url, workload, partial(cpu_seconds, server.process))
            if turn:
                server.measured.setdefault(sessions, Measured()).add(made)


def cpu_seconds(process: "subprocess.Popen[bytes]") -> float:
    """Return the processor time that a process and its children have taken, in seconds."""
    root = psutil.Process(process.pid)
    times = [one.cpu_times() for one in (root, *root.children(recursive=True))]
    return float(sum(time.user + time.system for time in times))


@dataclass(frozen=True)
class Crowd:
    """What many sessions at once cost.

    Attributes:
        made: what they did.
        session_bytes: memory that one idle session added.
        session_threads: threads that one idle session added.
    """

    made: Measured
    session_bytes: float
    session_threads: float


async def _fresh_crowd(room: Mapping[str, str], sessions: int) -> Crowd:
    with server_process(room) as (_process, base_url):
        return await crowd(base_url, sessions, 20)


async def crowd(base_url: str, sessions: int, steps: int) -> Crowd:
    """Open so many sessions, measure them idle, then play so many steps in each at the same time.

    Args:
        base_url: a server of ours with room for them.
        sessions: how many.
        steps: of each.
    """
    made, idle = Measured(), Workload(steps=1, mix={"DESCRIBE": 1.0})
    async with sockets(base_url, 8, made) as first:
        await asyncio.gather(*(play(socket, idle, number, made) for number, socket in enumerate(first)))
    before = await read_facts(base_url)
    async with sockets(base_url, sessions, made) as opened:
        await asyncio.gather(*(play(socket, idle, number, Measured()) for number, socket in enumerate(opened)))
        after = await read_facts(base_url)
        workload, began = Workload(sessions=sessions, steps=steps), time.perf_counter()
        made.seconds.clear()
        await asyncio.gather(*(play(socket, workload, number, made) for number, socket in enumerate(opened)))
        made.elapsed = time.perf_counter() - began
    if len(made.steps) != sessions * steps:
        made.errors["steps that were not answered"] += sessions * steps - len(made.steps)
    memory, threads = ((after[name] - before[name]) / sessions for name in (MEMORY, THREADS))
    return Crowd(made, memory, threads)


def start_up(commands: Mapping[str, Sequence[str]], turns: int = 5) -> dict[str, float]:
    """Return the median seconds from a command to a server that listens, by name."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(turns):
        for name, command in commands.items():
            began = time.perf_counter()
            with server_process({}, command):
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def direct(connect: Connect, steps: int = 6_000) -> float:
    """Return how many steps one core takes in a second without a network, resets included.

    Args:
        connect: makes a session in this process.
        steps: how many at least.
    """
    session, taken, began = connect(), 0, 0.0
    for seed in count():
        if seed == 60:  # what is done once for each database is done
            taken, began = 0, time.process_time()
        tables = read_names(session.reset(split="all", seed=seed % 60).schema_info)
        for place in range(12):
            name = tables[place // 3 % len(tables)]
            action = ("DESCRIBE", "SAMPLE", "QUERY")[place % 3]
            argument = QUERIES[place // 3 % 2].format(name) if action == "QUERY" else name
            session.step(SQLAction(action_type=action, argument=argument))
            taken += 1
        if seed >= 60 and taken >= steps:
            break
    return taken / (time.process_time() - began)


def _targets(
    served: Sequence[Served],
    alone: Measured,
    beside: Measured,
    crowd: Crowd,
    started: Mapping[str, float],
    per_second: float,
) -> list[Target]:
    """Compare with the promises, which are those of the project's design."""
    ours, sync, fast = served

    def p50(other: Served) -> float:
        return ours.measured[1].percentile(50) / other.measured[1].percentile(50)

    def rate(other: Served) -> float:
        return ours.measured[64].rate / other.measured[64].rate

    errors = sum((made.errors.total() for made in ours.measured.values()), alone.errors.total())
    return [
        Target("one session, p50 of a step ÷ sync echo's", p50(sync), 1.0),
        Target("one session, p50 of a step ÷ async echo's", p50(fast), 1.4),
        Target("64 sessions, steps/s ÷ sync echo's", rate(sync), 1.0, at_most=False),
        Target("64 sessions, steps/s ÷ async echo's", rate(fast), 0.55, at_most=False),
        Target("up to 256 sessions, errors", errors, 0),
        Target("1,024 sessions, errors", crowd.made.errors.total(), 0),
        Target("an idle session, KiB", crowd.session_bytes / 1024, 64),
        Target("an idle session, threads", round(crowd.session_threads, 2), 0),
        Target("56 sessions beside 8 hostile ones, p99 ÷ alone", beside.percentile(99) / alone.percentile(99), 2.0),
        Target("without a network, steps/s of one core", per_second, 10_000, at_most=False),
        Target("start-up ÷ sync echo's", started[OURS] / started[SYNC], 1.15),
        Target(
            "p50 of a reset ÷ of a step",
            ours.measured[1].percentile(50, "RESET") / ours.measured[1].percentile(50),
            1.5,
        ),
    ]


def _facts(alone: Measured, beside: Measured, crowd: Crowd) -> dict[str, float]:
    return {
        "56 thinking sessions, p99 alone, ms": 1e3 * alone.percentile(99),
        "56 thinking sessions, p99 beside 8 hostile ones, ms": 1e3 * beside.percentile(99),
        "hostile statements answered meanwhile": beside.hostile,
        "many sessions at once, steps/s": crowd.made.rate,
        "many sessions at once, p99, ms": 1e3 * crowd.made.percentile(99),
    }


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {"cores": psutil.cpu_count(), "python": sys.version.split()[0]}
