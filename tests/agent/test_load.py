"""The load test against a real server: it measures what it says, and counts what goes wrong by kind."""

import json
import math
import subprocess
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from running import run_here

from sql_env.agent import load_bench
from sql_env.agent.facts import read_metrics
from sql_env.agent.load import HOSTILE, Measured, Workload, drive
from sql_env.agent.load_bench import ASYNC, OURS, SWEEP, SYNC, Bench, Served, Target
from sql_env.agent.load_figure import save_figure
from sql_env.agent.local_server import local_server
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings


async def test_every_step_is_timed_and_the_server_counts_as_many(starter_server: str) -> None:
    before = await read_metrics(starter_server)
    made = await drive(starter_server, Workload(sessions=4, steps=30))
    after = await read_metrics(starter_server)
    for action in ("DESCRIBE", "SAMPLE", "QUERY"):
        name = f'sql_env_step_seconds_count{{action="{action}"}}'
        assert after[name] - before.get(name, 0) == len(made.seconds[action]) > 0
    assert len(made.steps) == 120
    assert min(made.steps) > 0
    assert len(made.seconds["RESET"]) == 4 * 2
    assert not made.errors
    assert 0 < max(made.steps) < made.elapsed < sum(made.steps) + sum(made.seconds["RESET"]) + 1
    assert made.rate == pytest.approx(120 / made.elapsed)


async def test_the_same_seed_plays_the_same_mix_and_weights_decide(starter_server: str) -> None:
    answers = {"DESCRIBE": 1.0, "ANSWER": 1.0}
    first, again = [await drive(starter_server, Workload(steps=40, mix=answers, seed=5)) for _ in range(2)]
    assert Counter({a: len(s) for a, s in first.seconds.items()}) == {a: len(s) for a, s in again.seconds.items()}
    assert set(first.seconds) == {"RESET", "DESCRIBE", "ANSWER"}
    assert len(first.seconds["RESET"]) - len(first.seconds["ANSWER"]) in (0, 1), "an answer ends an episode"


async def test_sessions_think_and_begin_one_after_another(starter_server: str) -> None:
    made = await drive(starter_server, Workload(sessions=3, steps=4, think=0.1, ramp=0.6))
    assert len(made.steps) == 12
    assert made.elapsed > 0.4 + 4 * 0.05, "the last one begins after 0.4 s and thinks four times"


async def test_honest_sessions_are_answered_beside_hostile_ones(starter_server: str) -> None:
    made = await drive(starter_server, Workload(sessions=4, seconds=2, think=0.05, hostile=8))
    assert made.hostile >= 1
    assert len(made.steps) > 50
    assert not made.errors
    assert len(HOSTILE) >= 8


async def test_what_goes_wrong_is_counted_by_kind() -> None:
    with local_server({"SQL_ENV_DATASET": "starter", "SQL_ENV_MAX_SESSIONS": "2"}) as base_url:
        made = await drive(base_url, Workload(sessions=5, steps=5))
        assert made.errors.total() >= 3, made.errors
        assert len(made.steps) == 2 * 5
        assert "capacity" in " ".join(made.errors).lower()
        unknown = await drive(base_url, Workload(seconds=0.3, selectors={"dataset": "nowhere"}))
        assert "unknown data set" in next(iter(unknown.errors))
    gone = await drive(base_url, Workload(sessions=2, steps=1))
    assert gone.errors.total() == 2
    assert next(iter(gone.errors)).startswith("connect: ")
    assert math.isnan(gone.percentile(50))


def test_the_command_measures_any_server_and_says_what_went_wrong(starter_server: str, tmp_path: Path) -> None:
    file = tmp_path / "load.json"
    options = ("--url", starter_server, "--sessions", "2", "--steps", "20", "--mix", "QUERY=2,SAMPLE=0.5")
    run = run_here("load_test.py", *options, "--json", str(file))
    assert run.returncode == 0, run.stderr
    assert "| QUERY |" in run.stdout
    assert "| DESCRIBE |" not in run.stdout
    assert "µs a step" in run.stdout
    told = json.loads(file.read_text("utf-8"))
    assert (told["steps"], told["errors"]) == (40, {})
    assert told["server"]["process_resident_memory_bytes"] > 10 * 2**20
    wrong = run_here(
        "load_test.py", "--url", starter_server, "--sessions", "1", "--seconds", "0.3", "--dataset", "nowhere"
    )
    assert wrong.returncode == 1
    assert "unknown data set" in wrong.stdout
    for bad in ("QUERY", "FLY=1", "QUERY=x", "QUERY=0"):
        assert run_here("load_test.py", "--sessions", "1", "--mix", bad).returncode == 2


