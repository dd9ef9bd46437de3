"""SQLEnvironment: one session's episodes over shared data sets and one shared engine.

Faults of the agent become observation text here and nowhere else; a wrong selector at reset is a TaskError, whose
text reaches the client; any other exception is logged and reaches the client without its text.
"""

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from time import perf_counter
from typing import Any

from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata

from sql_env.models import SQLAction, SQLObservation, SQLState
from sql_env.server.actions import ACTIONS, Task, Turn, carry_out
from sql_env.server.catalogue import Catalogue
from sql_env.server.episode import Episode
from sql_env.server.errors import TaskError
from sql_env.server.formatting import Shown, show_known
from sql_env.server.questions import Question, TaskSet
from sql_env.server.resources import Resources
from sql_env.server.rubrics import RewardConfig, RewardRubric
from sql_env.server.selection import Selection, checked, choose
from sql_env.server.telemetry import Telemetry
from sql_env.server.variants.store import MAX_VARIANT, Variant
from sql_env.server.verifier import Reason

logger = logging.getLogger(__name__)

NAME = "sql_env"
NO_EPISODE = "no episode is running: call reset first"
EPISODE_OVER = "the episode is over: call reset to start another"
SQL_HINT = "ANSWER takes one SELECT statement here; its result is graded."
STEP_RUNNING = "a step of this episode is still running: wait for its observation"
EPISODE_GONE = "the session was closed or reset while this step ran: call reset to start an episode"


