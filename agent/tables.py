"""Markdown tables and how numbers are written in them."""

import re
from collections.abc import Iterable, Sequence

NONE = "–"


def cell(text: object) -> str:
    """Return any text as one that a table's cell can hold: one line, without marks of Markdown or HTML."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*|\[\]~])", r"\\\1", line).replace("<", "&lt;") or NONE


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int = 1) -> list[str]:
    """Return a table as lines; the columns from ``numbers_from`` on are aligned to the right."""
    rules = ["---" if place < numbers_from else "---:" for place in range(len(header))]
    return [_line(header), "|" + "|".join(rules) + "|", *(_line(row) for row in rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def counted(count: int, noun: str) -> str:
    """Return how many there are of something, such as ``1 task`` or ``1,034 tasks``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(share: float, low: float | None, high: float | None) -> str:
    """Return a share with its interval, such as ``41.2 % [36.1, 46.5]``."""
    return f"{100 * share:.1f} %" + ("" if low is None or high is None else f" [{100 * low:.1f}, {100 * high:.1f}]")


def points(value: float, low: float | None, high: float | None) -> str:
    """Return a number of reward with its interval, such as ``+0.412 [+0.361, +0.465]``."""
    return f"{value:+.3f}" + ("" if low is None or high is None else f" [{low:+.3f}, {high:+.3f}]")


def difference(value: float, low: float | None, high: float | None) -> str:
    """Return a difference of two shares in points of a hundred, such as ``+9.2 [+2.1, +16.1]``."""
    return f"{100 * value:+.1f}" + ("" if low is None or high is None else f" [{100 * low:+.1f}, {100 * high:+.1f}]")


def number(value: float, low: float | None, high: float | None) -> str:
    """Return a number with its interval, such as ``4.1 [3.9, 4.4]``."""
    return f"{value:,.1f}" + ("" if low is None or high is None else f" [{low:,.1f}, {high:,.1f}]")


def p_value(value: float) -> str:
    """Return a p-value, such as ``0.034`` or ``< 0.001``."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