# --- the bench -------------------------------------------------------------------------------------------


def measured(step: float, number: int = 100) -> Measured:
    return Measured({"QUERY": [step] * number, "RESET": [step] * 2}, elapsed=step * number, cpu=0.01)


def served(name: str, step: float) -> Served:
    process = subprocess.Popen[bytes].__new__(subprocess.Popen)
    return Served(name, process, "", {n: measured(step) for n in SWEEP})


def judged(ours: float, **changed: float) -> dict[str, bool]:
    crowd = load_bench.Crowd(Measured(), changed.get("bytes", 1000.0), changed.get("threads", 0.0))
    crowd.made.errors.update({"closed": int(changed.get("errors", 0))})
    started = {OURS: changed.get("start", 1.0), SYNC: 1.0, ASYNC: 1.0}
    targets = load_bench._targets(
        [served(OURS, ours), served(SYNC, 0.002), served(ASYNC, 0.001)],
        measured(0.001),
        measured(changed.get("beside", 0.001)),
        crowd,
        started,
        changed.get("direct", 20_000.0),
    )
    return {target.name: target.met for target in targets}


def test_a_fast_server_keeps_every_promise() -> None:
    assert all(judged(0.001).values())
    assert len(judged(0.001)) == 12


@pytest.mark.parametrize(
    ("ours", "changed", "missed"),
    [
        (0.0015, {}, {"one session, p50 of a step ÷ async echo's"}),
        (
            0.0021,
            {},
            {
                "one session, p50 of a step ÷ sync echo's",
                "one session, p50 of a step ÷ async echo's",
                "64 sessions, steps/s ÷ sync echo's",
                "64 sessions, steps/s ÷ async echo's",
            },
        ),
        (0.001, {"bytes": 70_000}, {"an idle session, KiB"}),
        (0.001, {"threads": 1}, {"an idle session, threads"}),
        (0.001, {"errors": 1}, {"1,024 sessions, errors"}),
        (0.001, {"beside": 0.0021}, {"56 sessions beside 8 hostile ones, p99 ÷ alone"}),
        (0.001, {"direct": 9_999}, {"without a network, steps/s of one core"}),
        (0.001, {"start": 1.2}, {"start-up ÷ sync echo's"}),
    ],
)
def test_a_promise_that_is_not_kept_is_said_to_be_missed(
    ours: float, changed: dict[str, float], missed: set[str]
) -> None:
    assert {name for name, met in judged(ours, **changed).items() if not met} == missed


def test_fail_stands_on_the_line_of_what_is_missed_or_unknown() -> None:
    assert Target("x", 1.5, 1.4).row() == ("x", "1.50", "≤ 1.4", "FAIL")
    assert Target("x", 0.6, 0.55, at_most=False).row() == ("x", "0.60", "≥ 0.55", "pass")
    assert not Target("x", math.nan, 1.0).met
    assert not Target("x", math.nan, 1.0, at_most=False).met


def test_the_report_is_a_table_data_and_a_figure(tmp_path: Path) -> None:
    made = Bench([served(OURS, 0.001), served(SYNC, 0.002), served(ASYNC, 0.001)], [Target("x", 1.5, 1.4)], {"y": 2.0})
    assert "| x | 1.50 | ≤ 1.4 | FAIL |" in made.lines()
    told = json.loads(json.dumps(made.to_json()))
    assert told["targets"][0]["met"] is False
    assert told["servers"][SYNC]["64"]["steps_per_second"] == pytest.approx(500)
    save_figure(made, tmp_path / "load.png")
    assert (tmp_path / "load.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_without_a_network_resets_are_counted_as_work() -> None:
    with closing(Resources.load(Settings(dataset="starter"))) as resources:
        assert load_bench.direct(partial(SQLEnvironment, resources), 200) > 100
