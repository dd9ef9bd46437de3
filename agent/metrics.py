"""What episodes add up to: numbers with how many they come from and an interval at 95 %.

Pure functions of trajectories. Their order never matters. Every interval is clustered by question (agent/grouping.py),
twins and variants being one; numbers beside it count tasks or episodes.
"""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from sql_env.agent.grouping import by_case, by_question, grouped
from sql_env.agent.intervals import (
    BOOTSTRAP,
    NO_MEDIAN,
    NO_SPREAD,
    SCORE_CLUSTERED,
    SCORE_OF_MEAN,
    SCORE_OF_MEAN_CLUSTERED,
    T_CLUSTERED,
    WILSON,
    Cluster,
    Interval,
    T,
    median_clustered,
    score,
    score_clustered,
    score_of_mean,
    t_clustered,
)
from sql_env.agent.trajectory import Trajectory

COMPONENTS = ("execution", "correctness", "efficiency")

BOUNDS: dict[str, Interval] = {
    "return": (-0.1, 1.0),
    "execution": (0.0, 0.3),
    "correctness": (-0.1, 1.0),
    "efficiency": (-0.2, 0.0),
}
"""The least and the most of a return and of its components (docs/rewards.md)."""

BREAKDOWNS: dict[str, tuple[Callable[[Trajectory], str], tuple[str, ...]]] = {
    "split": (lambda episode: episode.split, ("train", "eval", "test")),
    "hardness": (lambda episode: episode.hardness, ("easy", "medium", "hard", "extra")),
    "answer_type": (lambda episode: episode.answer_type, ("integer", "float", "string", "list", "table")),
    "database": (lambda episode: episode.db_id, ()),
}
"""What episodes are broken down by: how to read it, and its known values in order; others follow by name."""


@dataclass(frozen=True)
class Rate:
    """A share of right answers and its interval.

    Attributes:
        right: how many were right.
        n: of how many.
        low: lower end of the 95 % interval, from 0 to 1.
        high: its upper end.
        method: what interval it is: Wilson's, or one clustered by question.
    """

    right: int
    n: int
    low: float
    high: float
    method: str = WILSON

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> "Rate":
        """Count independent outcomes and compute the interval (Wilson, JASA 1927).

        Raises:
            ValueError: there are none.
        """
        results = list(outcomes)
        if not results:
            raise ValueError("a rate needs at least one outcome")
        return cls(sum(results), len(results), *score(sum(results) / len(results), len(results)))

    @property
    def value(self) -> float:
        """The share, from 0 to 1."""
        return self.right / self.n

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"


@dataclass(frozen=True)
class Mean:
    """A mean (or a median) and its interval.

    Attributes:
        value: the mean, in the unit of what was averaged.
        n: of how many.
        low: lower end of the 95 % interval; None where one question, or values that are all alike, say
            nothing about the spread.
        high: its upper end.
        method: what interval it is.
    """

    value: float
    n: int
    low: float | None
    high: float | None
    method: str = T


def accuracy(episodes: Sequence[Trajectory]) -> Rate:
    """Return the share of right answers among episodes; see ``rate_of``."""
    return rate_of(episodes, lambda episode: episode.correct)


def rate_of(episodes: Sequence[Trajectory], right: Callable[[Trajectory], bool]) -> Rate:
    """Return the share of episodes for which something holds.

    The interval is Wilson's if no two episodes ask the same question, else one clustered by question. Each episode
    counts the same, so a task that lost tries counts less.

    Raises:
        ValueError: there are no episodes.
    """
    questions = by_question(episodes)
    if len(questions) == len(episodes):
        return Rate.of(right(episode) for episode in episodes)
    clusters = [(sum(map(right, asked)), len(asked)) for asked in questions]
    return Rate(sum(map(right, episodes)), len(episodes), *score_clustered(clusters), SCORE_CLUSTERED)


def official_accuracy(episodes: Sequence[Trajectory]) -> Rate | None:
    """Return Spider's official execution accuracy over the episodes that have one; None if none has."""
    graded = [episode for episode in episodes if official(episode) is not None]
    return rate_of(graded, lambda episode: bool(official(episode))) if graded else None


def official(episode: Trajectory) -> bool | None:
    """Return whether an episode is right by Spider's measure; None if that is unknown.

    No answer, or a blank one, in place of SQL is wrong; a server of an older version told nothing of it.
    """
    if episode.official is None and episode.answer_form == "sql" and episode.verdict in (None, "empty"):
        return False
    return episode.official


def pass_at_k(episodes: Sequence[Trajectory]) -> dict[int, Mean]:
    """Return pass@k for each k: the chance that one of k tries at a task is right, averaged over tasks.

    The unbiased estimator 1 − C(n − c, k) / C(n, k) of Chen et al., *Evaluating Large Language Models Trained on Code*,
    2021 (arXiv 2107.03374), where a task had n tries, c of them right. k goes up to the smallest number of tries at any
    task, so that each k is about all tasks; what more some had is not wasted, it sharpens their estimate. n of the
    result counts tasks, on each variant by itself. Where all tasks had as many tries, pass@1 is the accuracy.

    Raises:
        ValueError: there are no episodes.
    """
    if not episodes:
        raise ValueError("pass@k needs at least one episode")
    questions = [
        [(len(tries), sum(episode.correct for episode in tries)) for tries in by_case(asked).values()]
        for asked in by_question(episodes)
    ]
    return {k: _pass(questions, k) for k in range(1, min(tries for tasks in questions for tries, _ in tasks) + 1)}


