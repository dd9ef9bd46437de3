"""One untrusted statement on one connection: rows or a named error, under limits.

The only place in the repository that runs SQL it did not write, and the only one that catches the SQLite binding's
exceptions. The layers, in the order in which a statement meets them: an immutable read-only file, or a read-only copy
of an image in memory; an authorizer that allows and refuses the rest; SQLite's own limits; a progress handler that
counts work, then time, then memory; rows fetched one by one under a row and a byte cap.

What these layers cannot do is to interrupt a single operation of SQLite: a plan for 63 tables, a sort, ``unhex`` on
long arguments run for seconds. So there are two profiles. INLINE keeps values and programs so small that no operation
takes long; it is for the event loop. FULL allows what SQLite's limits allow; it is for a process that can be killed
(worker.py). A statement that INLINE cannot finish raises BudgetError and is repeated under FULL.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import apsw

from sql_env.server.databases import Database, SQLValue
from sql_env.server.errors import AgentError, DataError, ForbiddenError, LimitError, StatementError

FROZEN_NOW: Final = "2025-01-01 00:00:00"
"""What ``'now'`` and CURRENT_TIMESTAMP are to a statement, in UTC, for ever: results must not depend on the day."""

MAX_SQL_BYTES: Final = 10_000
MAX_CONNECTIONS: Final = 200

MAX_IMAGE_BYTES: Final = 16 * 2**20
"""Databases in memory that one thread has open, all together: each connection holds a copy of its image."""

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

_SUPERLINEAR: Final = frozenset("glob instr like ltrim replace rtrim strftime trim unhex".split())
"""Functions whose time grows faster than the length of one argument."""

_LIMITS: Final = {
    apsw.SQLITE_LIMIT_SQL_LENGTH: 5 * MAX_SQL_BYTES,  # room for what _as_bytes adds
    apsw.SQLITE_LIMIT_COLUMN: 200,
    apsw.SQLITE_LIMIT_EXPR_DEPTH: 100,
    apsw.SQLITE_LIMIT_COMPOUND_SELECT: 32,
    apsw.SQLITE_LIMIT_FUNCTION_ARG: 32,
    apsw.SQLITE_LIMIT_ATTACHED: 0,
    apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 256,
    apsw.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    apsw.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    apsw.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_READ_ONLY: Final = "only SELECT statements are allowed; the database is read-only"
_EPONYMOUS: Final = frozenset("json_each json_tree jsonb_each jsonb_tree carray bytecode tables_used".split())
"""Table-valued functions that SQLite does not list among its modules."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How large values and programs may be.

    Attributes:
        value_bytes: longest value.
        superlinear_bytes: longest value in a statement that calls a function of more than linear time.
        operations: longest program of SQLite's virtual machine.
    """

    value_bytes: int
    superlinear_bytes: int
    operations: int


INLINE: Final = Profile(value_bytes=1_000, superlinear_bytes=250, operations=2_000)
FULL: Final = Profile(value_bytes=100_000, superlinear_bytes=100_000, operations=25_000)


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
    def discovery(self) -> int | None:
        """What tells it from other results, in this process; None where it read no table."""
        return hash((self.columns, self.rows)) if self.reads else None

    @property
    def tables(self) -> frozenset[str]:
        """Tables that the statement read, in lower case."""
        return frozenset(table for table, _ in self.reads)


class BudgetError(LimitError):
    """The statement ran past its budget or its profile; with a larger one it might end.

    Attributes:
        by_clock: whether time was what ran out.
    """

    def __init__(self, message: str, *, by_clock: bool = False) -> None:
        super().__init__(message)
        self.by_clock = by_clock


class _Meter:
    """The progress handler of one statement: returns True to stop it, and knows why."""

    __slots__ = ("_deadline", "_limits", "_max_memory", "by_clock", "stopped", "vm_steps")
    INTERVAL = 100

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._deadline = time.thread_time() + limits.seconds
        self._max_memory = apsw.memory_used() + limits.memory
        self.vm_steps = 0
        self.stopped = ""
        self.by_clock = False

    def __call__(self) -> bool:
        self.vm_steps += self.INTERVAL
        if self.vm_steps > self._limits.vm_steps:
            self.stopped = f"query stopped after {self._limits.vm_steps:,} steps of work"
        elif time.thread_time() > self._deadline:
            self.stopped, self.by_clock = stopped_after(self._limits.seconds), True
        elif apsw.memory_used() > self._max_memory:
            self.stopped = f"query stopped: it needed more than {self._limits.memory // 2**20} MiB of memory"
        return bool(self.stopped)


def stopped_after(seconds: float) -> str:
    """Say that a statement was stopped by the clock."""
    return f"query stopped after {seconds:.1f} s" if seconds >= 0.1 else f"query stopped after {seconds} s"


class Connection:
    """A connection of one thread to one database, with every layer in place.

    Args:
        database: the file or image.
        profile: how large values and programs may be.

    Attributes:
        image_bytes: bytes of memory that its copy of an image takes; 0 for a file.

    Raises:
        DataError: the file or image is not a readable SQLite database.
    """

    def __init__(self, database: Database, profile: Profile) -> None:
        self.image_bytes = len(database.image or b"")
        self._profile = profile
        with data_faults(database):
            self._apsw = open_read_only(database)
            rows = self._apsw.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")
            self._tables = frozenset(name.lower() for (name,) in rows if not _is_internal(name))
            modules = self._apsw.execute("SELECT name FROM pragma_module_list")
            self._modules = _EPONYMOUS.union(name.lower() for (name,) in modules)
        for limit, value in _LIMITS.items():
            self._apsw.limit(limit, value)
        self._apsw.limit(apsw.SQLITE_LIMIT_VDBE_OP, profile.operations)
        self._apsw.authorizer = self._authorize
        self._reads: set[tuple[str, str]] = set()
        self._superlinear = False
        self._refusal = ""

    def close(self) -> None:
        """Close the connection."""
        self._apsw.close()

    def run(self, sql: str, limits: Limits) -> QueryResult:
        """Run one statement that ``require_text`` accepts.

        Raises:
            BudgetError: it ran past a limit or past the profile; the message names it.
            AgentError: SQLite or this environment refuses it.
        """
        meter = _Meter(limits)
        try:
            try:
                return self._execute(sql, limits, meter, _unchanged)
            except UnicodeDecodeError:
                return self._execute(_as_bytes(self._statement, self._columns), limits, meter, _decoded)
        except Exception as error:
            told = self._told(error, meter)
            if told is None:
                raise
            raise told from None
        finally:
            self._apsw.set_progress_handler(None)

    def _execute(self, sql: str, limits: Limits, meter: _Meter, decode: Any) -> QueryResult:
        self._reads, self._superlinear, self._refusal = set(), False, ""
        self._columns: tuple[str, ...] = ()
        self._statement = ""
        self._apsw.limit(apsw.SQLITE_LIMIT_LENGTH, self._profile.value_bytes)
        self._apsw.set_progress_handler(meter, meter.INTERVAL)
        cursor = self._apsw.cursor()
        cursor.exec_trace = partial(self._before_first_step, sql)
        try:
            kept, total, complete = _fetch(decode(cursor.execute(sql, can_cache=False)), limits)
        finally:
            cursor.close(True)
        reads = frozenset(read for read in self._reads if read[1] or not _defines(sql, read[0]))
        return QueryResult(self._columns, kept, total, complete, reads, meter.vm_steps)

    def _before_first_step(self, text: str, cursor: apsw.Cursor, sql: str, _bindings: Any) -> bool:
        """Look at the prepared statement: EXPLAIN and a second statement are unseen by the authorizer."""
        if not cursor.has_vdbe:
            if self._columns:
                return True  # a comment behind the statement
            raise StatementError("there is no statement; write one SELECT")
        if _REST.sub("", text[len(sql) :]) or self._columns:
            raise ForbiddenError("one statement at a time")
        if cursor.is_explain:
            raise ForbiddenError("EXPLAIN is not available; use DESCRIBE to see a table")
        self._columns = _named_for_ever([name for name, *_ in cursor.get_description()])
        if not self._columns:
            raise ForbiddenError(_READ_ONLY)
        self._statement = sql
        # One row is in memory as a whole, in SQLite and in Python, at up to four bytes for each of text.
        longest = self._profile.superlinear_bytes if self._superlinear else self._profile.value_bytes
        self._apsw.limit(apsw.SQLITE_LIMIT_LENGTH, min(longest, 4_000_000 // len(self._columns)))
        return True

    def _authorize(self, operation: int, first: Any, second: Any, _database: Any, _view: Any) -> int:
        if operation in (apsw.SQLITE_SELECT, apsw.SQLITE_RECURSIVE):
            return apsw.SQLITE_OK
        if operation == apsw.SQLITE_READ:
            return self._authorize_read(first.lower(), second.lower())
        if operation == apsw.SQLITE_FUNCTION:
            name = second.lower()
            self._superlinear = self._superlinear or name in _SUPERLINEAR
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

    def _told(self, error: Exception, meter: _Meter) -> AgentError | None:
        """Return what the agent is told of an error; None for one of ours, and for what says so already."""
        if isinstance(error, UnicodeDecodeError):
            return StatementError("this text is not valid UTF-8; look at it with hex()")
        if isinstance(error, apsw.AuthError):
            return ForbiddenError(self._refusal or "this statement is not allowed")
        if isinstance(error, apsw.ReadOnlyError):
            return ForbiddenError(_READ_ONLY)
        if isinstance(error, apsw.InterruptError):
            return BudgetError(meter.stopped, by_clock=meter.by_clock)
        if isinstance(error, apsw.TooBigError):
            longest = self._apsw.limit(apsw.SQLITE_LIMIT_LENGTH)
            return BudgetError(f"a value in this statement is longer than {longest:,} bytes")
        if isinstance(error, apsw.NoMemError | MemoryError):
            return BudgetError("query stopped: it is too complex, or needs too much memory")
        if isinstance(error, apsw.SQLError):
            return ForbiddenError(self._refusal) if self._refusal else StatementError(str(error))
        if isinstance(error, apsw.MismatchError | apsw.RangeError | apsw.BindingsError):
            return StatementError(str(error))
        return None


class Connections:
    """One thread's connections under one profile.

    Beyond MAX_CONNECTIONS, or MAX_IMAGE_BYTES, the least recently used are closed.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._open: OrderedDict[str, Connection] = OrderedDict()

    def get(self, database: Database) -> Connection:
        """Return the connection to a database.

        Raises:
            DataError: the file or image is not a readable SQLite database.
        """
        key = database.key
        found = self._open.get(key)
        if found is None:
            found = self._open[key] = Connection(database, self._profile)
            while len(self._open) > 1 and self._is_beyond_bounds():
                self._open.popitem(last=False)[1].close()
        else:
            self._open.move_to_end(key)
        return found

    def _is_beyond_bounds(self) -> bool:
        image_bytes = sum(connection.image_bytes for connection in self._open.values())
        return len(self._open) > MAX_CONNECTIONS or image_bytes > MAX_IMAGE_BYTES


