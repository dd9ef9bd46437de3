"""scripts/evaluate.py as people run it: real processes, a real server, one that is killed in the middle."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_sql import ROOT
from running import SCRIPTS, Played, run, run_here

from sql_env.agent.local_server import server_process
from sql_env.agent.run_folder import read_trajectories

FILES = {
    "README.md",
    "accuracy.png",
    "failures.png",
    "run.json",
    "steps.png",
    "summary.json",
    "summary.md",
    "trajectories.jsonl",
}

POLICIES = """
import threading, time
from sql_env import SQLAction

class Slow:
    name = "slow"
    def reset(self, observation, seed):
        self.seed = seed
    def act(self, observation):
        time.sleep(0.03)
        if observation.step_count == 2:
            return SQLAction(action_type="ANSWER", argument=str(self.seed))
        return SQLAction(action_type="QUERY", argument="SELECT 1")

class Mixed(Slow):
    name = "mixed"
    def act(self, observation):
        time.sleep(0)
        if self.seed % 4 == 0:
            raise KeyError("lost")
        if self.seed % 4 == 1:
            threading.Event().wait()
        if self.seed % 4 == 2:
            return SQLAction(action_type="DANCE", argument="now")
        return SQLAction(action_type="ANSWER", argument="1")

class Broken:
    name = "broken"
"""


@pytest.fixture
def evaluate(starter_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Played]:
    """Runs the script in a folder that holds the policies."""
    (tmp_path / "mine.py").write_text(POLICIES)
    monkeypatch.chdir(tmp_path)

    def evaluate(*arguments: str, base_url: str = starter_server) -> Played:
        monkeypatch.delitem(sys.modules, "mine", raising=False)
        return run_here("evaluate.py", "--base-url", base_url, *arguments)

    return evaluate


def summary(folder: Path) -> dict[str, object]:
    return json.loads((folder / "summary.json").read_text("utf-8"))  # type: ignore[no-any-return]


def test_the_oracle_reaches_everything_and_the_folder_is_whole(tmp_path: Path) -> None:
    """On a server of its own, as the README says."""
    out = tmp_path / "oracle"
    played = run("evaluate.py", "--policy", "oracle", "--dataset", "starter", "--split", "all", "--out", str(out))
    assert played.returncode == 0, played.stderr
    assert {path.name for path in out.iterdir()} == FILES
    found = summary(out)
    assert list(found)[:3] == ["accuracy", "n", "interval"]
    assert (found["accuracy"], found["n"], found["missing"]) == (1.0, 348, 0)
    assert "**oracle**: 100.0 % [98.8, 100.0], 348 of 348 episodes right" in played.stdout
    assert played.stdout == (out / "summary.md").read_text("utf-8").partition("\n![")[0]
    lines = (ROOT / "data/starter/questions/starter.jsonl").read_text("utf-8").splitlines()
    tasks = [json.loads(line)["question_id"] for line in lines]
    assert [episode.task_id for episode in read_trajectories(out)] == tasks
    replayed = run("replay.py", str(out), "--dataset", "starter")
    assert (replayed.returncode, replayed.stdout) == (0, "348 of 348 episodes replayed as recorded\n")


@pytest.mark.parametrize("options", [("--policy", "random", "--repeats", "3"), ("--policy", "scripted")])
def test_the_same_command_gives_the_same_bytes(
    evaluate: Callable[..., Played], tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Whatever the concurrency."""
    folders = []
    for concurrency in ("1", "32"):
        folder = tmp_path / concurrency / "run"
        arguments = (*options, "--split", "eval", "--seed", "3", "--out", str(folder))
        played = evaluate(*arguments, "--concurrency", concurrency)
        assert played.returncode == 0, played.stderr
        folders.append({path.name: path.read_bytes() for path in folder.iterdir() if path.name != "README.md"})
    assert folders[0] == folders[1]
    assert set(folders[0]) == FILES - {"README.md"}


