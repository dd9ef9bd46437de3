"""Questions that compare with another query: nested ones, and set operations."""

from sqlglot import exp

from sql_env.server.procedural.asking.common import (
    AGGREGATES,
    Asked,
    aggregate_words,
    label_words,
    question,
    ranked_column,
    request,
    with_extreme,
)
from sql_env.server.procedural.domain import Category, Number
from sql_env.server.procedural.drafts import Draft, MisfitError, attribute_of, label_of, named, unique_label
from sql_env.server.procedural.filters import drawn, own
from sql_env.server.procedural.links import LINKED
from sql_env.server.procedural.phrases import Clause, article, filled, linked, noun_phrase
from sql_env.server.procedural.queries import (
    Query,
    compare,
    count_rows,
    literal,
    scalar,
)
from sql_env.server.procedural.subjects import Subject, bare_subject, scale, subject
from sql_env.server.procedural.world import Column, Table


def beyond_named(draft: Draft) -> Asked:
    """Ask which things exceed a named one."""
    table = draft.table()
    column, attribute = draft.pick(table, Number, whole=True)
    value = unique_label(draft, table)
    inner = Query(table)
    inner.select.append(inner.column(inner.main, column))
    inner.where.append(compare("=", inner.column(inner.main, label_of(table)), literal(value)))
    return _beyond(draft, table, column, attribute, scalar(inner.build()), named(table.entity, value))


def beyond_all(draft: Draft) -> Asked:
    """Ask which things exceed all of another kind."""
    table = draft.table()
    column, attribute = draft.pick(table, Number, whole=True)
    other = subject(draft, table, most=1)
    if not other.clauses or any(clause.link or clause.last for clause in other.clauses):
        raise MisfitError
    more = draft.chance.happens(0.6)
    other.query.select.append((exp.Max if more else exp.Min)(this=other.column(column)))
    return _beyond(draft, table, column, attribute, scalar(other.query.build()), f"every {other.one}", more=more)


def _beyond(
    draft: Draft, table: Table, column: Column, attribute: Number, bound: exp.Expr, than: str, more: bool | None = None
) -> Asked:
    more = draft.chance.happens(0.6) if more is None else more
    thing = bare_subject(draft, table)
    thing.query.where.append(compare(">" if more else "<", thing.column(column), bound))
    if attribute.adjectives:
        said = f"are {attribute.adjectives[0 if more else 1]} than {than}"
    elif attribute.counted:
        said = f"have {'more' if more else 'fewer'} {attribute.counted} than {than}"
    else:
        said = f"have {article(f'{scale(attribute)[not more]} {attribute.noun}')} than {than}"
    many, who = table.entity.many, table.entity.who
    if draft.chance.happens(0.5):
        thing.query.select.append(count_rows())
        text = draft.say(question(f"how many {many} {said}"), request(f"count the {many} {who} {said}"))
    else:
        thing.query.select.append(thing.label())
        _, nouns = label_words(thing)
        text = draft.say(
            request(f"list the {nouns} of all {many} {who} {said}"),
            question(f"which {many} {said}") + f" Give their {nouns}.",
        )
    return Asked(text, thing.query.build())


def of_the_most(draft: Draft) -> Asked:
    """Ask about what belongs to the thing that is first by an attribute."""
    child, reference = draft.child_of(draft.table())
    parent = reference.target
    if parent is child:
        raise MisfitError
    column, attribute = ranked_column(draft, parent)
    if len(set(column.values)) < len(column.values):
        raise MisfitError
    top = draft.chance.happens(0.65)
    inner = Query(parent)
    inner.select.append(inner.column(inner.main, parent.key))  # type: ignore[arg-type]
    inner.order.append((inner.column(inner.main, column), top))
    inner.limit = 1
    if None in column.values and not top:
        raise MisfitError
    thing = subject(draft, child, most=1)
    if any(clause.link or clause.last for clause in thing.clauses):
        raise MisfitError
    thing.query.where.append(compare("=", thing.column(reference.column), scalar(inner.build())))
    owner = f"the {with_extreme(bare_subject(draft, parent), attribute, top=top)}"
    thing.clauses.append(linked(thing.table.entity, reference.link, reference.link.of.replace("{}", owner), last=False))
    return Asked(_of_the_most_text(draft, thing), thing.query.build())


def _of_the_most_text(draft: Draft, thing: Subject) -> str:
    """Choose what is asked about the things, and say it."""
    if thing.table.label and draft.chance.happens(0.5):
        thing.query.select.append(thing.label())
        _, nouns = label_words(thing)
        listed = request(f"list the {nouns} of all {thing.many}")
        return listed if len(thing.clauses) == 1 else question(f"which {thing.stated}") + f" Give their {nouns}."
    if len(thing.clauses) == 1 and draft.chance.happens(0.4):
        number, about = draft.pick(thing.table, Number)
        name = draft.chance.choice(("avg", "max"))
        thing.query.select.append(AGGREGATES[name](this=thing.column(number)))
        word = aggregate_words(name, about)[0]
        return question(f"what is the {word} {about.noun} {'among' if name == 'max' else 'of'} the {thing.many}")
    thing.query.select.append(count_rows())
    return question(f"how many {thing.stated}")


