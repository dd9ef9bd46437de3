"""Worlds: a few entities of a domain as tables with columns, keys and rows, under one style of naming."""

from dataclasses import dataclass, field
from typing import Final

from sql_env.server.databases import SQLValue
from sql_env.server.formatting import quoted_if_needed
from sql_env.server.procedural.chance import Chance
from sql_env.server.procedural.domain import Attribute, Bridge, Domain, Entity, Label, Link
from sql_env.server.procedural.values import FlagTexts

FLAGS: Final[tuple[FlagTexts, ...]] = ((0, 1), ("no", "yes"), ("N", "Y"))


@dataclass(frozen=True)
class Style:
    """How a world writes names and flags.

    Attributes:
        case: ``snake``, ``camel`` or ``pascal``.
        plural: whether tables are named in the plural.
        own_key: the primary key's name; ``{}`` is the entity.
        reference: a foreign key's name; ``{}`` is the role.
        flags: how no and yes are stored.
    """

    case: str
    plural: bool
    own_key: str
    reference: str
    flags: FlagTexts

    @classmethod
    def drawn(cls, chance: Chance) -> "Style":
        """Draw a style."""
        key = chance.weighted(("id", "{}_id", "{}_key"), (5, 4, 1))
        return cls(
            case=chance.weighted(("snake", "camel", "pascal"), (6, 2, 2)),
            plural=chance.happens(0.4),
            own_key=key,
            reference="{}_key" if key == "{}_key" else "{}_id",
            flags=chance.weighted(FLAGS, (6, 2, 1)),
        )

    def name(self, words: str) -> str:
        """Write words joined by ``_`` in this style."""
        if self.case == "snake":
            return words
        pascal = "".join(word[:1].upper() + word[1:] for word in words.split("_"))
        return pascal if self.case == "pascal" else pascal[:1].lower() + pascal[1:]


@dataclass(eq=False)
class Column:
    """A column with its values, one for each row.

    Attributes:
        attribute: what it tells of an entity; None for keys and distractors.
    """

    name: str
    type: str
    values: list[SQLValue]
    attribute: Attribute | None = None

    @property
    def known(self) -> list[SQLValue]:
        """The values that are not NULL."""
        return [value for value in self.values if value is not None]


@dataclass(frozen=True)
class Reference:
    """A foreign key of a table.

    Attributes:
        link: what it means.
        column: the key's column.
        target: the table it refers to.
    """

    link: Link
    column: Column
    target: "Table"


@dataclass(eq=False)
class Table:
    """A table of a world.

    Attributes:
        name: its name.
        entity: what its rows are.
        key: its primary key; None for a table that has none.
        columns: columns of attributes, in the entity's order, its label first.
        references: its foreign keys.
        extras: columns that no question is about.
    """

    name: str
    entity: Entity
    key: Column | None
    columns: list[Column]
    references: list[Reference] = field(default_factory=list)
    extras: list[Column] = field(default_factory=list)

    @property
    def label(self) -> Column | None:
        """The column that identifies a row to people."""
        return self.columns[0] if self.columns and isinstance(self.columns[0].attribute, Label) else None

    @property
    def all_columns(self) -> list[Column]:
        """Every column, in the order of the schema."""
        keys = [self.key] if self.key else []
        return [*keys, *self.columns, *(reference.column for reference in self.references), *self.extras]

    @property
    def rows(self) -> list[tuple[SQLValue, ...]]:
        """The rows."""
        return list(zip(*(column.values for column in self.all_columns), strict=True))

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.all_columns[0].values)


@dataclass(frozen=True)
class World:
    """Tables that belong together.

    Attributes:
        domain: where its words are from.
        style: how it writes names and flags.
        tables: those that questions are about.
        spares: distractor tables.
    """

    domain: Domain
    style: Style
    tables: tuple[Table, ...]
    spares: tuple[Table, ...]

    def table(self, entity: str) -> Table | None:
        """Return the table of an entity, if the world has it."""
        return next((table for table in self.tables if table.entity.name == entity), None)

    @property
    def bridges(self) -> list[Bridge]:
        """The many-to-many relations of which all three tables are there."""
        names = {table.entity.name for table in self.tables}
        return [b for b in self.domain.bridges if {b.entity, b.left, b.right} <= names]

    def schema(self) -> str:
        """Return the CREATE statements, in alphabetical order of the tables."""
        return ";\n".join(map(_create, sorted((*self.tables, *self.spares), key=lambda table: table.name.lower())))


def _create(table: Table) -> str:
    lines = []
    for column in table.all_columns:
        if column is table.key:
            lines.append(f"{quoted_if_needed(column.name)} {column.type} PRIMARY KEY")
        else:
            required = "" if None in column.values else " NOT NULL"
            lines.append(f"{quoted_if_needed(column.name)} {column.type}{required}")
    for reference in table.references:
        target = reference.target
        if target.key is not None:
            lines.append(
                f"FOREIGN KEY ({quoted_if_needed(reference.column.name)}) "
                f"REFERENCES {quoted_if_needed(target.name)} ({quoted_if_needed(target.key.name)})"
            )
    body = ",\n  ".join(lines)
    return f"CREATE TABLE {quoted_if_needed(table.name)} (\n  {body}\n)"