def test_a_server_that_is_killed_costs_nothing_that_was_finished(
    evaluate: Callable[..., Played], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ["--policy", "mine:Slow", "--split", "all", "--concurrency", "16", "--out", str(out)]
    with server_process({"SQL_ENV_DATASET": "starter"}) as (server, base_url):
        command = [sys.executable, str(SCRIPTS / "evaluate.py"), "--base-url", base_url, *arguments]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            wait_for_lines(out / "trajectories.jsonl", 40)
            server.kill()
            stdout, stderr = run.communicate(timeout=60)
    assert (run.returncode, stdout) == (1, "")
    assert "Traceback" not in stderr
    assert "the server went away" in stderr
    assert "the same command goes on" in stderr
    kept = (out / "trajectories.jsonl").read_bytes().splitlines()
    assert 40 <= len(kept) < 348
    with server_process({"SQL_ENV_DATASET": "starter"}) as (_, base_url):
        played = evaluate(*arguments, base_url=base_url)
        assert played.returncode == 0, played.stderr
        assert f"{348 - len(kept)} episodes in" in played.stderr
        whole = (out / "trajectories.jsonl").read_bytes().splitlines()
        assert len(whole) == summary(out)["n"] == 348
        assert set(kept) <= set(whole)
        again = evaluate(*arguments[:-1], str(tmp_path / "again"), base_url=base_url)
        assert again.returncode == 0, again.stderr
    for name in ("trajectories.jsonl", "summary.json"):
        assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def wait_for_lines(file: Path, number: int) -> None:
    deadline = time.monotonic() + 60
    while not file.exists() or file.read_bytes().count(b"\n") < number:
        assert time.monotonic() < deadline, "nothing was played"
        time.sleep(0.02)


def heed_interrupts() -> None:
    """A shell makes what it starts in the background ignore them, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_keeps_what_was_finished(evaluate: Callable[..., Played], starter_server: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["--policy", "mine:Slow", "--split", "eval", "--concurrency", "1", "--out", str(out)]
    command = [sys.executable, str(SCRIPTS / "evaluate.py"), "--base-url", starter_server, *arguments]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as run:
        wait_for_lines(out / "trajectories.jsonl", 8)
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=30)
    assert run.returncode == 1
    assert stderr.strip() == "evaluate: stopped; what was finished is kept: the same command goes on"
    played = evaluate(*arguments)
    assert played.returncode == 0, played.stderr
    assert summary(out)["n"] == 60


def test_a_policy_that_raises_stalls_and_writes_nonsense_is_counted_as_what_it_is(
    evaluate: Callable[..., Played], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ("--policy", "mine:Mixed", "--split", "eval", "--policy-seconds", "0.5", "--out", str(out))
    played = evaluate(*arguments, "--concurrency", "8")
    assert played.returncode == 0, played.stderr
    episodes = read_trajectories(out)
    assert len(episodes) == 60
    for episode in episodes:
        kind = (episode.policy_seed or 0) % 4
        assert (episode.fault.kind if episode.fault else None) == {0: "raised", 1: "stalled"}.get(kind)
        assert episode.truncated == (kind == 2)
    causes = summary(out)["failures"]["causes"]  # type: ignore[index]
    counted = {name: found["count"] for name, found in causes.items()}
    for name, kind in (("policy_raised", 0), ("policy_stalled", 1)):
        assert counted[name] == sum((episode.policy_seed or 0) % 4 == kind for episode in episodes)
    assert sum(counted.values()) == 60 - sum(episode.correct for episode in episodes)


def test_what_is_wrong_is_one_line_that_says_what_to_do(evaluate: Callable[..., Played], tmp_path: Path) -> None:
    out = ("--out", str(tmp_path / "out"))
    assert evaluate("--policy", "null", "--split", "eval", *out).returncode == 0
    for arguments, said in (
        (("--policy", "nosuch"), "unknown policy 'nosuch'; there are null, random"),
        (("--policy", "mine:Nosuch"), "mine:Nosuch gives no policy: AttributeError"),
        (("--policy", "nosuch:Mine"), "No module named 'nosuch'"),
        (("--policy", "mine:Broken"), "it lacks reset, act"),
        (("--policy", "null", "--split", "nosuch"), "unknown split 'nosuch'"),
        (("--policy", "null", "--episodes", "61", "--split", "eval"), "from 1 to 60"),
        (("--policy", "null", "--episodes", "0"), "at least 1"),
        (("--policy", "random", "--split", "eval", *out), "holds another run (policy: 'null', now 'random')"),
        (("--policy", "llm"), "needs --model"),
        (("--policy", "oracle", "--dataset", "nosuch"), "unknown data set 'nosuch'"),
    ):
        played = evaluate(*arguments)
        assert played.returncode != 0, arguments
        assert said in played.stderr, played.stderr
        assert "Traceback" not in played.stderr
        assert played.stdout == ""
    gone = evaluate("--policy", "null", base_url="http://127.0.0.1:9")
    assert "Failed to connect" in gone.stderr


def test_a_number_of_episodes_draws_tasks_by_the_seed(evaluate: Callable[..., Played], tmp_path: Path) -> None:
    chosen = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        out = ("--out", str(tmp_path / name), "--episodes", "12", "--seed", seed)
        assert evaluate("--policy", "random", *out).returncode == 0
        chosen.append([episode.index for episode in read_trajectories(tmp_path / name)])
    assert len(set(chosen[0])) == 12
    assert chosen[0] == chosen[1] != chosen[2]
