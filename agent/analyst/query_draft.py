"""The parts of one SELECT, and the statement that looks up what of a question stands in a database."""

from dataclasses import dataclass, field

from sql_env.agent.analyst.question_reading import Reading, name_words
from sql_env.agent.analyst.schema_reading import Column, Notebook, Table, bare

_LOOKED_IN = 30
"""Most columns of a look-up; SQLEnv allows 32 parts of a compound SELECT."""
_LABELS = ("name", "title", "label")


@dataclass
class Draft:
    """The parts of one SELECT; ``tables`` are those it needs, the main one first."""

    shown: list[str] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    having: str = ""
    order: str = ""
    limit: str = ""
    distinct: bool = False
    tables: list[str] = field(default_factory=list)

    @property
    def plain(self) -> list[str]:
        """The columns shown as they are."""
        return [shown for shown in self.shown if "(" not in shown]

    def need(self, table: str) -> None:
        """Note that a table is needed."""
        if table not in self.tables:
            self.tables.append(table)

    def sql(self, notebook: Notebook) -> str | None:
        """Write the statement; None if nothing known joins its tables."""
        if not self.tables or not self.shown or (source := _joined(self.tables, notebook)) is None:
            return None
        parts = [f"SELECT {'DISTINCT ' * self.distinct}{', '.join(dict.fromkeys(self.shown))} FROM {source}"]  # noqa: S608 — the server runs it in a sandbox
        parts += [f"WHERE {' AND '.join(dict.fromkeys(self.where))}"] * bool(self.where)
        parts += [f"GROUP BY {', '.join(dict.fromkeys(self.group))}"] * bool(self.group)
        parts += [f"HAVING {self.having}"] * bool(self.having)
        parts += [f"ORDER BY {self.order}"] * bool(self.order)
        parts += [f"LIMIT {self.limit}"] * bool(self.limit)
        return " ".join(parts)


def _joined(tables: list[str], notebook: Notebook) -> str | None:
    source, joined = tables[0], tables[:1]
    for table in tables[1:]:
        if table in joined:
            continue
        if (path := notebook.path(joined, table)) is None:
            return None
        for link in path:
            new = link.target if link.table in joined else link.table
            joined.append(new)
            source += f" JOIN {new} ON {link.sql}"
    return source


def label(table: Table) -> list[Column]:
    """Return the columns that tell a table's rows apart for people: names, else the key, else the first."""
    named = [column for column in table.columns if set(name_words(bare(column.name))) & set(_LABELS)]
    return named[:1] or [column for column in (table.key,) if column] or list(table.columns[:1])


def text(value: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def lookup(reading: Reading, notebook: Notebook, limit: int = 20) -> str:
    """Write the statement that finds values of text columns in the question, columns of flags and columns of dates."""
    parts = [_lookup_in(column) for column in notebook.columns[:_LOOKED_IN]]
    said = f"WITH question(said) AS (SELECT {text(reading.text)}) SELECT * FROM ("  # noqa: S608 — the server runs it in a sandbox
    return said + " UNION ALL ".join(parts) + f") ORDER BY 2, length(value) DESC LIMIT {limit}"


def _lookup_in(column: Column) -> str:
    name, source = text(column.sql), f"FROM {column.table}"
    if column.is_number:
        bounds = f"SELECT COUNT(*) > 0 AND MIN({column.name}) = 0 AND MAX({column.name}) = 1 {source}"
        return f"SELECT {name} AS name, 'flag' AS kind, '' AS value WHERE ({bounds})"
    test = f"length({column.name}) > 1 AND instr(lower((SELECT said FROM question)), lower({column.name}))"  # noqa: S608 — as above
    return f"SELECT DISTINCT {name} AS name, 'value' AS kind, {column.name} AS value {source} WHERE {test}"
