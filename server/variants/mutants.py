"""Wrong statements that look like a gold, to see how many of those that are right by chance variants find out."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from sqlglot import exp

Mutation: TypeAlias = Callable[[exp.Query], Iterator[exp.Query]]


def _each(gold: exp.Query, kinds: type[exp.Expr] | tuple[type[exp.Expr], ...]) -> Iterator[tuple[exp.Query, exp.Expr]]:
    """Yield a copy of the statement for each node of some kind, and the node in it."""
    for number in range(len(list(gold.find_all(*(kinds if isinstance(kinds, tuple) else (kinds,)))))):
        copy = gold.copy()
        yield copy, list(copy.find_all(*(kinds if isinstance(kinds, tuple) else (kinds,))))[number]


def _exchanged(pairs: dict[type[exp.Expr], type[exp.Expr]]) -> Mutation:
    """Put one kind of node in another's place; both take the same arguments."""

    def mutate(gold: exp.Query) -> Iterator[exp.Query]:
        for copy, node in _each(gold, tuple(pairs)):
            other = pairs[type(node)](**{name: value for name, value in node.args.items() if value is not None})
            if isinstance(other, exp.SetOperation):
                other.set("distinct", True)
            if node is copy:
                assert isinstance(other, exp.Query)
                yield other
            else:
                node.replace(other)
                yield copy

    return mutate


def _without_distinct(gold: exp.Query) -> Iterator[exp.Query]:
    for copy, node in _each(gold, exp.Distinct):
        if isinstance(node.parent, exp.Select):
            node.pop()
            yield copy
        elif len(node.expressions) == 1:
            node.replace(node.expressions[0])
            yield copy


def _without_condition(gold: exp.Query) -> Iterator[exp.Query]:
    """Leave out one side of each AND, and each WHERE and HAVING that is one condition."""
    for side in ("this", "expression"):
        for copy, node in _each(gold, exp.And):
            node.replace(node.args[side])
            yield copy
    for copy, node in _each(gold, (exp.Where, exp.Having)):
        if not isinstance(node.this, exp.And):
            node.pop()
            yield copy


def _counted_column(gold: exp.Query) -> Iterator[exp.Query]:
    """Count different values of a column in place of rows: of each column that the statement names."""
    names = sorted({column.sql() for column in gold.find_all(exp.Column) if not isinstance(column.this, exp.Star)})
    for name in names:
        for copy, node in _each(gold, exp.Count):
            if isinstance(node.this, exp.Star):
                node.replace(exp.Count(this=exp.Distinct(expressions=[exp.to_column(name)])))
                yield copy


def _outer_join(gold: exp.Query) -> Iterator[exp.Query]:
    for copy, node in _each(gold, exp.Join):
        if not node.args.get("side") and node.args.get("on") is not None:
            node.set("kind", None)
            node.set("side", "LEFT")
            yield copy


def _without_join_row(gold: exp.Query) -> Iterator[exp.Query]:
    """Take the rows of a join once each."""
    if isinstance(gold, exp.Select) and gold.args.get("joins") and not gold.args.get("distinct"):
        yield gold.distinct()


def _first_part(gold: exp.Query) -> Iterator[exp.Query]:
    if isinstance(gold, exp.SetOperation) and isinstance(gold.this, exp.Query):
        yield gold.this.copy()


def _union_all(gold: exp.Query) -> Iterator[exp.Query]:
    for copy, node in _each(gold, exp.Union):
        if node.args.get("distinct"):
            node.set("distinct", False)
            yield copy


def _other_key(gold: exp.Query) -> Iterator[exp.Query]:
    """Group by the column that is shown in place of the key, or by one key of several."""
    for copy, node in _each(gold, exp.Group):
        select = node.parent
        shown = (
            [item for item in select.selects if isinstance(item, exp.Column)] if isinstance(select, exp.Query) else []
        )
        if len(node.expressions) > 1:
            node.set("expressions", node.expressions[:1])
            yield copy
        elif shown and shown[0] != node.expressions[0]:
            node.set("expressions", [shown[0].copy()])
            yield copy


MUTATIONS: dict[str, Mutation] = {
    "DISTINCT dropped": _without_distinct,
    "DISTINCT added to a join": _without_join_row,
    "a condition dropped": _without_condition,
    "AND and OR exchanged": _exchanged({exp.And: exp.Or, exp.Or: exp.And}),
    "> and >=, < and <= exchanged": _exchanged({exp.GT: exp.GTE, exp.GTE: exp.GT, exp.LT: exp.LTE, exp.LTE: exp.LT}),
    "COUNT(*) made COUNT(DISTINCT a column)": _counted_column,
    "MIN and MAX, SUM and AVG exchanged": _exchanged(
        {exp.Min: exp.Max, exp.Max: exp.Min, exp.Sum: exp.Avg, exp.Avg: exp.Sum}
    ),
    "INTERSECT and EXCEPT made UNION": _exchanged({exp.Intersect: exp.Union, exp.Except: exp.Union}),
    "UNION made INTERSECT": _exchanged({exp.Union: exp.Intersect}),
    "UNION made UNION ALL": _union_all,
    "the first part of a set operation": _first_part,
    "a join made an outer join": _outer_join,
    "another key to group by": _other_key,
}


def mutants(gold: exp.Query) -> Iterator[tuple[str, str]]:
    """Yield what was done to a gold and the statement that this gives, each statement once."""
    seen = {gold.sql(dialect="sqlite")}
    for name, mutate in MUTATIONS.items():
        for mutant in mutate(gold):
            sql = mutant.sql(dialect="sqlite")
            if sql not in seen:
                seen.add(sql)
                yield name, sql
