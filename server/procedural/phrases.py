"""English: quantities, dates, and noun phrases with what is said behind the noun."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sql_env.server.databases import SQLValue
from sql_env.server.procedural.chance import Chance
from sql_env.server.procedural.domain import Both, Entity, Link, Number

MONTHS = ("January February March April May June July August September October November December").split()


def forms(phrase: Both) -> tuple[str, str]:
    """Return a phrase's singular and plural."""
    return (phrase, phrase) if isinstance(phrase, str) else phrase


def filled(phrase: Both, text: str) -> tuple[str, str]:
    """Fill the gap of a phrase; return its singular and plural."""
    one, many = forms(phrase)
    return one.replace("{}", text), many.replace("{}", text)


def article(noun: str) -> str:
    """Return a noun behind ``a`` or ``an``."""
    vowel = noun[:1].lower() in "aeiou" and not noun.lower().startswith(("uni", "use", "eu", "one", "uti"))
    return f"{'an' if vowel or noun.lower().startswith(('hour', 'heir', 'honest', 'x-ray')) else 'a'} {noun}"


def listed(items: Sequence[str], word: str = "and") -> str:
    """Join items with commas and a word before the last."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"


def sentence(text: str, end: str) -> str:
    """Return a text with a capital at its beginning and a mark at its end."""
    return f"{text[:1].upper()}{text[1:]}{end}"


def plain(value: SQLValue) -> str:
    """Write a number without a needless ".0", thousands marked."""
    if not isinstance(value, int | float):
        raise TypeError(value)
    value = int(value) if value == int(value) else value
    return f"{value:,}" if abs(value) >= 1_000 else str(value)


_CURRENCIES = frozenset("euros dollars pounds francs crowns kroner kronor marks".split())


def amount(value: SQLValue, attribute: Number) -> str:
    """Write a quantity with its unit."""
    unit = attribute.unit
    number = plain(value)
    if unit in _CURRENCIES and isinstance(value, float) and value != int(value):
        number = f"{value:,.2f}"
    if unit == "%":
        return number + unit
    if value == 1 and unit.endswith("s") and " " not in unit:
        unit = unit[:-1]
    return f"{number} {unit}".rstrip()


def day_text(text: str, *, spelled: bool) -> str:
    """Write a date as 17 May 2023, or as it stands."""
    day = date.fromisoformat(text)
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}" if spelled else text


@dataclass(frozen=True)
class Clause:
    """What is said of a thing, in several forms.

    Attributes:
        verb: singular and plural of what follows "that": "was built before 1990", "were built before 1990".
        bare: what may follow the noun directly, "with 3 masts"; empty if nothing may.
        whose: a whole clause of its own, "whose status is running", for one that stands alone; empty if there is none.
        link: whether it names what the thing belongs to.
        last: whether it holds a noun with a clause of its own, so that what follows would be taken for that one's.
        split: whether it holds an "or".
        named: whether it is about the thing's name.
    """

    verb: tuple[str, str]
    bare: str = ""
    whose: str = ""
    link: bool = False
    last: bool = False
    split: bool = False
    named: bool = False


def whose(entity: Entity, noun: str, rest: str) -> str:
    """Return "whose <noun> is <rest>", of what happened "was"."""
    return f"whose {noun} {'was' if entity.rows == 'many' else 'is'} {rest}"


def being(entity: Entity, phrase: str) -> tuple[str, str]:
    """Return "is" and "are", of what happened "was" and "were", before a phrase such as "made by Ada Barros"."""
    one, many = ("was", "were") if entity.rows == "many" else ("is", "are")
    return f"{one} {phrase}", f"{many} {phrase}"


def having(entity: Entity, thing: str) -> tuple[str, str]:
    """Return "has" and "have", of what happened "had", before a thing such as "3 masts"."""
    one, many = ("had", "had") if entity.rows == "many" else ("has", "have")
    return f"{one} {thing}", f"{many} {thing}"


def linked(entity: Entity, link: Link, of: str, *, last: bool) -> Clause:
    """Return what is said of an entity by a phrase such as "made by Ada Barros".

    Args:
        entity: the entity.
        link: what links it; if that happened, it is told in the past.
        of: the phrase.
        last: whether nothing may follow it.
    """
    is_past = isinstance(link.did, str) or link.did[0].startswith("was ")
    verb = (f"was {of}", f"were {of}") if is_past else being(entity, of)
    return Clause(verb, of, link=True, last=last)


def noun_phrase(chance: Chance, entity: Entity, clauses: Sequence[Clause], *, one: bool = False) -> str:
    """Return a noun, without article, with all that is said of it.

    One clause may stand in any of its forms. Of several, a plain link stands behind the noun and all else behind
    "that" or "who", so that nothing can be taken for a property of another noun.
    """
    noun = entity.one if one else entity.many
    if len(clauses) == 1:
        return f"{noun} {_alone(chance, entity, clauses[0], one)}"
    start = [clause for clause in clauses if clause.link and not clause.last][:1]
    if start and start[0].bare.endswith((" it", " them")):
        return f"{noun} {predicate(entity, clauses, one=one)}"
    rest = [clause for clause in clauses if clause not in start]
    said = [clause.bare for clause in start]
    first = next((clause for clause in rest if clause.named), None)
    if first and not start:
        rest.remove(first)
        said.append(f"{first.whose} and {predicate(entity, rest, one=one)}")
    elif rest:
        said.append(predicate(entity, rest, one=one))
    return " ".join([noun, *said])


def _alone(chance: Chance, entity: Entity, clause: Clause, one: bool) -> str:
    if clause.whose and chance.happens(0.4):
        return clause.whose
    return clause.bare if clause.bare and chance.happens(0.9) else predicate(entity, [clause], one=one)


def predicate(entity: Entity, clauses: Sequence[Clause], *, one: bool = False, who: bool = True) -> str:
    """Return clauses behind "that" or "who", or without it, what would be misunderstood further on at the end."""
    pronoun = entity.who
    plain = [clause.verb[not one] for clause in clauses if not clause.split and not clause.last]
    heavy = sorted((clause for clause in clauses if clause.split or clause.last), key=lambda clause: clause.split)
    if heavy and not heavy[0].split:
        plain.append(heavy.pop(0).verb[not one])
    again = f", and {pronoun} " if who else ", and "
    parts = plain if any(" not " in verb for verb in plain[:-1]) else [listed(plain)] if plain else []
    said = again.join([*parts, *(clause.verb[not one] for clause in heavy)])
    return f"{pronoun} {said}" if who else said


def closed(phrase: str) -> str:
    """Close with a comma what a comma has opened, before the verb of a sentence."""
    return f"{phrase}," if ", and that " in phrase or ", and who " in phrase else phrase


def either(first: Clause, second: Clause) -> Clause:
    """Return a clause that holds if one of two does, or both."""
    one, many = (f"{a} or {b} (or both)" for a, b in zip(first.verb, second.verb, strict=True))
    return Clause((one, many), split=True)


def negated(phrase: Both, one: str, many: str) -> tuple[str, str]:
    """Fill the gap of a phrase so that it is true of none: "had no faults", "was not worn by any animal".

    Args:
        phrase: about something that has others.
        one: one of these, with all that is said of it.
        many: several.
    """
    singular, plural = forms(phrase)
    if plural.split()[0] in ("are", "were"):
        return tuple(_denied(form).replace("{}", f"any {one}") for form in (singular, plural))  # type: ignore[return-value]
    return filled(phrase, f"no {many}")


def _denied(verb: str) -> str:
    first, _, rest = verb.partition(" ")
    return f"{first} not {rest}"
