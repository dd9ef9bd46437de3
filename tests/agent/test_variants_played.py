"""Variants as agents meet them: the oracle, memory, runs, replays; real servers, and every starter question."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hostile_sql import ROOT
from running import Played, run_here

from sql_env import SQLEnvClient
from sql_env.agent.evaluation import evaluate as evaluate_here
from sql_env.agent.faults import Fault
from sql_env.agent.jobs import Job, Lost
from sql_env.agent.load import Workload, drive
from sql_env.agent.oracle import MemoryPolicy, OraclePolicy
from sql_env.agent.play import Plan
from sql_env.agent.policies import RandomPolicy
from sql_env.agent.replay import replay_all
from sql_env.agent.rollouts import Setup, collect
from sql_env.agent.run_folder import RunFolder, RunFolderError, read_settings, read_trajectories
from sql_env.agent.trajectory import Trajectory
from sql_env.agent.variants_table import reached
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources


@pytest.fixture
def evaluate(starter_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Played]:
    """Runs scripts/evaluate.py in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_here("evaluate.py", "--base-url", starter_server, "--quiet", *arguments)


def numbers(folder: str) -> dict[str, Any]:
    return json.loads((Path(folder) / "summary.json").read_text("utf-8"))  # type: ignore[no-any-return]


# --- the oracle and memory -------------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_the_oracle_is_right_on_a_variant_of_every_starter_question(resources: Resources) -> None:
    oracle = OraclePolicy(resources.datasets, resources.variants)
    played = evaluate_here(SQLEnvironment(resources), oracle, split="all", variant=1)
    assert played.n_completed == 348
    wrong = [episode.task_id for episode in played.episodes if not (episode.correct and episode.episode_return == 1.0)]
    assert wrong == []
    assert {episode.variant for episode in played.episodes} == {1}


@pytest.mark.timeout(300)
def test_what_was_learnt_by_heart_is_wrong_on_variants(evaluate: Callable[..., Played]) -> None:
    """One command for each says it, over the wire: the oracle makes the golds itself, in another process."""
    for policy in ("memory", "oracle"):
        played = evaluate("--policy", policy, "--dataset", "starter", "--variant", "0-3")
        assert played.returncode == 0, played.stderr
    memory, oracle = (numbers(f"runs/{policy}-starter-test-0-variant-0-3") for policy in ("memory", "oracle"))
    assert (memory["n"], memory["tasks"], memory["variants"]) == (360, 90, [0, 1, 2, 3])
    parts = memory["on_variants"]
    assert parts["original"]["accuracy"] == 1.0
    assert parts["robust"]["accuracy"] < 0.03
    assert all(found["accuracy"] < 0.03 for found in parts["each"].values())
    assert oracle["accuracy"] == oracle["on_variants"]["robust"]["accuracy"] == 1.0
    document = (ROOT / "docs" / "evaluation.md").read_text("utf-8")
    for policy, found in (("memory", memory["on_variants"]), ("oracle", oracle["on_variants"])):
        cells = [reached(found[part]) for part in ("original", "together", "robust")]
        assert f"| `{policy}` | {' | '.join(cells)} |" in document


def test_memory_in_sql_is_right_for_spiders_measure_and_wrong_on_the_test_suite(resources: Resources) -> None:
    env = SQLEnvironment(resources)
    played = evaluate_here(env, MemoryPolicy(resources.datasets), 40, answer_form="sql").episodes
    assert not [episode.task_id for episode in played if episode.correct]
    assert {(episode.verdict, episode.test_suite) for episode in played} == {("wrong_on_variant", False)}
    assert sum(bool(episode.official) for episode in played) > 35
    right = evaluate_here(env, OraclePolicy(resources.datasets), 10, answer_form="sql", variant=1).episodes
    assert {(episode.correct, episode.official, episode.test_suite) for episode in right} == {(True, True, True)}


def test_evaluate_from_python_plays_a_variant_with_its_own_seeds(starter_server: str) -> None:
    with SQLEnvClient(base_url=starter_server).sync() as env:
        original, changed = (evaluate_here(env, RandomPolicy(), 8, variant=k).episodes for k in (0, 1))
    assert [episode.task_id for episode in original] == [episode.task_id for episode in changed]
    assert {episode.variant for episode in changed} == {1}
    assert not {episode.policy_seed for episode in original} & {episode.policy_seed for episode in changed}


# --- runs ------------------------------------------------------------------------------------------------


def test_a_run_on_variants_is_the_same_at_any_concurrency_and_replays(
    evaluate: Callable[..., Played], starter_server: str
) -> None:
    arguments = ("--policy", "random", "--episodes", "6", "--repeats", "2", "--variant", "2,0")
    for concurrency in ("1", "12"):
        played = evaluate(*arguments, "--concurrency", concurrency, "--out", concurrency)
        assert played.returncode == 0, played.stderr
    one, twelve = (Path(name, "trajectories.jsonl").read_bytes() for name in ("1", "12"))
    assert one == twelve
    episodes = read_trajectories(Path("1"))
    assert [(episode.repeat, episode.variant) for episode in episodes] == [(0, 0), (0, 2), (1, 0), (1, 2)] * 6
    assert len({episode.policy_seed for episode in episodes}) == 24
    assert asyncio.run(replay_all(starter_server, episodes)) == []
    wrong = [replace(episode, variant=2 - episode.variant) for episode in episodes[:4]]
    told = asyncio.run(replay_all(starter_server, wrong))
    assert {difference.episode for difference in told} == {0, 1, 2, 3}
    assert [str(found) for found in asyncio.run(replay_all(starter_server, [episodes[0], *episodes]))] == [
        f"line 2, {episodes[0].task_id}: repeat: recorded 0, now 'stands twice'"
    ]


