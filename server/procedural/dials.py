"""Dials: what can be asked of a task, and which numbers have it.

A task's number decides its dials and its domain, so that an id decides everything and yet a curriculum can ask for any
mix. Numbers run through all combinations in a mixed order, each once before any comes again.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from sql_env.server.errors import TaskError
from sql_env.server.procedural.composing import DISTRACTORS, ROWS

HARDNESS: Final = ("easy", "medium", "hard", "extra")
ANSWER_TYPES: Final = {
    "easy": ("integer", "list", "string", "integer", "list", "float", "integer", "string", "list", "table"),
    "medium": ("integer", "table", "string", "list", "table", "float", "integer", "string", "table", "table"),
    "hard": ("integer", "table", "string", "list", "table", "float", "integer", "string", "list", "table"),
    "extra": ("integer", "table", "string", "list", "table", "float", "integer", "string", "list", "table"),
}
"""Types of answers of each hardness, each as often as it stands here."""

MOST_TABLES: Final = 8
COMBINATIONS: Final = len(HARDNESS) * 10 * MOST_TABLES * len(ROWS) * len(DISTRACTORS)

CHOICES: Final = {
    "hardness": HARDNESS,
    "answer_type": ("integer", "float", "string", "list", "table"),
    "num_tables": tuple(map(str, range(1, MOST_TABLES + 1))),
    "num_rows": tuple(ROWS),
    "distractors": DISTRACTORS,
}
"""Every dial with its values."""

Wanted: TypeAlias = Mapping[str, str | int | None]
"""For each dial its values, several separated by commas, ``2-4`` a range of tables; None for any."""


@dataclass(frozen=True)
class Dials:
    """What a task is to be like.

    Attributes:
        hardness: easy, medium, hard or extra.
        answer_type: integer, float, string, list or table.
        num_tables: tables in the database, distractors included, 1 to 8.
        num_rows: small, medium or large.
        distractors: none, some or many.
    """

    hardness: str
    answer_type: str
    num_tables: int
    num_rows: str
    distractors: str

    @classmethod
    def at(cls, place: int, hardness: Sequence[str] = HARDNESS) -> "Dials":
        """Return one of all combinations.

        Args:
            place: from 0 to COMBINATIONS − 1.
            hardness: the four to choose from.
        """
        left, which = divmod(place, len(HARDNESS))
        left, kind = divmod(left, 10)
        left, tables = divmod(left, MOST_TABLES)
        distractors, rows = divmod(left, len(ROWS))
        name = hardness[which]
        return cls(name, ANSWER_TYPES[name][kind], tables + 1, tuple(ROWS)[rows], DISTRACTORS[distractors])

    def fit(self, wanted: Mapping[str, Sequence[str]]) -> bool:
        """Return whether each dial is among the values wanted of it."""
        return all(str(getattr(self, name)) in values for name, values in wanted.items())


def parse_wanted(wanted: Wanted) -> dict[str, tuple[str, ...]]:
    """Read what is wanted of each dial; those of which nothing is are left out.

    Raises:
        TaskError: a dial has no such value.
    """
    return {name: _values(name, str(text)) for name, text in wanted.items() if text is not None}


def _values(name: str, text: str) -> tuple[str, ...]:
    values: list[str] = []
    for part in map(str.strip, text.split(",") if len(text) <= 200 else ()):
        first, dash, last = part.partition("-")
        if name == "num_tables" and dash and first in CHOICES[name] and last in CHOICES[name] and first <= last:
            values += map(str, range(int(first), int(last) + 1))
        else:
            values.append(part)
    if not values or any(value not in CHOICES[name] for value in values):
        raise TaskError(f"{name} must be one of {', '.join(CHOICES[name])}, or several of them, not {text[:80]!r}")
    return tuple(sorted(set(values)))


class Numbering:
    """Which dials and which of a split's domains each task's number has.

    Args:
        domains: names of the split's domains.
        size: how many tasks can be drawn; more can be named.
        hardness: the four from which hardness is chosen.
    """

    def __init__(self, domains: Sequence[str], size: int, hardness: Sequence[str] = HARDNESS) -> None:
        self.domains = tuple(domains)
        self.size = size
        self._hardness = tuple(hardness)
        self._period = COMBINATIONS * len(domains)
        self._stride = self._period * 618 // 1000
        while math.gcd(self._stride, self._period) > 1:
            self._stride += 1

    @cached_property
    def _dials(self) -> tuple[Dials, ...]:
        return tuple(Dials.at(place, self._hardness) for place in range(COMBINATIONS))

    def of(self, number: int) -> tuple[Dials, str]:
        """Return the dials and the domain of a number."""
        domain, place = divmod(number * self._stride % self._period, COMBINATIONS)
        return self._dials[place], self.domains[domain]

    def select(self, wanted: Wanted, domain: str | None = None) -> Sequence[int]:
        """Return the numbers that fit, none of them computed before it is asked for.

        Raises:
            TaskError: a dial has no such value, or no task fits.
        """
        values = parse_wanted(wanted)
        if not values and domain is None:
            return range(self.size)
        if domain is not None and domain not in self.domains:
            raise TaskError(f"this split has no domain {domain[:80]!r}")
        if self.size < self._period:
            found = [n for n in range(self.size) if self._fits(n, values, domain)]
            if not found:
                raise TaskError("no task of this split has this combination of dials")
            return found
        places = [place for place, dials in enumerate(self._dials) if dials.fit(values)]
        if not places:
            raise TaskError("no task has this combination of dials")
        chosen = range(len(self.domains)) if domain is None else (self.domains.index(domain),)
        return _Computed(len(places) * len(chosen) * (self.size // self._period), self._finder(places, chosen))

    def _fits(self, number: int, values: Mapping[str, Sequence[str]], domain: str | None) -> bool:
        dials, name = self.of(number)
        return domain in (None, name) and dials.fit(values)

    def _finder(self, places: Sequence[int], domains: Sequence[int]) -> Callable[[int], int]:
        """Return what gives the i-th number whose dials and domain are among some."""
        back = pow(self._stride, -1, self._period)
        count = len(places) * len(domains)
        step = count * 618 // 1000 or 1
        while math.gcd(step, count) > 1:
            step += 1

        def find(index: int) -> int:
            period, which = divmod(index, count)
            domain, place = divmod(which * step % count, len(places))
            at = domains[domain] * COMBINATIONS + places[place]
            return period * self._period + at * back % self._period

        return find


class _Computed(Sequence[int]):
    """A sequence whose items are computed when they are asked for."""

    def __init__(self, size: int, find: Callable[[int], int]) -> None:
        self._size, self._find = size, find

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> int:  # type: ignore[override]
        if not 0 <= index < self._size:
            raise IndexError(index)
        return self._find(index)
