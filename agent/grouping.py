"""Which episodes belong together: by task, by variant, by question.

A task is one question of one data set. Tasks of a data set that have the same gold are twins: one question in other
words, on which a policy tends to be right or wrong together. A task on each of its variants is a case of its own, and
the same question.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from sql_env.agent.trajectory import Trajectory

Task = tuple[str, str]
"""Data set and task id."""
Case = tuple[str, str, int]
"""Data set, task id and variant."""
Key = TypeVar("Key", int, str, Task, Case)


def task_of(episode: Trajectory) -> Task:
    """Return the task that was played."""
    return episode.dataset, episode.task_id


def case_of(episode: Trajectory) -> Case:
    """Return the task that was played and the variant that it was played on."""
    return episode.dataset, episode.task_id, episode.variant


def question_of(episode: Trajectory) -> Task:
    """Return the question that was asked: the first task with the same gold; the task itself where none is told."""
    return episode.dataset, episode.twin_of or episode.task_id


def by_question(episodes: Iterable[Trajectory]) -> list[list[Trajectory]]:
    """Return each question's episodes, of all its twins, variants and tries, the questions in order of their names."""
    return list(grouped(episodes, question_of).values())


def by_task(episodes: Iterable[Trajectory]) -> dict[Task, list[Trajectory]]:
    """Return each task's tries on all its variants, the tasks in order of their names."""
    return grouped(episodes, task_of)


def by_case(episodes: Iterable[Trajectory]) -> dict[Case, list[Trajectory]]:
    """Return the tries at each task on each variant, in order of their names."""
    return grouped(episodes, case_of)


def grouped(episodes: Iterable[Trajectory], key: Callable[[Trajectory], Key]) -> dict[Key, list[Trajectory]]:
    """Return the episodes under each key, the keys in order."""
    found: dict[Key, list[Trajectory]] = {}
    for episode in episodes:
        found.setdefault(key(episode), []).append(episode)
    return {name: found[name] for name in sorted(found)}
