"""Which constructs of SQL a statement uses, for describing sets of golds. Pure, on sqlglot's syntax tree."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlglot import exp

CONSTRUCTS: Final = (
    "filter",
    "two or more conditions",
    "OR or IN a list",
    "range (BETWEEN)",
    "text pattern (LIKE)",
    "IS NULL",
    "DISTINCT",
    "COUNT",
    "SUM or AVG",
    "MIN or MAX",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "one join",
    "two or more joins",
    "nested query",
    "NOT IN",
    "set operation",
)
"""Names of the constructs, in the order in which they are shown."""


def constructs(tree: exp.Expr) -> frozenset[str]:
    """Return the constructs that a statement uses, parts of it included."""
    has: Callable[..., bool] = lambda *kinds: tree.find(*kinds) is not None  # noqa: E731
    joins = max((len(select.args.get("joins") or []) for select in tree.find_all(exp.Select)), default=0)
    conditions = [len(list(_conditions(where.this))) for where in tree.find_all(exp.Where)]
    found = {
        "filter": bool(conditions),
        "two or more conditions": max(conditions, default=0) > 1,
        "OR or IN a list": has(exp.Or) or any(node.expressions for node in tree.find_all(exp.In)),
        "range (BETWEEN)": has(exp.Between),
        "text pattern (LIKE)": has(exp.Like),
        "IS NULL": has(exp.Is),
        "DISTINCT": has(exp.Distinct) and _is_distinct(tree),
        "COUNT": has(exp.Count),
        "SUM or AVG": has(exp.Sum, exp.Avg),
        "MIN or MAX": has(exp.Max, exp.Min),
        "GROUP BY": has(exp.Group),
        "HAVING": has(exp.Having),
        "ORDER BY": has(exp.Order),
        "LIMIT": has(exp.Limit),
        "one join": joins == 1,
        "two or more joins": joins > 1,
        "nested query": any(isinstance(node.parent, exp.Subquery | exp.In) for node in tree.find_all(exp.Select)),
        "NOT IN": any(isinstance(node.this, exp.In) for node in tree.find_all(exp.Not)),
        "set operation": has(exp.SetOperation),
    }
    return frozenset(name for name in CONSTRUCTS if found[name])


def shares(trees: Iterable[exp.Expr]) -> dict[str, float]:
    """Return in what share of statements each construct occurs."""
    found = [constructs(tree) for tree in trees]
    return {name: sum(name in used for used in found) / len(found) for name in CONSTRUCTS}


def _conditions(node: Any) -> Iterable[Any]:
    if isinstance(node, exp.And | exp.Or):
        yield from _conditions(node.this)
        yield from _conditions(node.expression)
    elif isinstance(node, exp.Paren):
        yield from _conditions(node.this)
    else:
        yield node


def _is_distinct(tree: exp.Expr) -> bool:
    """Return whether DISTINCT is said, not only implied by a set operation."""
    return any(not isinstance(node.parent, exp.SetOperation) for node in tree.find_all(exp.Distinct))