def _pass(questions: Sequence[Sequence[tuple[int, int]]], k: int) -> Mean:
    chances = [[1 - math.comb(tries - right, k) / math.comb(tries, k) for tries, right in tasks] for tasks in questions]
    n = sum(map(len, chances))
    value = math.fsum(chance for tasks in chances for chance in tasks) / n
    lengths = {tries for tasks in questions for tries, _ in tasks}
    if lengths == {1} and len(questions) == n:
        return Mean(value, n, *score(value, n), WILSON)
    worth = lengths.pop() if len(lengths) == 1 else 1
    clusters = [(math.fsum(tasks) * worth, len(tasks) * worth) for tasks in chances]
    return Mean(value, n, *score_clustered(clusters), SCORE_CLUSTERED)


def mean(
    episodes: Sequence[Trajectory], value: Callable[[Trajectory], float | None], bounds: Interval | None = None
) -> Mean | None:
    """Return the mean of a value over the episodes that have one; None if none has.

    Args:
        episodes: any.
        value: what to average.
        bounds: the least and the most that it can be: its interval is then within them. Without them, or where a value
            lies beyond, it is Student's t.
    """
    kept = [_values(asked, value) for asked in by_question(episodes)]
    clusters: list[Cluster] = [(math.fsum(values), len(values)) for values in kept if values]
    if not clusters:
        return None
    n = sum(map(len, kept))
    average, single = math.fsum(total for total, _ in clusters) / n, n == len(clusters)
    if bounds and (within := score_of_mean(clusters, bounds)):
        return Mean(average, n, *within, SCORE_OF_MEAN if single else SCORE_OF_MEAN_CLUSTERED)
    around = t_clustered(clusters)
    low, high = around or (None, None)
    return Mean(average, n, low, high, (T if single else T_CLUSTERED) if around else NO_SPREAD)


def median(episodes: Sequence[Trajectory], value: Callable[[Trajectory], float | None]) -> Mean | None:
    """Return the median of a value over the episodes that have one; None if none has."""
    kept = [_values(asked, value) for asked in by_question(episodes)]
    clusters = [sorted(values) for values in kept if values]
    if not clusters:
        return None
    everything = [value for values in clusters for value in values]
    around = median_clustered(clusters)
    low, high = around or (None, None)
    middle = float(statistics.median(everything))
    return Mean(middle, len(everything), low, high, BOOTSTRAP if around else NO_MEDIAN)


def _values(episodes: Iterable[Trajectory], value: Callable[[Trajectory], float | None]) -> list[float]:
    return [found for episode in episodes if (found := value(episode)) is not None]


def returns(episodes: Sequence[Trajectory]) -> dict[str, Mean]:
    """Return the mean return, as ``return``, and the mean of each component, in points of reward."""
    played = {name for episode in episodes for name in episode.components}
    names = [*(name for name in COMPONENTS if name in played), *sorted(played - set(COMPONENTS))]
    means = {"return": mean(episodes, lambda episode: episode.episode_return, BOUNDS["return"])}
    means |= {name: mean(episodes, partial(_component, name), BOUNDS.get(name)) for name in names}
    return {name: found for name, found in means.items() if found is not None}


def _component(name: str, episode: Trajectory) -> float | None:
    return episode.components.get(name)


def steps(episode: Trajectory) -> int:
    """Return how many steps an episode took."""
    return len(episode.trajectory)


def beyond_par(episode: Trajectory) -> int | None:
    """Return how many more steps than the oracle a right episode took, never below 0; None for other episodes."""
    if not episode.correct or episode.par is None:
        return None
    return max(0, steps(episode) - episode.par)


@dataclass(frozen=True)
class Invalid:
    """Actions that were answered with an error.

    Attributes:
        share: their share among all actions; its n counts actions.
        count: how many they were.
        by_kind: how many of each ``error_kind``, the most frequent first; ``unknown`` where none was told.
    """

    share: Mean
    count: int
    by_kind: dict[str, int]


def invalid_actions(episodes: Sequence[Trajectory]) -> Invalid | None:
    """Return the share of invalid actions, its interval clustered by question; None if no action was taken."""
    clusters: list[Cluster] = [
        (sum(_errors(episode) for episode in asked), sum(steps(episode) for episode in asked))
        for asked in by_question(episodes)
    ]
    clusters = [(errors, taken) for errors, taken in clusters if taken]
    if not clusters:
        return None
    count, taken = int(sum(errors for errors, _ in clusters)), int(sum(taken for _, taken in clusters))
    kinds = Counter(
        step.error_kind or "unknown" for episode in episodes for step in episode.trajectory if step.error is not None
    )
    by_kind = dict(sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0])))
    return Invalid(Mean(count / taken, taken, *score_clustered(clusters), SCORE_CLUSTERED), count, by_kind)


def _errors(episode: Trajectory) -> int:
    return sum(step.error is not None for step in episode.trajectory)


def prompt_tokens(episode: Trajectory) -> int | None:
    """Return the tokens that were read in an episode; None if no step tells."""
    return _total(step.prompt_tokens for step in episode.trajectory)


def completion_tokens(episode: Trajectory) -> int | None:
    """Return the tokens that were written in an episode; None if no step tells."""
    return _total(step.completion_tokens for step in episode.trajectory)


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def breakdown(episodes: Iterable[Trajectory], name: str) -> dict[str, Rate]:
    """Return the accuracy for each value of one of ``BREAKDOWNS``; an empty value is ``unknown``."""
    return {value: accuracy(group) for value, group in groups(episodes, name).items()}


def groups(episodes: Iterable[Trajectory], name: str) -> dict[str, list[Trajectory]]:
    """Return the episodes for each value of one of ``BREAKDOWNS``, known values in order, then others by name."""
    read, order = BREAKDOWNS[name]
    found = grouped(episodes, lambda episode: read(episode) or "unknown")
    return {value: found[value] for value in order if value in found} | found
