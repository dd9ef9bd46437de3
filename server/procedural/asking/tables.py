"""Questions whose answer has several columns."""

from sqlglot import exp

from sql_env.server.procedural.asking.common import (
    AGGREGATES,
    Asked,
    aggregate_words,
    label_words,
    question,
    request,
    value_column,
)
from sql_env.server.procedural.domain import Number
from sql_env.server.procedural.drafts import Draft, MisfitError, attribute_of, label_of
from sql_env.server.procedural.queries import (
    count_rows,
)
from sql_env.server.procedural.subjects import subject


def names_with_values(draft: Draft) -> Asked:
    """Ask for things with one or two of their attributes."""
    thing = subject(draft)
    count = draft.chance.weighted((1, 2), (3, 2))
    chosen = [value_column(draft, thing.table) for _ in range(count)]
    thing.query.select += [thing.label(), *(thing.column(column) for column, _ in chosen)]
    noun, _nouns = label_words(thing)
    attributes = [attribute.noun for _, attribute in chosen]
    what = f"{noun} and the {attributes[0]}" if count == 1 else f"{noun}, the {attributes[0]} and the {attributes[1]}"
    text = draft.say(
        request(f"show the {what} of each {thing.one}"),
        request(f"for every {thing.one}, give the {what}"),
        request(f"list the {what} of every {thing.one}"),
    )
    return Asked(text, thing.query.build())


def names_with_parents(draft: Draft) -> Asked:
    """Ask for things together with what they belong to."""
    thing = subject(draft)
    reference = draft.one_of([r for r in thing.table.references if r.target.label])
    if reference.target is thing.table or None in reference.column.values:
        raise MisfitError
    if any(source.table is reference.target for source in thing.query.sources):
        raise MisfitError
    parent = thing.query.to_parent(thing.source, reference)
    thing.query.select += [thing.label(), thing.query.column(parent, label_of(reference.target))]
    noun, _ = label_words(thing)
    other = f"the {attribute_of(label_of(reference.target)).noun} of {thing.its} {_role(reference.link.role)}"
    text = draft.say(
        request(f"for each {thing.one}, show the {noun} and {other}"),
        request(f"list the {noun} of every {thing.one}, together with {other}"),
    )
    return Asked(text, thing.query.build())


def _role(role: str) -> str:
    return role.replace("_", " ")


def several_aggregates(draft: Draft) -> Asked:
    """Ask for two or three figures at once."""
    thing = subject(draft, labelled=False)
    column, attribute = draft.pick(thing.table, Number)
    pairs = (("min", "max"), ("min", "avg", "max"), ("avg", "max"))
    chosen = draft.chance.choice(pairs)
    thing.query.select += [AGGREGATES[name](this=thing.column(column)) for name in chosen]
    listed = [aggregate_words(name, attribute)[0] for name in chosen]
    said = f"{', the '.join(listed[:-1])} and the {listed[-1]} {attribute.noun}"
    many = thing.many
    text = draft.say(
        question(f"what are the {said} of the {many}"),
        request(f"show the {said} of all {many}"),
        request(f"give the {said} of {many}"),
    )
    return Asked(text, thing.query.build())


def count_and_average(draft: Draft) -> Asked:
    """Ask how many things there are and for an average of theirs."""
    thing = subject(draft, labelled=False)
    column, attribute = draft.pick(thing.table, Number, whole=True)
    thing.query.select += [count_rows(), exp.Avg(this=thing.column(column))]
    first = f"how many {thing.stated if thing.clauses else f'{thing.many} are there'}"
    text = draft.say(
        question(f"{first}, and what is their average {attribute.noun}"),
        request(f"give the number of {thing.many} and their average {attribute.noun}"),
    )
    return Asked(text, thing.query.build())
