"""What must hold of replicas behind a balancer, measured on a running set; scripts/measure_replicas.py prints it."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sql_env.agent.http_sessions import DialectSession, HttpSession, SessionGoneError, StreamSession, two_steps
from sql_env.agent.replica_crowd import ReplicaCrowd, playing
from sql_env.agent.replicas import SERVICE, Replicas

HTTP_SESSIONS = 6
"""MCP sessions in each of the two dialects: more than replicas, so that each replica has some."""
PAUSE_SECONDS = 10.0
"""Longest time in which no client at all may begin an episode, while replicas are killed or replaced."""


@dataclass
class Check:
    """One property.

    Attributes:
        name: what should hold.
        wrong: why it does not; nothing where it holds.
        figures: what was measured.
    """

    name: str
    wrong: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def require(self, holds: bool, otherwise: str) -> None:
        """Take note of what does not hold."""
        if not holds:
            self.wrong.append(otherwise)


async def measure(replicas: Replicas, base_url: str, sessions: int, think_seconds: float) -> list[Check]:
    """Measure everything on a set that is running and that nobody else uses.

    Args:
        replicas: the set; as many replicas run at the end as at the beginning.
        base_url: its balancer.
        sessions: how many clients play over WebSockets.
        think_seconds: their mean pause before each step.
    """
    async with playing(base_url, sessions, think_seconds) as crowd:
        spread = await _spread(replicas, crowd)
    async with playing(base_url, sessions, think_seconds) as crowd:
        kill = await _kill(replicas, crowd)
    async with playing(base_url, sessions, think_seconds) as crowd:
        roll = await _roll(replicas, crowd)
    return [spread, kill, roll, await _affinity(replicas, base_url), await _drain_over_http(replicas, base_url)]


async def _each(replicas: Replicas, name: str) -> list[int]:
    found = await asyncio.to_thread(replicas.containers)
    return [int(await asyncio.to_thread(replicas.metric, container, name)) for container in found]


async def _spread(replicas: Replicas, crowd: ReplicaCrowd) -> Check:
    check = Check("connections are spread evenly")
    each = await _each(replicas, "sql_env_sessions_open")
    check.figures = {"sessions_of_each_replica": each}
    check.require(sum(each) == len(crowd.players), f"{sum(each)} sessions are open, not {len(crowd.players)}")
    check.require(max(each) - min(each) <= max(2, 0.1 * max(each)), f"the replicas have {each} sessions")
    check.require(not crowd.failed and not crowd.refused, f"{crowd.failed} {crowd.refused[:3]}")
    return check


async def _kill(replicas: Replicas, crowd: ReplicaCrowd) -> Check:
    """Kill a replica: its episodes are lost and no others; its clients play on elsewhere at their next reset."""
    check = Check("a killed replica takes only its own sessions along")
    count = len(crowd.players)
    victim = (await asyncio.to_thread(replicas.containers))[0]
    open_there = int(await asyncio.to_thread(replicas.metric, victim, "sql_env_sessions_open"))
    killed = time.monotonic()
    await asyncio.to_thread(replicas.kill, victim)
    begun, ran = await asyncio.to_thread(replicas.episodes, victim)
    owners = {int(name.removeprefix("player").split("-")[0]) for name in ran}
    while (resumed := crowd.resumed_after(killed, owners)) > PAUSE_SECONDS > time.monotonic() - killed:
        await asyncio.sleep(0.1)
    await asyncio.sleep(3)
    check.figures = {
        "sessions_on_it": open_there,
        "episodes_lost": len(crowd.failed),
        "resets_refused": len(crowd.refused),
        "lost_with": dict(Counter(crowd.failed.values())),
        "refused_with": dict(Counter(why for _, why in crowd.refused)),
        "all_its_clients_play_again_after_seconds": round(resumed, 2),
        "longest_time_without_a_new_episode_seconds": round(crowd.longest_pause(killed), 2),
    }
    others = crowd.failed.keys() - begun
    check.require(open_there > 0 and bool(ran), "no episode ran on it")
    check.require(not others, f"episodes failed that were not its own: {sorted(others)[:5]}")
    check.require(ran <= crowd.failed.keys(), f"its episodes went on: {sorted(ran - crowd.failed.keys())[:5]}")
    check.require(not crowd.refused, f"resets were refused: {crowd.refused[:3]}")
    check.require(resumed < PAUSE_SECONDS, f"its clients play again after {resumed:.1f} s")
    await _restore(replicas)
    check.require(len(crowd.players) == count and crowd.right > count, "the others did not play on")
    return check


async def _restore(replicas: Replicas) -> None:
    """Start as many replicas as the balancer had."""
    missing = len(await asyncio.to_thread(replicas.containers)) + 1
    await asyncio.to_thread(
        replicas.compose, "up", "--detach", "--no-recreate", "--scale", f"{SERVICE}={missing}", SERVICE
    )
    await asyncio.to_thread(replicas.wait, missing)


async def _roll(replicas: Replicas, crowd: ReplicaCrowd) -> Check:
    """Replace all replicas while everybody plays: no episode is lost, and new ones begin all the time."""
    check = Check("a rolling update drops no episode")
    before, right = set(await asyncio.to_thread(replicas.containers)), crowd.right
    began = time.monotonic()
    seconds = await asyncio.to_thread(replicas.roll)
    after = set(await asyncio.to_thread(replicas.containers))
    pause = crowd.longest_pause(began)
    check.figures = {
        "seconds": round(seconds, 1),
        "replicas_replaced": len(after - before),
        "episodes_played_meanwhile": crowd.right - right,
        "episodes_dropped": len(crowd.failed),
        "resets_refused": len(crowd.refused),
        "refused_with": dict(Counter(why for _, why in crowd.refused)),
        "longest_time_without_a_new_episode_seconds": round(pause, 2),
        "sessions_of_each_replica_afterwards": await _each(replicas, "sql_env_sessions_open"),
    }
    check.require(len(after) == len(before) and not after & before, "not every replica was replaced")
    check.require(not crowd.failed, f"episodes were dropped: {list(crowd.failed.items())[:3]}")
    check.require(crowd.right - right > len(crowd.players), "hardly an episode was played meanwhile")
    # A reset that crosses the 1012 with which a draining replica closes fails once; nobody is sent to one that drains.
    refused = [why for _, why in crowd.refused if "1012" not in why]
    check.require(not refused, f"resets were refused: {refused[:3]}")
    check.require(len(crowd.refused) <= len(crowd.players), f"{len(crowd.refused)} resets were refused")
    check.require(pause < PAUSE_SECONDS, f"no episode began for {pause:.1f} s")
    return check


async def _opened(base_url: str) -> list[HttpSession]:
    kinds: list[type[HttpSession]] = [StreamSession, DialectSession] * HTTP_SESSIONS
    return [await kind.open(base_url) for kind in kinds]


async def _steps(sessions: list[HttpSession]) -> list[int | None]:
    """Take two steps in each session; None for one that is unknown where its request arrived."""
    counts: list[int | None] = []
    for session in sessions:
        try:
            counts.append(await two_steps(session))
        except SessionGoneError:
            counts.append(None)
    return counts


async def _answer(sessions: list[HttpSession]) -> None:
    """End the sessions' episodes, or a drain would wait for them."""
    for session in sessions:
        with suppress(SessionGoneError):
            await session.call("answer", answer="no answer of mine")


