"""One untrusted SQL statement in, rows or a named error out.

The only place in the repository that runs SQL it did not write, and the only one that catches the SQLite
binding's exceptions. What it guarantees for any text: it ends within its work, time and memory budgets, writes
nothing anywhere, reads no table but the user's, and leaves nothing behind that the next statement could see.
What it does not: it shares the process, so a fault in SQLite itself is not contained (docs/security.md).

The layers, in the order in which a statement meets them: an immutable read-only file; an authorizer that allows
and refuses the rest; SQLite's per-connection limits; a progress handler that counts work, then time, then
memory; rows fetched one by one under a row and a byte cap.
"""

import asyncio
import os
import re
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import apsw

from sql_env.server import functions
from sql_env.server.databases import Database
from sql_env.server.errors import AgentError, DataError, ForbiddenError, LimitError, StatementError
from sql_env.server.functions import SQLValue

FROZEN_NOW: Final = "2025-01-01 00:00:00"
"""What ``'now'`` and CURRENT_TIMESTAMP are to a statement, in UTC, for ever: results must not depend on the day."""

MAX_VALUE_BYTES: Final = 100_000
MAX_SQL_BYTES: Final = 10_000

ALLOWED_FUNCTIONS: Final = frozenset(
    """abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling char coalesce concat concat_ws cos cosh count
    cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp first_value floor
    glob group_concat hex if ifnull iif instr json_array_length json_extract json_type json_valid -> ->> julianday
    lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim max median min mod nth_value
    ntile nullif octet_length percent_rank percentile percentile_cont percentile_disc pi pow power quote radians
    rank replace round row_number rtrim sign sin sinh sqrt strftime string_agg substr substring sum tan tanh time
    timediff total trim trunc typeof unhex unicode unixepoch unlikely upper""".split()
)
"""Every other function is refused: what ignores the length limit or makes memory (printf, format, zeroblob,
randomblob, json_group_*), what is not reproducible (random, changes), what reaches outside (load_extension …)."""

COSTLY_FUNCTIONS: Final = frozenset(
    "like glob strftime json_array_length json_extract json_type json_valid -> ->>".split()
)
"""Functions whose one call takes milliseconds on the longest value."""

