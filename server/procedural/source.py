"""The procedural data set: tasks made when they are asked for, the latest remembered within a bound of bytes."""

import re
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import Final

from sql_env.server.databases import Database
from sql_env.server.errors import TaskError
from sql_env.server.procedural.dials import parse_wanted
from sql_env.server.procedural.splits import LAST_NUMBER, SIZES, VERSION, all_domains, numbering
from sql_env.server.procedural.tasks import Made, make_task
from sql_env.server.questions import ANY_SPLIT, Question
from sql_env.server.recent import Recent

NAME: Final = "procedural"

TASK_BYTES: Final = 64 * 2**20
"""Databases of tasks that are remembered, all together."""

_TASK_ID = re.compile(rf"{VERSION}-({'|'.join(SIZES)})-(0|[1-9]\d{{0,8}})", re.ASCII)


class ProceduralTasks:
    """Tasks without end. For any thread: no task is made twice at once.

    Every task has a database of its own, which is called after its domain.
    """

    name = NAME
    endless = True
    splits = tuple(SIZES)

    def __init__(self) -> None:
        self._made: Recent[tuple[str, int], Made] = Recent(TASK_BYTES, lambda made: made.database.size)
        self._making = [Lock() for _ in range(16)]

    @property
    def summary(self) -> str:
        """What there is, in a few words."""
        return f"tasks without end in {len(all_domains())} domains, generator {VERSION}"

    def select(
        self, split: str = ANY_SPLIT, db_id: str | None = None, hardness: str | None = None, **dials: str | int | None
    ) -> Sequence[Question]:
        """Return the tasks that fit every selector; each is made when it is asked for.

        Args:
            split: ``train``, ``eval``, ``test``, ``compositional``, or ``all``, one after the other.
            db_id: a domain.
            hardness: one of Spider's, or several separated by commas.
            **dials: likewise ``answer_type``, ``num_tables``, ``num_rows``, ``distractors``.

        Raises:
            TaskError: a selector names nothing, or nothing fits all of them.
        """
        if split not in (*SIZES, ANY_SPLIT):
            raise TaskError(f"unknown split {split[:80]!r}; {NAME} has: {', '.join((*SIZES, ANY_SPLIT))}")
        if db_id is not None and db_id not in all_domains():
            raise TaskError(f"unknown database {db_id[:80]!r}; {NAME} has: {', '.join(all_domains())}")
        wanted = {"hardness": hardness, **dials}
        parse_wanted(wanted)
        parts = []
        for name in SIZES if split == ANY_SPLIT else (split,):
            with suppress(TaskError):
                parts.append((name, numbering(name).select(wanted, db_id)))
        if not parts:
            shown = ", ".join(f"{name}={text}" for name, text in {"db_id": db_id, **wanted}.items() if text is not None)
            raise TaskError(f"no task of split {split} fits {shown[:200]}")
        return _Tasks(self, parts)

    def fits(self, question: Question, **dials: str | int | None) -> bool:
        """Return whether a task has what is asked of it.

        Raises:
            TaskError: a dial has no such value.
        """
        split, number = _parsed(question.question_id)
        return numbering(split).of(number)[0].fit(parse_wanted(dials))

    def by_id(self, task_id: str) -> Question:
        """Return the task with an id.

        Raises:
            TaskError: there is none.
        """
        return self.made(*_parsed(task_id)).question

    def twin_of(self, question: Question) -> str:
        """Return the task's own id: no two tasks share a gold, since each has its own database."""
        return question.question_id

    def database(self, question: Question) -> Database:
        """Return a task's database."""
        return self.made(*_parsed(question.question_id)).database

    def made(self, split: str, number: int) -> Made:
        """Return a task."""
        key = (split, number)
        known = self._made.get(key)
        if known is not None:
            return known
        with self._making[number % len(self._making)]:
            return self._made.get(key) or self._made.put(key, make_task(split, number))


def _parsed(task_id: str) -> tuple[str, int]:
    match = _TASK_ID.fullmatch(task_id)
    if match is None:
        raise TaskError(
            f"unknown task_id {task_id[:80]!r} in data set {NAME}; one is {VERSION}-SPLIT-NUMBER, with a split of "
            f"{', '.join(SIZES)} and a number from 0 to {LAST_NUMBER}"
        )
    return match[1], int(match[2])


class _Tasks(Sequence[Question]):
    """Tasks of one or more splits, each made when it is asked for."""

    def __init__(self, source: ProceduralTasks, parts: Sequence[tuple[str, Sequence[int]]]) -> None:
        self._source, self._parts = source, parts

    def __len__(self) -> int:
        return sum(len(numbers) for _, numbers in self._parts)

    def __getitem__(self, index: int) -> Question:  # type: ignore[override]
        for split, numbers in self._parts:
            if 0 <= index < len(numbers):
                return self._source.made(split, numbers[index]).question
            index -= len(numbers)
        raise IndexError(index)
