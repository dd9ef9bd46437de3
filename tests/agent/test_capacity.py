"""The capacity model: its arithmetic by hand, its queues by the formulas of queueing theory."""

import pytest
from hostile_sql import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from running import run_here

from sql_env.agent.capacity import Costs, Demand, plan, simulate


def test_the_arithmetic_by_hand() -> None:
    demand = Demand(rollouts=3_600_000, turns=10, think=3.0)
    assert demand.steps == 10_000
    assert demand.sessions == 30_000
    needed = plan(demand, Costs(step=1e-4, heavy_share=0.01, heavy=0.1, session_bytes=1e5, base_bytes=1e9), busy=0.5)
    assert needed.loops == pytest.approx(1.0)
    assert needed.workers == pytest.approx(10.0)
    assert needed.replicas == 20
    assert needed.memory == pytest.approx(20e9 + 3e9)
    assert plan(Demand(1), Costs()).replicas == 1


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_single_steps_wait_as_in_a_queue_of_one_server(load: float) -> None:
    """M/M/1: the time in the system is exponential with the mean s / (1 − load), so its median is ln 2 of that."""
    step = 1e-3
    demand = Demand(rollouts=3600 * load / step, turns=1, group=1)
    seen = simulate(demand, Costs(step=step, heavy_share=0.0), replicas=1, seconds=120)
    assert seen.loop == pytest.approx(load, rel=0.05)
    assert seen.p50 == pytest.approx(0.693 * step / (1 - load), rel=0.12)
    assert seen.p99 == pytest.approx(4.605 * step / (1 - load), rel=0.2)


def test_the_worker_is_a_queue_of_its_own() -> None:
    costs = Costs(step=1e-9, heavy_share=1.0, heavy=1e-3)
    seen = simulate(Demand(rollouts=3600 * 500, turns=1, group=1), costs, replicas=1, seconds=60)
    assert seen.worker == pytest.approx(0.5, rel=0.05)
    assert seen.p50 == pytest.approx(0.693 * 1e-3 / 0.5, rel=0.12)


def test_a_batch_that_begins_at_once_waits_for_itself_and_replicas_share_it() -> None:
    costs = Costs(step=1e-3, heavy_share=0.0)
    demand = Demand(rollouts=3600 * 64 / 10, turns=1, group=64)
    alone, shared = (simulate(demand, costs, replicas, seconds=600) for replicas in (1, 4))
    assert alone.p50 == pytest.approx(32e-3, rel=0.15), "the middle one of 64 waits for 32 steps"
    assert shared.p50 == pytest.approx(8e-3, rel=0.2)
    assert shared.most <= alone.most / 3


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 12), st.integers(0, 99))
def test_the_fewest_sessions_are_never_far_from_the_most(replicas: int, turns: int, seed: int) -> None:
    demand = Demand(rollouts=36_000, turns=turns, think=0.2, group=10 * replicas)
    seen = simulate(demand, Costs(), replicas, seconds=20, seed=seed)
    assert 0 <= seen.loop < 1
    assert seen.p50 <= seen.p99 <= seen.worst
    assert seen == simulate(demand, Costs(), replicas, seconds=20, seed=seed)


@pytest.mark.parametrize("options", [(), ("--heavy", "2")], ids=str)
def test_the_tables_of_the_page_are_what_the_command_prints(options: tuple[str, ...]) -> None:
    command = ("simulate_capacity.py", "--rollouts", "1000", "10000", "1000000", *options)
    page = (ROOT / "docs" / "scaling.md").read_text("utf-8")
    assert f"    python scripts/{' '.join(command)}\n\n{run_here(*command).stdout}\n" in page


def test_the_command_prints_a_line_for_each_demand() -> None:
    run = run_here("simulate_capacity.py", "--rollouts", "1000", "100000", "--seconds", "10")
    assert run.returncode == 0, run.stderr
    assert "| 1,000 |" in run.stdout
    assert "| 100,000 |" in run.stdout
    assert run_here("simulate_capacity.py", "--heavy-share", "2").returncode == 2