_LIMITS: Final = {
    apsw.SQLITE_LIMIT_LENGTH: MAX_VALUE_BYTES,
    apsw.SQLITE_LIMIT_SQL_LENGTH: 5 * MAX_SQL_BYTES,  # room for what _as_bytes adds
    apsw.SQLITE_LIMIT_COLUMN: 200,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 32,
    apsw.SQLITE_LIMIT_VDBE_OP: 25_000,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 32,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 128,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_READ_ONLY: Final = "only SELECT statements are allowed; the database is read-only"
_EPONYMOUS: Final = frozenset("json_each json_tree jsonb_each jsonb_tree carray bytecode tables_used".split())
"""Table-valued functions that SQLite does not list among its modules."""
_CONNECTIONS_PER_THREAD: Final = 200
_HEAP_LIMIT: Final = 512 * 2**20
"""Bytes for all of SQLite in this process; the last resort, since it fails innocent statements too."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one statement may use.

    Attributes:
        vm_steps: SQLite virtual machine steps; the same on every machine, so this normally stops a statement.
        seconds: processor time of the statement itself.
        memory: bytes that SQLite may add while it runs.
        rows: rows kept; one more is fetched to tell whether there are more.
        counted_rows: rows fetched at most, kept or only counted.
        row_bytes: bytes kept, all rows together.
    """

    vm_steps: int = 30_000_000
    seconds: float = 2.0
    memory: int = 32 * 2**20
    rows: int = 20
    counted_rows: int = 1_000
    row_bytes: int = 256 * 2**10


@dataclass(frozen=True)
class QueryResult:
    """What a statement gave.

    Attributes:
        columns: column names, as SQLite reports them.
        rows: the rows kept, in order.
        total_rows: rows seen, kept or not.
        complete: whether total_rows is all there are.
        reads: (table, column) pairs that the statement read, in lower case; column is "" where only rows count.
        vm_steps: work done, rounded down to the progress handler's interval.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[SQLValue, ...], ...]
    total_rows: int
    complete: bool
    reads: frozenset[tuple[str, str]]
    vm_steps: int

    @property
    def tables(self) -> frozenset[str]:
        """Tables that the statement read, in lower case."""
        return frozenset(table for table, _ in self.reads)


class Engine:
    """Runs statements; holds connections for each thread and database, and one low-priority worker.

    Args:
        limits: what one statement may use.
        inline: what it may use on the event loop before it moves to the worker.
        queue_seconds: longest wait for the worker.
    """

    def __init__(self, limits: Limits, *, inline_vm_steps: int = 50_000, queue_seconds: float = 30.0) -> None:
        self.limits = limits
        self._inline = replace(
            limits, vm_steps=min(limits.vm_steps, inline_vm_steps), seconds=min(limits.seconds, 0.02), memory=4 * 2**20
        )
        self._queue_seconds = queue_seconds
        self._local = threading.local()
        self._worker = ThreadPoolExecutor(1, "sql-worker", _lower_priority)
        _pin_process()

    def run(self, database: Database, sql: str, limits: Limits | None = None) -> QueryResult:
        """Run one statement on the calling thread.

        Raises:
            StatementError: SQLite refuses it.
            ForbiddenError: this environment refuses it.
            LimitError: it ran past a limit; the message names it.
        """
        _require_text(sql)
        return self._connection(database).run(sql, limits or self.limits)

    async def run_async(self, database: Database, sql: str, limits: Limits | None = None) -> QueryResult:
        """Run one statement without blocking the event loop: inline while it is cheap, else in the worker.

        The worker runs one statement at a time in order of arrival, so that sessions take turns.

        Raises:
            AgentError: as for ``run``; besides, LimitError when no turn came within the queue's limit.
        """
        limits = limits or self.limits
        cheap = replace(self._inline, rows=limits.rows, counted_rows=limits.counted_rows, row_bytes=limits.row_bytes)
        try:
            return self.run(database, sql, cheap)
        except _BudgetError as stopped:
            if cheap == limits:
                raise stopped from None
        future = self._worker.submit(self.run, database, sql, limits)
        turn = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({turn}, timeout=self._queue_seconds)
        if not done and future.cancel():
            raise LimitError(f"the server is busy: no turn within {self._queue_seconds:g} s; try again")
        return await turn

    def inspect(self, database: Database, sql: str, *arguments: SQLValue) -> list[tuple[Any, ...]]:
        """Run a statement of our own on a database, without authorizer or budget, and return its rows."""
        with _data_faults(database), closing(_open(database)) as connection:
            return list(connection.execute(sql, arguments))

    def close(self) -> None:
        """Stop the worker. Statements that wait for it are cancelled; one that runs ends by its limits."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _connection(self, database: Database) -> "_Connection":
        connections: OrderedDict[Database, _Connection] | None
        connections = getattr(self._local, "connections", None)
        if connections is None:
            connections = self._local.connections = OrderedDict()
        connection = connections.get(database)
        if connection is None:
            connection = connections[database] = _Connection(database)
            if len(connections) > _CONNECTIONS_PER_THREAD:
                connections.popitem(last=False)[1].close()
        connections.move_to_end(database)
        return connection


class _BudgetError(LimitError):
    """The statement was stopped by its work, time or memory budget; with a larger one it might end."""


class _Meter:
    """The progress handler of one statement: returns True to stop it, and knows why."""

    __slots__ = ("_deadline", "_interval", "_limits", "_max_memory", "stopped", "vm_steps")

    def __init__(self, limits: Limits, interval: int) -> None:
        self._limits = limits
        self._interval = interval
        self._deadline = time.thread_time() + limits.seconds
        self._max_memory = apsw.memory_used() + limits.memory
        self.vm_steps = 0
        self.stopped = ""

    def __call__(self) -> bool:
        self.vm_steps += self._interval
        if self.vm_steps > self._limits.vm_steps:
            self.stopped = f"query stopped after {self._limits.vm_steps:,} steps of work"
        elif time.thread_time() > self._deadline:
            seconds = self._limits.seconds
            self.stopped = (
                f"query stopped after {seconds:.1f} s" if seconds >= 0.1 else f"query stopped after {seconds} s"
            )
        elif apsw.memory_used() > self._max_memory:
            self.stopped = f"query stopped: it needed more than {self._limits.memory // 2**20} MiB of memory"
        return bool(self.stopped)

    def set_interval(self, interval: int) -> None:
        self._interval = interval


class _Connection:
    """A connection of one thread to one database, with every layer in place."""

    COARSE, FINE = 100, 20

    def __init__(self, database: Database) -> None:
        with _data_faults(database):
            self._apsw = _open(database)
            rows = self._apsw.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")
            self._tables = frozenset(name.lower() for (name,) in rows if not _is_internal(name))
            modules = self._apsw.execute("SELECT name FROM pragma_module_list")
            self._modules = _EPONYMOUS.union(name.lower() for (name,) in modules)
        for limit, value in _LIMITS.items():
            self._apsw.limit(limit, value)
        functions.install(self._apsw, MAX_VALUE_BYTES)
        self._apsw.authorizer = self._authorize
        self._reads: set[tuple[str, str]] = set()
        self._costly = 0
        self._refusal = ""

    def close(self) -> None:
        self._apsw.close()

    def run(self, sql: str, limits: Limits) -> QueryResult:
        meter = _Meter(limits, self.COARSE)
        try:
            with self._agent_faults(meter):
                try:
                    return self._execute(sql, limits, meter, _unchanged)
                except UnicodeDecodeError:
                    return self._execute(_as_bytes(self._statement, self._columns), limits, meter, _decoded)
        finally:
            self._apsw.set_progress_handler(None)

    def _execute(self, sql: str, limits: Limits, meter: _Meter, decode: Any) -> QueryResult:
        self._reads, self._costly, self._refusal = set(), 0, ""
        self._columns: tuple[str, ...] = ()
        self._statement = ""
        self._apsw.limit(apsw.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        meter.set_interval(self.COARSE)
        self._apsw.set_progress_handler(meter, self.COARSE)
        cursor = self._apsw.cursor()
        cursor.exec_trace = partial(self._before_first_step, sql, meter)
        try:
            kept, total, complete = _fetch(decode(cursor.execute(sql, can_cache=False)), limits)
        finally:
            cursor.close(True)
        reads = frozenset(read for read in self._reads if read[1] or not _defines(sql, read[0]))
        return QueryResult(self._columns, kept, total, complete, reads, meter.vm_steps)

    def _before_first_step(self, text: str, meter: _Meter, cursor: apsw.Cursor, sql: str, _bindings: Any) -> bool:
        """Look at the prepared statement: EXPLAIN and a second statement are unseen by the authorizer."""
        if not cursor.has_vdbe:
            if self._columns:
                return True  # a comment behind the statement
            raise StatementError("there is no statement; write one SELECT")
        if _REST.sub("", text[len(sql) :]) or self._columns:
            raise ForbiddenError("one statement at a time")
        if cursor.is_explain:
            raise ForbiddenError("EXPLAIN is not available; use DESCRIBE to see a table")
        self._columns = tuple(name for name, *_ in cursor.get_description())
        if not self._columns:
            raise ForbiddenError(_READ_ONLY)
        self._statement = sql
        if self._costly:
            meter.set_interval(self.FINE)
            self._apsw.set_progress_handler(meter, self.FINE)
        # Between two jumps SQLite asks the progress handler nothing, so what a long statement can do there
        # has to be short: the product of its length and of the values' length is bounded.
        longest = 10**8 // (2 * len(text) + 500 * self._costly)
        self._apsw.limit(apsw.SQLITE_LIMIT_LENGTH, min(MAX_VALUE_BYTES, longest))
        return True

    def _authorize(self, operation: int, first: Any, second: Any, _database: Any, _view: Any) -> int:
        if operation in (apsw.SQLITE_SELECT, apsw.SQLITE_RECURSIVE):
            return apsw.SQLITE_OK
        if operation == apsw.SQLITE_READ:
            return self._authorize_read(first.lower(), second.lower())
        if operation == apsw.SQLITE_FUNCTION:
            name = second.lower()
            self._costly += name in COSTLY_FUNCTIONS
            if name in ALLOWED_FUNCTIONS:
                return apsw.SQLITE_OK
            self._refusal = f"function {second}() is not available here"
        else:
            self._refusal = _READ_ONLY
        return apsw.SQLITE_DENY

    def _authorize_read(self, table: str, column: str) -> int:
        if table in self._tables:
            self._reads.add((table, column))
            return apsw.SQLITE_OK
        # No column: a common table expression or subquery of which only the number of rows is used.
        if not column and not _is_internal(table) and table not in self._modules:
            return apsw.SQLITE_OK
        self._refusal = f"{table} is not available here; use DESCRIBE to see a table"
        return apsw.SQLITE_DENY

    @contextmanager
    def _agent_faults(self, meter: _Meter) -> Iterator[None]:
        """Turn what the statement did wrong into an AgentError; anything else passes as our own fault."""
        try:
            yield
        except AgentError:
            raise
        except UnicodeDecodeError:
            raise StatementError("this text is not valid UTF-8; look at it with hex()") from None
        except apsw.AuthError:
            raise ForbiddenError(self._refusal or "this statement is not allowed") from None
        except apsw.ReadOnlyError:
            raise ForbiddenError(_READ_ONLY) from None
        except apsw.InterruptError:
            raise _BudgetError(meter.stopped) from None
        except apsw.TooBigError:
            longest = self._apsw.limit(apsw.SQLITE_LIMIT_LENGTH)
            raise LimitError(f"a value in this statement is longer than {longest:,} bytes") from None
        except (apsw.NoMemError, MemoryError):
            raise _BudgetError("query stopped: the server's SQLite memory is exhausted") from None
        except apsw.SQLError as error:
            if self._refusal:
                raise ForbiddenError(self._refusal) from None
            raise StatementError(str(error)) from None
        except (apsw.MismatchError, apsw.RangeError, apsw.BindingsError) as error:
            raise StatementError(str(error)) from None


def _open(database: Database) -> apsw.Connection:
    connection = apsw.Connection(
        # Resolved, because a Python VFS takes SQLite's "this is a symbolic link" for an error.
        f"file:{quote(str(database.path.resolve()))}?immutable=1&mode=ro",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_NOMUTEX,
        vfs=_FrozenClock.NAME,
        statementcachesize=0,
    )
    for option, value in (
        (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
        (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
        (apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0),
        # Double-quoted strings stay: 213 of Spider's 1,034 dev golds use them.
        (apsw.SQLITE_DBCONFIG_DQS_DML, 1),
    ):
        connection.config(option, value)
    for pragma in ("query_only=1", "cell_size_check=1", "mmap_size=0", "temp_store=2"):
        connection.pragma(*pragma.split("="))
    return connection


def _fetch(rows: Iterable[tuple[SQLValue, ...]], limits: Limits) -> tuple[tuple[tuple[SQLValue, ...], ...], int, bool]:
    """Keep rows under the caps and count the rest; return them, the count, and whether it is all."""
    kept: list[tuple[SQLValue, ...]] = []
    total = seen_bytes = 0
    keeping = True
    for row in rows:
        if total == limits.counted_rows:
            return tuple(kept), total, False
        total += 1
        seen_bytes += sum(map(_size, row))
        keeping = keeping and total <= limits.rows and seen_bytes <= limits.row_bytes
        if keeping:
            kept.append(row)
        elif seen_bytes > 64 * limits.row_bytes:
            return tuple(kept), total, False
    return tuple(kept), total, True


def _size(value: SQLValue) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "replace"))
    return len(value) if isinstance(value, bytes) else 8


def _unchanged(rows: Iterable[tuple[SQLValue, ...]]) -> Iterable[tuple[SQLValue, ...]]:
    return rows


def _decoded(rows: Iterable[tuple[SQLValue, ...]]) -> Iterator[tuple[SQLValue, ...]]:
    """Undo ``_as_bytes``, with U+FFFD in place of what is not UTF-8."""
    for row in rows:
        yield tuple(_decode(value) if isinstance(value, bytes) else value for value in row)


def _decode(marked: bytes) -> SQLValue:
    return marked[1:] if marked[:1] == b"b" else marked[1:].decode("utf-8", "replace")


def _as_bytes(sql: str, columns: tuple[str, ...]) -> str:
    """Wrap a statement so that text and blobs arrive as bytes behind a mark: the binding refuses invalid UTF-8."""
    names = ", ".join(f"c{i}" for i in range(len(columns)))
    marked = ", ".join(
        f"CASE typeof(c{i}) WHEN 'text' THEN CAST('t' || c{i} AS BLOB) WHEN 'blob' THEN CAST('b' || c{i} AS BLOB) "
        f'ELSE c{i} END AS "{column.replace(chr(34), chr(34) * 2)}"'
        for i, column in enumerate(columns)
    )
    return f'WITH "sql env bytes" ({names}) AS ({sql.rstrip().rstrip(";")}\n) SELECT {marked} FROM "sql env bytes"'  # noqa: S608


_REST = re.compile(r"\s+|;|--[^\n]*|/\*.*?(\*/|$)", re.DOTALL)


def _defines(sql: str, table: str) -> bool:
    """Return whether a statement seems to define a common table expression of this name.

    The authorizer cannot tell one of which only rows count from the table.
    """
    definition = rf"\b{re.escape(table)}\b[\"`\]']?\s*(?:\([^()]*\)\s*)?AS\s*(?:NOT\s+)?(?:MATERIALIZED\s*)?\("
    return re.search(r"\bWITH\b", sql, re.IGNORECASE) is not None and bool(re.search(definition, sql, re.IGNORECASE))


def _is_internal(name: str) -> bool:
    return name.lower().startswith(("sqlite_", "pragma_"))


def _require_text(sql: str) -> None:
    """Refuse what the binding cannot carry and what is too long to parse."""
    try:
        size = len(sql) if sql.isascii() else len(sql.encode())
    except UnicodeEncodeError:
        raise StatementError("the statement is not valid Unicode text") from None
    if "\0" in sql:
        raise StatementError("the statement holds a NUL character")
    if size > MAX_SQL_BYTES:
        raise LimitError(f"the statement is longer than {MAX_SQL_BYTES:,} bytes")


@contextmanager
def _data_faults(database: Database) -> Iterator[None]:
    try:
        yield
    except (apsw.NotADBError, apsw.CorruptError, apsw.CantOpenError, apsw.SQLError, UnicodeDecodeError) as error:
        raise DataError(f"{database.path} cannot be read as an SQLite database ({error})") from None


class _FrozenClock(apsw.VFS):
    """The operating system's files with a clock that stands still at FROZEN_NOW."""

    NAME = "sql_env_frozen_clock"
    JULIAN_DAY = 2460676.5

    def __init__(self) -> None:
        super().__init__(self.NAME, "")

    def xCurrentTime(self) -> float:
        return self.JULIAN_DAY

    def xCurrentTimeInt64(self) -> int:
        return int(self.JULIAN_DAY * 86_400_000)


_FROZEN_CLOCK = _FrozenClock()


def _pin_process() -> None:
    """Settle what SQLite takes from the process: the heap's bound and the time zone of ``'localtime'``."""
    apsw.hard_heap_limit(_HEAP_LIMIT)
    if hasattr(time, "tzset"):
        os.environ["TZ"] = "UTC"
        time.tzset()


def _lower_priority() -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it; the worker then runs at normal priority
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
