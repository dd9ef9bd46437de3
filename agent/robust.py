"""What a policy reaches where the data were changed: variants, robust accuracy, test-suite accuracy.

A variant asks the same question on changed data, on which the original's answer is wrong (docs/variants.md). A policy
that has learned answers by heart is right on the original alone. Pure functions of trajectories, clustered as in
agent/metrics.py: all variants of a question are one cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sql_env.agent.grouping import grouped
from sql_env.agent.metrics import Rate, accuracy, rate_of
from sql_env.agent.trajectory import Trajectory

Try = tuple[str, str, int]
"""Data set, task id and which try."""


@dataclass(frozen=True)
class OnVariants:
    """Accuracy on the original and on variants.

    Attributes:
        original: on the original; None if that was not played.
        each: on each variant, by its number.
        together: on all variants, the original not among them.
        robust: right on the original and on every variant: a try at a task counts as one, those that lack an episode
            are left out. None if the original was not played, or nothing is whole.
    """

    original: Rate | None
    each: dict[int, Rate]
    together: Rate
    robust: Rate | None


def on_variants(episodes: Sequence[Trajectory]) -> OnVariants | None:
    """Return what was reached on the original and on variants; None if no variant was played."""
    played = grouped(episodes, lambda episode: episode.variant)
    original = played.pop(0, None)
    if not played:
        return None
    return OnVariants(
        accuracy(original) if original else None,
        {number: accuracy(group) for number, group in played.items()},
        accuracy([episode for group in played.values() for episode in group]),
        robust_accuracy(episodes),
    )


def robust_accuracy(episodes: Sequence[Trajectory]) -> Rate | None:
    """Return the share of tries that were right on the original and on every variant that any task was played on.

    None if the original was not played, or no try was played on all of them.
    """
    numbers = {episode.variant for episode in episodes}
    tries = grouped(episodes, _try_of)
    whole = {key: group for key, group in tries.items() if {episode.variant for episode in group} == numbers}
    if 0 not in numbers or not whole:
        return None
    originals = [episode for group in whole.values() for episode in group if episode.variant == 0]
    return rate_of(originals, lambda episode: all(played.correct for played in whole[_try_of(episode)]))


def _try_of(episode: Trajectory) -> Try:
    return episode.dataset, episode.task_id, episode.repeat


def suite_accuracy(episodes: Sequence[Trajectory]) -> Rate | None:
    """Return the share of answers in SQL that are right on variants of their database, too; None if none was tried.

    After Zhong, Yu, Klein, *Semantic Evaluation for Text-to-SQL with Distilled Test Suites*, EMNLP 2020. Databases that
    have no variants are left out.
    """
    untried = {_database_of(episode) for episode in episodes if episode.correct and episode.test_suite is None}
    graded = [
        episode for episode in episodes if episode.test_suite is not None and _database_of(episode) not in untried
    ]
    tried = any(episode.test_suite or episode.verdict == "wrong_on_variant" for episode in graded)
    return rate_of(graded, lambda episode: bool(episode.test_suite)) if graded and (tried or not untried) else None


def _database_of(episode: Trajectory) -> tuple[str, str]:
    return episode.dataset, episode.db_id
