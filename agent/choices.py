"""What is played, as scripts are told on the command line: variants, and the dials of ``--only``."""

import re
from argparse import ArgumentTypeError
from collections.abc import Iterable, Sequence

DIALS = ("hardness", "answer_type", "num_tables", "num_rows", "distractors")
"""What ``--only`` can ask of a task; the server knows the values of each."""

ONLY = f"only such tasks, repeatable: {', '.join(DIALS)}"
"""What to say of ``--only``."""

LAST_VARIANT = 1_000_000
"""The last variant that there is."""

MOST_VARIANTS = 1_000
"""Variants that one run plays."""

_VARIANTS = re.compile(r"\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*")


def variant(text: str) -> int:
    """Read the number of a variant; 0 is the original.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not re.fullmatch(r"\d{1,9}", text):
        raise ArgumentTypeError("a number from 0 on; 0 is the original")
    return int(text)


def variants(text: str) -> tuple[int, ...]:
    """Read numbers of variants, such as ``2``, ``0-3`` or ``0,2,5``; return them sorted, each once.

    Raises:
        ArgumentTypeError: it is no such text, or they are too many.
    """
    if not _VARIANTS.fullmatch(text):
        raise ArgumentTypeError(f"numbers such as 2, 0-3 or 0,2,5, not {text[:80]!r}")
    ranges = [_ends(part) for part in text.split(",")]
    if any(last < first for first, last in ranges):
        raise ArgumentTypeError("a range goes from its lower end to its upper")
    if any(last > LAST_VARIANT for _, last in ranges):
        raise ArgumentTypeError(f"variants go up to {LAST_VARIANT:,}")
    if sum(last - first + 1 for first, last in ranges) > MOST_VARIANTS:
        raise ArgumentTypeError(f"at most {MOST_VARIANTS:,} variants")
    return tuple(sorted({number for first, last in ranges for number in range(first, last + 1)}))


def written(numbers: Sequence[int]) -> str:
    """Return numbers of variants as ``variants`` reads them: ``0-3`` for a range, else each."""
    whole = len(numbers) > 1 and list(numbers) == list(range(numbers[0], numbers[-1] + 1))
    return f"{numbers[0]}-{numbers[-1]}" if whole else ",".join(map(str, numbers))


def _ends(part: str) -> tuple[int, int]:
    first, _, last = part.partition("-")
    return int(first), int(last or first)


def dial(text: str) -> tuple[str, str]:
    """Read ``NAME=VALUES``, such as ``num_tables=1-3``; the values are the server's to check.

    Raises:
        ArgumentTypeError: there is no such dial.
    """
    name, equals, values = text.partition("=")
    if name not in DIALS or not equals:
        raise ArgumentTypeError(f"NAME=VALUES with a NAME of {', '.join(DIALS)}, not {text[:80]!r}")
    return name, values


def only(dials: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return keywords for reset; what one dial was given several times is joined, each value once."""
    found: dict[str, dict[str, None]] = {}
    for name, values in dials:
        found.setdefault(name, {}).update(dict.fromkeys(value.strip() for value in values.split(",")))
    return {name: ",".join(values) for name, values in found.items()}
