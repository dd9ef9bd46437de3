"""SQLEnvironment: one session's episodes over shared data sets and one shared engine.

Faults of the agent become observation text here and nowhere else; a wrong selector at reset is a TaskError, whose
text reaches the client; any other exception is logged and reaches the client without its text.
"""

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata

from sql_env.models import ACTION_TYPES, SQLAction, SQLObservation, SQLState
from sql_env.server.databases import Database
from sql_env.server.engine import Engine
from sql_env.server.episode import Episode
from sql_env.server.errors import ActionError, AgentError, TaskError
from sql_env.server.formatting import Shown, quoted_if_needed, show_known, show_result, show_table
from sql_env.server.questions import Question, QuestionSet, load_all
from sql_env.server.rubrics import OutcomeRubric, RewardConfig
from sql_env.server.sandbox import Limits, QueryResult
from sql_env.server.schema import Schema, Table, nearest, quoted, read_schema, unquoted
from sql_env.server.selection import Selection, checked, choose
from sql_env.server.settings import Settings

logger = logging.getLogger(__name__)

NAME = "sql_env"
NO_EPISODE = "no episode is running: call reset first"
EPISODE_OVER = "the episode is over: call reset to start another"
EPISODE_GONE = "the session was closed or reset while this step ran: call reset to start an episode"


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


@dataclass
class _Turn:
    """One step on its way: the statement to run, if any, and what came of it."""

    episode: Episode
    action: str
    argument: str
    sql: str | None = None
    table: Table | None = None
    result: QueryResult | None = None
    error: str | None = None


