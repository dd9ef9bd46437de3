"""Runs untrusted statements for many sessions: on the caller's thread while they are cheap, else in a worker.

What it guarantees for any text: it ends within its work, time and memory budgets, writes nothing anywhere, reads no
table but the user's, leaves nothing behind that the next statement could see, and blocks the event loop for
milliseconds at most. How a statement is contained is sandbox.py's affair; what can be neither counted nor interrupted
is the worker's, a process that the kernel kills (worker.py).
"""

import asyncio
import os
import re
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar

import apsw

from sql_env.server.databases import Database
from sql_env.server.errors import BusyError
from sql_env.server.sandbox import INLINE, BudgetError, Connections, Limits, QueryResult, require_text
from sql_env.server.worker import Worker

T = TypeVar("T")

INLINE_SECONDS: Final = 0.02
INLINE_MEMORY: Final = 4 * 2**20
INLINE_FILE_BYTES: Final = 64 * 2**20
"""Larger databases go to the worker: count(*) is one operation, however many pages it reads."""

_HEAP_LIMIT: Final = 512 * 2**20
"""Bytes for all of SQLite in this process; the last resort, since it fails innocent statements too."""


class Runs(Protocol):
    """Whatever runs statements, waiting for them."""

    def run(self, database: Database, sql: str, limits: Limits | None = None) -> QueryResult:
        """Run one statement.

        Raises:
            AgentError: it fails or runs past a limit.
        """


class Engine:
    """Runs statements; holds connections for each thread and database, and one low-priority worker process.

    Args:
        limits: what one statement may use.
        inline_vm_steps: work after which a statement moves to the worker.
        queue_seconds: longest wait for the worker.
    """

    def __init__(self, limits: Limits, *, inline_vm_steps: int = 50_000, queue_seconds: float = 30.0) -> None:
        self.limits = limits
        self._inline_vm_steps = inline_vm_steps
        self._queue_seconds = queue_seconds
        self._local = _Local()
        self._worker = Worker()
        self._queue = ThreadPoolExecutor(1, "sql-worker")
        _pin_process()

    def start(self) -> None:
        """Start the worker now rather than when it is first needed."""
        self._queue.submit(self._worker.start)

    def run(self, database: Database, sql: str, limits: Limits | None = None) -> QueryResult:
        """Run one statement, waiting for it.

        Raises:
            StatementError: SQLite refuses it.
            ForbiddenError: this environment refuses it.
            LimitError: it ran past a limit; the message names it.
        """
        limits = limits or self.limits
        require_text(sql)
        result = self._run_inline(database, sql, limits)
        return result or self._submit(database, sql, limits).result()

    async def run_async(self, database: Database, sql: str, limits: Limits | None = None) -> QueryResult:
        """Run one statement without blocking the event loop.

        The worker runs one statement at a time in order of arrival, so that sessions take turns. A statement whose
        caller is gone is not begun.

        Raises:
            AgentError: as for ``run``; besides, BusyError when no turn came within the queue's limit.
        """
        limits = limits or self.limits
        require_text(sql)
        result = self._run_inline(database, sql, limits)
        if result is not None:
            return result
        return await in_turn(self._submit(database, sql, limits), self._queue_seconds)

    def close(self) -> None:
        """Stop the worker. Statements that wait for it are cancelled; one that runs is ended."""
        self._queue.shutdown(wait=False, cancel_futures=True)
        self._worker.kill()
        self._queue.shutdown(wait=True)
        self._worker.close()

    def _submit(self, database: Database, sql: str, limits: Limits) -> "Future[QueryResult]":
        return self._queue.submit(self._worker.run, database, sql, limits)

    def _run_inline(self, database: Database, sql: str, limits: Limits) -> QueryResult | None:
        """Run a statement on this thread, or return None if the worker has to."""
        if not is_light(sql) or database.size > INLINE_FILE_BYTES:
            return None
        try:
            return self._local.connections.get(database).run(sql, _inline(limits, self._inline_vm_steps))
        except BudgetError:
            return None


@lru_cache(maxsize=256)
def _inline(limits: Limits, vm_steps: int) -> Limits:
    """Return what a statement may use on the caller's thread."""
    return replace(
        limits,
        vm_steps=min(limits.vm_steps, vm_steps),
        seconds=min(limits.seconds, INLINE_SECONDS),
        memory=min(limits.memory, INLINE_MEMORY),
    )


class _Local(threading.local):
    """What each thread has of its own."""

    def __init__(self) -> None:
        self.connections = Connections(INLINE)


def is_light(sql: str) -> bool:
    """Return whether a statement is surely prepared within milliseconds.

    SQLite plans joins in more than quadratic time and copies the expressions of subqueries; both need many commas,
    JOINs or SELECTs in the text.
    """
    if len(sql) > 2_000:
        return False
    words = _WORDS.findall(sql)
    return sum(word in ",jJ" for word in words) <= 15 and sum(word in "sS" for word in words) <= 4


_WORDS = re.compile(r",|[jJ](?=[oO][iI][nN])|[sS](?=[eE][lL][eE][cC][tT])")


async def in_turn(future: "Future[T]", seconds: float) -> T:
    """Wait for work that a thread has been given; what nobody waits for any more is not begun.

    Raises:
        BusyError: it was not begun within so many seconds.
    """
    turn = asyncio.wrap_future(future)
    turn.add_done_callback(_forget)
    try:
        done, _ = await asyncio.wait({turn}, timeout=seconds)
    except asyncio.CancelledError:
        future.cancel()
        raise
    if not done and future.cancel():
        raise BusyError(f"the server is busy: no turn within {seconds:g} s; try again")
    return await turn


def _forget(turn: "asyncio.Future[Any]") -> None:
    """Take note of how an abandoned statement ended, so that nobody logs that nobody did."""
    if not turn.cancelled():
        turn.exception()


def _pin_process() -> None:
    """Settle what SQLite takes from the process: the heap's bound and the time zone of ``'localtime'``."""
    apsw.hard_heap_limit(_HEAP_LIMIT)
    if hasattr(time, "tzset"):
        os.environ["TZ"] = "UTC"
        time.tzset()
