"""SELECT statements as syntax trees, put together without any text: sources, joins, clauses, aliases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from sql_env.server.databases import SQLValue
from sql_env.server.formatting import quoted_if_needed
from sql_env.server.procedural.world import Column, Reference, Table


def literal(value: SQLValue) -> exp.Expr:
    """Return a value as SQL."""
    if isinstance(value, str):
        return exp.Literal.string(value)
    if isinstance(value, int | float):
        value = int(value) if value == int(value) else value
        number = exp.Literal.number(abs(value))
        return exp.Neg(this=number) if value < 0 else number
    return exp.Null()


def _name(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=quoted_if_needed(name) != name)


@dataclass(eq=False)
class Source:
    """A table in FROM."""

    table: Table
    alias: str


class Query:
    """One SELECT under construction.

    Args:
        table: the first table in FROM.
    """

    def __init__(self, table: Table) -> None:
        self.main = Source(table, "T1")
        self.sources = [self.main]
        self.where: list[exp.Expr] = []
        self.select: list[exp.Expr] = []
        self.group: list[exp.Expr] = []
        self.having: exp.Expr | None = None
        self.order: list[tuple[exp.Expr, bool]] = []
        self.limit: int | None = None
        self.distinct = False
        self._joins: list[exp.Join] = []

    def checkpoint(self) -> Callable[[], None]:
        """Return what takes back every table and condition that is added from now on."""
        growing: list[list[Any]] = [self.sources, self._joins, self.where]
        sizes = list(map(len, growing))

        def restore() -> None:
            for added, size in zip(growing, sizes, strict=True):
                del added[size:]

        return restore

    def column(self, source: Source, column: Column) -> exp.Column:
        """Return a column of one of this query's tables; a new node at each call."""
        return exp.Column(this=_name(column.name), table=exp.Identifier(this=source.alias))

    def to_parent(self, source: Source, reference: Reference) -> Source:
        """Join what a foreign key of a source refers to."""
        parent = self._join(reference.target)
        key = reference.target.key
        if key is None:
            raise ValueError(reference.target.name)
        self._on(self.column(source, reference.column), self.column(parent, key))
        return parent

    def _join(self, table: Table) -> Source:
        source = Source(table, f"T{len(self.sources) + 1}")
        self.sources.append(source)
        self._joins.append(exp.Join(this=_aliased(source)))
        return source

    def _on(self, left: exp.Expr, right: exp.Expr) -> None:
        self._joins[-1].set("on", exp.EQ(this=left, expression=right))

    def build(self) -> exp.Select:
        """Return the statement; to be called once."""
        single = len(self.sources) == 1
        tree = exp.Select(expressions=self.select)
        if self.distinct:
            tree.set("distinct", exp.Distinct())
        first = exp.Table(this=_name(self.main.table.name)) if single else _aliased(self.main)
        tree.set("from_", exp.From(this=first))
        if self._joins:
            tree.set("joins", self._joins)
        if self.where:
            tree.set("where", exp.Where(this=both_of(self.where)))
        if self.group:
            tree.set("group", exp.Group(expressions=self.group))
        if self.having is not None:
            tree.set("having", exp.Having(this=self.having))
        if self.order:
            tree.set("order", ordering(self.order))
        if self.limit is not None:
            tree.set("limit", exp.Limit(expression=exp.Literal.number(self.limit)))
        if single:
            for column in tree.find_all(exp.Column):
                if column.parent_select is tree:
                    column.set("table", None)
        return tree


def _aliased(source: Source) -> exp.Table:
    return exp.Table(this=_name(source.table.name), alias=exp.TableAlias(this=exp.Identifier(this=source.alias)))


def ordering(keys: Sequence[tuple[exp.Expr, bool]]) -> exp.Order:
    """Return ORDER BY; the keys are (expression, descending)."""
    return exp.Order(expressions=[exp.Ordered(this=key, desc=desc, nulls_first=not desc) for key, desc in keys])


def both_of(conditions: Sequence[exp.Expr]) -> exp.Expr:
    """Join conditions with AND."""
    joined = conditions[0]
    for condition in conditions[1:]:
        joined = exp.And(this=joined, expression=condition)
    return joined


def one_of(first: exp.Expr, second: exp.Expr) -> exp.Expr:
    """Join two conditions with OR, in brackets."""
    return exp.Paren(this=exp.Or(this=first, expression=second))


def missing(expression: exp.Expr, *, negated: bool = False) -> exp.Is:
    """Return ``expression IS [NOT] NULL``."""
    return exp.Is(this=expression, expression=exp.Not(this=exp.Null()) if negated else exp.Null())


def count_rows() -> exp.Count:
    """Return COUNT(*)."""
    return exp.Count(this=exp.Star())


def count_distinct(expression: exp.Expr) -> exp.Count:
    """Return COUNT(DISTINCT …)."""
    return exp.Count(this=exp.Distinct(expressions=[expression]))


def inside(expression: exp.Expr, query: exp.Query, *, negated: bool = False) -> exp.Expr:
    """Return ``expression [NOT] IN (query)``."""
    found = exp.In(this=expression, query=exp.Subquery(this=query))
    return exp.Not(this=found) if negated else found


def scalar(query: exp.Query) -> exp.Subquery:
    """Return a query as a value."""
    return exp.Subquery(this=query)


def compare(operator: str, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Return a comparison; the operator is one of ``= <> > < >= <=``."""
    found: exp.Expr = _OPERATORS[operator](this=left, expression=right)
    return found


_OPERATORS: dict[str, Any] = {
    "=": exp.EQ,
    "<>": exp.NEQ,
    ">": exp.GT,
    "<": exp.LT,
    ">=": exp.GTE,
    "<=": exp.LTE,
}