Ask: TypeAlias = Callable[..., list[tuple[Any, ...]]]
"""Runs a statement of our own with its arguments and returns its rows."""


@contextmanager
def inspecting(database: Database) -> Iterator[Ask]:
    """Open a database for statements of our own, without authorizer or budget.

    Raises:
        DataError: the file is not a readable SQLite database.
    """
    with data_faults(database), closing(open_read_only(database)) as connection:
        yield lambda sql, *arguments: list(connection.execute(sql, arguments))


def inspect(database: Database, sql: str, *arguments: SQLValue) -> list[tuple[Any, ...]]:
    """Run one statement of our own; see ``inspecting``."""
    with inspecting(database) as ask:
        return ask(sql, *arguments)


def open_read_only(database: Database) -> apsw.Connection:
    """Open a database so that nothing can be written, loaded or attached."""
    connection = apsw.Connection(
        immutable_uri(database.path) if database.image is None else ":memory:",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_NOMUTEX,
        vfs=_FrozenClock.NAME,
        statementcachesize=0,
    )
    if database.image is not None:
        connection.deserialize("main", read_only_image(database.image))
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


def immutable_uri(path: Path) -> str:
    """Return the URI by which SQLite opens a file that it must neither write nor lock."""
    # Resolved, because a Python VFS takes SQLite's "this is a symbolic link" for an error.
    return f"file:{quote(str(path.resolve()))}?immutable=1&mode=ro"


