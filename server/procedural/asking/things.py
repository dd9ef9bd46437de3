"""Questions about one thing: a named one, the first of a kind, what it belongs to."""

from sqlglot import exp

from sql_env.server.procedural.asking.common import (
    Asked,
    is_code,
    label_words,
    question,
    ranked_column,
    request,
    skip_missing,
    value_column,
    with_extreme,
)
from sql_env.server.procedural.domain import Attribute, Category
from sql_env.server.procedural.drafts import Draft, MisfitError, label_of, named, unique_label
from sql_env.server.procedural.phrases import closed, filled
from sql_env.server.procedural.queries import (
    Query,
    compare,
    count_rows,
    literal,
    scalar,
)
from sql_env.server.procedural.subjects import Subject, bare_subject, extreme, subject


def value_of_named(draft: Draft) -> Asked:
    """Ask for one or two attributes of a thing that is named."""
    table = draft.table()
    value = unique_label(draft, table)
    thing = bare_subject(draft, table)
    count = draft.chance.weighted((1, 2), (5, 1 + draft.richness))
    chosen = [value_column(draft, table) for _ in range(count)]
    thing.query.select += [thing.column(column) for column, _ in chosen]
    thing.query.where.append(compare("=", thing.label(), literal(value)))
    nouns = " and the ".join(attribute.noun for _, attribute in chosen)
    name = named(table.entity, value)
    be = "are" if count > 1 else "is"
    text = draft.say(
        question(f"what {be} the {nouns} of {name}"),
        request(f"give the {nouns} of {name}"),
        request(f"look up the {nouns} of {name}"),
    )
    return Asked(text, thing.query.build())


def value_of_parent(draft: Draft) -> Asked:
    """Ask for an attribute of what a named thing belongs to."""
    child = draft.one_of([t for t in draft.world.tables if t.label and any(r.target is not t for r in t.references)])
    reference = draft.one_of([r for r in child.references if r.target is not child])
    value = unique_label(draft, child)
    query = Query(child)
    parent = query.to_parent(query.main, reference)
    query.where.append(compare("=", query.column(query.main, label_of(child)), literal(value)))
    column, attribute = value_column(draft, reference.target)
    query.select.append(query.column(parent, column))
    entity = reference.target.entity
    whose = f"{entity.who} {filled(reference.link.did, named(child.entity, value))[0]}"
    text = draft.say(
        question(f"what is the {attribute.noun} of the {entity.one} {whose}"),
        request(f"find the {attribute.noun} of the {entity.one} {whose}"),
    )
    return Asked(text, query.build())


def everything(draft: Draft) -> Asked:
    """Ask for all that is recorded of a thing that is named, or of a few things."""
    table = draft.table()
    name = ""
    if draft.chance.happens(0.5):
        thing = bare_subject(draft, table)
        value = unique_label(draft, table)
        thing.query.where.append(compare("=", thing.label(), literal(value)))
        name = f"the {table.entity.one} {value!s}"
    else:
        thing = subject(draft, table)
        name = f"the {thing.many}"
    if len(thing.query.sources) > 1:
        raise MisfitError
    thing.query.select.append(exp.Star())
    text = draft.say(
        request(f"show everything that is recorded about {name}, with all columns"),
        request(f"show all columns that are recorded for {name}"),
        request(f"give me every recorded detail about {name}, with all columns"),
    )
    return Asked(text, thing.query.build())


def the_most(draft: Draft) -> Asked:
    """Ask which thing is first by an attribute, by sorting or by comparing with the extreme."""
    thing = subject(draft)
    column, attribute = ranked_column(draft, thing.table)
    top = draft.chance.happens(0.65)
    with_value = draft.chance.happens(0.3)
    thing.query.select.append(thing.label())
    if with_value:
        thing.query.select.append(thing.column(column))
    if not thing.query.where and draft.chance.happens(0.35):
        inner = Query(thing.table)
        inner.select.append((exp.Max if top else exp.Min)(this=inner.column(inner.main, column)))
        thing.query.where.append(compare("=", thing.column(column), scalar(inner.build())))
        draft.tags.append("extreme")
    else:
        thing.query.order.append((thing.column(column), top))
        thing.query.limit = 1
        skip_missing(thing, column, top)
    noun, _ = label_words(thing)
    what = f"{noun} and {attribute.noun}" if with_value else noun
    return Asked(_most_text(draft, thing, attribute, top=top, what=what), thing.query.build())


def _most_text(draft: Draft, thing: Subject, attribute: Attribute, *, top: bool, what: str) -> str:
    said = extreme(attribute, top=top).verb[0]
    its = thing.its
    texts = [
        question(f"of all {thing.many}, which one {said}") + f" Give {its} {what}.",
        question(f"which {closed(thing.one)} {said}") + f" Give {its} {what}.",
    ]
    is_bare = " and " not in what and not is_code(thing.table)
    texts += [question(f"which {closed(thing.one)} {said}")] if is_bare else []
    if not thing.clauses:
        first = with_extreme(thing, attribute, top=top)
        texts += [request(f"give the {what} of the {first}"), request(f"find the {what} of the {first}")]
        texts += [question(f"what is the {what} of the {first}")] if " and " not in what else []
    return draft.chance.choice(texts)


def most_common(draft: Draft) -> Asked:
    """Ask for the most frequent value of a category."""
    thing = subject(draft, labelled=False)
    column, attribute = draft.pick(thing.table, Category, whole=True)
    top = draft.chance.happens(0.75)
    thing.query.select.append(thing.column(column))
    thing.query.group.append(thing.column(column))
    thing.query.order.append((count_rows(), top))
    thing.query.limit = 1
    most = "most common" if top else "least common"
    many = thing.many
    text = draft.say(
        question(f"what is the {most} {attribute.noun} among the {many}"),
        question(f"which {attribute.noun} is the {most} among {many}"),
        request(f"find the {attribute.noun} that occurs {'most' if top else 'least'} often among the {many}"),
    )
    return Asked(text, thing.query.build())