class SQLEnvironment(Catalogue, Environment[SQLAction, SQLObservation, SQLState]):
    """The environment of one session. Building one is cheap: all data is in ``resources``.

    Args:
        resources: what the sessions of this process share.
        telemetry: what counts and logs the steps, on a server.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    # Steps run on the event loop, so a thread for each session would only cost memory.
    REQUIRES_SINGLE_THREAD_EXECUTOR = True

    def __init__(self, resources: Resources, telemetry: Telemetry | None = None) -> None:
        self._reward = RewardRubric(RewardConfig(), resources.settings.reward_mode)
        super().__init__(rubric=self._reward)
        self._resources = resources
        self._settings = resources.settings
        self._telemetry = telemetry
        self._session_id = ""
        self._changing = Lock()  # OpenEnv may close a session from another thread while a step ends
        self._resets = 0
        self._begin_nothing()

    def _begin_nothing(self) -> int:
        """Drop the episode; return the number that a reset which follows has."""
        with self._changing:
            self._resets += 1
            self._task: Task | None = None
            self._told = False
            self._reward.watch(None)
            self._chosen = SQLState()
            return self._resets

    # --- reset ---------------------------------------------------------------------------------------------

    def reset(self, /, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> SQLObservation:
        """Start an episode on the task that the selectors choose.

        Args:
            seed: draws the task; the same seed draws the same task everywhere. Without one, a seed is drawn.
            episode_id: an id for the episode, at most 255 characters; without one, a random id.
            **kwargs: selectors ``dataset``, ``split``, ``index``, ``task_id``, ``db_id``, ``hardness``, ``variant``,
                the number of a changed database, and ``answer_form``, ``value`` or ``sql``; others are ignored.
                ``index`` counts from 0 in file order among the questions that fit the others.

        Raises:
            TaskError: a selector names nothing that exists. No episode is running then.
        """
        with _own_faults:
            return self._start(*self._made(self._selected(seed, episode_id, kwargs)))

    async def reset_async(
        self, /, seed: int | None = None, episode_id: str | None = None, **kwargs: Any
    ) -> SQLObservation:
        """Start an episode; see ``reset``. What has to be made is made on a thread, so that no other session waits."""
        with _own_faults:
            selected = self._selected(seed, episode_id, kwargs)
            if selected.dataset.endless and not selected.selection.variant:
                return self._start(*await self._resources.make_task(self._made, selected))
            is_quick = not selected.dataset.endless
            chosen = self._choose(selected) if is_quick else await self._resources.make_task(self._choose, selected)
            variant = self._resources.variants.remembered(*chosen.task)
            if variant is None:
                variant = await self._resources.make_variant(*chosen.task)
            return self._start(chosen, variant)

    def _selected(self, seed: Any, episode_id: Any, selectors: Mapping[str, Any]) -> "_Selected":
        """Check what reset is given."""
        number = self._begin_nothing()
        self._admit()
        selection = Selection.parse(seed, selectors)
        episode_id = checked("episode_id", episode_id, str) or str(uuid.uuid4())
        if len(episode_id) > 255 or _text(episode_id) != episode_id:
            raise TaskError("episode_id must be Unicode text of at most 255 characters")
        if selection.variant > MAX_VARIANT:
            raise TaskError(f"variant must be at most {MAX_VARIANT}, not {selection.variant}")
        return _Selected(selection, self._resources.dataset(selection.dataset), episode_id, number)

    def _admit(self) -> None:
        """Raise TaskError where no episode may begin now; for servers."""

    def _choose(self, selected: "_Selected") -> "_Chosen":
        question, drawn = choose(selected.dataset, selected.selection, self._settings.split)
        return _Chosen(selected, (selected.dataset, question, selected.selection.variant), drawn)

    def _made(self, selected: "_Selected") -> "tuple[_Chosen, Variant]":
        chosen = self._choose(selected)
        return chosen, self._resources.variant(*chosen.task)

    def _start(self, chosen: "_Chosen", variant: Variant) -> SQLObservation:
        """Begin the episode on the variant that was chosen."""
        (dataset, original, k), form = chosen.task, chosen.selected.selection.answer_form
        question, database = variant.question, variant.database
        episode = Episode(question, self._settings.max_steps, form)
        suite = [
            partial(self._resources.varied, dataset, original, MAX_VARIANT + 1 + number)
            for number in range(self._settings.suite_variants)
        ]
        task = Task(
            episode,
            database,
            self._resources.schema(database),
            self._settings,
            self._resources.engine.limits,
            suite,
        )
        with self._changing:
            if chosen.selected.number != self._resets:
                raise TaskError("the session was closed or reset meanwhile: call reset to start an episode")
            self._task = task
            self._told = False
            self._reward.watch(episode)
            self._origin: dict[str, Any] = {
                "dataset": dataset.name,
                "split": question.split,
                "task_id": question.question_id,
                "db_id": question.db_id,
                "answer_form": form,
                "variant": k,
            }
            self._chosen = SQLState(
                episode_id=chosen.selected.episode_id,
                task_id=question.question_id,
                dataset=dataset.name,
                db_id=question.db_id,
            )
        if self._telemetry:
            ids = {"session": self._session_id, "episode": chosen.selected.episode_id, "task": question.question_id}
            self._telemetry.episode_started(dataset.name, **ids)
        return self._observe(task, _hint(episode), metadata={**self._origin, **chosen.drawn})

    def look(self) -> SQLObservation | None:
        """Return the question and what is known so far, without a step; None where no episode is running.

        An end that whoever waited for it never got is told once.
        """
        task = self._task
        if task is None or (task.episode.done and self._told):
            return None
        if task.episode.done and not task.gate.locked():  # else the step under way tells it
            return self._over(task)
        return self._observe(task, _hint(task.episode), metadata=dict(self._origin))

    # --- step ----------------------------------------------------------------------------------------------

    def step(self, action: SQLAction, timeout_s: float | None = None, **kwargs: Any) -> SQLObservation:
        """Carry out one action on the calling thread.

        Never raises for what an agent does: a fault is text in the observation's ``error`` and costs a step.
        Before reset, after the end and after close the observation says so, with ``done`` true and reward 0.0.
        """
        with _own_faults, self._one_step(action) as begun:
            if isinstance(begun, SQLObservation):
                return begun
            begun.turn.finish(self._resources.engine)
            return self._conclude(begun)

    async def step_async(self, action: SQLAction, timeout_s: float | None = None, **kwargs: Any) -> SQLObservation:
        """Carry out one action without blocking the event loop; see ``step``."""
        with _own_faults, self._one_step(action) as begun:
            if isinstance(begun, SQLObservation):
                return begun
            await begun.turn.finish_async(self._resources.engine, self._resources.make_suite)
            return self._conclude(begun)

    @contextmanager
    def _one_step(self, action: SQLAction) -> Iterator["_Step | SQLObservation"]:
        """Count a step and plan it; an observation means that no episode takes steps now.

        Steps of one episode never overlap, and a step that fails through our own fault, or that nobody waits for any
        more, is spent like any other: no episode outlives its budget.
        """
        task = self._task
        if task is None:
            yield SQLObservation(error=NO_EPISODE, done=True, reward=0.0)
        elif not task.gate.acquire(blocking=False):
            yield self._observe(task, error=STEP_RUNNING, reward=0.0).model_copy(update={"done": False})
        else:
            try:
                yield self._over(task) if task.episode.done else _begin(task, action)
            finally:
                task.episode.end_step()
                task.gate.release()

    def _conclude(self, step: "_Step") -> SQLObservation:
        turn, task = step.turn, step.task
        fault = task.schema.explain_unknown(str(turn.error), step.argument) if turn.error else None
        observation = self._finish(task, turn.text, fault, turn.shown)
        if turn.error:
            observation.metadata["error_kind"] = type(turn.error).__name__
        if self._telemetry:
            kind = step.kind if step.kind in ACTIONS else "unknown"
            self._telemetry.step_taken(kind, perf_counter() - step.began, turn.error)
        return observation

    def _over(self, task: Task) -> SQLObservation:
        """Say that the episode is over; with its end, if whoever waited for that never got it."""
        if not self._told:
            return self._finish(task, "", EPISODE_OVER, None)
        return self._observe(task, error=EPISODE_OVER, reward=0.0, metadata=dict(self._origin))

    def _finish(self, task: Task, text: str, error: str | None, shown: Shown | None) -> SQLObservation:
        """End the step and write its observation."""
        with self._changing:
            if task is not self._task:  # the idle reaper, say, does not wait for a statement
                return SQLObservation(error=EPISODE_GONE, done=True, reward=0.0)
            task.episode.end_step()
            observation = self._observe(task, text, error, shown, reward=0.0)
            if task.episode.done or self._reward.pays_every_step:
                observation.reward = self._reward(None, None)
            if task.episode.done:
                observation.metadata = self._last_metadata(task.episode)
                self._told = True
                self._report_end(task.episode)
            return observation

    def _report_end(self, episode: Episode) -> None:
        if self._telemetry:
            outcome = "truncated" if episode.truncated else "correct" if episode.correct else "wrong"
            ids = {
                "session": self._session_id,
                "episode": self._chosen.episode_id,
                "task": self._chosen.task_id,
            }
            self._telemetry.episode_ended(self._origin["dataset"], outcome, **ids, steps=episode.step_count)

    def _last_metadata(self, episode: Episode) -> dict[str, Any]:
        question = episode.question
        unanswered = episode.verdict in (None, Reason.EMPTY)
        graded = {
            "official_execution_accuracy": False if unanswered else episode.official,
            "test_suite_accuracy": episode.on_variants if episode.correct else False,
        }
        return {
            **self._origin,
            "hardness": question.hardness,
            "answer_type": question.answer_type,
            "par": question.par,
            "twin_of": self._resources.datasets[self._origin["dataset"]].twin_of(question),
            "verdict": str(episode.verdict) if episode.verdict else None,
            **(graded if episode.answer_form == "sql" else {}),
            "terminated": not episode.truncated,
            "truncated": episode.truncated,
            "components": self._reward.components(),
            "outcome_return": self._reward.score(episode),
        }

    def _observe(
        self,
        task: Task,
        text: str = "",
        error: str | None = None,
        shown: Shown | None = None,
        *,
        reward: float | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> SQLObservation:
        episode, schema = task.episode, task.schema
        return SQLObservation(
            question=episode.question.question,
            schema_info=show_known(schema, episode.described),
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
        with self._changing:
            if self._task is None:
                return self._chosen
            episode = self._task.episode
            return self._chosen.model_copy(update={"step_count": episode.step_count, "done": episode.done})

    @property
    def is_playing(self) -> bool:
        """Whether an episode is running."""
        task = self._task
        return task is not None and not task.episode.done

    @property
    def ended(self) -> "Ended | None":
        """The episode that is over, gold and all; None while one runs, or where there is none."""
        with self._changing:
            task = self._task
            if task is None or not task.episode.done:
                return None
            origin = self._origin
            return Ended(origin["dataset"], origin["variant"], task.episode.answer_form, task.episode.question)

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment and the data sets it serves."""
        sets = ", ".join(f"{name} ({dataset.summary})" for name, dataset in self._resources.datasets.items())
        return EnvironmentMetadata(
            name=NAME,
            description="An agent explores a hidden SQL database with DESCRIBE, SAMPLE and QUERY and answers a "
            f"question about it. Data sets, the default first: {sets}.",
            version=installed_version(),
            author="The SQLEnv authors",
        )

    def begin_session(self, session_id: str) -> None:
        """Take the name under which the log speaks of this session."""
        self._session_id = session_id
        if self._telemetry:
            self._telemetry.session_opened(session_id)

    def close(self) -> None:
        """Drop the episode. A later reset works again: OpenEnv closes sessions that it keeps connected."""
        self._begin_nothing()
        if self._telemetry and self._session_id:
            self._telemetry.session_closed(self._session_id)


