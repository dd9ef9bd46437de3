"""Which columns of a database belong together, and which of its values its golds speak of.

Keys: columns that foreign keys or the golds' joins connect hold the same things, so whatever is done to a value is done
in all of them. Bundles: columns of one table of which one decides another (a code and its name), or of which one is
never less than the other (a beginning and an end); they move between rows together.
"""

import itertools
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlglot import exp

from sql_env.server.databases import SQLValue
from sql_env.server.structure import parse
from sql_env.server.variants.contents import Place, Structure, Values, identity
from sql_env.server.variants.values import Kind, chance_of_agreement

MAX_ROWS_LOOKED_AT = 5_000
"""Rows of a table in which columns that belong together are looked for."""


@dataclass(frozen=True)
class Literals:
    """What the golds of a database compare with; such values stay in their columns, but for what LIKE finds.

    Attributes:
        texts: texts without regard to case, and numbers as Python writes floats.
        patterns: what LIKE is given.
    """

    texts: frozenset[str]
    patterns: tuple[str, ...]

    @cached_property
    def _regex(self) -> "re.Pattern[str]":
        parts = [re.escape(p).replace("%", ".*").replace("_", ".") for p in self.patterns]
        return re.compile("|".join(f"(?:{part})" for part in parts) or r"(?!)", re.IGNORECASE | re.DOTALL)

    def __contains__(self, value: SQLValue) -> bool:
        if value is None or isinstance(value, bytes):
            return False
        return (value.casefold() if isinstance(value, str) else repr(float(value))) in self.texts

    @cached_property
    def ends(self) -> tuple[list[float], list[str]]:
        """The numbers and the dates that golds compare with, in order."""
        numbers = sorted({float(text) for text in self.texts if re.fullmatch(r"-?\d+\.\d+", text, re.ASCII)})
        return numbers, sorted(text for text in self.texts if Kind((text,)).is_date)

    def like(self, text: str) -> bool:
        """Return whether a gold looks for such a text by LIKE."""
        return self._regex.fullmatch(text) is not None


@dataclass(frozen=True)
class Relations:
    """How a database's columns belong together.

    Attributes:
        structure: the database.
        keys: classes of key columns, each in the order of tables and columns.
        bundles: for each table, groups of its other columns that move together.
        tied: columns that a key of the same row decides, so that they stay where they are.
        at_most: pairs of columns of which the first is never greater.
        decided: columns that another decides, or that decide one.
        literals: what the golds speak of.
    """

    structure: Structure
    keys: tuple[tuple[Place, ...], ...]
    bundles: tuple[tuple[tuple[int, ...], ...], ...]
    tied: frozenset[Place]
    at_most: frozenset[tuple[Place, Place]]
    decided: frozenset[Place]
    literals: Literals

    @cached_property
    def key_of(self) -> dict[Place, int]:
        """The number of each key column's class."""
        return {place: number for number, places in enumerate(self.keys) for place in places}

    @cached_property
    def owners(self) -> frozenset[Place]:
        """Key columns that others refer to: targets of foreign keys, and unique columns."""
        targets = {place for reference in self.structure.references for place in reference.targets}
        unique = {(t, c) for t, table in enumerate(self.structure.tables) for c in table.unique_columns}
        return frozenset(targets | (unique & self.key_of.keys()))

    @cached_property
    def composite(self) -> frozenset[Place]:
        """Columns of foreign keys that have several."""
        several = [r for r in self.structure.references if len(r.sources) > 1]
        return frozenset(place for r in several for place in (*r.sources, *r.targets))