def read_only_image(image: bytes) -> bytearray:
    """Return a copy of an image that SQLite itself will not write to, since it does not know its write version.

    The flag of the connection does not reach as far as an image. The read version is the one without a write-ahead
    log, which memory has no room for, as ``immutable`` leaves it aside in a file.
    """
    copy = bytearray(image)
    copy[18:20] = b"\x03\x01"
    return copy


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
    statement = sql.rstrip().rstrip(";") + (" */" if "/*" in _TOKEN.sub("", sql) else "")
    return f'WITH "sql env bytes" ({names}) AS ({statement}\n) SELECT {marked} FROM "sql env bytes"'  # noqa: S608


_COMMENT = re.compile(r"--[^\n]*|/\*.*?(\*/|$)", re.DOTALL)
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/""", re.DOTALL)
"""What may hold a comment's beginning without being one that is left open."""
_REST = re.compile(r"\s+|;|--[^\n]*|/\*.*?(\*/|$)", re.DOTALL)


def _defines(sql: str, table: str) -> bool:
    """Return whether a statement seems to define a common table expression of this name.

    The authorizer cannot tell one of which only rows count from the table.
    """
    if "with" not in sql.lower():
        return False
    sql = _COMMENT.sub(" ", sql)
    definition = rf"\b{re.escape(table)}\b[\"`\]']?\s*(?:\([^()]*\)\s*)?AS\s*(?:NOT\s+)?(?:MATERIALIZED\s*)?\("
    return re.search(r"\bWITH\b", sql, re.IGNORECASE) is not None and bool(re.search(definition, sql, re.IGNORECASE))


def _is_internal(name: str) -> bool:
    return name.lower().startswith(("sqlite_", "pragma_"))


def require_text(sql: str) -> None:
    """Refuse what the binding cannot carry and what is too long to parse."""
    try:
        size = len(sql) if sql.isascii() else len(sql.encode())
    except UnicodeEncodeError:
        raise StatementError("the statement is not valid Unicode text") from None
    if "\0" in sql:
        raise StatementError("the statement holds a NUL character")
    if size > MAX_SQL_BYTES:
        raise LimitError(f"the statement is longer than {MAX_SQL_BYTES:,} bytes")


def _named_for_ever(names: list[str]) -> tuple[str, ...]:
    """Replace the random numbers that SQLite appends from the fifth column of the same name on."""
    named = list(names)
    for i, name in enumerate(names):
        base, _, number = name.rpartition(":")
        if base in names and number.isdecimal() and len(number) > 3:
            named[i] = next(f"{base}:{n}" for n in range(1, len(names) + 1) if f"{base}:{n}" not in named)
    return tuple(named)


@contextmanager
def data_faults(database: Database) -> Iterator[None]:
    """Turn an unreadable file or image into a DataError that names it."""
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
