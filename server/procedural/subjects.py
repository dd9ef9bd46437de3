"""What a question is about: a table with conditions, in a query and in words; and how its parts are called."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from sql_env.server.procedural.domain import Attribute, Day, Number, Year
from sql_env.server.procedural.drafts import Draft, MisfitError, label_of
from sql_env.server.procedural.filters import OWN, Filter, drawn
from sql_env.server.procedural.links import EITHER, LINKED, NESTED
from sql_env.server.procedural.phrases import Clause, closed, forms, noun_phrase, predicate
from sql_env.server.procedural.queries import Query, Source
from sql_env.server.procedural.world import Column, Table


@dataclass
class Subject:
    """A table with conditions.

    Attributes:
        draft: the question that it belongs to.
        query: the query that holds its conditions.
        clauses: their words.
    """

    draft: Draft
    query: Query
    clauses: list[Clause]

    @property
    def source(self) -> Source:
        """Where it stands in FROM."""
        return self.query.main

    @property
    def table(self) -> Table:
        """Its table."""
        return self.query.main.table

    @property
    def many(self) -> str:
        """The things: "ferries that were built before 1990"."""
        return noun_phrase(self.draft.chance, self.table.entity, self.clauses)

    @property
    def one(self) -> str:
        """One of the things: "ferry that was built before 1990"."""
        return noun_phrase(self.draft.chance, self.table.entity, self.clauses, one=True)

    @property
    def stated(self) -> str:
        """The things and one thing about them as a sentence: "ferries made of oak" "have more than 3 masts"."""
        clauses = sorted(self.clauses, key=lambda clause: (clause.link, clause.split, clause.last))
        kept = [clauses.pop()] if clauses else []
        rest = noun_phrase(self.draft.chance, self.table.entity, clauses) if clauses else self.table.entity.many
        return f"{closed(rest)} {predicate(self.table.entity, kept, who=False)}"

    @property
    def its(self) -> str:
        """The possessive."""
        return self.table.entity.its

    def column(self, column: Column) -> exp.Column:
        """Return a column of it; a new node at each call."""
        return self.query.column(self.source, column)

    def label(self) -> exp.Column:
        """Return its label.

        Raises:
            MisfitError: it has none.
        """
        return self.column(label_of(self.table))


def subject(draft: Draft, table: Table | None = None, *, labelled: bool = True, most: int = 3) -> Subject:
    """Return a table with as many conditions, and such, as the draft's richness asks for.

    Args:
        draft: the question.
        table: the table; otherwise any.
        labelled: whether any has to have a label.
        most: greatest number of conditions.
    """
    stocks = _stocks(draft)[:most]
    table = table or draft.table(labelled=labelled, references=stocks.count(LINKED))
    query = Query(table)
    clauses = []
    for stock in stocks:
        try:
            clauses.append(drawn(draft, query, query.main, stock))
        except MisfitError:
            if draft.richness < 2:
                raise
    if sum(clause.last for clause in clauses) > 1:
        raise MisfitError
    return Subject(draft, query, clauses)


def bare_subject(draft: Draft, table: Table) -> Subject:
    """Return a table without conditions."""
    return Subject(draft, Query(table), [])


def _stocks(draft: Draft) -> list[Sequence[tuple[Filter, float]]]:
    """Return from which stock each condition is to be drawn."""
    chance = draft.chance
    if draft.richness == 0:
        return [OWN] if chance.happens(0.75) else []
    if draft.richness == 1:
        return [chance.weighted((OWN, LINKED, NESTED, EITHER), (4, 4, 2, 1))]
    if draft.richness == 2:
        return chance.choice(
            (
                [OWN, OWN],
                [OWN, LINKED],
                [OWN, NESTED],
                [NESTED],
                [LINKED],
                [EITHER, LINKED],
                [LINKED, LINKED],
                [LINKED, LINKED],
            )
        )
    return chance.choice(
        (
            [OWN, OWN, LINKED],
            [OWN, LINKED, LINKED],
            [LINKED, LINKED],
            [EITHER, LINKED],
            [OWN, NESTED],
            [EITHER, NESTED],
            [OWN, OWN, NESTED],
        )
    )


# --- words for attributes --------------------------------------------------------------------------------


_LONG: Final = frozenset("time duration length period delay wait stay validity downtime interval life".split())
_LARGE: Final = frozenset("size area volume stock amount budget capacity distance weight population fund".split())

_GREAT: Final = frozenset("height depth width thickness diameter quantity altitude elevation span draught".split())


def scale(attribute: Attribute) -> tuple[str, str, str, str]:
    """Return how people say more, less, most and least of an attribute: "longer" of a time, "larger" of an area."""
    head = attribute.noun.split()[-1]
    if head in _LONG:
        return ("longer", "shorter", "longest", "shortest")
    if head in _LARGE:
        return ("larger", "smaller", "largest", "smallest")
    if head in _GREAT:
        return ("greater", "smaller", "greatest", "smallest")
    return ("higher", "lower", "highest", "lowest")


def extreme(attribute: Attribute, *, top: bool) -> Clause:
    """Say that something is the most or the least of its kind: "is the longest", "was built first"."""
    match attribute:
        case Number(adjectives=(_, _, most, least)):
            said = f"the {most if top else least}"
            return Clause((f"is {said}", f"are {said}"))
        case Number(counted=thing) if thing:
            said = f"the {'most' if top else 'fewest'} {thing}"
            return Clause((f"has {said}", f"have {said}"), f"with {said}")
        case Year(did=did) | Day(did=did):
            when = "most recently" if top else "first"
            one, many = forms(did)
            return Clause((f"{one} {when}", f"{many} {when}"))
    said = f"the {scale(attribute)[2 if top else 3]} {attribute.noun}"
    return Clause((f"has {said}", f"have {said}"), f"with {said}")


def sequence(attribute: Attribute, *, descending: bool) -> str:
    """Say in which order: "from the longest to the shortest"."""
    match attribute:
        case Number(adjectives=(_, _, most, least)):
            ends = (f"the {most}", f"the {least}")
        case Number(counted=thing) if thing:
            ends = (f"the most {thing}", "the fewest")
        case Year() | Day():
            ends = (f"the latest {attribute.noun}", "the earliest")
        case _:
            _, _, most, least = scale(attribute)
            ends = (f"the {most} {attribute.noun}", f"the {least}")
    first, second = ends if descending else (ends[1], ends[0])
    if not descending and second.count(" ") > first.count(" "):  # the noun belongs behind the first
        first, second = first + second[second.index(" ", 4) :], " ".join(second.split()[:2])
    return f"from {first} to {second}"
