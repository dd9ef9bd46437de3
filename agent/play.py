"""Several policies play a plan of episodes one after another, for people to watch."""

import itertools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from sql_env.agent.policies import Policy
from sql_env.agent.rollout import play_episode
from sql_env.agent.trajectory import Trajectory
from sql_env.agent.transcript import Transcript
from sql_env.client import SQLEnvClient

THINK_SECONDS = 3600.0
"""A person may think; pings keep the connection meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which episodes to play.

    Attributes:
        dataset: name or folder of the data set; None takes the server's default.
        split: the split; None takes every one in file order, or the server's default with a seed.
        episodes: how many, at most as many as there are questions when played in file order.
        answer_form: ``value`` or ``sql``; None takes the server's default.
        seed: draws the tasks seed, seed + 1, …; None plays each question once in file order.
        variant: the changed database that they are played on; 0 is the original.
        only: what else is asked of the tasks: dials and their values.
    """

    dataset: str | None = None
    split: str | None = None
    answer_form: str | None = None
    episodes: int = 1
    seed: int | None = None
    variant: int = 0
    only: Mapping[str, str] = field(default_factory=dict)

    def selectors(self) -> Iterator[dict[str, Any]]:
        """Yield the keywords of each reset."""
        common: dict[str, Any] = {"dataset": Path(self.dataset).name} if self.dataset else {}
        common |= self.only
        common |= {"variant": self.variant} if self.variant else {}
        common |= {"answer_form": self.answer_form} if self.answer_form else {}
        for number in range(self.episodes):
            if self.seed is None:
                yield common | {"split": self.split or "all", "index": number}
            else:
                yield common | {"seed": self.seed + number} | ({"split": self.split} if self.split else {})


async def play(
    base_url: str, plan: Plan, policies: Sequence[Policy], transcript: Transcript, file: TextIO | None
) -> list[Trajectory]:
    """Play the plan with each policy; write trajectories to ``file``, one JSON line each.

    Raises:
        RuntimeError: the server refused or failed; the message says why.
    """
    played = []
    for policy in policies:
        client = SQLEnvClient(base_url=base_url, message_timeout_s=THINK_SECONDS)
        async with client:
            async for trajectory in _episodes(client, plan, policy, transcript):
                transcript.finish(trajectory)
                played.append(trajectory)
                if file is not None:
                    file.write(trajectory.to_json() + "\n")
    return played


async def _episodes(
    client: SQLEnvClient, plan: Plan, policy: Policy, transcript: Transcript
) -> AsyncIterator[Trajectory]:
    for number, selectors in enumerate(plan.selectors()):
        trajectory = await play_episode(client, policy, selectors, (plan.seed or 0) + number, transcript.watch)
        yield trajectory
        if trajectory.num_tasks is not None and number + 1 >= trajectory.num_tasks:
            return


def summary(played: Sequence[Trajectory]) -> str:
    """Return one line: for each policy its episodes, right answers and mean return."""
    parts = []
    for policy, group in itertools.groupby(played, key=lambda trajectory: trajectory.policy):
        episodes = list(group)
        right = sum(episode.correct for episode in episodes)
        mean = sum(episode.episode_return for episode in episodes) / len(episodes)
        parts.append(f"{policy}: {right} of {len(episodes)} correct, mean return {mean:+.3f}")
    return " · ".join(parts) or "nothing was played"
