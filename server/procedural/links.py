"""Conditions on what a thing is linked to: its parent, its children, what a bridge joins it with.

Like those of filters.py, each puts one condition into a query's WHERE and returns its words.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from sqlglot import exp

from sql_env.server.procedural.drafts import Draft, MisfitError, label_of, named, unique_label
from sql_env.server.procedural.filters import (
    Filter,
    beyond_average,
    beyond_one,
    category,
    compared,
    day,
    flag,
    own,
    pattern,
    year,
)
from sql_env.server.procedural.phrases import Clause, article, either, filled, linked, negated, noun_phrase
from sql_env.server.procedural.queries import Query, Source, compare, count_rows, inside, literal, missing, one_of
from sql_env.server.procedural.world import Reference, Table


def parent_named(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by the name of what the thing belongs to."""
    reference = draft.parent_of(source.table)
    value = unique_label(draft, reference.target)
    parent = query.to_parent(source, reference)
    query.where.append(compare("=", query.column(parent, label_of(parent.table)), literal(value)))
    phrase = named(parent.table.entity, value)
    return linked(source.table.entity, reference.link, reference.link.of.replace("{}", phrase), last=False)


def parent_where(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by a property of what the thing belongs to, or of what that belongs to."""
    reference = draft.parent_of(source.table)
    if reference.target is source.table:
        raise MisfitError
    parent = query.to_parent(source, reference)
    kinds: Sequence[Filter] = (category, compared, year, day, flag, pattern)
    if parent.table.references and draft.chance.happens(0.5):
        kinds = (parent_named,)
    clause = draft.chance.choice(kinds)(draft, query, parent)
    phrase = noun_phrase(draft.chance, parent.table.entity, [clause])
    return linked(source.table.entity, reference.link, reference.link.of.replace("{}", phrase), last=True)


def has_children(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by whether something of a certain kind belongs to the thing."""
    child, reference = draft.child_of(source.table)
    inner = Query(child)
    clauses = [own(draft, inner, inner.main)] if draft.chance.happens(0.8) else []
    inner.select.append(inner.column(inner.main, reference.column))
    query.where.append(inside(_key(query, source), inner.build()))
    if draft.chance.happens(0.5):
        said = f"at least one {_other(source, child)}{noun_phrase(draft.chance, child.entity, clauses, one=True)}"
    else:
        said = f"one or more {_other(source, child)}{noun_phrase(draft.chance, child.entity, clauses)}"
    return Clause(filled(reference.link.did, said), last=True)


def _other(source: Source, child: Table) -> str:
    return "other " if child is source.table else ""


def no_children(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by whether nothing of a certain kind belongs to the thing."""
    child, reference = draft.child_of(source.table)
    inner = Query(child)
    clauses = [own(draft, inner, inner.main)] if draft.chance.happens(0.6) else []
    if None in reference.column.values:
        inner.where.append(missing(inner.column(inner.main, reference.column), negated=True))
    inner.select.append(inner.column(inner.main, reference.column))
    query.where.append(inside(_key(query, source), inner.build(), negated=True))
    other = _other(source, child)
    one, many = (other + noun_phrase(draft.chance, child.entity, clauses, one=one) for one in (True, False))
    return Clause(negated(reference.link.did, one, many), last=True)


def child_count(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by how many things belong to the thing."""
    child, reference = draft.child_of(source.table)
    least, said = quantity(draft, reference)
    inner = Query(child)
    clauses = [own(draft, inner, inner.main)] if draft.chance.happens(0.25) else []
    inner.select.append(inner.column(inner.main, reference.column))
    inner.group.append(inner.column(inner.main, reference.column))
    inner.having = compare(*least(count_rows()))
    query.where.append(inside(_key(query, source), inner.build()))
    many = _other(source, child) + noun_phrase(draft.chance, child.entity, clauses)
    return Clause(filled(reference.link.did, f"{said} {many}"), last=True)


def quantity(draft: Draft, reference: Reference) -> tuple[Callable[[exp.Expr], tuple[str, exp.Expr, exp.Expr]], str]:
    """Return a test of how many children things have, as a function of the count, and its words."""
    counts = sorted(Counter(value for value in reference.column.values if value is not None).values())
    number = max(2, counts[int((0.3 + 0.6 * draft.chance.random()) * len(counts))]) if counts else 2
    operator, said = draft.chance.choice(((">", f"more than {number - 1}"), (">=", f"at least {number}")))
    bound = number - 1 if operator == ">" else number
    if bound < 2:
        operator, said, bound = ">=", "at least 2", 2
    return lambda count: (operator, count, literal(bound)), said


def bridged(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by a many-to-many relation."""
    entity = source.table.entity.name
    found = [(b, b.left == entity) for b in draft.world.bridges if entity in (b.left, b.right) and b.left != b.right]
    bridge, is_left = draft.one_of(found)
    table = draft.world.table(bridge.entity)
    if table is None:
        raise MisfitError
    near = draft.one_of([r for r in table.references if r.target is source.table])
    far = draft.one_of(
        [r for r in table.references if r.target.entity.name == (bridge.right if is_left else bridge.left)]
    )
    inner = Query(table)
    inner.select.append(inner.column(inner.main, near.column))
    other = inner.to_parent(inner.main, far)
    is_named = draft.chance.happens(0.6)
    if is_named:
        value = unique_label(draft, other.table)
        inner.where.append(compare("=", inner.column(other, label_of(other.table)), literal(value)))
        said = named(other.table.entity, value)
    else:
        clause = own(draft, inner, other)
        said = f"{draft.say('at least one', 'a')} {noun_phrase(draft.chance, other.table.entity, [clause], one=True)}"
        said = article(said[2:]) if said.startswith("a ") else said
    query.where.append(inside(_key(query, source), inner.build()))
    return Clause(filled(bridge.left_did if is_left else bridge.right_did, said), last=not is_named)


def _key(query: Query, source: Source) -> exp.Column:
    if source.table.key is None:
        raise MisfitError
    return query.column(source, source.table.key)


def alternatives(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by one of two conditions."""
    before = len(query.where)
    clauses = [draft.chance.choice((category, compared, year, flag))(draft, query, source) for _ in range(2)]
    tests = query.where[before:]
    query.where[before:] = [one_of(tests[0], tests[1])]
    return either(clauses[0], clauses[1])


# --- stocks -----------------------------------------------------------------------------------------------

LINKED: Final[Sequence[tuple[Filter, float]]] = ((parent_named, 4), (parent_where, 4))
NESTED: Final[Sequence[tuple[Filter, float]]] = (
    (has_children, 3),
    (no_children, 3),
    (child_count, 3),
    (bridged, 3),
    (beyond_average, 2),
    (beyond_one, 2),
)
EITHER: Final[Sequence[tuple[Filter, float]]] = ((alternatives, 1),)
