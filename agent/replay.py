"""Replay: a trajectory's actions taken again, compared with what was recorded.

Everything that an episode gives is compared, on the variant that it was played on: text, error, its kind and reward of
every step, and the end with verdict, components, return, par, hardness and answer type; and an episode that stands
twice is told. What no replay can vouch for: who played, what a model wrote, its tokens and notes, seeds and faults.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sql_env.agent.faults import RolloutError
from sql_env.agent.rollout import Recording, attributed
from sql_env.agent.trajectory import Trajectory
from sql_env.client import SQLEnvClient
from sql_env.models import SQLAction

SEEN = ("result", "error", "error_kind", "reward")
ORIGIN = ("db_id", "split", "question", "variant")
END = (
    *("correct", "episode_return", "components", "verdict", "truncated"),
    *("hardness", "answer_type", "par", "twin_of", "official", "test_suite"),
)


@dataclass(frozen=True)
class Difference:
    """What differs.

    Attributes:
        episode: the episode's place in the file, from 0.
        task_id: its task.
        where: ``step 3: result``, say; or ``end: verdict``.
        recorded: what was recorded.
        replayed: what came now.
    """

    episode: int
    task_id: str
    where: str
    recorded: object
    replayed: object

    def __str__(self) -> str:
        was, now = _cut(self.recorded), _cut(self.replayed)
        return f"line {self.episode + 1}, {self.task_id}: {self.where}: recorded {was}, now {now}"


async def replay_all(base_url: str, episodes: Sequence[Trajectory], concurrency: int = 16) -> list[Difference]:
    """Replay every episode on a server; return the differences in the order of the episodes.

    Raises:
        RolloutError: the server cannot be reached or lacks a data set or a task.
        ValueError: concurrency is less than 1.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    waiting = deque(enumerate(episodes))
    found = _doubles(episodes)
    replayed: list[int] = []

    async def work() -> None:
        client = SQLEnvClient(base_url=base_url)
        async with client:
            while waiting:
                number, episode = waiting.popleft()
                try:
                    found.extend(await _replay(client, number, episode))
                except RolloutError as error:
                    waiting.append((number, episode))
                    if error.kind == "full" and (replayed or len(waiting) < len(episodes)):
                        return  # those who have a place replay this one, too
                    raise
                replayed.append(number)

    with attributed():
        await asyncio.gather(*(work() for _ in range(min(concurrency, len(episodes)))))
        while waiting:
            await work()
    assert sorted(replayed) == list(range(len(episodes)))
    return sorted(found, key=lambda difference: difference.episode)


def _doubles(episodes: Sequence[Trajectory]) -> list[Difference]:
    """Return episodes that are another try, or the same, of one that stands before them."""
    seen: set[tuple[str, str, str, int, int]] = set()
    found = []
    for number, episode in enumerate(episodes):
        job = (episode.policy, episode.dataset, episode.task_id, episode.repeat, episode.variant)
        if episode.index is None:  # drawn by a seed, which may draw a task again
            continue
        if job in seen:
            found.append(Difference(number, episode.task_id, "repeat", episode.repeat, "stands twice"))
        seen.add(job)
    return found


async def _replay(client: SQLEnvClient, number: int, recorded: Trajectory) -> list[Difference]:
    selectors = {name: getattr(recorded, name) for name in ("dataset", "task_id", "answer_form")}
    selectors |= {"variant": recorded.variant} if recorded.variant else {}
    with attributed():
        seen = (await client.reset(**selectors)).observation
    recording = Recording(recorded.policy, seen, 0)
    for step in recorded.trajectory:
        if seen.done:
            break
        action = SQLAction(action_type=step.action_type, argument=step.argument)
        with attributed():
            seen = (await client.step(action)).observation
        recording.step(action, seen)
    replayed = recording.finish(seen) if seen.done else recording.played
    return [Difference(number, recorded.task_id, *found) for found in differences(recorded, replayed)]


def differences(recorded: Trajectory, replayed: Trajectory) -> list[tuple[str, object, object]]:
    """Return where two trajectories of the same actions differ, with both values.

    A server that tells of a test suite is no other than an older one, which told nothing of it.
    """
    found = [(name, getattr(recorded, name), getattr(replayed, name)) for name in ORIGIN]
    for number, (was, now) in enumerate(zip(recorded.trajectory, replayed.trajectory, strict=False), 1):
        found += [(f"step {number}: {name}", getattr(was, name), getattr(now, name)) for name in SEEN]
    found.append(("steps", len(recorded.trajectory), len(replayed.trajectory)))
    told = [name for name in END if name != "test_suite" or recorded.test_suite is not None]
    found += [(f"end: {name}", getattr(recorded, name), getattr(replayed, name)) for name in told]
    return [difference for difference in found if difference[1] != difference[2]]


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
