"""Rates and their intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_env.agent.metrics import Rate


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [  # Wilson's interval at 95 %, worked out by hand from its formula with z = 1.959964
        (0, 10, 0.0, 0.27753),
        (5, 10, 0.23659, 0.76341),
        (10, 10, 0.72247, 1.0),
        (1, 1, 0.20654, 1.0),
        (49, 100, 0.39422, 0.58652),
    ],
)
def test_wilson(right: int, n: int, low: float, high: float) -> None:
    rate = Rate.of([True] * right + [False] * (n - right))
    assert (rate.right, rate.n) == (right, n)
    assert (rate.low, rate.high) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))


def test_it_is_written_with_its_interval() -> None:
    assert str(Rate.of([True] * 3 + [False] * 7)) == "30.0 % [10.8, 60.3]"


def test_nothing_has_no_rate() -> None:
    with pytest.raises(ValueError, match="at least one outcome"):
        Rate.of([])


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_the_interval_holds_the_rate_and_lies_between_0_and_1(outcomes: list[bool]) -> None:
    rate = Rate.of(outcomes)
    assert 0.0 <= rate.low <= sum(outcomes) / len(outcomes) + 1e-12
    assert sum(outcomes) / len(outcomes) - 1e-12 <= rate.high <= 1.0
