"""Numbers as a summary holds them: JSON with rounded floats, each beside how many it comes from and its interval."""

from typing import Any

from sql_env.agent.metrics import Mean, Rate

DECIMALS = 6


def rounded(value: float) -> float:
    """Return a float as a summary holds it; never −0.0."""
    return round(value, DECIMALS) + 0.0


def interval(found: Rate | Mean) -> dict[str, Any]:
    """Return an interval and its method; no interval where there is none."""
    low, high = found.low, found.high
    ends = None if low is None or high is None else [rounded(low), rounded(high)]
    return {"interval": ends, "interval_method": found.method}


def rate(found: Rate | None) -> dict[str, Any] | None:
    """Return a share of right answers; None stays None."""
    return {"accuracy": rounded(found.value), "right": found.right, "n": found.n} | interval(found) if found else None


def mean(found: Mean | None) -> dict[str, Any] | None:
    """Return a mean; None stays None."""
    return {"value": rounded(found.value), "n": found.n} | interval(found) if found else None
