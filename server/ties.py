"""Does a gold depend on luck, that is, on the order in which rows happen to be stored?

Two tests, since neither suffices. The gold runs on copies of its database without keys or indices, whose rows lie in
reversed and in shuffled order: that shows most ties, and columns that GROUP BY leaves open. SQLite's own sorting, for
GROUP BY or UNION, hides others from it: those are found by comparing the ORDER BY keys of neighbouring rows, up to
one row beyond the LIMIT.
"""

import itertools
import random
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from enum import StrEnum

import apsw
from sqlglot import exp

from sql_env.server.databases import Database, SQLValue
from sql_env.server.engine import Runs
from sql_env.server.errors import AgentError, DataError
from sql_env.server.sandbox import QueryResult, data_faults, immutable_uri, read_only_image
from sql_env.server.schema import quoted
from sql_env.server.structure import sort_key_columns, with_sort_keys

SHUFFLES = 3
"""Row-shuffled copies, besides a reversed one, on which a gold has to give the same result."""


class Tie(StrEnum):
    """How a gold depends on the order of stored rows."""

    ROWS = "rows"
    ORDER = "order"
    KEYS = "keys"


def find_tie(
    engine: Runs, database: Database, copies: Sequence[Database], sql: str, tree: exp.Expr, result: QueryResult
) -> Tie | None:
    """Return how a gold depends on luck, or None.

    Args:
        engine: has to keep all rows.
        database: the gold's database.
        copies: the same with its rows in other orders (``reordered_copies``).
        sql: the gold.
        tree: its syntax tree.
        result: what it gave.
    """
    ordered = tree.args.get("order") is not None
    found = {_difference(engine, copy, sql, result, ordered) for copy in copies}
    for tie in (Tie.ROWS, Tie.ORDER):
        if tie in found:
            return tie
    return Tie.KEYS if _has_equal_keys(engine, database, tree) else None


def _difference(engine: Runs, copy: Database, sql: str, result: QueryResult, ordered: bool) -> Tie | None:
    try:
        other = engine.run(copy, sql)
    except AgentError:
        return Tie.ROWS
    ours, theirs = list(map(rounded, result.rows)), list(map(rounded, other.rows))
    if sorted(ours, key=repr) != sorted(theirs, key=repr):
        return Tie.ROWS
    return Tie.ORDER if ordered and ours != theirs else None


def _has_equal_keys(engine: Runs, database: Database, tree: exp.Expr) -> bool:
    """Return whether rows that look different share their ORDER BY keys, up to one row beyond the LIMIT."""
    probed = with_sort_keys(tree) or sort_key_columns(tree)
    if probed is None:
        return False
    probe, keys, shown = probed
    try:
        rows = engine.run(database, probe.sql(dialect="sqlite")).rows
    except AgentError:
        return False  # a key that cannot be selected as it stands; the copies have to suffice
    seen = [(rounded(row[:shown]), [row[key] for key in keys]) for row in rows]
    return any(a[1] == b[1] and a[0] != b[0] for a, b in itertools.pairwise(seen))


def rounded(row: Sequence[SQLValue]) -> list[SQLValue]:
    """Forgive the last bits of a float: a sum depends on the order of its terms."""
    return [float(f"{cell:.12g}") if isinstance(cell, float) else cell for cell in row]


# --- copies ----------------------------------------------------------------------------------------------


def reordered_copies(database: Database, tables: Collection[str] | None = None) -> list[Database]:
    """Copy a database in memory, its rows in other orders: one reversed, which exchanges any two, the others shuffled.

    Args:
        database: a file or an image.
        tables: what to copy, in lower case, as ``QueryResult.tables`` names it; where the database has a view,
            everything is copied all the same, since the view may read any table. None: everything.

    Raises:
        DataError: it cannot be read, or is too large to be copied in memory.
    """
    orders = [itertools.count(0, -1).__next__, *(random.Random(seed).random for seed in range(SHUFFLES))]
    with data_faults(database):
        try:
            return [Database.in_memory(database.db_id, _reordered(database, tables, order)) for order in orders]
        except apsw.NoMemError:
            raise DataError(f"{database.path} is too large to be copied in memory") from None


def _reordered(database: Database, tables: Collection[str] | None, order: Callable[..., float]) -> bytes:
    """Return an image without keys and indices that could restore its rows' order."""
    with closing(_beside(database)) as target:
        target.create_scalar_function("copy_order", order, 0)
        listed = (
            "SELECT name, type, sql FROM original.sqlite_schema WHERE type IN ('table', 'view') "
            "AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY type, name"
        )
        found = list(target.execute(listed))
        wanted = None if any(kind == "view" for _, kind, _ in found) else tables
        with target:
            for name, kind, sql in found:
                if kind == "view":
                    target.execute(sql)
                elif wanted is None or name.lower() in wanted:
                    _copy_reordered(target, name)
        return target.serialize("main")


def _beside(database: Database) -> apsw.Connection:
    """Return a connection to an empty database in memory, with another attached as ``original``."""
    connection = apsw.Connection(
        ":memory:", flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_NOMUTEX
    )
    if database.image is None:
        connection.execute("ATTACH ? AS original", (immutable_uri(database.path),))
    else:
        connection.execute("ATTACH ':memory:' AS original")
        connection.deserialize("original", read_only_image(database.image))
    return connection


def _copy_reordered(target: apsw.Connection, table: str) -> None:
    listed = "SELECT name FROM pragma_table_xinfo(?, 'original') WHERE hidden <> 1"
    names = [name for (name,) in target.execute(listed, (table,))]
    columns = []
    for name in names:
        kind, collation, *_ = target.column_metadata("original", table, name)
        columns.append(f"{quoted(name)} {quoted(kind) if kind else ''} COLLATE {quoted(collation)}")
    target.execute(f"CREATE TABLE main.{quoted(table)} ({', '.join(columns)})")
    rows = f"SELECT {', '.join(map(quoted, names))} FROM original.{quoted(table)} ORDER BY copy_order()"  # noqa: S608
    target.execute(f"INSERT INTO main.{quoted(table)} {rows}")
