"""New values like those that a column has: numbers near by, dates moved, texts put together from others' words."""

import datetime
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sql_env.server.databases import SQLValue
from sql_env.server.procedural.chance import Chance

MAX_TEXT = 60
"""Longest text that is made up of others."""


LEAST_NAMES: Final = 5
"""Different texts in a column from which on they are taken for names, which stay different."""


@dataclass(frozen=True)
class Kind:
    """What a column holds, as far as new values depend on it.

    Attributes:
        values: what it holds but for NULL, in the order of the rows.
    """

    values: tuple[SQLValue, ...]

    @cached_property
    def distinct(self) -> list[SQLValue]:
        """Its different values, in an order that depends on nothing but them."""
        return sorted(set(self.values), key=lambda value: (type(value).__name__, value))

    @cached_property
    def is_number(self) -> bool:
        """Whether all are numbers."""
        return bool(self.values) and all(isinstance(value, int | float) for value in self.values)

    @cached_property
    def is_date(self) -> bool:
        """Whether all are dates, with a time or without."""
        return bool(self.values) and all(isinstance(v, str) and _date(v) is not None for v in self.distinct)

    @cached_property
    def is_text(self) -> bool:
        """Whether all are texts that are no dates."""
        return bool(self.values) and all(isinstance(v, str) for v in self.values) and not self.is_date

    @cached_property
    def is_name(self) -> bool:
        """Whether these are texts of which none occurs twice, too many for chance: names, titles, codes."""
        return self.is_text and len(self.values) == len(self.distinct) >= LEAST_NAMES

    @cached_property
    def repeats(self) -> bool:
        """Whether values come again and again, as those of a category do."""
        return len(self.distinct) * 2 < len(self.values)

    @cached_property
    def is_scale(self) -> bool:
        """Whether numbers are so few that they are a scale, a flag or a code."""
        low, high = self.range
        few = len(self.distinct) <= 5 and (len(self.distinct) < len(self.values) or high - low < 10)
        return few or len(self.distinct) * 5 < len(self.values)

    @cached_property
    def decimals(self) -> int:
        """Digits behind the point that the numbers have."""
        return max((len(repr(v).partition(".")[2]) for v in self.values if isinstance(v, float)), default=0)

    @cached_property
    def range(self) -> tuple[int | float, int | float]:
        """The least and the greatest of the numbers."""
        numbers = [value for value in self.values if isinstance(value, int | float)]
        return min(numbers, default=0), max(numbers, default=0)

    @cached_property
    def least(self) -> str:
        """The first of the texts."""
        return str(self.distinct[0])

    @cached_property
    def greatest(self) -> str:
        """The last of the texts."""
        return str(self.distinct[-1])

    @cached_property
    def patterns(self) -> "dict[tuple[str, ...], list[list[str]]]":
        """The texts' words by what stands between them."""
        found: dict[tuple[str, ...], list[list[str]]] = {}
        for value in self.distinct:
            words, between = _split(str(value))
            found.setdefault(between, []).append(words)
        return found

    @cached_property
    def taken(self) -> frozenset[str]:
        """The texts without regard to case."""
        return frozenset(str(value).casefold() for value in self.distinct)


_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:$|[ T]\d\d:\d\d.*)")
_WORD = re.compile(r"(\W+|_+)")


def _date(text: str) -> datetime.date | None:
    match = _DATE.match(text)
    try:
        return datetime.date(int(match[1]), int(match[2]), int(match[3])) if match else None
    except ValueError:
        return None


def _split(text: str) -> tuple[list[str], tuple[str, ...]]:
    parts = _WORD.split(text)
    return parts[::2], tuple(parts[1::2])


def near(chance: Chance, value: SQLValue, kind: Kind) -> SQLValue:
    """Return a number near another, within the column's range and with its decimals."""
    low, high = kind.range
    if not isinstance(value, int | float) or not abs(high) + abs(low) < 1e15:
        return value
    sign = 1 if chance.happens(0.5) else -1
    if isinstance(value, int):
        new = value + sign * chance.between(1, max(1, int(high - low) // 10))
        return new if low <= new <= high else value
    step = float(f"1e-{kind.decimals}")  # no power: mathematical libraries differ in last digits
    moved = round(value + sign * max(step, (high - low) * 0.1 * chance.random()), kind.decimals)
    return moved if low <= moved <= high else value


def moved(chance: Chance, value: SQLValue, kind: Kind) -> SQLValue:
    """Return a date some days from another, in its form, and now and then beyond the column's range."""
    day = _date(value) if isinstance(value, str) else None
    if day is None or not isinstance(value, str):
        return value
    days = chance.between(1, 45) * (1 if chance.happens(0.5) else -1)
    try:
        new = (day + datetime.timedelta(days=days)).isoformat() + value[10:]
    except OverflowError:
        return value
    return new if kind.least <= new <= kind.greatest or chance.happens(0.1) else value


def unseen(chance: Chance, value: str, kind: Kind) -> str | None:
    """Return a text that the column does not hold, of the words of those that it holds; None if none is found."""
    words, between = _split(value)
    alike = kind.patterns.get(between, [words])
    for _ in range(4):
        other = chance.choice(alike)
        new = _recombined(chance, words, other)
        text = "".join(word + gap for word, gap in zip(new, (*between, ""), strict=True))
        if text.casefold() not in kind.taken and text.strip():
            return text
    if len(words) == 1:
        return _of_one_word(chance, value, kind)
    return None


def _recombined(chance: Chance, words: Sequence[str], other: Sequence[str]) -> list[str]:
    return [one if chance.happens(0.5) else two for one, two in zip(words, other, strict=True)]


def _of_one_word(chance: Chance, value: str, kind: Kind) -> str | None:
    for _ in range(6):
        if value.isdigit() or _is_code(value):
            text = "".join(_like(chance, char) if i else char for i, char in enumerate(value))
        else:
            other = str(chance.choice(kind.distinct))
            text = f"{value} {other}" if value[:1].isupper() == other[:1].isupper() else f"{other} {value}"
        if text.casefold() not in kind.taken and len(text) <= MAX_TEXT and text != value:
            return text
    return None


def _is_code(value: str) -> bool:
    return any(char.isdigit() for char in value) or (value.isupper() and len(value) <= 5)


def _like(chance: Chance, char: str) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    if char.isascii() and char.isdigit():
        return str(chance.below(10))
    if char.isascii() and char.isalpha():
        return chance.choice(letters if char.isupper() else letters.lower())
    return char


def chance_of_agreement(values: Sequence[SQLValue], pairs: int) -> float:
    """Return how likely it is that so many pairs of rows agree in a column by chance."""
    total = len(values)
    same = sum((count / total) * (count / total) for count in Counter(values).values())
    likely = 1.0
    for _ in range(min(pairs, 60)):
        likely *= same
    return likely
