"""What a run is to play: its jobs, one try at one task on one variant each."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from sql_env.agent.faults import Fault
from sql_env.agent.trajectory import Trajectory

MOST_TASKS = 100_000
"""Tasks of a split beyond which it is not played, or looked through, as a whole."""


@dataclass(frozen=True, order=True)
class Job:
    """One try at one task.

    Attributes:
        index: the task's place in the split, from 0.
        repeat: which try, from 0.
        variant: the changed database that the task is played on; 0 is the original.
    """

    index: int
    repeat: int = 0
    variant: int = 0


@dataclass(frozen=True)
class Lost:
    """An episode that came to no end.

    Attributes:
        job: which one.
        faults: what happened to each try.
    """

    job: Job
    faults: list[Fault]


def jobs(num_tasks: int, episodes: int | None, repeats: int, seed: int, variants: Sequence[int] = (0,)) -> list[Job]:
    """Return the jobs of a run, sorted.

    Args:
        num_tasks: tasks of the split.
        episodes: how many tasks to play, drawn without replacement by the seed; None for all.
        repeats: tries at each.
        seed: draws the tasks; the same ones for all variants.
        variants: what each is played on.

    Raises:
        ValueError: there are fewer tasks, or too many to play them all.
    """
    indices = range(num_tasks)
    if episodes is not None and not 1 <= episodes <= num_tasks:
        raise ValueError(f"episodes must be all or from 1 to {num_tasks}, the number of tasks, not {episodes}")
    if episodes is None and num_tasks > MOST_TASKS:
        raise ValueError(f"there are {num_tasks:,} tasks, too many to play them all: say how many with --episodes N")
    chosen = indices if episodes is None else sorted(random.Random(seed).sample(indices, episodes))
    return [Job(index, repeat, k) for index in chosen for repeat in range(repeats) for k in sorted(variants)]


def job_of(episode: Trajectory) -> Job:
    """Return which try at which task an episode is."""
    return Job(episode.index or 0, episode.repeat, episode.variant)
