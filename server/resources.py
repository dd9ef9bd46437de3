"""What all sessions of a process share, loaded once: settings, data sets, the engine, the databases' schemas."""

from collections.abc import Callable, Mapping
from functools import lru_cache

from sql_env.server.databases import Database
from sql_env.server.engine import Engine
from sql_env.server.errors import TaskError
from sql_env.server.questions import QuestionSet, load_all
from sql_env.server.sandbox import Limits
from sql_env.server.schema import Schema, read_schema
from sql_env.server.settings import Settings


class Resources:
    """What all sessions of a process share: settings, data sets, the engine, the databases' schemas.

    Args:
        settings: the settings.
        datasets: the data sets to serve, the default one first.
    """

    def __init__(self, settings: Settings, datasets: Mapping[str, QuestionSet]) -> None:
        self.settings = settings
        self.datasets = dict(datasets)
        limits = Limits(
            vm_steps=settings.query_vm_steps,
            seconds=settings.query_seconds,
            memory=settings.query_memory,
            rows=settings.result_rows,
        )
        self.engine = Engine(limits, inline_vm_steps=settings.inline_vm_steps, queue_seconds=settings.queue_seconds)
        self.schema: Callable[[Database], Schema] = lru_cache(None)(read_schema)

    @classmethod
    def load(cls, settings: Settings) -> "Resources":
        """Load and check the data sets that the settings name.

        Raises:
            DataError: a data set is missing or damaged.
        """
        return cls(settings, load_all(settings))

    @property
    def default_dataset(self) -> QuestionSet:
        """The data set that reset uses when it is given none."""
        return next(iter(self.datasets.values()))

    def dataset(self, name: str | None) -> QuestionSet:
        """Return a data set by name.

        Raises:
            TaskError: it is not served.
        """
        if name is None:
            return self.default_dataset
        if name not in self.datasets:
            raise TaskError(f"unknown data set {name[:80]!r}; this server has: {', '.join(self.datasets)}")
        return self.datasets[name]

    def close(self) -> None:
        """Stop the engine's worker."""
        self.engine.close()