class SQLEnvironment(Environment[SQLAction, SQLObservation, SQLState]):
    """The environment of one session. Building one is cheap: all data is in ``resources``.

    Args:
        resources: what the sessions of this process share.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    # Steps run on the event loop, so a thread for each session would only cost memory.
    REQUIRES_SINGLE_THREAD_EXECUTOR = True

    def __init__(self, resources: Resources) -> None:
        self._reward = OutcomeRubric(RewardConfig())
        super().__init__(rubric=self._reward)
        self._resources = resources
        self._settings = resources.settings
        self._begin_nothing()

    def _begin_nothing(self) -> None:
        self._episode: Episode | None = None
        self._reward.watch(None)
        self._state = SQLState()

    # --- reset ---------------------------------------------------------------------------------------------

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> SQLObservation:
        """Start an episode on the task that the selectors choose.

        Args:
            seed: draws the task; the same seed draws the same task everywhere. Without one, a seed is drawn.
            episode_id: an id for the episode, at most 255 characters; without one, a random id.
            **kwargs: selectors ``dataset``, ``split``, ``index``, ``task_id``, ``db_id``, ``hardness``; others
                are ignored. ``index`` counts from 0 in file order among the questions that fit the others.

        Raises:
            TaskError: a selector names nothing that exists. No episode is running then.
        """
        with _own_faults():
            self._begin_nothing()
            selection = Selection.parse(seed, kwargs)
            episode_id = checked("episode_id", episode_id, str) or str(uuid.uuid4())
            if len(episode_id) > 255:
                raise TaskError("episode_id must be at most 255 characters long")
            dataset = self._resources.dataset(selection.dataset)
            question, drawn = choose(dataset, selection, self._settings.split)
            self._episode = Episode(question, self._settings.max_steps)
            self._reward.watch(self._episode)
            self._database = dataset.database(question)
            self._schema = self._resources.schema(self._database)
            self._origin = {"dataset": dataset.name, "split": question.split, "task_id": question.question_id}
            self._state = SQLState(
                episode_id=episode_id,
                task_id=question.question_id,
                dataset=dataset.name,
                db_id=question.db_id,
            )
            return self._observe(self._episode, metadata={**self._origin, **drawn})

    async def reset_async(
        self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any
    ) -> SQLObservation:
        """Start an episode; see ``reset``. All data is in memory but a database's schema, read once."""
        return self.reset(seed, episode_id, **kwargs)

    # --- step ----------------------------------------------------------------------------------------------

    def step(self, action: SQLAction, timeout_s: float | None = None, **kwargs: Any) -> SQLObservation:
        """Carry out one action on the calling thread.

        Never raises for what an agent does: a fault is text in the observation's ``error`` and costs a step.
        Before reset, after the end and after close the observation says so, with ``done`` true and reward 0.0.
        """
        with _own_faults():
            turn = self._begin(action)
            if isinstance(turn, SQLObservation):
                return turn
            if turn.sql is not None:
                with self._agent_faults(turn):
                    turn.result = self._resources.engine.run(self._database, turn.sql)
            return self._finish(turn)

    async def step_async(self, action: SQLAction, timeout_s: float | None = None, **kwargs: Any) -> SQLObservation:
        """Carry out one action without blocking the event loop; see ``step``."""
        with _own_faults():
            turn = self._begin(action)
            if isinstance(turn, SQLObservation):
                return turn
            if turn.sql is not None:
                with self._agent_faults(turn):
                    turn.result = await self._resources.engine.run_async(self._database, turn.sql)
            return self._finish(turn)

    def _begin(self, action: SQLAction) -> "_Turn | SQLObservation":
        """Count the step and find what it has to run; an observation means that no episode takes steps."""
        episode = self._episode
        if episode is None:
            return SQLObservation(error=NO_EPISODE, done=True, reward=0.0)
        if episode.done:
            return self._observe(episode, error=EPISODE_OVER, reward=0.0, metadata=dict(self._origin))
        turn = _Turn(episode, action.action_type, action.argument.encode("utf-8", "replace").decode())
        episode.begin_step(f"{turn.action[:20]} {turn.argument}")
        with self._agent_faults(turn):
            self._plan(turn)
        return turn

    def _plan(self, turn: _Turn) -> None:
        if turn.action not in ACTION_TYPES:
            raise ActionError(f"unknown action {turn.action[:20]!r}; use {', '.join(ACTION_TYPES)}")
        if turn.action == "QUERY":
            turn.sql = turn.argument
        elif turn.action in ("DESCRIBE", "SAMPLE"):
            turn.table = self._find_table(turn.argument)
            if turn.action == "SAMPLE":
                turn.sql = f"SELECT * FROM {quoted(turn.table.name)} LIMIT {self._settings.sample_rows}"  # noqa: S608

    def _find_table(self, argument: str) -> Table:
        table = self._schema.find(argument)
        if table is not None:
            return table
        named = unquoted(argument)[:80]
        near = nearest(named, self._schema.names)
        tables = ", ".join(map(quoted_if_needed, self._schema.names))
        hint = f"did you mean {near}? Tables: {tables}" if near else f"tables: {tables}"
        raise ActionError(f"no table named {named!r}; {hint}")

    @contextmanager
    def _agent_faults(self, turn: _Turn) -> Iterator[None]:
        try:
            yield
        except AgentError as error:
            turn.sql = None
            turn.error = self._schema.explain_unknown(str(error), turn.argument)

    def _finish(self, turn: _Turn) -> SQLObservation:
        """Tell the episode what happened and write the observation."""
        episode = turn.episode
        if episode is not self._episode:  # the idle reaper, say, does not wait for a statement
            return SQLObservation(error=EPISODE_GONE, done=True, reward=0.0)
        text, shown = "", None
        if turn.error is None:
            if turn.result is not None:
                shown = self._show(turn.result)
                text = shown.text
                if turn.action == "QUERY":
                    episode.saw_result(turn.result)
            elif turn.action == "DESCRIBE" and turn.table is not None:
                episode.saw_table(turn.table.name)
                text = show_table(turn.table, 2 * self._settings.result_chars)
            elif turn.action == "ANSWER":
                episode.answered(turn.argument, self._settings.answer_chars)
                text = "Correct." if episode.correct else f"Not correct: {episode.verdict}."
        episode.end_step()
        return self._conclude(episode, text, turn.error, shown)

    def _conclude(self, episode: Episode, text: str, error: str | None, shown: Shown | None) -> SQLObservation:
        self._state = self._state.model_copy(update={"step_count": episode.step_count, "done": episode.done})
        if not episode.done:
            return self._observe(episode, text, error, shown, reward=0.0)
        outcome = self._reward(None, None)
        metadata = {
            **self._origin,
            "verdict": str(episode.verdict) if episode.verdict else None,
            "terminated": not episode.truncated,
            "truncated": episode.truncated,
            "components": self._reward.components(),
            "outcome_return": outcome,
        }
        return self._observe(episode, text, error, shown, reward=outcome, metadata=metadata)

    def _show(self, result: QueryResult) -> Shown:
        return show_result(result, self._settings.result_rows, self._settings.result_chars)

    def _observe(
        self,
        episode: Episode,
        text: str = "",
        error: str | None = None,
        shown: Shown | None = None,
        *,
        reward: float | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> SQLObservation:
        described = [table for name in episode.described if (table := self._schema.find(quoted(name)))]
        return SQLObservation(
            question=episode.question.question,
            schema_info=show_known(self._schema, described),
            result=text,
            error=error,
            columns=shown.columns if shown else [],
            rows=shown.rows if shown else [],
            total_rows=shown.total_rows if shown else None,
            truncated=shown.truncated if shown else False,
            step_count=episode.step_count,
            budget_remaining=episode.budget_remaining,
            action_history=list(episode.history),
            done=episode.done,
            reward=reward,
            metadata=metadata or {},
        )

    # --- state, tasks, end ---------------------------------------------------------------------------------

    @property
    def state(self) -> SQLState:
        """Which episode this session is in."""
        return self._state

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment and the data sets it serves."""
        sets = ", ".join(f"{name} ({len(d.questions)} questions)" for name, d in self._resources.datasets.items())
        return EnvironmentMetadata(
            name=NAME,
            description="An agent explores a hidden SQL database with DESCRIBE, SAMPLE and QUERY and answers a "
            f"question about it. Data sets, the default first: {sets}.",
            version=_version(),
            author="The SQLEnv authors",
        )

    def list_splits(self) -> list[str]:
        """Return the default data set's splits."""
        return list(self._resources.default_dataset.splits)

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        """Return every task of a split, without golds."""
        return self.get_task_range(split)

    def num_tasks(self, split: str) -> int:
        """Return the number of tasks of a split; ``all`` counts every split."""
        return len(self._resources.default_dataset.select(split))

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        """Return one task, without its gold.

        Raises:
            IndexError: the split has no such index.
        """
        questions = self._resources.default_dataset.select(split)
        if not 0 <= index < len(questions):
            raise IndexError(index)
        return _task(questions[index], index)

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[dict[str, Any]]:
        """Return the tasks of a slice of a split, without golds."""
        questions = self._resources.default_dataset.select(split)
        return [_task(questions[i], i) for i in range(*slice(start, stop).indices(len(questions)))]

    def close(self) -> None:
        """Drop the episode. A later reset works again: OpenEnv closes sessions that it keeps connected."""
        self._begin_nothing()


def _task(question: Question, index: int) -> dict[str, Any]:
    return {
        "id": question.question_id,
        "index": index,
        "split": question.split,
        "db_id": question.db_id,
        "question": question.question,
        "hardness": question.hardness,
        "answer_type": question.answer_type,
    }


@contextmanager
def _own_faults() -> Iterator[None]:
    """Log a fault of ours and hide its text, which OpenEnv would send to the client."""
    try:
        yield
    except TaskError:
        raise
    except Exception:  # the boundary to clients: whatever it is, its text stays here
        logger.exception("the environment failed")
        raise RuntimeError("the server failed to carry this out; the fault is in its log") from None


def _version() -> str:
    try:
        return version("openenv-sql-env")
    except PackageNotFoundError:
        return "0"
