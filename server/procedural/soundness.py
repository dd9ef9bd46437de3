"""What makes a good question besides the audit: one reading, nothing in vain, nothing that is easily guessed."""

import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from sqlglot import exp

from sql_env.server.curation import make_image
from sql_env.server.databases import Database
from sql_env.server.errors import AgentError
from sql_env.server.procedural.chance import Chance
from sql_env.server.procedural.drafts import Draft
from sql_env.server.procedural.queries import both_of, count_rows
from sql_env.server.procedural.world import World
from sql_env.server.sandbox import FULL, Connection, Limits, QueryResult
from sql_env.server.ties import rounded

_LIMITS: Final = Limits(seconds=600.0, memory=2**40, rows=200, counted_rows=200, row_bytes=2**20)
"""Work alone stops a statement: a task may not depend on how fast or how full a machine is."""

_SMALL_DROPPED: Final = 0.6
"""Share of questions that are dropped for a small number as their answer, so that no guess is often right."""


class Bench:
    """A world's database, made when it is first needed, and what runs statements on it."""

    def __init__(self, name: str, world: World, chance: Chance) -> None:
        self.world, self.chance = world, chance
        self._name = name
        self._database: Database | None = None
        self._open: dict[Database, Connection] = {}

    @property
    def database(self) -> Database:
        """The world as a database."""
        if self._database is None:
            rows = [(table.name, table.rows) for table in (*self.world.tables, *self.world.spares)]
            self._database = Database.in_memory(self._name, make_image(self.world.schema(), rows))
        return self._database

    def run(self, database: Database, sql: str, limits: Limits | None = None) -> QueryResult:
        """Run a statement."""
        if database not in self._open:
            self._open[database] = Connection(database, FULL)
        return self._open[database].run(sql, limits or _LIMITS)

    def close(self) -> None:
        """Close every connection."""
        for connection in self._open.values():
            connection.close()


def is_sound(bench: Bench, draft: Draft, tree: exp.Query, result: QueryResult) -> bool:
    """Return whether a question can be understood in one way only, and all that it says matters.

    Args:
        bench: where its statement runs.
        draft: the question, with the other readings of its words.
        tree: its statement.
        result: what that gave.
    """
    if _is_small(result) and bench.chance.happens(_SMALL_DROPPED):
        return False
    return not (
        _is_thin(bench, tree)
        or _repeats(result)
        or _is_idle(bench, tree, result)
        or _is_ambiguous(bench, draft, tree, result)
    )


def _is_thin(bench: Bench, tree: exp.Query) -> bool:
    """Return whether a figure is of fewer than three rows, or the first of no more rows than there are is asked for."""
    limit = tree.args.get("limit")
    if not isinstance(tree, exp.Select) or not (limit or any(map(_is_figure, tree.expressions))):
        return False
    least = max(3, int(limit.expression.name) + 1) if limit else 3
    rows = tree.copy()
    for part in ("group", "having", "order", "limit", "distinct"):
        rows.set(part, None)
    rows.set("expressions", [count_rows()])
    return bench.run(bench.database, _printed(rows)).rows[0][0] < least  # type: ignore[operator]


def _is_figure(item: exp.Expr) -> bool:
    return item.find(exp.Avg, exp.Sum, exp.Min, exp.Max) is not None


def _is_small(result: QueryResult) -> bool:
    return len(result.rows) == 1 and len(result.columns) == 1 and result.rows[0][0] in (1, 2, 3, 4, 5)


def _repeats(result: QueryResult) -> bool:
    """Return whether rows occur twice: people would not know how often to say them."""
    return len(set(result.rows)) < len(result.rows)


def _is_ambiguous(bench: Bench, draft: Draft, tree: exp.Query, result: QueryResult) -> bool:
    """Return whether another reading of the words gives other rows."""
    for node, other in draft.readings:
        _same_table(node, other)
        node.replace(other)
        statement = _printed(tree)
        other.replace(node)
        if _differs(bench, statement, result, tree):
            return True
    return False


def _is_idle(bench: Bench, tree: exp.Query, result: QueryResult) -> bool:
    """Return whether a condition, a DISTINCT or a part of a set operation changes nothing."""
    parts = (tree.this, tree.expression) if isinstance(tree, exp.SetOperation) else ()
    lesser = itertools.chain(map(_printed, _without_conditions(tree)), map(_printed, parts))
    return any(not _differs(bench, statement, result, tree) for statement in lesser)


def _without_conditions(tree: exp.Query) -> Iterator[exp.Query]:
    """Yield the statement without each condition, side of an OR, and DISTINCT of it; to be used one by one."""
    for clause in list(tree.find_all(exp.Where, exp.Having)):
        parts = list(clause.this.flatten(unnest=False)) if isinstance(clause.this, exp.And) else [clause.this]
        whole = clause.this
        for left_out in parts:
            rest = [part.copy() for part in parts if part is not left_out]
            owner = clause.parent
            if owner is None:
                continue
            if rest:
                clause.set("this", both_of(rest))
                yield tree
                clause.set("this", whole)
            else:
                owner.set(clause.key, None)
                yield tree
                owner.set(clause.key, clause)
    for either in list(tree.find_all(exp.Or)):
        for side in (either.this, either.expression):
            alone = side.copy()
            either.replace(alone)
            yield tree
            alone.replace(either)
    for select in tree.find_all(exp.Select):
        distinct = select.args.get("distinct")
        if distinct:
            select.set("distinct", None)
            yield tree
            select.set("distinct", distinct)
    for distinct in list(tree.find_all(exp.Distinct)):
        if isinstance(distinct.parent, exp.Count):
            column = distinct.expressions[0].copy()
            count = distinct.parent
            count.set("this", column)
            yield tree
            count.set("this", distinct)


def _printed(tree: exp.Query) -> str:
    return tree.sql(dialect="sqlite")


def _same_table(node: exp.Expr, other: exp.Expr) -> None:
    """Give the columns of another reading the alias that the statement has settled on."""
    column = node.find(exp.Column)
    alias = column.args.get("table") if column else None
    for found in other.find_all(exp.Column):
        found.set("table", alias.copy() if alias else None)


def _differs(bench: Bench, statement: str, result: QueryResult, tree: exp.Query) -> bool:
    with suppress(AgentError):
        other = bench.run(bench.database, statement)
        ours, theirs = [repr(rounded(row)) for row in result.rows], [repr(rounded(row)) for row in other.rows]
        if tree.args.get("order") is not None:
            return ours != theirs
        return Counter(ours) != Counter(theirs)
    return True
