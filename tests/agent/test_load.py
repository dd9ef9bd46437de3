"""The load test against a real server: it measures what it says, and says when a server refuses."""

import pytest

from sql_env.agent.load import HOSTILE, Target, measure, neighbours, table


async def test_every_step_is_timed_and_the_first_round_only_warms_up(starter_server: str) -> None:
    target = Target("ours", starter_server, episodes=True)
    await measure([target], rounds=2, steps=20)
    assert len(target.seconds) == 40
    assert set(target.by_action) == {"DESCRIBE", "SAMPLE", "QUERY"}
    assert all(seconds > 0 for seconds in target.seconds)


async def test_honest_sessions_are_answered_beside_hostile_ones(starter_server: str) -> None:
    target = Target("beside", starter_server, episodes=True)
    answered = await neighbours(target, honest=4, hostile=2, seconds=2, think_seconds=0.05)
    assert answered >= 1
    assert len(target.seconds) > 50


async def test_a_server_that_refuses_is_an_error(starter_server: str) -> None:
    with pytest.raises(RuntimeError, match="refused"):
        await measure([Target("no echo", starter_server, episodes=False)], rounds=1, steps=5)


def test_ratios_are_of_medians() -> None:
    ours, echo = Target("ours", "", True, [0.002, 0.002, 0.009]), Target("echo", "", False, [0.001, 0.001, 0.001])
    assert "| ours | 3 | 2.000 |" in table([ours, echo], [echo])[2]
    assert table([ours, echo], [echo])[2].endswith("| 2.00 |")
    assert len(HOSTILE) >= 8