def find_relations(structure: Structure, rows: Sequence[Sequence[Values]], golds: Iterable[str]) -> Relations:
    """Find out what belongs together in a database about which these golds ask."""
    trees = [parse(gold) for gold in golds]
    keys = _keys(structure, rows, trees)
    in_keys = {place for places in keys for place in places}
    bundles: list[tuple[tuple[int, ...], ...]] = []
    tied: set[Place] = set()
    decided: set[Place] = set()
    at_most: set[tuple[Place, Place]] = set()
    for number, table in enumerate(structure.tables):
        columns = list(zip(*rows[number][:MAX_ROWS_LOOKED_AT], strict=True)) or [()] * len(table.columns)
        groups = _Groups((number, c) for c in range(len(table.columns)))
        for one, other in itertools.permutations(range(len(table.columns)), 2):
            if (number, other) not in in_keys and _decides(columns[one], columns[other]):
                groups.join((number, one), (number, other))
                decided |= {(number, one), (number, other)}
            elif not {(number, one), (number, other)} & in_keys and _is_at_most(columns[one], columns[other]):
                groups.join((number, one), (number, other))
                at_most.add(((number, one), (number, other)))
        own = []
        for group in groups.all():
            if len(group) > 1 and in_keys.intersection(group):
                tied.update(group)
            elif not in_keys.intersection(group):
                own.append(tuple(column for _, column in group))
        bundles.append(tuple(own))
    literals = _literals(trees)
    return Relations(structure, keys, tuple(bundles), frozenset(tied), frozenset(at_most), frozenset(decided), literals)


class _Groups:
    """Places that are joined to groups."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._leader = {place: place for place in places}

    def join(self, one: Place, other: Place) -> None:
        first, second = self._find(one), self._find(other)
        self._leader[max(first, second)] = min(first, second)

    def _find(self, place: Place) -> Place:
        while self._leader[place] != place:
            place = self._leader[place]
        return place

    def all(self) -> list[tuple[Place, ...]]:
        """Return the groups, each sorted, in the order of their first places."""
        found: dict[Place, list[Place]] = {}
        for place in sorted(self._leader):
            found.setdefault(self._find(place), []).append(place)
        return [tuple(group) for group in found.values()]


# --- bundles ---------------------------------------------------------------------------------------------


def _decides(one: Sequence[SQLValue], other: Sequence[SQLValue]) -> bool:
    """Return whether equal values in one column always come with equal ones in another, and not by chance."""
    seen: dict[SQLValue, SQLValue] = {}
    pairs = 0
    for value, other_value in zip(one, other, strict=True):
        if value is None:
            continue
        if value in seen:
            pairs += 1
            if seen[value] != other_value:
                return False
        seen[value] = other_value
    return pairs > 2 and len(seen) > 1 and chance_of_agreement(other, pairs) < 0.001


def _is_at_most(one: Sequence[SQLValue], other: Sequence[SQLValue]) -> bool:
    """Return whether numbers, or dates, are never greater than those beside them, and not by chance."""
    both: list[tuple[Any, Any]] = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    kinds = [Kind(tuple(values)) for values in zip(*both, strict=True)]
    if len(both) < 6 or not (all(kind.is_number for kind in kinds) or all(kind.is_date for kind in kinds)):
        return False
    if any(a > b for a, b in both):
        return False
    ends, likely = sorted(b for _, b in both), 1.0
    share = sum(len(ends) - bisect_left(ends, a) for a, _ in both) / (len(both) * len(both))
    for _ in range(min(len(both), 200)):
        likely *= share
    return likely < 0.001


# --- keys ------------------------------------------------------------------------------------------------


def _keys(
    structure: Structure, rows: Sequence[Sequence[Values]], trees: Sequence[exp.Expr]
) -> tuple[tuple[Place, ...], ...]:
    """Return the classes of key columns: joined ones, and each that is unique, alone or with others."""
    places = [(t, c) for t, table in enumerate(structure.tables) for c in range(len(table.columns))]
    groups, keys = _Groups(places), set()
    joined = [pair for r in structure.references for pair in zip(r.sources, r.targets, strict=True)]
    for tree in trees:
        joined += _joined(structure, tree)
    joined += _included(structure, rows)
    for one, other in joined:
        if one != other:
            groups.join(one, other)
            keys |= {one, other}
    keys |= {(t, c) for t, table in enumerate(structure.tables) for unique in table.unique for c in unique}
    return tuple(group for group in groups.all() if keys.intersection(group))


def _joined(structure: Structure, tree: exp.Expr) -> Iterator[tuple[Place, Place]]:
    """Yield pairs of columns that a gold compares for equality, or whose values it looks for in the other."""
    for equal in tree.find_all(exp.EQ):
        yield from _pair(structure, equal.left, equal.right)
    for within in tree.find_all(exp.In):
        query = within.args.get("query")
        inner = query.find(exp.Select) if query is not None else None
        if inner is not None and inner.expressions:
            yield from _pair(structure, within.this, inner.expressions[0])
    for operation in tree.find_all(exp.SetOperation):
        for one, other in zip(operation.this.selects, operation.expression.selects, strict=False):
            yield from _pair(structure, one.unalias(), other.unalias())
    for join in tree.find_all(exp.Join):
        for named in join.args.get("using") or []:
            tables = [t.name for t in (join.parent or join).find_all(exp.Table)]
            found = [place for table in tables for place in _places(structure, named.name, [table])]
            yield from itertools.pairwise(found)


def _pair(structure: Structure, one: exp.Expr, other: exp.Expr) -> Iterator[tuple[Place, Place]]:
    if isinstance(one, exp.Column) and isinstance(other, exp.Column):
        left, right = _place(structure, one), _place(structure, other)
        if left is not None and right is not None:
            yield left, right


def _place(structure: Structure, column: exp.Column) -> Place | None:
    """Return the table's column that a name in a gold stands for, if that is plain."""
    select = column.find_ancestor(exp.Select)
    while select is not None:
        named = {table.alias_or_name.lower(): table.name for table in _tables(select)}
        tables = [named[column.table.lower()]] if column.table.lower() in named else [*named.values()]
        if not column.table or column.table.lower() in named:
            found = sorted(set(_places(structure, column.name, tables)))
            if found:
                return found[0] if len(found) == 1 else None
        select = select.parent_select
    return None


