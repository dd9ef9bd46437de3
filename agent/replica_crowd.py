"""Many clients that play episodes through a balancer until they are told to stop, and take note of what fails."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sql_env.agent.faults import RolloutError
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.rollout import attributed
from sql_env.client import SQLEnvClient


@dataclass
class Player:
    """One client: its session is opened anew by its next reset when it was closed.

    Attributes:
        number: which.
        think_seconds: pause before each step.
        episode: id of the episode that runs.
        failed: what was said of each episode that began and was not answered as it should be, by id.
        refused: when a reset failed, and what was said.
        begun: when an episode began.
        right: episodes answered right.
    """

    number: int
    think_seconds: float
    failed: dict[str, str] = field(default_factory=dict)
    refused: list[tuple[float, str]] = field(default_factory=list)
    begun: list[float] = field(default_factory=list)
    right: int = 0

    async def play(self, base_url: str, oracle: OraclePolicy, stop: asyncio.Event) -> None:
        """Play one episode after the other; the one that runs when it is to stop is played to its end."""
        # No pings: this one process plays all clients, and must not take its own slowness for the server's.
        client = SQLEnvClient(base_url=base_url, websocket_ping_interval_s=None)
        async with client:
            for turn in itertools.count():
                if stop.is_set():
                    return
                if not await self._episode(client, oracle, f"player{self.number}-{turn}"):
                    await asyncio.sleep(0.2)

    async def _episode(self, client: SQLEnvClient, oracle: OraclePolicy, name: str) -> bool:
        """Play one episode; return whether it began and was answered right."""
        seed = 1000 * self.number + len(self.begun)
        try:
            with attributed("no connection"):
                seen = (await client.reset(seed=seed, split="all", episode_id=name)).observation
        except RolloutError as error:
            self.refused.append((time.monotonic(), f"{error}"))
            return False
        self.begun.append(time.monotonic())
        oracle.reset(seen, 0)
        try:
            while not seen.done:
                await asyncio.sleep(self.think_seconds)
                with attributed():
                    seen = (await client.step(oracle.act(seen))).observation
        except RolloutError as error:
            self.failed[name] = f"{error}"
            return False
        if seen.metadata.get("verdict") != "correct":
            self.failed[name] = f"{seen.error or seen.metadata}"
            return False
        self.right += 1
        return True


@dataclass
class ReplicaCrowd:
    """All players."""

    players: list[Player]

    @property
    def failed(self) -> dict[str, str]:
        """Episodes that failed, and why."""
        return {name: why for player in self.players for name, why in player.failed.items()}

    @property
    def refused(self) -> list[tuple[float, str]]:
        """Resets that failed: when, and why."""
        return sorted(told for player in self.players for told in player.refused)

    @property
    def begun(self) -> list[float]:
        """When episodes began."""
        return sorted(at for player in self.players for at in player.begun)

    @property
    def right(self) -> int:
        """Episodes answered right."""
        return sum(player.right for player in self.players)

    def longest_pause(self, since: float) -> float:
        """Return the longest time without an episode that begins, in seconds, from a moment to the last of them."""
        times = [since, *(at for at in self.begun if at > since)]
        return max((later - at for at, later in itertools.pairwise(times)), default=0.0)

    def resumed_after(self, since: float, owners: set[int]) -> float:
        """Return how long it took until each of some players had begun an episode again, in seconds."""
        firsts = [min((at for at in self.players[n].begun if at > since), default=float("inf")) for n in owners]
        return max(firsts, default=since) - since


@asynccontextmanager
async def playing(base_url: str, sessions: int, think_seconds: float) -> AsyncIterator[ReplicaCrowd]:
    """Let so many clients play while the block runs; then each ends its episode.

    Args:
        base_url: the balancer, whose servers serve the starter set first.
        sessions: how many clients.
        think_seconds: mean pause before a step; a client's own is between half and one and a half of it.
    """
    oracle = OraclePolicy.for_dataset("starter")
    pauses = [think_seconds * (0.5 + number / max(sessions - 1, 1)) for number in range(sessions)]
    made, stop = ReplicaCrowd([Player(number, pause) for number, pause in enumerate(pauses)]), asyncio.Event()
    tasks = [asyncio.create_task(player.play(base_url, oracle.again(), stop)) for player in made.players]
    try:
        while not all(player.begun for player in made.players):
            await asyncio.sleep(0.1)
            for task in tasks:
                if task.done():
                    task.result()
        yield made
    finally:
        stop.set()
        await asyncio.gather(*tasks)