def test_a_run_goes_on_and_one_of_other_variants_is_refused(evaluate: Callable[..., Played]) -> None:
    arguments = ("--policy", "random", "--episodes", "4", "--out", "out")
    assert evaluate(*arguments, "--variant", "0-2").returncode == 0
    whole = Path("out/trajectories.jsonl").read_bytes()
    Path("out/trajectories.jsonl").write_bytes(b"".join(whole.splitlines(keepends=True)[2:9]))
    played = evaluate(*arguments, "--variant", "0,1,2")
    assert "5 episodes in" in played.stderr
    assert Path("out/trajectories.jsonl").read_bytes() == whole
    assert read_settings(Path("out"))["variants"] == [0, 1, 2]
    for other in ("0-1", "0"):
        assert "holds another run (variants: [0, 1, 2], now" in evaluate(*arguments, "--variant", other).stderr


def test_the_original_alone_leaves_no_word_of_variants(evaluate: Callable[..., Played]) -> None:
    assert evaluate("--policy", "random", "--episodes", "4", "--variant", "0").returncode == 0
    for path in Path("runs/random-starter-test-0").iterdir():
        assert b"variant" not in path.read_bytes() or path.name == "README.md", path
    card = Path("runs/random-starter-test-0/README.md").read_text("utf-8")
    assert card.count("variant") == card.count("--variant 0") == 1


def test_wrong_variants_are_one_line(evaluate: Callable[..., Played]) -> None:
    assert "such as 2, 0-3 or 0,2,5" in evaluate("--policy", "null", "--variant", "x").stderr
    played = evaluate("--policy", "null", "--episodes", "2", "--variant", "99999999")
    assert (played.returncode, "Traceback" in played.stderr) == (2, False)
    assert "variants go up to 1,000,000" in played.stderr


# --- records ---------------------------------------------------------------------------------------------


def record(variant: int, **changes: object) -> Trajectory:
    made = Trajectory("random", "starter", "test", "t-1", "db", "q", None, 9, index=1, variant=variant)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_line_tells_its_variant_and_an_older_one_is_the_original() -> None:
    for written in (record(0), record(3, test_suite=True), record(0, test_suite=False)):
        assert Trajectory.from_json(written.to_json()) == written
    assert json.loads(record(3).to_json())["variant"] == 3
    assert not {"variant", "test_suite"} & json.loads(record(0).to_json()).keys()
    filled = json.loads(record(0).to_json()) | {"variant": None, "test_suite": None}
    assert Trajectory.from_json(json.dumps(filled)) == record(0)
    with pytest.raises(ValueError, match="variant is 'x'"):
        Trajectory.from_json(json.dumps(filled | {"variant": "x"}))


def test_a_folder_keeps_each_variant_once(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, {"seed": 1})
    for k in (2, 0, 1):
        folder.write(record(k))
    folder.write(Lost(Job(5, 0, 2), [Fault("connection", "server", "gone", 2)]))
    assert [episode.variant for episode in folder.finish()] == [0, 1, 2]
    assert json.loads((tmp_path / "lost.jsonl").read_text())["job"] == {"index": 5, "repeat": 0, "variant": 2}
    again = RunFolder(tmp_path, {"seed": 1})
    assert set(again.played) == {Job(1, 0, k) for k in range(3)}
    again.close()
    with pytest.raises(RunFolderError, match="is not of this run"):
        RunFolder(tmp_path, {"seed": 1}, [Job(1), Job(1, 0, 1)])
    (tmp_path / "trajectories.jsonl").write_text(2 * (record(2).to_json() + "\n"))
    with pytest.raises(RunFolderError, match=r":2: this episode stands twice"):
        RunFolder(tmp_path, {"seed": 1})


def test_a_recording_from_before_test_suites_replays(starter_server: str) -> None:
    selectors = {"dataset": "starter", "split": "test", "answer_form": "sql"}
    oracle = OraclePolicy.for_dataset("starter")
    setup = Setup(base_url=starter_server, selectors=selectors, make_policy=oracle.again)
    ((played,), _) = asyncio.run(collect(setup, [Job(3)]))
    assert played.test_suite is True
    assert asyncio.run(replay_all(starter_server, [played, replace(played, test_suite=None, repeat=1)])) == []
    (found,) = asyncio.run(replay_all(starter_server, [replace(played, test_suite=False)]))
    assert (found.where, found.recorded, found.replayed) == ("end: test_suite", False, True)


# --- play and load ---------------------------------------------------------------------------------------


def test_play_plays_a_variant(starter_server: str, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    where = ("--base-url", starter_server, "--policy", "memory", "--policy", "oracle", "--json", str(file))
    played = run_here("play.py", *where, "--episodes", "5", "--variant", "2", "--quiet")
    assert played.stdout == "memory: 0 of 5 correct, mean return -0.100 · oracle: 5 of 5 correct, mean return +1.000\n"
    assert {episode.variant for episode in read_trajectories(file)} == {2}
    assert list(Plan(variant=2, only={"hardness": "hard"}).selectors()) == [
        {"hardness": "hard", "variant": 2, "split": "all", "index": 0}
    ]
    assert "0 is the original" in run_here("play.py", *where, "--variant", "0-1").stderr


async def test_the_load_test_plays_a_variant(starter_server: str) -> None:
    made = await drive(starter_server, Workload(steps=12, selectors={"split": "all", "variant": 1}))
    assert len(made.steps) == 12
    assert not made.errors
    unknown = await drive(starter_server, Workload(seconds=0.5, selectors={"variant": 2_000_000}))
    assert "variant must be at most" in next(iter(unknown.errors))
