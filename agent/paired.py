"""Runs beside each other: two on the tasks that they share, several seeds of one policy."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sql_env.agent.grouping import Case, Task, by_case
from sql_env.agent.intervals import CLUSTERED, NEWCOMBE, NO_SPREAD, T, mcnemar, newcombe, sign_flip, t_clustered
from sql_env.agent.metrics import Rate, accuracy
from sql_env.agent.trajectory import Trajectory

MCNEMAR = "McNemar, exact"
SIGN_FLIP = "sign flips by question, twins being one, 9,999 from a fixed seed"
T_OF_PAIRS = f"95 %, Student's t of the tasks' differences, {CLUSTERED}"
T_OF_SEEDS = f"{T} over seeds"
NO_SPREAD_OF_SEEDS = "none: one seed, or seeds that are all alike, say nothing of the spread"


@dataclass(frozen=True)
class Paired:
    """Two runs on the tasks that they share, a task on each variant counting by itself.

    Where no task was repeated, the four counts add up to n.

    Attributes:
        n: how many tasks they share.
        left_out: tasks that only one of them played.
        only_first: tasks that the first did better: right where the second was wrong, or right more often.
        only_second: tasks that the second did better.
        first: the first run's accuracy on these tasks, the mean over tasks.
        second: the second run's.
        difference: the second's accuracy minus the first's, from −1 to 1.
        low: lower end of the difference's 95 % interval; None where a single question, or
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
    """Compare two runs task by task, and a task's variants one by one: each counts as a task here.

    Where no question was asked twice, by McNemar's exact test and Newcombe's interval of the difference. Where tasks
    were repeated, have twins or were played on several variants, by the tasks' mean accuracies: each question's
    differences are summed, and their signs flipped together; Student's t is clustered alike. The difference stays the
    mean over tasks.

    Args:
        first: one run's episodes.
        second: another's.
        shared_only: leave out tasks that only one of them played, instead of refusing.

    Raises:
        ValueError: the runs played different tasks, or share none.
    """
    ours, theirs = by_case(first), by_case(second)
    tasks = [task for task in ours if task in theirs]
    left_out = len(ours) + len(theirs) - 2 * len(tasks)
    if not tasks:
        raise ValueError("the runs share no task")
    if left_out and not shared_only:
        raise ValueError(_apart(len(ours) - len(tasks), len(theirs) - len(tasks), len(tasks)))
    questions = [_question(task, ours[task] + theirs[task]) for task in tasks]
    if all(len(ours[task]) == len(theirs[task]) == 1 for task in tasks) and len(set(questions)) == len(tasks):
        return _single([(ours[task][0].correct, theirs[task][0].correct) for task in tasks], left_out)
    return _clustered([(_share(ours[task]), _share(theirs[task])) for task in tasks], questions, left_out)


def _question(task: Case, tries: Sequence[Trajectory]) -> Task:
    """Return the question that a task asks; one of the runs may be of a version that did not tell."""
    return task[0], next((episode.twin_of for episode in tries if episode.twin_of), task[1])


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


def _clustered(pairs: Sequence[tuple[float, float]], questions: Sequence[Task], left_out: int) -> Paired:
    differences = [theirs - ours for ours, theirs in pairs]
    together: dict[Task, list[float]] = {}
    for question, apart in zip(questions, differences, strict=True):
        together.setdefault(question, []).append(apart)
    clusters = [(math.fsum(found), len(found)) for found in together.values()]
    interval = t_clustered(clusters)
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
        sign_flip([total for total, _ in clusters]),
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
        method: what interval it is, or why there is none.
    """

    each: dict[int, Rate]
    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    method: str


def over_seeds(runs: Mapping[int, Sequence[Trajectory]]) -> Seeds:
    """Return the mean and spread of accuracy over seeds.

    The interval says what another seed may give on the same tasks; what other tasks may give is in each seed's own.

    Raises:
        ValueError: there are no runs, one has no episodes, or they played different tasks.
    """
    if not runs:
        raise ValueError("no seeds to average")
    if not same_tasks(runs.values()):
        raise ValueError("each seed drew other tasks: their spread would be that of tasks, too")
    each = {seed: accuracy(runs[seed]) for seed in sorted(runs)}
    shares = [rate.value for rate in each.values()]
    interval = t_clustered([(share, 1) for share in shares])
    low, high = interval or (None, None)
    return Seeds(
        each,
        len(shares),
        statistics.fmean(shares),
        statistics.stdev(shares) if len(shares) > 1 else None,
        low if low is None else max(0.0, low),
        high if high is None else min(1.0, high),
        T_OF_SEEDS if interval else NO_SPREAD_OF_SEEDS,
    )


def same_tasks(runs: Iterable[Sequence[Trajectory]]) -> bool:
    """Tell whether all runs played the same tasks on the same variants."""
    return len({frozenset(by_case(episodes)) for episodes in runs}) <= 1
