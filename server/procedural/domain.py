"""The words of a domain: what there is in it, what is known of it, how it hangs together, and how people say so.

A domain is a stock from which worlds are composed (world.py): entities with attributes, links from one entity to
another, bridges between two. Everything carries the English that questions are made of, in pieces that fit any
question: a plural, a clause for "that …", a phrase that follows a noun. Two forms of a verb, singular and plural, are
given where they differ: ``("is", "are")``; a text stands for both.
"""

from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

Both: TypeAlias = str | tuple[str, str]
"""A verb phrase that is the same in the singular and in the plural, or one for each."""


# --- how values are made ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class People:
    """Names of people, such as Ingrid Halvorsen."""


@dataclass(frozen=True)
class Places:
    """Names of invented towns and villages, such as Ostervale."""


@dataclass(frozen=True)
class Codes:
    """Codes after a pattern in which ``#`` is a digit and ``@`` a letter: ``INV-####``; at least 1,000 of them."""

    pattern: str


@dataclass(frozen=True)
class Made:
    """Names put together from parts, one of each tuple, joined by blanks: at least 150 combinations.

    An empty part leaves nothing. Parts should be such that any combination is a believable name.
    """

    parts: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Listed:
    """Names from a list, each once; the entity has at most as many rows as there are names."""

    names: tuple[str, ...]


Names: TypeAlias = People | Places | Codes | Made | Listed


# --- attributes ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One column.

    Attributes:
        column: lower-case words joined by ``_``; unique in its entity, never ending in ``_id``.
        noun: what people call it, singular, lower case, without article: "wing span", "number of seats".
        nouns: its plural, where it is not noun + "s".
        nulls: share of rows where it is not recorded.
    """

    column: str
    noun: str
    nouns: str = ""
    nulls: float = 0.0

    @property
    def plural(self) -> str:
        """The noun's plural."""
        return self.nouns or self.noun + "s"


@dataclass(frozen=True, kw_only=True)
class Label(Attribute):
    """What identifies a thing to people: its name, its title, its code.

    Attributes:
        names: how values are made.
    """

    names: Names


@dataclass(frozen=True, kw_only=True)
class Category(Attribute):
    """One of a few texts.

    Attributes:
        options: 3 to 12 of them, most frequent first; as they stand in the database.
        of: a phrase that follows a plural noun, ``{}`` is the option: "made of {}", "in {} condition", "from {}";
            with "not" before it, it must be right, too. Without it: "whose <noun> is {}".
    """

    options: tuple[str, ...]
    of: str = ""


@dataclass(frozen=True, kw_only=True)
class Number(Attribute):
    """A quantity.

    How people compare it is said in one of three ways: ``adjectives`` ("longer than 12 metres"), ``counted`` ("with
    more than 12 seats"), or neither ("with a <noun> of more than 12 metres").

    Attributes:
        low: least value.
        high: greatest value.
        step: values are low + a multiple of it: 1 gives integers, 0.5 or 0.01 decimals.
        skew: 1 spreads values evenly; 2 or 3 makes small ones more frequent.
        unit: in the plural, "metres", "euros", "%"; empty if there is none.
        adjectives: more, less, most, least: ("longer", "shorter", "longest", "shortest"). Only where each is natural
            both in "<things> longer than 12 metres" and in "which <thing> is the longest".
        counted: what is counted, in the plural, "seats"; the noun is then "number of seats".
        total: whether a sum over several things makes sense (weights, prices, quantities: yes; ages, ratings,
            temperatures: no).
    """

    low: float
    high: float
    step: float = 1
    skew: float = 1.0
    unit: str = ""
    adjectives: tuple[str, str, str, str] | None = None
    counted: str = ""
    total: bool = False


@dataclass(frozen=True, kw_only=True)
class Year(Attribute):
    """A year, an integer.

    Attributes:
        low: first year.
        high: last year.
        did: what happened then, in the past tense: "opened", ("was built", "were built").
    """

    low: int
    high: int
    did: Both


@dataclass(frozen=True, kw_only=True)
class Day(Attribute):
    """A date, text such as 2023-05-17.

    Attributes:
        first: earliest date.
        last: latest date.
        did: what happened then, in the past tense: "took place", ("was delivered", "were delivered").
    """

    first: date
    last: date
    did: Both


@dataclass(frozen=True, kw_only=True)
class Flag(Attribute):
    """Yes or no.

    Attributes:
        yes: ("is insured", "are insured").
        no: ("is not insured", "are not insured").
        share: share of yes.
    """

    yes: Both
    no: Both
    share: float = 0.4


# --- links -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Link:
    """A foreign key: each row of this entity belongs to one of another, which may have many.

    Attributes:
        to: the other entity's name (its own, for a self-reference such as a mentor).
        role: what the column is called, without ``_id``: "ferry", "captain", "mentor".
        of: follows this entity's plural, ``{}`` is the other one with or without details: "made by {}", "in {}":
            "trips made by the ferry Tern", "trips made by ferries that were built before 1990".
        did: follows "that" or "who" about the other one, ``{}`` is this entity in the plural with a quantity before it:
            "made {}": "ferries that made more than 3 trips", "ferries that made no trips". In the past tense, or
            singular and plural: ("has {}", "have {}"). It has to be right with "no", "at least 2", "more than 5".
        nulls: share of rows that belong to none.
    """

    to: str
    role: str
    of: str
    did: Both
    nulls: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """A many-to-many relation said directly, without a word for the bridging entity, which links to both.

    Attributes:
        entity: the bridging entity's name; it has a link to each of the two.
        left: one entity.
        right: the other.
        left_did: "that" or "who" about left; ``{}`` is right in the plural or by name: ("takes {}", "take {}").
        right_did: about right, ``{}`` is left: ("is taken by {}", "are taken by {}").
    """

    entity: str
    left: str
    right: str
    left_did: Both
    right_did: Both


# --- entities and domains --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Entity:
    """A kind of thing, a table.

    Attributes:
        name: the table's name in the singular, lower-case words joined by ``_``.
        one: what people call one: "ferry".
        many: what they call several: "ferries".
        rows: "few" (4 to 12: a lookup table), "some" (15 to 60) or "many" (events and bridges, several for each
            parent).
        person: whether "who" is said, not "that".
        label: what identifies it; None only for events and bridges that nobody would name.
        attributes: what else is known of it, the most interesting first.
        links: to other entities.
    """

    name: str
    one: str
    many: str
    rows: str
    person: bool = False
    label: Label | None = None
    attributes: tuple[Attribute, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def who(self) -> str:
        """The relative pronoun: "who" of people, "that" of things."""
        return "who" if self.person else "that"

    @property
    def its(self) -> str:
        """The possessive: "their" of people, "its" of things."""
        return "their" if self.person else "its"


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A walk of life.

    Attributes:
        name: lower-case words joined by ``_``; the databases are named after it.
        story: what it is about, in one sentence.
        entities: 7 to 9, every one linked with the others directly or through others.
        bridges: at least one.
    """

    name: str
    story: str
    entities: tuple[Entity, ...]
    bridges: tuple[Bridge, ...]
