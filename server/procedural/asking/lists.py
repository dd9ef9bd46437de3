"""Questions whose answer is a list."""

from sql_env.server.procedural.asking.common import (
    Asked,
    label_words,
    question,
    ranked_column,
    request,
    skip_missing,
)
from sql_env.server.procedural.domain import Category
from sql_env.server.procedural.drafts import Draft, MisfitError
from sql_env.server.procedural.phrases import closed
from sql_env.server.procedural.subjects import extreme, sequence, subject


def names(draft: Draft) -> Asked:
    """Ask which things there are of a kind."""
    thing = subject(draft)
    if not thing.clauses:
        raise MisfitError
    thing.query.select.append(thing.label())
    _noun, nouns = label_words(thing)
    many = thing.many
    texts = [
        request(f"list the {nouns} of all {many}"),
        request(f"give me the {nouns} of the {many}"),
        request(f"find the {nouns} of all {many}"),
        question(f"what are the {nouns} of the {many}"),
    ]
    texts.append(question(f"which {thing.stated}") + f" Give their {nouns}.")
    return Asked(draft.chance.choice(texts), thing.query.build())


def sorted_names(draft: Draft) -> Asked:
    """Ask for things in an order."""
    thing = subject(draft)
    column, attribute = ranked_column(draft, thing.table)
    descending = draft.chance.happens(0.5)
    thing.query.select.append(thing.label())
    with_value = draft.chance.happens(0.45)
    if with_value:
        thing.query.select.append(thing.column(column))
    thing.query.order.append((thing.column(column), descending))
    if None in column.values:
        raise MisfitError
    _, nouns = label_words(thing)
    what = f"the {nouns} and {attribute.plural}" if with_value else f"the {nouns}"
    order = sequence(attribute, descending=descending)
    text = draft.say(
        request(f"list {what} of all {thing.many}, {order}"),
        request(f"give me {what} of the {thing.many}, sorted {order}"),
        request(f"show {what} of {thing.many}, ordered {order}"),
    )
    return Asked(text, thing.query.build())


def the_top(draft: Draft) -> Asked:
    """Ask for the first few things by an attribute, in order."""
    thing = subject(draft)
    column, attribute = ranked_column(draft, thing.table)
    top = draft.chance.happens(0.65)
    number = draft.chance.between(2, 5)
    thing.query.select.append(thing.label())
    with_value = draft.chance.happens(0.45)
    if with_value:
        thing.query.select.append(thing.column(column))
    thing.query.order.append((thing.column(column), top))
    thing.query.limit = number
    skip_missing(thing, column, top)
    _noun, nouns = label_words(thing)
    what = f"{nouns} and {attribute.plural}" if with_value else nouns
    said = extreme(attribute, top=top).verb[1]
    order = sequence(attribute, descending=top)
    who = thing.table.entity.who
    text = draft.say(
        question(f"which {number} {closed(thing.many)} {said}") + f" List their {what}, {order}.",
        request(f"of all {thing.many}, list the {what} of the {number} {who} {said}, {order}"),
    )
    return Asked(text, thing.query.build())


def different_values(draft: Draft) -> Asked:
    """Ask for the different values of an attribute."""
    thing = subject(draft, labelled=False)
    column, attribute = draft.pick(thing.table, Category, whole=True)
    thing.query.select.append(thing.column(column))
    thing.query.distinct = True
    many, nouns = thing.many, attribute.plural
    text = draft.say(
        question(f"which different {nouns} occur among the {many}"),
        request(f"list the {nouns} of the {many}, each only once"),
        question(f"what are the distinct {nouns} among the {many}"),
        request(f"list the different {nouns} of the {many}"),
    )
    return Asked(text, thing.query.build())


def alphabetical(draft: Draft) -> Asked:
    """Ask for names in alphabetical order."""
    thing = subject(draft)
    if not thing.clauses:
        raise MisfitError
    descending = draft.chance.happens(0.2)
    thing.query.select.append(thing.label())
    thing.query.order.append((thing.label(), descending))
    _, nouns = label_words(thing)
    order = "in reverse alphabetical order" if descending else "in alphabetical order"
    text = draft.say(
        request(f"list the {nouns} of all {thing.many} {order}"),
        request(f"{order}, give the {nouns} of the {thing.many}"),
    )
    return Asked(text, thing.query.build())
