"""What demonstrators get wrong: statements that ask for something else, names with a letter missing."""

import random
from collections.abc import Sequence

import sqlglot
from sqlglot import exp

from sql_env.agent.policies import known_tables
from sql_env.models import SQLObservation

_AGGREGATES = (exp.Min, exp.Max, exp.Avg, exp.Sum)
_COMPARISONS = (exp.LT, exp.GT, exp.LTE, exp.GTE)


def mistaken_statement(sql: str, seen: SQLObservation, rng: random.Random) -> str | None:
    """Return a statement that asks for something else; None if no way is known."""
    columns = sorted({name for _, names in known_tables(seen.schema_info) for name in names})
    ways = [_other_column, _other_aggregate, _no_condition, _other_comparison]
    rng.shuffle(ways)
    right = sqlglot.parse_one(sql, dialect="sqlite")
    for way in ways:
        tree = right.copy()
        if way(tree, columns, rng) and tree != right:
            return tree.sql(dialect="sqlite")
    return None


def _other_column(tree: exp.Expr, columns: Sequence[str], rng: random.Random) -> bool:
    used = list(tree.find_all(exp.Column))
    if not used or len(columns) < 2:
        return False
    one = rng.choice(used)
    one.this.set("this", rng.choice([name for name in columns if name.lower() != one.name.lower()]))
    return True


def _other_aggregate(tree: exp.Expr, columns: Sequence[str], rng: random.Random) -> bool:
    used = [node for node in tree.find_all(*_AGGREGATES) if isinstance(node.this, exp.Column)]
    if not used:
        return False
    one = rng.choice(used)
    other = rng.choice([kind for kind in _AGGREGATES if not isinstance(one, kind)])
    one.replace(other(this=one.this.copy()))
    return True


def _no_condition(tree: exp.Expr, columns: Sequence[str], rng: random.Random) -> bool:
    where = tree.args.get("where")
    tree.set("where", None)
    return where is not None


def _other_comparison(tree: exp.Expr, columns: Sequence[str], rng: random.Random) -> bool:
    used = list(tree.find_all(*_COMPARISONS))
    if not used:
        return False
    one = rng.choice(used)
    other = rng.choice([kind for kind in _COMPARISONS if not isinstance(one, kind)])
    one.replace(other(this=one.this.copy(), expression=one.expression.copy()))
    return True


def misnamed(sql: str, rng: random.Random) -> str:
    """Return a statement with a name that does not exist."""
    tree = sqlglot.parse_one(sql, dialect="sqlite")
    used: list[exp.Expr] = [*tree.find_all(exp.Column), *tree.find_all(exp.Table)]
    if used:
        one = rng.choice(used)
        one.this.set("this", misspelt(one.name, rng))
    return tree.sql(dialect="sqlite")


def misspelt(name: str, rng: random.Random) -> str:
    """Return a name with one letter gone or, where it is short, an s at its end."""
    if len(name) < 4:
        return name + "s"
    place = rng.randrange(1, len(name))
    return name[:place] + name[place + 1 :]
