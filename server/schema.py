"""What DESCRIBE shows: a database's tables, their columns, types, keys and row counts.

Read once per database by statements of our own; immutable and shared afterwards.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sql_env.server.databases import Database
from sql_env.server.sandbox import Ask, inspecting


@dataclass(frozen=True)
class Column:
    """A column as declared; ``key_position`` is its place in the primary key, from 1, or 0."""

    name: str
    type: str
    key_position: int
    not_null: bool


@dataclass(frozen=True)
class ForeignKey:
    """``columns`` of this table refer to ``target_columns`` of ``target``; none named means its primary key."""

    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table or view."""

    name: str
    is_view: bool
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...]
    row_count: int

    @cached_property
    def primary_key(self) -> tuple[str, ...]:
        """The primary key's columns, in the key's order."""
        columns = sorted((c for c in self.columns if c.key_position), key=lambda c: c.key_position)
        return tuple(column.name for column in columns)


@dataclass(frozen=True)
class Schema:
    """The tables of one database, in alphabetical order."""

    tables: tuple[Table, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The tables' names."""
        return tuple(table.name for table in self.tables)

    @cached_property
    def _by_name(self) -> dict[str, Table]:
        return {table.name.lower(): table for table in reversed(self.tables)}

    # What is shown of each table is the same every time: nobody has to make it twice.

    @cached_property
    def lines(self) -> dict[str | None, str]:
        """The lines of ``schema_info`` by table; that of the tables' names under None."""
        return {}

    @cached_property
    def descriptions(self) -> dict[str, str]:
        """What DESCRIBE showed of each table."""
        return {}

    @cached_property
    def samples(self) -> dict[str, Any]:
        """What SAMPLE gave of each table."""
        return {}

    def named(self, name: str) -> Table:
        """Return the table of exactly this name."""
        return self._by_name[name.lower()]

    def find(self, argument: str) -> Table | None:
        """Return the table that an agent names, in any case and with any SQLite quoting."""
        return self._by_name.get(unquoted(argument).lower())

    def explain_unknown(self, message: str, sql: str) -> str:
        """Add near names to SQLite's "no such table" or "no such column"."""
        match = _UNKNOWN.search(message)
        if match is None:
            return message
        kind, name = match["kind"], match["name"].rpartition(".")[2]
        known = self.names if kind == "table" else self._columns_near(sql)
        near = nearest(name, known)
        return f"{message}; did you mean {near}?" if near else message

    def _columns_near(self, sql: str) -> list[str]:
        """Columns of the tables that a statement names."""
        words = set(re.findall(r"\w+", sql.lower()))
        tables = [t for t in self.tables if words.issuperset(re.findall(r"\w+", t.name.lower()))]
        return [column.name for table in tables for column in table.columns]


_UNKNOWN = re.compile(r"no such (?P<kind>table|column): (?P<name>.+)")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name most like ``name``, or an empty string."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else ""


def unquoted(argument: str) -> str:
    """Strip blanks, a trailing semicolon, a ``main.`` prefix and SQLite's four kinds of quotes from a name."""
    name = _MAIN.sub("", argument.strip().rstrip(";").strip())
    for opening, closing in ('""', "``", "[]", "''"):
        if len(name) >= 2 and name[0] == opening and name[-1] == closing:
            return name[1:-1].replace(closing * 2, closing)
    return name


_MAIN = re.compile(r"""^(?:main|"main"|`main`|\[main\])\s*\.\s*""", re.IGNORECASE)


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def read_schema(database: Database) -> Schema:
    """Read a database's schema.

    Raises:
        DataError: the file is not a readable SQLite database.
    """
    with inspecting(database) as ask:
        found = ask(
            "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') "
            "AND lower(name) NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY lower(name)"
        )
        return Schema(tuple(_read_table(ask, name, kind == "view") for name, kind in found))


def _read_table(ask: Ask, name: str, is_view: bool) -> Table:
    columns = ask('SELECT name, type, pk, "notnull" FROM pragma_table_xinfo(?) WHERE hidden <> 1', name)
    count = ask(f"SELECT count(*) FROM {quoted(name)}")[0][0]  # noqa: S608 — quoted, ours
    return Table(
        name,
        is_view,
        tuple(Column(column, kind.upper(), pk, bool(not_null)) for column, kind, pk, not_null in columns),
        _read_foreign_keys(ask, name),
        count,
    )


def _read_foreign_keys(ask: Ask, table: str) -> tuple[ForeignKey, ...]:
    rows = ask('SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq', table)
    keys: dict[int, list[tuple[str, str, str | None]]] = {}
    for key, target, source, target_column in rows:
        keys.setdefault(key, []).append((target, source, target_column))
    return tuple(
        ForeignKey(
            tuple(source for _, source, _ in parts),
            parts[0][0],
            tuple(column for _, _, column in parts if column is not None),
        )
        for parts in keys.values()
    )
