"""What distracts in a world: columns and tables that no question is about, some of which look like others."""

from collections.abc import Callable, Sequence

from sql_env.server.databases import SQLValue
from sql_env.server.procedural.chance import Chance
from sql_env.server.procedural.domain import Entity
from sql_env.server.procedural.values import make_values
from sql_env.server.procedural.world import Column, Style, Table


def extra_columns(chance: Chance, style: Style, count: int) -> list[Column]:
    """Return columns of bookkeeping."""
    users = ("import", "office", "jk", "system", "mwb")
    notes = (None, None, None, "check again", "see file", "moved", "double entry?", "ok")
    stock: list[tuple[str, str, Callable[[], SQLValue]]] = [
        ("remarks", "TEXT", lambda: chance.choice(notes)),
        ("updated_by", "TEXT", lambda: chance.choice(users)),
        (
            "created_at",
            "TEXT",
            lambda: f"20{chance.between(19, 24)}-0{chance.between(1, 9)}-1{chance.below(10)} 08:00:00",
        ),
        ("sort_order", "INTEGER", lambda: chance.between(1, 99)),
        ("legacy_code", "TEXT", lambda: f"X{chance.between(100, 999)}"),
        ("row_version", "INTEGER", lambda: chance.between(1, 5)),
    ]
    chosen = chance.sample(stock, chance.between(1, 3))
    return [Column(style.name(name), kind, [draw() for _ in range(count)]) for name, kind, draw in chosen]


def spare_tables(chance: Chance, style: Style, tables: Sequence[Table], count: int) -> list[Table]:
    """Return tables that look like others, or that no question is about."""
    copied = chance.sample(tables, count)
    suffixes = chance.shuffled(("archive", "old", "backup_2019", "import", "draft"))
    found = []
    for number in range(count):
        if number == 0 or chance.happens(0.5):
            found.append(_lookalike(chance, style, copied[number % len(copied)], suffixes[number]))
        else:
            found.append(_bookkeeping(chance, style))
    return found


def _lookalike(chance: Chance, style: Style, table: Table, suffix: str) -> Table:
    count = chance.between(3, 12)
    columns = []
    for column in table.columns:
        if column.attribute is not None:
            values = make_values(chance.fork(column.name), column.attribute, count, style.flags)
            values = [values[row % len(values)] for row in range(count)]
            columns.append(Column(column.name, column.type, values, column.attribute))
    key = Column(table.key.name, "INTEGER", list(range(1, count + 1))) if table.key else None
    return Table(_joined(style, table.name, suffix), table.entity, key, columns)


def _joined(style: Style, name: str, suffix: str) -> str:
    return f"{name}_{suffix}" if style.case == "snake" else name + Style("pascal", False, "", "", (0, 1)).name(suffix)


def _bookkeeping(chance: Chance, style: Style) -> Table:
    count = chance.between(4, 15)
    name, kinds = chance.choice((("change_log", ("insert", "update", "delete")), ("import_batch", ("done", "failed"))))
    key = Column(style.name("id"), "INTEGER", list(range(1, count + 1)))
    columns = [
        Column(style.name("kind"), "TEXT", [chance.choice(kinds) for _ in range(count)]),
        Column(style.name("row_count"), "INTEGER", [chance.between(0, 400) for _ in range(count)]),
    ]
    entity = Entity(name=name, one=name, many=name, rows="few")
    return Table(style.name(name), entity, key, columns)