async def _affinity(replicas: Replicas, base_url: str) -> Check:
    """Every request of an MCP session reaches its replica, over whatever connection it comes."""
    check = Check("MCP sessions over HTTP stay with their replica")
    sessions = await _opened(base_url)
    first, second = await _steps(sessions), await _steps(sessions[::-1])
    each = await _each(replicas, "sql_env_sessions_open")
    kept = [counts == (2, 4) for counts in zip(first, second[::-1], strict=True)]
    check.figures = {
        "sessions": {"/mcp/stream": HTTP_SESSIONS, "/mcp": HTTP_SESSIONS},
        "kept": {"/mcp/stream": kept[::2].count(True), "/mcp": kept[1::2].count(True)},
        "sessions_of_each_replica": each,
    }
    check.require(set(first) == {2} and set(second) == {4}, f"steps counted: {first}, then {second}")
    await _answer(sessions)
    check.require(min(each) > 0, "not every replica has some of the sessions: nothing was shown")
    return check


async def _drain_over_http(replicas: Replicas, base_url: str) -> Check:
    """A draining replica still serves its MCP sessions; those of a killed one are told that they are gone."""
    check = Check("MCP sessions play on while their replica drains")
    sessions = await _opened(base_url)
    await _steps(sessions)
    leaving, killed = (await asyncio.to_thread(replicas.containers))[:2]
    count = await asyncio.to_thread(replicas.up)
    stopping = asyncio.create_task(asyncio.to_thread(replicas.stop, leaving))
    await asyncio.to_thread(replicas.wait, count - 1)
    counted = await _steps(sessions)
    check.require(not stopping.done(), "the replica did not wait for its episodes")
    await _answer(sessions)
    seconds = await stopping
    check.figures = {"steps_while_it_drained": counted, "stop_seconds": round(seconds, 1)}
    check.require(set(counted) == {4}, f"steps counted: {counted}")
    check.require(seconds < replicas.drain_seconds, f"it ended after {seconds:.1f} s, though no episode ran any more")
    await _restore(replicas)
    sessions = await _opened(base_url)
    await _steps(sessions)
    await asyncio.to_thread(replicas.kill, killed)
    after = await _steps(sessions)
    check.figures["steps_after_one_was_killed"] = after
    check.require(set(after) == {4, None}, f"steps counted after one was killed: {after}")
    await _restore(replicas)
    return check
