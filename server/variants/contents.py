"""A database's whole contents in memory: its schema's text and its rows, read from it and written as another one."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import apsw

from sql_env.server.databases import Database, SQLValue
from sql_env.server.sandbox import data_faults, open_read_only
from sql_env.server.schema import quoted

Values: TypeAlias = list[SQLValue]
Place: TypeAlias = tuple[int, int]
"""A column: its table's number and its own."""


class Row:
    """A row on its way into a variant.

    Attributes:
        values: what is to be written.
        fallback: what is written instead where constraints refuse ``values``; None for a row that may be left out.
        orphaned: numbers of the foreign keys that it broke before anything was changed.
    """

    __slots__ = ("fallback", "orphaned", "values")

    def __init__(self, values: Values, orphaned: frozenset[int] = frozenset()) -> None:
        self.values = values
        self.fallback: Values | None = None
        self.orphaned = orphaned


Rows: TypeAlias = list[list[Row]]
"""The rows of every table, in the tables' order."""


@dataclass(frozen=True)
class StoredTable:
    """A table that holds rows; generated columns are left out.

    Attributes:
        name: its name.
        columns: its columns' names.
        unique: sets of columns, by number, of which no two rows may hold the same.
    """

    name: str
    columns: tuple[str, ...]
    unique: tuple[tuple[int, ...], ...]

    @property
    def unique_columns(self) -> frozenset[int]:
        """Columns that are unique by themselves."""
        return frozenset(columns[0] for columns in self.unique if len(columns) == 1)


@dataclass(frozen=True)
class Reference:
    """A foreign key: columns of one table refer to columns of another, as many."""

    sources: tuple[Place, ...]
    targets: tuple[Place, ...]


@dataclass(frozen=True)
class Structure:
    """What a database consists of but for its rows.

    Attributes:
        encoding: how it stores text.
        statements: the statements that make it: tables, indices, views, triggers.
        tables: the tables that hold rows.
        references: its foreign keys, as far as they name tables and columns that exist.
        virtual: whether it has virtual tables, which cannot be copied row by row.
    """

    encoding: str
    statements: tuple[str, ...]
    tables: tuple[StoredTable, ...]
    references: tuple[Reference, ...] = field(default=())
    virtual: bool = False


def read_structure(database: Database) -> Structure:
    """Read what a database consists of.

    Raises:
        DataError: the file is not a readable SQLite database.
    """
    with data_faults(database), closing(open_read_only(database)) as connection:
        encoding = str(connection.pragma("encoding"))
        found = list(
            connection.execute(
                "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL "
                "AND lower(name) NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY rowid"
            )
        )
        kinds = ("table", "index", "view", "trigger")
        statements = tuple(sql for kind in kinds for found_kind, _, sql in found if found_kind == kind)
        names = [name for kind, name, _ in found if kind == "table"]
        listed = connection.execute("SELECT name, type FROM pragma_table_list WHERE schema = 'main'")
        virtual = any(kind in ("virtual", "shadow") for _, kind in listed)
        tables = () if virtual else tuple(_read_table(connection, name) for name in names)
        references = tuple(_read_references(connection, tables))
    return Structure(encoding, statements, tables, references, virtual)


def _read_table(connection: apsw.Connection, name: str) -> StoredTable:
    listed = list(
        connection.execute("SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid", (name,))
    )
    columns = tuple(column for column, _ in listed)
    key = tuple(number for number, (_, position) in enumerate(listed) if position)
    unique = {key} if key else set()
    for (index,) in list(
        connection.execute('SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', (name,))
    ):
        parts = [part for (part,) in connection.execute("SELECT name FROM pragma_index_info(?)", (index,))]
        if parts and all(part in columns for part in parts):
            unique.add(tuple(sorted(columns.index(part) for part in parts)))
    return StoredTable(name, columns, tuple(sorted(unique)))


def _read_references(connection: apsw.Connection, tables: Sequence[StoredTable]) -> Iterator[Reference]:
    numbers = {table.name.lower(): number for number, table in enumerate(tables)}
    for number, table in enumerate(tables):
        listed = 'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq'
        keys: dict[int, list[tuple[str, str, str | None]]] = {}
        for key, *part in connection.execute(listed, (table.name,)):
            keys.setdefault(key, []).append((part[0], part[1], part[2]))
        for parts in keys.values():
            target = numbers.get(parts[0][0].lower())
            if target is not None:
                found = _resolved(number, table, target, tables[target], parts, connection)
                yield from [found] if found else []


def _resolved(
    number: int,
    table: StoredTable,
    target: int,
    target_table: StoredTable,
    parts: list[tuple[str, str, str | None]],
    connection: apsw.Connection,
) -> Reference | None:
    listed = "SELECT name FROM pragma_table_xinfo(?) WHERE pk ORDER BY pk"
    key = [name for (name,) in connection.execute(listed, (target_table.name,))]
    wanted = [to if to is not None else key[i] if i < len(key) else "" for i, (_, _, to) in enumerate(parts)]
    sources = [_position(table, source) for _, source, _ in parts]
    targets = [_position(target_table, name) for name in wanted]
    if None in sources or None in targets:
        return None
    return Reference(
        tuple((number, column) for column in sources if column is not None),
        tuple((target, column) for column in targets if column is not None),
    )


def _position(table: StoredTable, column: str) -> int | None:
    return next((i for i, name in enumerate(table.columns) if name.lower() == column.lower()), None)


def read_rows(database: Database, structure: Structure) -> list[list[Values]]:
    """Read every row, in the order in which it is stored. Text that is no UTF-8 comes with lone surrogates.

    Raises:
        DataError: the file is not a readable SQLite database.
    """
    with data_faults(database), closing(open_read_only(database)) as connection:
        return [_read_all(connection, table) for table in structure.tables]


