"""Original, variants and robust accuracy as a summary and its tables hold them."""

from collections.abc import Mapping
from typing import Any

from sql_env.agent.robust import OnVariants
from sql_env.agent.rounded import rate
from sql_env.agent.tables import NONE, percent, table


def numbers_of(found: OnVariants) -> dict[str, Any]:
    """Return what was reached on variants, as JSON."""
    return {
        "original": rate(found.original),
        "each": {str(number): rate(reached) for number, reached in found.each.items()},
        "together": rate(found.together),
        "robust": rate(found.robust),
    }


def variants_table(numbers: Mapping[str, Any]) -> list[str]:
    """Return the table of a run, from ``on_variants`` of its summary."""
    several = len(numbers["each"]) > 1
    rows = [
        ("the original", numbers["original"]),
        *((f"variant {number}", reached) for number, reached in numbers["each"].items()),
        *([("all variants", numbers["together"])] if several else []),
        ("robust: right on the original and on every variant", numbers["robust"]),
    ]
    return table(
        ("data", "n", "right", "accuracy"),
        ((name, f"{found['n']:,}", f"{found['right']:,}", reached(found)) for name, found in rows if found),
    )


def reached(found: Mapping[str, Any] | None) -> str:
    """Return a share with its interval; a dash where there is none."""
    return percent(found["accuracy"], *found["interval"]) if found else NONE


def played_on(numbers: Mapping[str, Any]) -> str:
    """Return what the tasks were played on, such as ``on the original and 3 variants``."""
    each = numbers["each"]
    changed = f"{len(each)} variants" if len(each) > 1 else f"variant {next(iter(each))}"
    return f"on the original and {changed}" if numbers["original"] else f"on {changed}"
