"""What every way to ask uses: the question with its statement, and words and columns that recur."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlglot import exp

from sql_env.server.procedural.domain import Attribute, Category, Codes, Day, Label, Number, Year
from sql_env.server.procedural.drafts import Draft, attribute_of, label_of
from sql_env.server.procedural.phrases import sentence
from sql_env.server.procedural.queries import (
    missing,
)
from sql_env.server.procedural.subjects import Subject, extreme, scale
from sql_env.server.procedural.world import Column, Table


@dataclass(frozen=True)
class Asked:
    """A question and the statement that answers it."""

    text: str
    tree: exp.Query


Asking: TypeAlias = Callable[[Draft], Asked]
"""A way to ask: makes a question from a draft, or raises MisfitError."""

VALUES: Final = (Number, Category, Year, Day)
"""Kinds of attributes whose values people ask for."""

AGGREGATES: Final = {"avg": exp.Avg, "sum": exp.Sum, "max": exp.Max, "min": exp.Min}
"""SQL's aggregates of a quantity."""


def aggregate_words(name: str, attribute: Attribute) -> tuple[str, ...]:
    """Return the words for an aggregate of a quantity."""
    if name in ("max", "min"):
        return (scale(attribute)[2 if name == "max" else 3],)
    words = {"avg": ("average", "mean"), "sum": ("total", "combined")}[name]
    return words[:1] if attribute.noun.startswith(("mean ", "average ", "total ")) else words


def question(text: str) -> str:
    """Return words as a question."""
    return sentence(text, "?")


def request(text: str) -> str:
    """Return words as a request."""
    return sentence(text, ".")


def value_column(draft: Draft, table: Table) -> tuple[Column, Attribute]:
    """Return a column whose values people ask for."""
    return draft.pick(table, draft.chance.weighted(VALUES, (4, 4, 1, 2)))


def ranked_column(draft: Draft, table: Table) -> tuple[Column, Attribute]:
    """Return a column by which things are put in an order."""
    kind: type[Attribute] = draft.chance.weighted((Number, Year, Day), (6, 1, 2))
    return draft.pick(table, kind)


def skip_missing(thing: Subject, column: Column, descending: bool) -> None:
    """Leave out rows without a value where SQLite would sort them first."""
    if None in column.values and not descending:
        thing.query.where.append(missing(thing.column(column), negated=True))


def label_words(thing: Subject) -> tuple[str, str]:
    """Return what a thing's label is called, one and several."""
    attribute = attribute_of(label_of(thing.table))
    return attribute.noun, attribute.plural


def is_code(table: Table) -> bool:
    """Return whether things are labelled by codes rather than names."""
    attribute = label_of(table).attribute
    return isinstance(attribute, Label) and isinstance(attribute.names, Codes)


def with_extreme(thing: Subject, attribute: Attribute, *, top: bool) -> str:
    """Return what is first of things without conditions: "longest ferry", "ferry that has the most seats"."""
    said = extreme(attribute, top=top)
    if isinstance(attribute, Number) and attribute.adjectives:
        return f"{attribute.adjectives[2 if top else 3]} {thing.one}"
    who = thing.table.entity.who
    return f"{thing.one} {said.bare or f'{who} {said.verb[0]}'}"
