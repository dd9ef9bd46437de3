"""Questions whose answer is one number: counts, aggregates, differences."""

from sqlglot import exp

from sql_env.server.procedural.asking.common import (
    AGGREGATES,
    Asked,
    aggregate_words,
    question,
    request,
)
from sql_env.server.procedural.domain import Category, Number
from sql_env.server.procedural.drafts import Draft, MisfitError
from sql_env.server.procedural.phrases import filled
from sql_env.server.procedural.queries import (
    count_distinct,
    count_rows,
)
from sql_env.server.procedural.subjects import Subject, scale, subject


def how_many(draft: Draft) -> Asked:
    """Ask how many things there are."""
    thing = subject(draft, labelled=False)
    thing.query.select.append(count_rows())
    many = thing.many
    first = question(f"how many {thing.stated}") if thing.clauses else question(f"how many {many} are there")
    text = draft.say(first, first, question(f"what is the number of {many}"), request(f"count the {many}"))
    return Asked(text, thing.query.build())


def how_many_different(draft: Draft) -> Asked:
    """Ask how many different values an attribute has."""
    thing = subject(draft, labelled=False)
    column, attribute = draft.pick(thing.table, Category)
    thing.query.select.append(count_distinct(thing.column(column)))
    many, nouns = thing.many, attribute.plural
    text = draft.say(
        question(f"how many different {nouns} are there among the {many}"),
        question(f"how many different {nouns} occur among {many}"),
        request(f"count the different {nouns} of the {many}"),
    )
    return Asked(text, thing.query.build())


def how_many_parents(draft: Draft) -> Asked:
    """Ask how many different things have something that belongs to them."""
    thing = subject(draft, labelled=False, most=1)
    reference = draft.parent_of(thing.table)
    if reference.target is thing.table or any(clause.split for clause in thing.clauses):
        raise MisfitError  # within the words about the parent, an "or" could be the parent's
    thing.query.select.append(count_distinct(thing.column(reference.column)))
    some = f"at least one {thing.one}" if draft.chance.happens(0.5) else f"one or more {thing.many}"
    verb = filled(reference.link.did, some)[1]
    parent = reference.target.entity
    text = draft.say(
        question(f"how many different {parent.many} {verb}"),
        request(f"count the different {parent.many} {parent.who} {verb}"),
    )
    return Asked(text, thing.query.build())


def aggregate(draft: Draft) -> Asked:
    """Ask for an average, a total, a greatest or a least value."""
    thing = subject(draft, labelled=False)
    name = draft.chance.weighted(("avg", "sum", "max", "min"), (4, 3, 2, 2))
    column, attribute = draft.pick(thing.table, Number, total=name == "sum")
    draft.tags.append(name)
    thing.query.select.append(AGGREGATES[name](this=thing.column(column)))
    return Asked(_aggregate_text(draft, thing, name, attribute), thing.query.build())


def _aggregate_text(draft: Draft, thing: Subject, name: str, attribute: Number) -> str:
    word = draft.say(*aggregate_words(name, attribute))
    unit = f", in {attribute.unit}," if attribute.unit and attribute.unit != "%" and draft.chance.happens(0.25) else ""
    preposition = "among" if name in ("max", "min") else "for" if " from " in attribute.noun else "of"
    what = f"{word} {attribute.noun}{unit} {preposition} {draft.say('all', 'the')} {thing.many}"
    return draft.say(
        question(f"what is the {what}"),
        request(f"find the {what}"),
        request(f"give me the {what}"),
    )


def spread(draft: Draft) -> Asked:
    """Ask for the difference between the greatest and the least value."""
    thing = subject(draft, labelled=False)
    column, attribute = draft.pick(thing.table, Number)
    top, bottom = exp.Max(this=thing.column(column)), exp.Min(this=thing.column(column))
    thing.query.select.append(exp.Sub(this=top, expression=bottom))
    many, noun = thing.many, attribute.noun
    _, _, most, least = scale(attribute)
    text = draft.say(
        question(f"what is the difference between the {most} and the {least} {noun} among the {many}"),
        question(f"how far apart are the {most} and the {least} {noun} among {many}"),
    )
    if not thing.clauses and draft.chance.happens(0.4):
        text = request(f"subtract the {least} {noun} among the {many} from the {most}")
    return Asked(text, thing.query.build())