def _read_all(connection: apsw.Connection, table: StoredTable) -> list[Values]:
    names = ", ".join(map(quoted, table.columns))
    try:
        return [list(row) for row in connection.execute(f"SELECT {names} FROM {quoted(table.name)}")]  # noqa: S608
    except UnicodeDecodeError:
        marked = ", ".join(
            f"typeof({name}), CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END"
            for name in map(quoted, table.columns)
        )
        found = connection.execute(f"SELECT {marked} FROM {quoted(table.name)}")  # noqa: S608
        return [[_unmarked(kind, cell) for kind, cell in zip(row[::2], row[1::2], strict=True)] for row in found]


def _unmarked(kind: Any, cell: Any) -> SQLValue:
    return cell.decode("utf-8", "surrogateescape") if kind == "text" and isinstance(cell, bytes) else cell


def write(structure: Structure, rows: Rows) -> bytes:
    """Write a database with these rows and return its image; rows that constraints refuse are left out.

    Every constraint but foreign keys holds. A row whose foreign keys come to nothing, and did not before, is left
    out too.
    """
    kept, image = _written(structure, rows)
    whole = _without_orphans(structure, kept)
    return image if whole == kept else _written(structure, whole)[1]


def _written(structure: Structure, rows: Rows) -> tuple[Rows, bytes]:
    with closing(apsw.Connection(":memory:")) as connection:
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 1)
        connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 1)
        connection.pragma("encoding", structure.encoding)
        with connection:
            for statement in structure.statements:
                connection.execute(statement)
            kept = [_insert(connection, table, own) for table, own in zip(structure.tables, rows, strict=True)]
        connection.execute("VACUUM")
        image = connection.serialize("main")
    return kept, image[:96] + bytes(4) + image[100:]  # without the version of SQLite that wrote it


def _insert(connection: apsw.Connection, table: StoredTable, rows: list[Row]) -> list[Row]:
    """Insert a table's rows, at once if nothing conflicts, else one by one; return those that are in."""
    names, marks = ", ".join(map(quoted, table.columns)), ", ".join("?" * len(table.columns))
    statement = f"INSERT INTO {quoted(table.name)} ({names}) VALUES ({marks})"  # noqa: S608
    try:
        with connection:
            connection.executemany(statement, [row.values for row in rows])
        return rows
    except (apsw.ConstraintError, apsw.MismatchError, UnicodeEncodeError):
        pass
    kept = []
    for row in rows:
        if _insert_one(connection, statement, row.values):
            kept.append(row)
        elif row.fallback is not None and _insert_one(connection, statement, row.fallback):
            row.values = row.fallback
            kept.append(row)
    return kept


def _insert_one(connection: apsw.Connection, statement: str, values: Values) -> bool:
    """Insert a row, text that is no UTF-8 too; return False where constraints refuse it."""
    marks = ", ".join("CAST(? AS TEXT)" if _bytes_of(value) is not None else "?" for value in values)
    given = [value if (found := _bytes_of(value)) is None else found for value in values]
    try:
        connection.execute(f"{statement.rpartition('(')[0]}({marks})", given)
    except (apsw.ConstraintError, apsw.MismatchError):
        return False
    return True


def _bytes_of(value: SQLValue) -> bytes | None:
    """Return the bytes of a text that is no UTF-8; None for anything else."""
    if isinstance(value, str) and not value.isascii() and any("\udc80" <= char <= "\udcff" for char in value):
        return value.encode("utf-8", "surrogateescape")
    return None


def orphans(structure: Structure, rows: Rows, number: int) -> set[int]:
    """Return which rows of a foreign key's table refer to nothing, by their place in it."""
    reference = structure.references[number]
    table, target = reference.sources[0][0], reference.targets[0][0]
    if len(reference.sources) == 1:
        source, owner = reference.sources[0][1], reference.targets[0][1]
        held = {identity(row.values[owner]) for row in rows[target]} | {None}
        return {place for place, row in enumerate(rows[table]) if identity(row.values[source]) not in held}
    there = {_key(row.values, reference.targets) for row in rows[target]}
    return {
        place
        for place, row in enumerate(rows[table])
        if None not in (key := _key(row.values, reference.sources)) and key not in there
    }


def _key(values: Values, places: Sequence[Place]) -> tuple[Any, ...]:
    return tuple(identity(values[column]) for _, column in places)


def _without_orphans(structure: Structure, rows: Rows) -> Rows:
    """Leave out rows that break a foreign key which they did not break before, until none does."""
    rows, gone = list(rows), True
    while gone:
        gone = False
        for number, reference in enumerate(structure.references):
            table = reference.sources[0][0]
            found = {p for p in orphans(structure, rows, number) if number not in rows[table][p].orphaned}
            if found:
                rows[table] = [row for place, row in enumerate(rows[table]) if place not in found]
                gone = True
    return rows


def identity(value: SQLValue) -> tuple[str, Any] | None:
    """Return what makes two keys equal: SQLite compares 1, 1.0 and, in most columns, '1' as equal."""
    if isinstance(value, int):
        return "n", value
    if value is None:
        return None
    if isinstance(value, float):
        return ("n", int(value)) if value.is_integer() else ("f", value)
    if isinstance(value, bytes):
        return "b", value
    plain = value.isascii() and len(value) < 19 and value.removeprefix("-").isdigit() and str(int(value)) == value
    return ("n", int(value)) if plain else ("t", value)


def in_its_form(key: Any, like: SQLValue) -> SQLValue:
    """Return a key's value in the storage class of the value that it replaces."""
    if isinstance(like, float):
        return float(key)
    return str(key) if isinstance(like, str) else key
