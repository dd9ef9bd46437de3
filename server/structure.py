"""What the text of a gold says: its hardness, its order, its sort keys. Pure, on sqlglot's syntax tree."""

import re
from typing import Any, TypeAlias

import sqlglot
from sqlglot import exp

from sql_env.server.errors import DataError


def parse(sql: str) -> exp.Expr:
    """Parse a gold that SQLite has run.

    Raises:
        DataError: sqlglot cannot parse it.
    """
    try:
        return sqlglot.parse_one(sql, read="sqlite")
    except sqlglot.errors.SqlglotError as error:
        raise DataError(f"this gold cannot be parsed ({error}): {sql}") from None


def normal_text(sql: str) -> str:
    """Return a statement's text but for spaces, case, the kind of quotes and a closing semicolon."""
    return re.sub(r"[\s;]+", "", sql).casefold().replace('"', "'")


def hardness(tree: exp.Expr) -> str:
    """Classify a statement as Spider does: easy, medium, hard or extra.

    The rules are those of Spider's official evaluation (Yu et al. 2018): three counts over the statement's
    outermost SELECT decide; set operations count as one nested statement. Its quirks are kept, so that figures can be
    compared: a negated condition counts as an aggregate, an aggregate in HAVING does not, a connective there does.
    """
    nested = int(isinstance(tree, exp.SetOperation))
    while isinstance(tree, exp.SetOperation):
        tree = tree.this
    select = tree.find(exp.Select) if not isinstance(tree, exp.Select) else tree
    if select is None:
        return "easy"
    nested += len(_nested(select))
    components = _components(select)
    others = _others(select)
    if nested == 0 and components <= 1 and others == 0:
        return "easy"
    if nested == 0 and ((components <= 1 and others <= 2) or (components <= 2 and others < 2)):
        return "medium"
    if (
        (nested == 0 and components <= 2 and others > 2)
        or (nested == 0 and components == 3 and others <= 2)
        or (nested <= 1 and components <= 1 and others == 0)
    ):
        return "hard"
    return "extra"


def _clauses(select: exp.Select) -> list[exp.Expr]:
    found = [select.args.get("where"), select.args.get("having")]
    found += [join.args.get("on") for join in select.args.get("joins") or []]
    return [clause for clause in found if clause is not None]


def _nested(select: exp.Select) -> list[exp.Expr]:
    """Statements nested in the conditions of this SELECT, a set operation counted once, by its first part."""
    found = [s for clause in _clauses(select) for s in clause.find_all(exp.Select) if s.parent_select is select]
    return [s for s in found if not (isinstance(s.parent, exp.SetOperation) and s.parent.expression is s)]


def _own(select: exp.Select, clause: exp.Expr, *kinds: Any) -> list[exp.Expr]:
    """Nodes of a clause that belong to this SELECT, not to one nested in it."""
    return [node for node in clause.find_all(*kinds) if node.parent_select is select]


def _components(select: exp.Select) -> int:
    count = sum(select.args.get(part) is not None for part in ("where", "group", "order", "limit"))
    count += len(select.args.get("joins") or [])
    return count + sum(len(_own(select, clause, exp.Or, exp.Like)) for clause in _clauses(select))


def _others(select: exp.Select) -> int:
    where, having, group, order = (select.args.get(part) for part in ("where", "having", "group", "order"))
    aggregates = sum(bool(_own(select, item, exp.AggFunc)) for item in select.expressions)
    aggregates += sum(len(_own(select, part, exp.AggFunc)) for part in (group, order) if part)
    aggregates += sum(len(_own(select, part, exp.Not)) for part in (where, having) if part)
    aggregates += len(_own(select, having, exp.And, exp.Or)) if having else 0
    conditions = len(_own(select, where, exp.And, exp.Or)) + 1 if where else 0
    keys = len(group.expressions) if group else 0
    return (aggregates > 1) + (len(select.expressions) > 1) + (conditions > 1) + (keys > 1)


def counts_rows(tree: exp.Expr) -> bool:
    """Return whether a statement uses an aggregate that is 0 over nothing."""
    totals = (node for node in tree.find_all(exp.Anonymous) if node.name.lower() == "total")
    return tree.find(exp.Count) is not None or any(totals)


def _sort_key(select: exp.Select, key: exp.Expr) -> exp.Expr:
    """Return the expression that an ORDER BY term stands for: a column's number, a name given in SELECT, or itself."""
    if isinstance(key, exp.Literal) and key.is_int and 0 < int(key.name) <= len(select.expressions):
        key = select.expressions[int(key.name) - 1]
    elif isinstance(key, exp.Column) and not key.table:
        named = [item for item in select.expressions if isinstance(item, exp.Alias) and item.alias == key.name]
        key = named[0] if named else key
    return (key.this if isinstance(key, exp.Alias) else key).copy()


Probe: TypeAlias = tuple[exp.Query, list[int], int]
"""A statement that shows a gold's ORDER BY keys: the statement, the keys' columns, how many columns are the gold's."""


def with_sort_keys(tree: exp.Expr) -> Probe | None:
    """Return a SELECT that also gives its ORDER BY keys, as its last columns, and one row beyond its LIMIT.

    Returns None for a statement without a top-level ORDER BY, and where keys cannot be added without changing the
    rows: with DISTINCT and for set operations.
    """
    order = tree.args.get("order")
    if not isinstance(tree, exp.Select) or order is None or tree.args.get("distinct"):
        return None
    keys = [_sort_key(tree, ordered.this) for ordered in order.expressions]
    probe = tree.select(*(exp.alias_(key, f"sort_key_{i}") for i, key in enumerate(keys)))
    return _one_row_more(probe), list(range(-len(keys), 0)), -len(keys)


def sort_key_columns(tree: exp.Expr) -> Probe | None:
    """Return a statement with one row beyond its LIMIT whose ORDER BY keys are all among its columns, or None."""
    order = tree.args.get("order")
    if not isinstance(tree, exp.Query) or order is None:
        return None
    items = tree.selects
    keys = [_position(items, ordered.this) for ordered in order.expressions]
    if any(isinstance(item, exp.Star) for item in items) or None in keys:
        return None
    return _one_row_more(tree), [key for key in keys if key is not None], len(items)


def _position(items: list[exp.Expr], key: exp.Expr) -> int | None:
    """Return which column an ORDER BY term stands for."""
    if isinstance(key, exp.Literal) and key.is_int:
        return int(key.name) - 1
    for number, item in enumerate(items):
        if item.unalias() == key or (isinstance(key, exp.Column) and item.alias_or_name.lower() == key.name.lower()):
            return number
    return None


def _one_row_more(query: exp.Query) -> exp.Query:
    limit = query.args.get("limit")
    if limit is None or not limit.expression.is_int:
        return query
    return query.limit(int(limit.expression.name) + 1)
