"""Runs beside each other: two on the tasks that they share, several seeds of one policy."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sql_env.agent.intervals import NEWCOMBE, NO_SPREAD, T, mcnemar, newcombe, sign_flip, t_by_task
from sql_env.agent.metrics import Rate, accuracy, by_task
from sql_env.agent.rollout import Trajectory

MCNEMAR = "McNemar, exact"
SIGN_FLIP = "sign flips of task means, 9,999 from a fixed seed"
T_OF_PAIRS = "95 %, Student's t of the tasks' differences (Miller 2024)"


@dataclass(frozen=True)
class Paired:
    """Two runs on the tasks that they share. Where no task was repeated, the four counts add up to n.

    Attributes:
        n: how many tasks they share.
        left_out: tasks that only one of them played.
        only_first: tasks that the first did better: right where the second was wrong, or right more often.
        only_second: tasks that the second did better.
        first: the first run's accuracy on these tasks, the mean over tasks.
        second: the second run's.
        difference: the second's accuracy minus the first's, from −1 to 1.
        low: lower end of the difference's 95 % interval; None where a single repeated task, or
            differences that are all alike, say nothing about the spread.
        high: its upper end.
        method: what interval it is.
        p_value: two-sided, of the hypothesis that neither is better.
        test: what test gave it.
    """

    n: int
    left_out: int
    only_first: int
    only_second: int
    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    method: str
    p_value: float
    test: str


def compare(first: Sequence[Trajectory], second: Sequence[Trajectory], shared_only: bool = False) -> Paired:
    """Compare two runs task by task.

    Where each task was tried once, by McNemar's exact test and Newcombe's interval of the difference. Where one was
    repeated, by the tasks' mean accuracies: a sign-flip test and Student's t, tasks taken for independent.

    Args:
        first: one run's episodes.
        second: another's.
        shared_only: leave out tasks that only one of them played, instead of refusing.

    Raises:
        ValueError: the runs played different tasks, or share none.
    """
    ours, theirs = by_task(first), by_task(second)
    tasks = [task for task in ours if task in theirs]
    left_out = len(ours) + len(theirs) - 2 * len(tasks)
    if not tasks:
        raise ValueError("the runs share no task")
    if left_out and not shared_only:
        raise ValueError(_apart(len(ours) - len(tasks), len(theirs) - len(tasks), len(tasks)))
    if all(len(ours[task]) == len(theirs[task]) == 1 for task in tasks):
        return _single([(ours[task][0].correct, theirs[task][0].correct) for task in tasks], left_out)
    return _repeated([(_share(ours[task]), _share(theirs[task])) for task in tasks], left_out)


def _apart(only_first: int, only_second: int, shared: int) -> str:
    return (
        f"the runs played different tasks: {only_first} only in the first, {only_second} only in the second, "
        f"{shared} in both"
    )


def _share(tries: Sequence[Trajectory]) -> float:
    return statistics.fmean(episode.correct for episode in tries)


def _single(pairs: Sequence[tuple[bool, bool]], left_out: int) -> Paired:
    both, neither = pairs.count((True, True)), pairs.count((False, False))
    only_first, only_second, n = pairs.count((True, False)), pairs.count((False, True)), len(pairs)
    return Paired(
        n,
        left_out,
        only_first,
        only_second,
        (both + only_first) / n,
        (both + only_second) / n,
        (only_second - only_first) / n,
        *newcombe(both, only_first, only_second, neither),
        NEWCOMBE,
        mcnemar(only_first, only_second),
        MCNEMAR,
    )


def _repeated(pairs: Sequence[tuple[float, float]], left_out: int) -> Paired:
    differences = [theirs - ours for ours, theirs in pairs]
    interval = t_by_task([(difference, 1) for difference in differences])
    low, high = interval or (None, None)
    return Paired(
        len(pairs),
        left_out,
        sum(difference < 0 for difference in differences),
        sum(difference > 0 for difference in differences),
        statistics.fmean(ours for ours, _ in pairs),
        statistics.fmean(theirs for _, theirs in pairs),
        statistics.fmean(differences),
        low if low is None else max(-1.0, low),
        high if high is None else min(1.0, high),
        T_OF_PAIRS if interval else NO_SPREAD,
        sign_flip(differences),
        SIGN_FLIP,
    )


@dataclass(frozen=True)
class Seeds:
    """Several seeds of one policy.

    Attributes:
        each: each seed's accuracy with its own interval, in order of the seeds.
        n: how many seeds.
        mean: the mean of their accuracies, from 0 to 1.
        sd: their standard deviation (n − 1); None for one seed.
        low: lower end of Student's t 95 % interval of the mean over seeds; None for one seed,
            or where all are alike.
        high: its upper end.
        method: what interval it is.
    """

    each: dict[int, Rate]
    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    method: str = T + " over seeds"


def over_seeds(runs: Mapping[int, Sequence[Trajectory]]) -> Seeds:
    """Return the mean and spread of accuracy over seeds.

    The interval says what another seed may give on the same tasks; what other tasks may give is in each seed's own.

    Raises:
        ValueError: there are no runs, or one has no episodes.
    """
    if not runs:
        raise ValueError("no seeds to average")
    each = {seed: accuracy(runs[seed]) for seed in sorted(runs)}
    shares = [rate.value for rate in each.values()]
    low, high = t_by_task([(share, 1) for share in shares]) or (None, None)
    return Seeds(
        each,
        len(shares),
        statistics.fmean(shares),
        statistics.stdev(shares) if len(shares) > 1 else None,
        low if low is None else max(0.0, low),
        high if high is None else min(1.0, high),
    )