@dataclass(frozen=True)
class Ended:
    """An episode that is over.

    Attributes:
        dataset: where its task comes from.
        variant: the number of the database that it was played on; 0 is the original.
        answer_form: ``value`` or ``sql``.
        question: the task on that database, with its gold.
    """

    dataset: str
    variant: int
    answer_form: str
    question: Question


@dataclass(frozen=True)
class _Selected:
    """What reset is given, checked.

    Attributes:
        number: which reset of its session it is.
    """

    selection: Selection
    dataset: TaskSet
    episode_id: str
    number: int


@dataclass(frozen=True)
class _Chosen:
    """What a reset asks for.

    Attributes:
        selected: how.
        task: the data set, the question and the number of its variant.
        drawn: how the question was found.
    """

    selected: _Selected
    task: tuple[TaskSet, Question, int]
    drawn: dict[str, Any]


@dataclass(frozen=True)
class _Step:
    """One action under way."""

    task: Task
    turn: Turn
    kind: str
    argument: str
    began: float


def _begin(task: Task, action: SQLAction) -> _Step:
    began = perf_counter()
    kind, argument = _text(action.action_type), _text(action.argument)
    task.episode.begin_step(f"{kind[:20]} {argument}")
    return _Step(task, Turn(carry_out(task, kind, argument)), kind, argument, began)


def _hint(episode: Episode) -> str:
    return SQL_HINT if episode.answer_form == "sql" else ""


def _text(given: str) -> str:
    """Return a text without lone surrogates, which JSON can carry and UTF-8 cannot."""
    return given.encode("utf-8", "replace").decode()


class _OwnFaults:
    """Logs a fault of ours and hides its text, which OpenEnv would send to the client."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _trace: object) -> None:
        # The boundary to clients: whatever it is, its text stays here.
        if isinstance(fault, Exception) and not isinstance(fault, TaskError):
            logger.error("the environment failed", exc_info=fault)
            raise RuntimeError("the server failed to carry this out; the fault is in its log") from None


_own_faults = _OwnFaults()


def installed_version() -> str:
    """Return the version of this environment, or ``0`` where it is not installed."""
    try:
        return version("openenv-sql-env")
    except PackageNotFoundError:
        return "0"
