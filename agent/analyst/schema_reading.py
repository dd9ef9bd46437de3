"""What an analyst has learned of a database, read from the text that DESCRIBE shows.

Names arrive as they have to be written in SQL and are kept so; ``bare`` takes the quotes off.
"""

import re
from collections import deque
from dataclasses import dataclass, field

_NAME = r'(?:"(?:[^"]|"")*"|[^\s,()"]+)'
_HEAD = re.compile(rf"(?:Table|View) ({_NAME}), [\d,]+ rows?$")
_COLUMN = re.compile(rf"  ({_NAME})(?: (.*))?$")
_FOREIGN = re.compile(rf"  FOREIGN KEY \((.+)\) REFERENCES ({_NAME})(?: \((.+)\))?$")


@dataclass(frozen=True)
class Column:
    """A column; ``table`` and ``name`` as they are written in SQL."""

    table: str
    name: str
    type: str = ""
    is_key: bool = False

    @property
    def sql(self) -> str:
        """The column's full name."""
        return f"{self.table}.{self.name}"

    @property
    def is_number(self) -> bool:
        """Whether it is declared to hold numbers."""
        return bool(re.search(r"INT|REAL|NUM|DEC|DOUB|FLOA", self.type.upper()))


@dataclass(frozen=True)
class Link:
    """A foreign key: ``columns`` of ``table`` refer to ``target_columns`` of ``target``."""

    table: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]

    @property
    def sql(self) -> str:
        """The condition of the join."""
        pairs = zip(self.columns, self.target_columns, strict=False)
        return " AND ".join(f"{self.table}.{source} = {self.target}.{target}" for source, target in pairs)


@dataclass(frozen=True)
class Table:
    """A described table."""

    name: str
    columns: tuple[Column, ...]
    links: tuple[Link, ...] = ()

    @property
    def key(self) -> Column | None:
        """Its primary key, if that is one column."""
        return next((column for column in self.columns if column.is_key), None)


def bare(name: str) -> str:
    """Return a name without its quotes."""
    return name[1:-1].replace('""', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name


def read_names(schema_info: str) -> list[str]:
    """Return the tables' names from the first line of ``schema_info``."""
    return re.findall(_NAME, schema_info.split("\n", 1)[0].removeprefix("Tables: "))


def read_table(text: str) -> Table | None:
    """Read what DESCRIBE shows; None if it is no description."""
    lines = text.split("\n")
    if (head := _HEAD.match(lines[0])) is None:
        return None
    columns, links = [], []
    for line in lines[1:]:
        if foreign := _FOREIGN.match(line):
            source, target, to = foreign.groups()
            links.append(Link(head[1], _split(source), target, _split(to or "")))
        elif line.startswith("  PRIMARY KEY (") or (column := _COLUMN.match(line)) is None:
            continue
        else:
            notes = column[2] or ""
            columns.append(Column(head[1], column[1], notes.partition(" ")[0], "PRIMARY KEY" in notes))
    return Table(head[1], tuple(columns), tuple(links))


def _split(names: str) -> tuple[str, ...]:
    return tuple(re.findall(_NAME, names))


@dataclass
class Notebook:
    """What is known of a database.

    Attributes:
        names: every table.
        tables: those described, by name.
        found: values of columns that the question mentions.
        flags: columns that hold nothing but 0 and 1.
        dates: columns that hold dates.
    """

    names: list[str] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    found: list[tuple[Column, str]] = field(default_factory=list)
    flags: set[Column] = field(default_factory=set)
    dates: set[Column] = field(default_factory=set)

    @property
    def columns(self) -> list[Column]:
        """Every known column."""
        return [column for table in self.tables.values() for column in table.columns]

    @property
    def links(self) -> list[Link]:
        """Every known foreign key between described tables; one that names no column means the primary key."""
        by_fold = {bare(name).lower(): table for name, table in self.tables.items()}
        links = []
        for table in self.tables.values():
            for link in table.links:
                target = by_fold.get(bare(link.target).lower())
                if target is not None:
                    to = link.target_columns or ((target.key.name,) if target.key else ())
                    if len(to) == len(link.columns):
                        links.append(Link(link.table, link.columns, target.name, to))
        return links

    def neighbours(self) -> list[str]:
        """Return the tables not yet described to which foreign keys of those described refer."""
        known = {bare(name).lower() for name in self.tables}
        by_fold = {bare(name).lower(): name for name in self.names}
        targets = [bare(link.target).lower() for table in self.tables.values() for link in table.links]
        return list(dict.fromkeys(by_fold[target] for target in targets if target in by_fold and target not in known))

    def path(self, joined: list[str], goal: str) -> list[Link] | None:
        """Return the fewest joins that lead from the joined tables to another one; None if there are none."""
        queue: deque[tuple[str, list[Link]]] = deque((table, []) for table in joined)
        seen = set(joined)
        while queue:
            table, taken = queue.popleft()
            if table == goal:
                return taken
            for link in self.links:
                for here, there in ((link.table, link.target), (link.target, link.table)):
                    if here == table and there not in seen:
                        seen.add(there)
                        queue.append((there, [*taken, link]))
        return None
