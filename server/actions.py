"""What the four actions do in an episode: a plan that asks for statements to be run and ends with what to show.

Kernel code without I/O of its own: it yields statements, is sent their results, and tells the episode what happened.
So the same plan serves a caller that waits and one that awaits. Faults of the agent leave it as AgentError.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import TypeAlias

from sql_env.server import official
from sql_env.server.answers import bare
from sql_env.server.databases import Database
from sql_env.server.engine import Engine
from sql_env.server.episode import Episode
from sql_env.server.errors import ActionError, AgentError, BusyError
from sql_env.server.formatting import Shown, quoted_if_needed, show_result, show_table
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


@dataclass(frozen=True)
class Task:
    """An episode and what its actions work on.

    Attributes:
        limits: what one statement may use.
        gate: held while an action is carried out.
    """

    episode: Episode
    database: Database
    schema: Schema
    settings: Settings
    limits: Limits
    gate: Lock = field(default_factory=Lock, repr=False)


Plan: TypeAlias = Generator[Statement, QueryResult, tuple[str, Shown | None]]
"""Yields statements, is sent their results or thrown their AgentErrors, returns a text and the same as data."""


class Turn:
    """A plan on its way: the statement that it waits for, or its outcome.

    Attributes:
        statement: what is to be run next; None at the end.
        text: what the action gives.
        shown: the same as data.
        error: why it could not be carried out.

    Args:
        plan: what the action does.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.statement: Statement | None = None
        self.text = ""
        self.shown: Shown | None = None
        self.error: AgentError | None = None
        self._advance(partial(next, plan))

    def finish(self, engine: Engine) -> None:
        """Run every statement that the plan asks for, waiting for it."""
        while (wanted := self.statement) is not None:
            try:
                self.resume(engine.run(wanted.database, wanted.sql, wanted.limits))
            except AgentError as error:
                self.fail(error)

    async def finish_async(self, engine: Engine) -> None:
        """Run every statement that the plan asks for, without blocking the event loop."""
        while (wanted := self.statement) is not None:
            try:
                self.resume(await engine.run_async(wanted.database, wanted.sql, wanted.limits))
            except AgentError as error:
                self.fail(error)

    def resume(self, result: QueryResult) -> None:
        """Go on with the result of the statement."""
        self._advance(partial(self._plan.send, result))

    def fail(self, error: AgentError) -> None:
        """Go on without one."""
        self._advance(partial(self._plan.throw, error))

    def _advance(self, go_on: Callable[[], Statement]) -> None:
        self.statement = None
        try:
            self.statement = go_on()
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
        table = _find_table(task.schema, argument)
        task.episode.saw_table(table.name)
        return show_table(table, 2 * task.settings.result_chars), None
    if action == "SAMPLE":
        table = _find_table(task.schema, argument)
        sql = f"SELECT * FROM {quoted(table.name)} LIMIT {task.settings.sample_rows}"  # noqa: S608
        result = yield Statement(task.database, sql, task.limits)
        task.episode.saw_sample(result)
        return _shown(task, result)
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


def _answer_in_sql(task: Task, answer: str) -> Generator[Statement, QueryResult, None]:
    """Run the answer, grade its rows, and compute Spider's official execution accuracy beside the verdict."""
    episode, sql = task.episode, bare(answer)
    if not sql:
        episode.answered_badly(Reason.EMPTY)
        return
    rows = max(task.limits.rows, len(episode.question.gold_rows) + 1)
    fault: AgentError | None = None
    try:
        episode.answered_in_sql((yield Statement(task.database, sql, replace(task.limits, rows=rows))))
    except BusyError:
        raise
    except AgentError as error:
        episode.answered_badly(Reason.UNPARSABLE)
        fault = error
    episode.official = yield from _official(task, sql)
    if fault is not None:
        raise fault


def _official(task: Task, sql: str) -> Generator[Statement, QueryResult, bool | None]:
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
