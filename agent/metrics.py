"""What episodes add up to: rates with their intervals."""

from collections.abc import Iterable
from dataclasses import dataclass

from scipy.stats import binomtest


@dataclass(frozen=True)
class Rate:
    """A share of right answers and its interval.

    Attributes:
        right: how many were right.
        n: of how many.
        low: lower end of Wilson's 95 % interval, from 0 to 1.
        high: its upper end.
    """

    right: int
    n: int
    low: float
    high: float

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> "Rate":
        """Count outcomes and compute the interval (Wilson, JASA 1927).

        Raises:
            ValueError: there are none.
        """
        results = list(outcomes)
        if not results:
            raise ValueError("a rate needs at least one outcome")
        interval = binomtest(sum(results), len(results)).proportion_ci(0.95, method="wilson")
        return cls(sum(results), len(results), float(interval.low), float(interval.high))

    def __str__(self) -> str:
        return f"{100 * self.right / self.n:.1f} % [{100 * self.low:.1f}, {100 * self.high:.1f}]"
