"""What the four actions do in an episode: a plan that asks for statements to be run and ends with what to show.

Kernel code without I/O of its own: it yields statements, is sent their results, and tells the episode what happened.
So the same plan serves a caller that waits and one that awaits. Faults of the agent leave it as AgentError.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Any, TypeAlias

from sql_env.server import official
from sql_env.server.answers import Gold, bare
from sql_env.server.databases import Database
from sql_env.server.engine import Engine
from sql_env.server.episode import Episode, grade_result
from sql_env.server.errors import ActionError, AgentError, BusyError
from sql_env.server.formatting import Shown, quoted_if_needed, show_result, show_table
from sql_env.server.questions import Question
from sql_env.server.sandbox import Limits, QueryResult
from sql_env.server.schema import Schema, Table, nearest, quoted, unquoted
from sql_env.server.settings import Settings
from sql_env.server.verifier import Reason

ACTIONS = ("DESCRIBE", "SAMPLE", "QUERY", "ANSWER")


@dataclass(frozen=True)
class Statement:
    """A statement that an action wants run."""

    database: Database
    sql: str
    limits: Limits


Varied: TypeAlias = tuple[Question, Database]
"""A question with its gold on another database."""


@dataclass(frozen=True)
class Preparation:
    """Work of ours that an action wants done, too long for the event loop: to make a variant of its task."""

    make: Callable[[], Varied | None]


@dataclass(frozen=True)
class Task:
    """An episode and what its actions work on.

    Attributes:
        limits: what one statement may use.
        suite: makes variants of the task, on which a right answer in SQL has to be right as well; None is no variant.
        gate: held while an action is carried out.
    """

    episode: Episode
    database: Database
    schema: Schema
    settings: Settings
    limits: Limits
    suite: Sequence[Callable[[], Varied | None]] = ()
    gate: Lock = field(default_factory=Lock, repr=False)


Wanted: TypeAlias = Statement | Preparation

Elsewhere: TypeAlias = Callable[..., Awaitable[Any]]
"""Calls a function with arguments on a thread and waits for it, as ``asyncio.to_thread`` does."""

Plan: TypeAlias = Generator[Wanted, Any, tuple[str, Shown | None]]
"""Yields what it wants, is sent what that gives or thrown the AgentError, returns a text and the same as data."""


class Turn:
    """A plan on its way: what it waits for, or its outcome.

    Attributes:
        wanted: what is to be run or made next; None at the end.
        text: what the action gives.
        shown: the same as data.
        error: why it could not be carried out.

    Args:
        plan: what the action does.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.wanted: Wanted | None = None
        self.text = ""
        self.shown: Shown | None = None
        self.error: AgentError | None = None
        self._advance(partial(next, plan))

    def finish(self, engine: Engine) -> None:
        """Run and make everything that the plan asks for, waiting for it."""
        while (wanted := self.wanted) is not None:
            try:
                if isinstance(wanted, Preparation):
                    self.resume(wanted.make())
                else:
                    self.resume(engine.run(wanted.database, wanted.sql, wanted.limits))
            except AgentError as error:
                self.fail(error)

    async def finish_async(self, engine: Engine, elsewhere: Elsewhere = asyncio.to_thread) -> None:
        """Run and make everything that the plan asks for, without blocking the event loop.

        Args:
            engine: runs statements.
            elsewhere: makes what takes long.
        """
        while (wanted := self.wanted) is not None:
            try:
                if isinstance(wanted, Preparation):
                    self.resume(await elsewhere(wanted.make))
                else:
                    self.resume(await engine.run_async(wanted.database, wanted.sql, wanted.limits))
            except AgentError as error:
                self.fail(error)

    def resume(self, result: QueryResult | Varied | None) -> None:
        """Go on with what was wanted."""
        self._advance(partial(self._plan.send, result))

    def fail(self, error: AgentError) -> None:
        """Go on without one."""
        self._advance(partial(self._plan.throw, error))

    def _advance(self, go_on: Callable[[], Wanted]) -> None:
        self.wanted = None
        try:
            self.wanted = go_on()
        except StopIteration as end:
            self.text, self.shown = end.value
        except AgentError as error:
            self.error = error


