"""Questions that group: a figure for each value of a category, or for each thing that others belong to."""

from dataclasses import dataclass

from sqlglot import exp

from sql_env.server.procedural.asking.common import AGGREGATES, Asked, aggregate_words, is_code, question, request
from sql_env.server.procedural.domain import Category, Number
from sql_env.server.procedural.drafts import Draft, MisfitError, attribute_of, label_of
from sql_env.server.procedural.filters import threshold
from sql_env.server.procedural.links import quantity
from sql_env.server.procedural.phrases import Clause, filled, linked, noun_phrase, plain
from sql_env.server.procedural.queries import (
    Query,
    Source,
    compare,
    count_rows,
    literal,
)
from sql_env.server.procedural.subjects import Subject, subject
from sql_env.server.procedural.world import Column, Reference


def per_category(draft: Draft) -> Asked:
    """Ask for a number for each value of a category."""
    thing = subject(draft, labelled=False, most=2)
    column, attribute = draft.pick(thing.table, Category, whole=True)
    group = f"of that {attribute.noun.partition(' of ')[0]}"
    figure = _figure(draft, thing, Clause((f"is {group}", f"are {group}"), group, link=True))
    said = figure.words
    thing.query.select += [thing.column(column), figure.node.copy()]
    thing.query.group.append(thing.column(column))
    tail = _by_figure(draft, thing, figure) if draft.chance.happens(0.3) else ""
    if draft.chance.happens(0.3):
        tail += _having(draft, thing, figure, attribute.plural)
    elif thing.clauses:
        tail += f"; leave out {attribute.plural} without any such {thing.table.entity.one}"
    text = draft.say(
        request(f"for each {attribute.noun}, give {said}{tail}"),
        request(f"show each {attribute.noun} together with {said}{tail}"),
        request(f"list each {attribute.noun} and {said}{tail}"),
    )
    return Asked(text, thing.query.build())


@dataclass(frozen=True)
class _Figure:
    """What is computed for each group, in words too, and of which column, if it is of the column's size."""

    node: exp.Expr
    words: str
    column: Column | None = None


def _figure(draft: Draft, thing: Subject, group: Clause | None = None) -> _Figure:
    """Draw what is computed for each group.

    Args:
        draft: the question.
        thing: what the groups are made of.
        group: says to which group a thing belongs, where that is not said yet.
    """
    if draft.chance.happens(0.5):
        draft.tags.append("count")
        return _Figure(count_rows(), f"the number of {thing.many}")
    name = draft.chance.weighted(("avg", "sum", "max", "min"), (4, 3, 2, 1))
    column, attribute = draft.pick(thing.table, Number, total=name == "sum", whole=True)
    draft.tags.append(name)
    word, preposition = aggregate_words(name, attribute)[0], "among" if name in ("max", "min") else "of"
    many = noun_phrase(draft.chance, thing.table.entity, [*([group] if group else []), *thing.clauses])
    words = f"the {word} {attribute.noun} {preposition} the {many}"
    return _Figure(AGGREGATES[name](this=thing.column(column)), words, None if name == "sum" else column)


def _having(draft: Draft, thing: Subject, figure: _Figure, groups: str) -> str:
    draft.tags.append("having")
    if figure.column is not None and draft.chance.happens(0.5):
        bound = threshold(draft, figure.column)
        above = draft.chance.happens(0.6)
        thing.query.having = compare(">" if above else "<", figure.node.copy(), literal(bound))
        return f", but only where that figure is {'above' if above else 'below'} {plain(bound)}"
    least = draft.chance.between(2, 4)
    thing.query.having = compare(">=", count_rows(), literal(least))
    return f", but only for {groups} with at least {least} such {thing.table.entity.many}"


def _by_figure(draft: Draft, thing: Subject, figure: _Figure) -> str:
    descending = draft.chance.happens(0.7)
    thing.query.order.append((figure.node.copy(), descending))
    draft.tags.append("sorted")
    return ", sorted by that figure from highest to lowest" if descending else ", sorted by that figure, lowest first"


