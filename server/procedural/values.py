"""Columns of values for attributes: a window of the attribute's range for each world, so that worlds differ."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeAlias

from sql_env.server.databases import SQLValue
from sql_env.server.procedural.chance import Chance
from sql_env.server.procedural.domain import Attribute, Category, Day, Flag, Label, Number, Year
from sql_env.server.procedural.names import make_names

FlagTexts: TypeAlias = tuple[SQLValue, SQLValue]
"""How no and yes are stored."""

Draw: TypeAlias = Callable[[], SQLValue]


def sql_type(attribute: Attribute, flags: FlagTexts) -> str:
    """Return the declared type of an attribute's column."""
    match attribute:
        case Number():
            return "REAL" if digits(attribute) else "INTEGER"
        case Year():
            return "INTEGER"
        case Flag():
            return "INTEGER" if isinstance(flags[0], int) else "TEXT"
        case Day():
            return "DATE"
        case _:
            return "TEXT"


def digits(number: Number) -> int:
    """Return how many decimals a number has."""
    return max(_decimals(number.step), _decimals(number.low))


def _decimals(value: float) -> int:
    text = repr(float(value))
    return 0 if text.endswith(".0") else len(text.partition(".")[2])


def make_values(chance: Chance, attribute: Attribute, count: int, flags: FlagTexts) -> list[SQLValue]:
    """Return a column of values, with NULLs where the attribute has some."""
    if isinstance(attribute, Label):
        return list(make_names(chance, attribute.names, count))
    draw = _drawing(chance, attribute, flags)
    nulls = attribute.nulls * chance.choice((0, 1, 1, 1.5)) if attribute.nulls else 0.0
    return [None if nulls and chance.random() < nulls else draw() for _ in range(count)]


def _drawing(chance: Chance, attribute: Attribute, flags: FlagTexts) -> Draw:
    match attribute:
        case Category():
            return _category(chance, attribute)
        case Number():
            return _number(chance, attribute)
        case Year():
            low, high = _window(chance, attribute.low, attribute.high, 8)
            return lambda: chance.between(low, high)
        case Day():
            span = (attribute.last - attribute.first).days
            first, last = _window(chance, 0, span, 250)
            return lambda: _day(attribute.first, chance.between(first, last))
        case Flag():
            share = attribute.share * (0.7 + 0.6 * chance.random())
            return lambda: flags[chance.random() < share]
    raise TypeError(attribute)


def _category(chance: Chance, attribute: Category) -> Draw:
    options = attribute.options
    if len(options) > 4:  # each world lacks one or two
        missing = chance.sample(options, chance.between(0, min(2, len(options) - 4)))
        options = tuple(option for option in options if option not in missing)
    weights = [0.4 + chance.random() + 1 / (place + 1) for place in range(len(options))]
    return lambda: chance.weighted(options, weights)


def _number(chance: Chance, attribute: Number) -> Draw:
    steps = round((attribute.high - attribute.low) / attribute.step)
    low, high = _window(chance, 0, steps, 12)
    places = digits(attribute)
    whole, part = int(attribute.skew), attribute.skew - int(attribute.skew)

    def draw() -> SQLValue:
        share = at = chance.random()
        for _ in range(whole - 1):
            share *= at
        share *= 1 - part + part * at
        value = attribute.low + (low + int(share * (high - low + 1))) * attribute.step
        return round(value, places) if places else round(value)

    return draw


def _window(chance: Chance, low: int, high: int, least: int) -> tuple[int, int]:
    """Return a part of a range, at least so long or all of it."""
    cut_low, cut_high = 0.3 * chance.random(), 0.3 * chance.random()
    span = high - low
    window = low + int(cut_low * span), high - int(cut_high * span)
    return window if window[1] - window[0] >= least else (low, high)


def _day(first: date, days: int) -> str:
    return (first + timedelta(days)).isoformat()
