"""Procedural tasks as agents meet them: a split without end, dials, demonstrations; a real server."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running import Played, run_here

from sql_env.agent.demonstrations import demonstrations
from sql_env.agent.evaluation import evaluate as evaluate_here
from sql_env.agent.load import Workload, drive
from sql_env.agent.local_server import local_server
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.replay import replay_all
from sql_env.agent.rollouts import first_of
from sql_env.agent.run_folder import read_settings, read_trajectories
from sql_env.client import SQLEnvClient


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with local_server({"SQL_ENV_DATASET": "procedural"}) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def oracle() -> OraclePolicy:
    return OraclePolicy.for_dataset("procedural")


@pytest.fixture
def evaluate(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Played]:
    """Runs scripts/evaluate.py on procedural tasks, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    given = ("--base-url", server, "--dataset", "procedural", "--quiet")
    return lambda *arguments: run_here("evaluate.py", *given, *arguments)


def test_a_split_without_end_wants_a_number_and_is_drawn_from_at_once(evaluate: Callable[..., Played]) -> None:
    played = evaluate("--policy", "oracle", "--split", "train")
    assert played.returncode == 1
    assert "1,000,000,000 tasks, too many to play them all: say how many with --episodes N" in played.stderr
    began = time.monotonic()
    played = evaluate("--policy", "oracle", "--split", "train", "--episodes", "12", "--variant", "0-1")
    assert time.monotonic() - began < 60
    assert played.returncode == 0, played.stderr
    folder = Path("runs/oracle-procedural-train-0-variant-0-1")
    episodes = read_trajectories(folder)
    assert all(episode.correct for episode in episodes)
    assert len({episode.task_id for episode in episodes}) == 12
    assert max(episode.index or 0 for episode in episodes) > 10**8


def test_what_was_learnt_by_heart_is_wrong_on_variants_of_procedural_tasks(evaluate: Callable[..., Played]) -> None:
    assert evaluate("--policy", "memory", "--episodes", "20", "--variant", "0-2", "--out", "out").returncode == 0
    reached = json.loads(Path("out/summary.json").read_text("utf-8"))["on_variants"]
    assert (reached["original"]["right"], reached["original"]["n"]) == (20, 20)
    assert reached["together"]["right"] <= 2


def test_dials_choose_tasks_and_belong_to_the_run(evaluate: Callable[..., Played], server: str) -> None:
    dials = ("--only", "hardness=hard,extra", "--only", "num_tables=1-3")
    arguments = ("--policy", "oracle", "--episodes", "8", "--out", "out")
    assert evaluate(*arguments, *dials).returncode == 0
    episodes = read_trajectories(Path("out"))
    assert {episode.hardness for episode in episodes} <= {"hard", "extra"}
    assert all(len(episode.trajectory) - 2 <= 3 for episode in episodes)
    assert read_settings(Path("out"))["only"] == {"hardness": "hard,extra", "num_tables": "1-3"}
    assert all(0 < (episode.num_tasks or 0) < 1000 for episode in episodes)
    assert asyncio.run(replay_all(server, episodes)) == []
    assert evaluate(*arguments, *dials).returncode == 0
    other = evaluate(*arguments, "--only", "hardness=hard")
    assert other.returncode == 1
    assert "holds another run (" in other.stderr
    assert "only: {'hardness': 'hard,extra', 'num_tables': '1-3'}, now {'hardness': 'hard'}" in other.stderr


def test_runs_of_other_dials_have_folders_of_their_own(evaluate: Callable[..., Played]) -> None:
    assert evaluate("--policy", "null", "--episodes", "2", "--only", "num_tables=1-2").returncode == 0
    assert Path("runs/null-procedural-test-0-num_tables-1-2/run.json").is_file()


def test_a_wrong_dial_gives_the_servers_own_words(evaluate: Callable[..., Played], starter_server: str) -> None:
    for value, said in (
        ("num_tables=77", "evaluate: num_tables must be one of 1, 2, 3, 4, 5, 6, 7, 8, or several of them, not '77'"),
        ("hardness=", "evaluate: hardness must be one of easy, medium, hard, extra"),
        ("nosuch=1", "NAME=VALUES with a NAME of hardness, answer_type"),
    ):
        played = evaluate("--policy", "null", "--only", value)
        assert played.returncode != 0
        assert said in played.stderr
    starter = ("--base-url", starter_server, "--policy", "oracle", "--only", "num_rows=small")
    assert "starter has no dial num_rows" in run_here("play.py", *starter).stderr


def test_play_in_file_order_and_by_seed(server: str, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    where = ("--base-url", server, "--dataset", "procedural", "--policy", "oracle", "--json", str(file), "--quiet")
    played = run_here("play.py", *where, "--episodes", "4", "--only", "answer_type=integer")
    assert played.stdout == "oracle: 4 of 4 correct, mean return +1.000\n"
    episodes = read_trajectories(file)
    assert [episode.index for episode in episodes] == [0, 1, 2, 3]
    assert {episode.answer_type for episode in episodes} == {"integer"}
    assert run_here("play.py", *where, "--episodes", "3", "--seed", "5", "--split", "test").returncode == 0
    assert {episode.split for episode in read_trajectories(file)} == {"test"}
    replayed = run_here("replay.py", str(file), "--base-url", server)
    assert (replayed.returncode, replayed.stdout) == (0, "3 of 3 episodes replayed as recorded\n")


def test_evaluate_from_python_takes_dials(server: str, oracle: OraclePolicy) -> None:
    with SQLEnvClient(base_url=server).sync() as env:
        chosen = {"dataset": "procedural", "split": "train", "num_tables": 2, "hardness": "easy"}
        played = evaluate_here(env, oracle, 5, **chosen)
        assert (played.success_rate, {episode.hardness for episode in played.episodes}) == (1.0, {"easy"})
        with pytest.raises(ValueError, match="too many to play them all"):
            evaluate_here(env, oracle, split="train")


@pytest.mark.parametrize("evaluated", ["test", "eval", "compositional", "train"])
def test_demonstrations_of_a_data_set_without_end_are_found_soon_and_elsewhere(
    server: str, oracle: OraclePolicy, evaluated: str
) -> None:
    began = time.monotonic()
    shown = [one.trajectory for one in asyncio.run(demonstrations(server, oracle, evaluated, 3, "procedural"))]
    assert time.monotonic() - began < 60
    assert [played.hardness for played in shown] == ["easy", "medium", "hard"]
    assert len({played.db_id for played in shown}) == 3
    assert {played.split for played in shown} == {"train" if evaluated == "test" else "test"}
    for played in shown:
        assert played.correct
        elsewhere = {"dataset": "procedural", "split": evaluated, "db_id": played.db_id}
        with pytest.raises(Exception, match="no task of split"):
            asyncio.run(first_of(server, elsewhere))


async def test_the_load_test_plays_procedural_tasks(server: str) -> None:
    made = await drive(server, Workload(steps=15, selectors={"dataset": "procedural", "split": "train", "variant": 1}))
    assert set(made.seconds) == {"RESET", "DESCRIBE", "SAMPLE", "QUERY"}
    assert not made.errors