def both_and_only(draft: Draft) -> Asked:
    """Ask for values that occur among two kinds of things, among one but not the other, or among either."""
    table = draft.table(labelled=False)
    column, attribute = draft.pick(table, Category, whole=True)
    sides = [subject(draft, table, most=1) for _ in range(2)]
    if not all(side.clauses for side in sides):
        raise MisfitError
    for side in sides:
        side.query.select.append(side.column(column))
    sides.sort(key=lambda side: any(clause.last or clause.split for clause in side.clauses))
    kind = draft.chance.choice(("intersect", "except", "union"))
    draft.tags.append(kind)
    trees = [side.query.build() for side in sides]
    many, nouns = [side.many for side in sides], attribute.plural
    if kind == "intersect":
        text = draft.say(
            question(f"which {nouns} occur both among {many[0]} and among {many[1]}"),
            request(f"list the {nouns} that occur both among {many[0]} and among {many[1]}"),
        )
        return Asked(text, exp.Intersect(this=trees[0], expression=trees[1], distinct=True))
    if kind == "except":
        text = draft.say(
            question(f"which {nouns} occur among {many[0]} but not among {many[1]}"),
            request(f"list the {nouns} that occur among {many[0]} but never among {many[1]}"),
        )
        return Asked(text, exp.Except(this=trees[0], expression=trees[1], distinct=True))
    text = question(f"which different {nouns} occur among {many[0]} or among {many[1]}")
    return Asked(text, exp.Union(this=trees[0], expression=trees[1], distinct=True))


def names_without(draft: Draft) -> Asked:
    """Ask for the names of things of one kind that are not of another, with EXCEPT."""
    table = draft.table()
    if len(set(label_of(table).values)) < table.count:
        raise MisfitError
    first, second = subject(draft, table, most=1), subject(draft, table, most=1)
    if not second.clauses or not second.clauses[0].verb[0]:
        raise MisfitError
    kind = draft.chance.choice(("except", "intersect", "union"))
    draft.tags.append(f"names {kind}")
    for side in (first, second):
        side.query.select.append(side.label())
    _, nouns = label_words(first)
    who = table.entity.who
    many, other = first.many, second.clauses[0].verb[1]
    if _is_negative(other):
        raise MisfitError
    trees = first.query.build(), second.query.build()
    if kind == "except":
        text = request(f"list the {nouns} of {many}, leaving out those {who} {other}")
        return Asked(text, exp.Except(this=trees[0], expression=trees[1], distinct=True))
    if not first.clauses:
        raise MisfitError
    if kind == "intersect":
        text = request(f"list the {nouns} of {many}, keeping only those {who} {_also(other)}")
        return Asked(text, exp.Intersect(this=trees[0], expression=trees[1], distinct=True))
    text = request(f"list the {nouns} of {many}, and also those of {table.entity.many} {who} {other}, each only once")
    return Asked(text, exp.Union(this=trees[0], expression=trees[1], distinct=True))


def _is_negative(words: str) -> bool:
    return bool({"not", "no", "other"} & set(words.split()))


def _also(verb: str) -> str:
    """Put "also" where it belongs in a predicate: "were also built", "also opened"."""
    first, _, rest = verb.partition(" ")
    return f"{first} also {rest}" if first in ("are", "were") else f"also {verb}"


def through_a_bridge(draft: Draft) -> Asked:
    """Ask for the names of things that are joined with a named one through a bridge."""
    bridge = draft.one_of([b for b in draft.world.bridges if b.left != b.right])
    is_left = draft.chance.happens(0.5)
    wanted, given = (bridge.left, bridge.right) if is_left else (bridge.right, bridge.left)
    table = draft.one_of([t for t in draft.world.tables if t.entity.name == bridge.entity])
    near = draft.one_of([r for r in table.references if r.target.entity.name == wanted])
    far = draft.one_of([r for r in table.references if r.target.entity.name == given])
    query = Query(table)
    source, other = query.to_parent(query.main, near), query.to_parent(query.main, far)
    query.distinct = draft.chance.happens(0.4)
    if draft.richness > 1 and far.target.references and draft.chance.happens(0.5):
        clause = drawn(draft, query, other, LINKED)
        said = f"at least one {noun_phrase(draft.chance, far.target.entity, [clause], one=True)}"
        query.distinct = True
    else:
        value = unique_label(draft, far.target)
        query.where.append(compare("=", query.column(other, label_of(far.target)), literal(value)))
        said = named(far.target.entity, value)
    clauses = [own(draft, query, source)] if draft.richness > 1 and draft.chance.happens(0.5) else []
    query.select.append(query.column(source, label_of(near.target)))
    verb = filled(bridge.left_did if is_left else bridge.right_did, said)
    entity = near.target.entity
    many = noun_phrase(draft.chance, entity, [*clauses, Clause(verb, last=True)])
    nouns = attribute_of(label_of(near.target)).plural
    text = draft.say(
        request(f"list the {nouns} of all {many}"),
        question(f"what are the {nouns} of the {many}"),
        request(f"find the {nouns} of the {many}"),
    )
    return Asked(text, query.build())