def _tables(select: exp.Select) -> list[exp.Table]:
    start = select.args.get("from_") or select.args.get("from")
    parts = [start, *(select.args.get("joins") or [])]
    return [part.this for part in parts if part is not None and isinstance(part.this, exp.Table)]


def _places(structure: Structure, column: str, tables: Iterable[str]) -> Iterator[Place]:
    wanted = {table.lower() for table in tables}
    for number, table in enumerate(structure.tables):
        if table.name.lower() in wanted:
            yield from ((number, i) for i, name in enumerate(table.columns) if name.lower() == column.lower())


def _included(structure: Structure, rows: Sequence[Sequence[Values]]) -> Iterator[tuple[Place, Place]]:
    """Yield pairs of columns of different tables of which one holds nothing but what the other, unique, holds.

    Where nobody declared a foreign key, equal names tell one; and texts, which are not the same by chance.
    """
    held: dict[Place, list[SQLValue]] = {}
    for number, table in enumerate(structure.tables):
        for column in range(len(table.columns)):
            held[number, column] = [row[column] for row in rows[number] if row[column] is not None]
    sets = {place: frozenset(map(identity, values)) for place, values in held.items()}
    whole = [place for place, values in held.items() if len(values) > 2 and len(sets[place]) == len(values)]
    for owner, place in itertools.product(whole, held):
        if owner[0] == place[0] or len(sets[place]) < 3 or not sets[place] <= sets[owner]:
            continue
        names = [structure.tables[t].columns[c].casefold() for t, c in (owner, place)]
        texts = all(found is not None and found[0] == "t" for found in sets[place]) and len(sets[place]) > 4
        if names[0] == names[1] or texts:
            yield owner, place


# --- literals --------------------------------------------------------------------------------------------


def _literals(trees: Iterable[exp.Expr]) -> Literals:
    texts: set[str] = set()
    patterns: set[str] = set()
    for tree in trees:
        for like in tree.find_all(exp.Like):
            if isinstance(like.expression, exp.Literal):
                patterns.add(str(like.expression.name))
        for literal in tree.find_all(exp.Literal):
            if not isinstance(literal.parent, exp.Limit | exp.Offset):
                texts.add(str(literal.name).casefold())
        # In SQLite a name in double quotes that names no column is a text.
        texts |= {str(name.name).casefold() for name in tree.find_all(exp.Identifier) if name.args.get("quoted")}
    numbers = {repr(float(text)) for text in texts if re.fullmatch(r"\d{1,18}(?:\.\d{0,18})?", text, re.ASCII)}
    negative = {f"-{number}" for number in numbers}  # a sign is no part of a literal
    return Literals(frozenset(texts | numbers | negative), tuple(sorted(patterns)))
