"""What all sessions of a process share, loaded once: settings, data sets, the engine, the databases' schemas."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from sql_env.server.databases import Database
from sql_env.server.datasets import load_all
from sql_env.server.engine import Engine, in_turn
from sql_env.server.errors import BusyError, TaskError
from sql_env.server.questions import Question, TaskSet
from sql_env.server.recent import Recent
from sql_env.server.sandbox import Limits
from sql_env.server.schema import Schema, read_schema
from sql_env.server.settings import Settings
from sql_env.server.variants.store import Variant, Variants

T = TypeVar("T")

MAKERS: Final = 4
"""Threads on which tasks and variants are made; more would only take turns."""

MAX_SCHEMAS_IN_MEMORY: Final = 256
"""Databases in memory whose schemas are remembered; those of files are few, and all remembered."""


class Resources:
    """What all sessions of a process share: settings, data sets, the engine, the databases' schemas.

    Args:
        settings: the settings.
        datasets: the data sets to serve, the default one first.
    """

    def __init__(self, settings: Settings, datasets: Mapping[str, TaskSet]) -> None:
        self.settings = settings
        self.datasets = dict(datasets)
        limits = Limits(
            vm_steps=settings.query_vm_steps,
            seconds=settings.query_seconds,
            memory=settings.query_memory,
            rows=settings.result_rows,
        )
        self.engine = Engine(limits, inline_vm_steps=settings.inline_vm_steps, queue_seconds=settings.queue_seconds)
        self.schema = Schemas()
        self.variants = Variants()
        self._tasks = ThreadPoolExecutor(MAKERS - 2, "task-maker")
        self._variants = ThreadPoolExecutor(1, "variant-maker")
        self._suites = ThreadPoolExecutor(1, "suite-maker")  # answers do not wait for resets

    @classmethod
    def load(cls, settings: Settings) -> "Resources":
        """Load and check the data sets that the settings name.

        Raises:
            DataError: a data set is missing or damaged.
        """
        return cls(settings, load_all(settings))

    @property
    def default_dataset(self) -> TaskSet:
        """The data set that reset uses when it is given none."""
        return next(iter(self.datasets.values()))

    def dataset(self, name: str | None) -> TaskSet:
        """Return a data set by name.

        Raises:
            TaskError: it is not served.
        """
        if name is None:
            return self.default_dataset
        if name not in self.datasets:
            raise TaskError(f"unknown data set {name[:80]!r}; this server has: {', '.join(self.datasets)}")
        return self.datasets[name]

    def variant(self, dataset: TaskSet, question: Question, k: int) -> Variant:
        """Return a question's variant, its schema read; 0 is the original.

        Raises:
            TaskError: there is none.
        """
        variant = self.variants.variant_of(dataset, question, k)
        self.schema(variant.database)
        return variant

    def varied(self, dataset: TaskSet, question: Question, k: int) -> tuple[Question, Database] | None:
        """Return a question on its variant, or None where there is none."""
        try:
            variant = self.variants.variant_of(dataset, question, k)
        except TaskError:
            return None
        if variant.is_original:
            return None
        return variant.question, variant.database

    async def make_task(self, work: Callable[..., T], *arguments: Any) -> T:
        """Call what makes a task on a thread of ours, so that the event loop goes on."""
        return await asyncio.get_running_loop().run_in_executor(self._tasks, work, *arguments)

    async def make_variant(self, dataset: TaskSet, question: Question, k: int) -> Variant:
        """Make a question's variant, which may take seconds, on a thread of its own.

        Raises:
            TaskError: there is none, or no turn came within the queue's limit.
        """
        try:
            future = self._variants.submit(self.variant, dataset, question, k)
            return await in_turn(future, self.settings.queue_seconds)
        except BusyError as error:
            raise TaskError(str(error)) from None

    async def make_suite(self, work: Callable[..., T], *arguments: Any) -> T:
        """Call what makes a variant for an answer in SQL on another.

        Raises:
            BusyError: no turn came within the queue's limit.
        """
        return await in_turn(self._suites.submit(work, *arguments), self.settings.queue_seconds)

    def close(self) -> None:
        """Stop the engine's worker, and the threads once they are done."""
        for threads in (self._tasks, self._variants, self._suites):
            threads.shutdown(wait=False, cancel_futures=True)
        self.engine.close()


class Schemas:
    """The databases' schemas, each read once; holds no image."""

    def __init__(self) -> None:
        self._of_files: dict[str, Schema] = {}
        self._in_memory: Recent[str, Schema] = Recent(MAX_SCHEMAS_IN_MEMORY)

    def __call__(self, database: Database) -> Schema:
        """Return a database's schema.

        Raises:
            DataError: the file or image is not a readable SQLite database.
        """
        if database.image is not None:
            return self._in_memory.get(database.key) or self._in_memory.put(database.key, read_schema(database))
        if database.key not in self._of_files:
            self._of_files[database.key] = read_schema(database)
        return self._of_files[database.key]