def carry_out(task: Task, action: str, argument: str) -> Plan:
    """Return the plan of one action.

    Raises:
        AgentError: the action cannot be carried out; raised while the plan runs.
    """
    if action == "DESCRIBE":
        table, known = _find_table(task.schema, argument), task.schema.descriptions
        task.episode.saw_table(table.name)
        if table.name not in known:
            known[table.name] = show_table(table, 2 * task.settings.result_chars)
        return known[table.name], None
    if action == "SAMPLE":
        table = _find_table(task.schema, argument)
        seen = task.schema.samples
        if table.name not in seen:
            sql = f"SELECT * FROM {quoted(table.name)} LIMIT {task.settings.sample_rows}"  # noqa: S608
            result = yield Statement(task.database, sql, task.limits)
            seen[table.name] = (result.discovery, *_shown(task, result))
        discovery, text, rows = seen[table.name]
        task.episode.saw_sample(discovery)
        return text, rows
    if action == "QUERY":
        result = yield Statement(task.database, argument, task.limits)
        task.episode.saw_result(result)
        return _shown(task, result)
    if action == "ANSWER":
        if task.episode.answer_form == "sql":
            yield from _answer_in_sql(task, argument)
        else:
            task.episode.answered(argument, task.settings.answer_chars)
        return "Correct." if task.episode.correct else f"Not correct: {task.episode.verdict}.", None
    raise ActionError(f"unknown action {action[:20]!r}; use {', '.join(ACTIONS)}")


def _find_table(schema: Schema, argument: str) -> Table:
    table = schema.find(argument)
    if table is not None:
        return table
    named = unquoted(argument)[:80]
    near = nearest(named, schema.names)
    tables = ", ".join(map(quoted_if_needed, schema.names))
    hint = f"did you mean {near}? Tables: {tables}" if near else f"tables: {tables}"
    raise ActionError(f"no table named {named!r}; {hint}")


def _shown(task: Task, result: QueryResult) -> tuple[str, Shown]:
    shown = show_result(result, task.settings.result_rows, task.settings.result_chars)
    return shown.text, shown


# --- the answer in SQL -----------------------------------------------------------------------------------


def _answer_in_sql(task: Task, answer: str) -> Generator[Wanted, Any, None]:
    """Run the answer, grade its rows, and compute Spider's official execution accuracy beside the verdict.

    A right one is run on variants of the database too: it may be right on this one by chance.
    """
    episode, sql = task.episode, bare(answer)
    if not sql:
        episode.answered_badly(Reason.EMPTY)
        return
    fault: AgentError | None = None
    try:
        result = yield _graded(task, task.database, sql, episode.gold)
        right = grade_result(result, episode.gold) is Reason.CORRECT
        episode.answered_in_sql(result, (yield from _on_variants(task, sql)) if right else None)
    except BusyError:
        raise
    except AgentError as error:
        episode.answered_badly(Reason.UNPARSABLE)
        fault = error
    episode.official = yield from _official(task, sql)
    if fault is not None:
        raise fault


def _graded(task: Task, database: Database, sql: str, gold: Gold) -> Statement:
    """Return a statement that is to be compared with a gold, and of which one row more than that is kept."""
    return Statement(database, sql, replace(task.limits, rows=max(task.limits.rows, len(gold.rows) + 1)))


def _on_variants(task: Task, sql: str) -> Generator[Wanted, Any, bool | None]:
    """Return whether an answer is right on every variant, or None where there is none."""
    tried = None
    for make in task.suite:
        varied: Varied | None = yield Preparation(make)
        if varied is None:
            continue
        question, database = varied
        gold, tried = Gold.of(question), True
        try:
            result = yield _graded(task, database, sql, gold)
        except BusyError:
            raise
        except AgentError:
            return False
        if grade_result(result, gold) is not Reason.CORRECT:
            return False
    return tried


def _official(task: Task, sql: str) -> Generator[Wanted, Any, bool | None]:
    """Return the official execution accuracy, or None where a limit of ours keeps it unknown."""
    question, size = task.episode.question, official.MAX_ROWS
    limits = replace(task.limits, rows=size, counted_rows=size, row_bytes=official.MAX_BYTES)
    try:
        gold = yield Statement(task.database, official.as_run(question.gold_sql), limits)
    except AgentError:
        return None
    if gold.total_rows != len(gold.rows) or not gold.complete:
        return None
    try:
        answer = yield Statement(task.database, official.as_run(sql), limits)
    except BusyError:
        return None
    except AgentError:
        return False
    if answer.total_rows != len(gold.rows) or not answer.complete:
        return False
    if answer.total_rows != len(answer.rows):
        return None
    ordered = official.order_matters(question.gold_sql)
    return official.same_denotation(gold.rows, answer.rows, ordered=ordered)