def shared_values(draft: Draft) -> Asked:
    """Ask which values of a category many things share."""
    thing = subject(draft, labelled=False, most=2)
    column, attribute = draft.pick(thing.table, Category, whole=True)
    number = draft.chance.between(2, 6)
    thing.query.select.append(thing.column(column))
    thing.query.group.append(thing.column(column))
    thing.query.having = compare(">", count_rows(), literal(number))
    many = thing.many
    text = draft.say(
        question(f"which {attribute.plural} are shared by more than {number} of the {many}"),
        request(f"list every {attribute.noun} shared by more than {number} of the {many}"),
    )
    return Asked(text, thing.query.build())


def per_parent(draft: Draft) -> Asked:
    """Ask for a number of children for each thing."""
    thing, query, reference, parent = _children(draft)
    label, entity = label_of(reference.target), reference.target.entity
    whose, it = ("their", "them") if entity.person else ("its", "it")
    thing.clauses.insert(0, linked(thing.table.entity, reference.link, reference.link.of.replace("{}", it), last=False))
    figure = _figure(draft, thing)
    said = figure.words
    query.select += [query.column(parent, label), figure.node.copy()]
    query.group.append(query.column(parent, reference.target.key))  # type: ignore[arg-type]
    tail = _by_figure(draft, thing, figure) if draft.chance.happens(0.35) else ""
    if draft.chance.happens(0.3):
        tail += _having(draft, thing, figure, entity.many)
    else:
        tail += f"; leave out {entity.many} without any such {thing.table.entity.one}"
    noun = attribute_of(label).noun
    text = draft.say(
        request(f"for each {entity.one}, show {whose} {noun} and {said}{tail}"),
        request(f"show the {noun} of each {entity.one} and {said}{tail}"),
    )
    return Asked(text, query.build())


def _children(draft: Draft) -> tuple[Subject, Query, Reference, Source]:
    thing = subject(draft, draft.one_of([t for t in draft.world.tables if t.references]), most=1)
    reference = draft.one_of([r for r in thing.table.references if r.target.label and r.target is not thing.table])
    if any(source.table is reference.target for source in thing.query.sources):
        raise MisfitError
    if any(clause.split for clause in thing.clauses):
        raise MisfitError  # within the words about the parent, an "or" could be the parent's
    parent = thing.query.to_parent(thing.source, reference)
    return thing, thing.query, reference, parent


def parents_with_many(draft: Draft) -> Asked:
    """Ask which things have many that belong to them, by joining, grouping and counting."""
    thing, query, reference, parent = _children(draft)
    test, said = quantity(draft, reference)
    label = label_of(reference.target)
    query.select.append(query.column(parent, label))
    query.group.append(query.column(parent, reference.target.key))  # type: ignore[arg-type]
    query.having = compare(*test(count_rows()))
    entity = reference.target.entity
    verb = filled(reference.link.did, f"{said} {thing.many}")[1]
    noun = attribute_of(label).plural
    text = draft.say(
        question(f"which {entity.many} {verb}") + f" Give their {noun}.",
        request(f"list the {noun} of all {entity.many} {entity.who} {verb}"),
    )
    return Asked(text, query.build())


def parent_with_most(draft: Draft) -> Asked:
    """Ask which thing has the most that belong to it."""
    thing, query, reference, parent = _children(draft)
    label = label_of(reference.target)
    with_count = draft.chance.happens(0.35)
    query.select.append(query.column(parent, label))
    if with_count:
        query.select.append(count_rows())
    query.group.append(query.column(parent, reference.target.key))  # type: ignore[arg-type]
    query.order.append((count_rows(), True))
    query.limit = 1
    entity = reference.target.entity
    verb = filled(reference.link.did, f"the most {thing.many}")[0]
    noun = attribute_of(label).noun
    its = entity.its
    who = entity.who
    if with_count:
        such = "such " if thing.clauses else ""
        text = (
            question(f"which {entity.one} {verb}")
            + f" Give {its} {noun} and the number of {such}{thing.table.entity.many}."
        )
    else:
        bare = "" if is_code(reference.target) else question(f"which {entity.one} {verb}")
        text = draft.say(
            bare or question(f"which {entity.one} {verb}") + f" Give {its} {noun}.",
            request(f"give the {noun} of the {entity.one} {who} {verb}"),
        )
    return Asked(text, query.build())
