"""scripts/play.py as people run it: real processes, a real WebSocket."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from hostile_sql import ROOT
from running import SCRIPTS, run, run_here

from sql_env.agent.play import Plan, summary
from sql_env.agent.trajectory import Trajectory


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_oracle_and_random_play_and_the_last_line_sums_up() -> None:
    played = run("play.py", "--dataset", "starter")
    assert played.returncode == 0, played.stderr
    assert played.stdout.splitlines()[-1].startswith("oracle: 1 of 1 correct, mean return +1.000 · random: ")
    for part in ("Question", "DESCRIBE", "QUERY", "ANSWER", "✓ Correct.", "execution", "correctness", "efficiency"):
        assert part in played.stdout


def test_same_seed_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """Each run starts a server process of its own; hash randomisation differs between them."""
    outputs = []
    for number in ("1", "2"):
        file = tmp_path / f"{number}.jsonl"
        arguments = ("--dataset", "starter", "--seed", "7", "--episodes", "6", "--json", str(file))
        played = run("play.py", *arguments, PYTHONHASHSEED=number, TZ=f"UTC+{number}")
        assert played.returncode == 0, played.stderr
        outputs.append((played.stdout, file.read_bytes()))
    assert outputs[0] == outputs[1]
    assert len(outputs[0][1].splitlines()) == 12


def test_json_lines_hold_what_evaluation_needs(starter_server: str, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    played = run("play.py", "--base-url", starter_server, "--policy", "random", "--episodes", "3", "--json", str(file))
    assert played.returncode == 0, played.stderr
    for line in read(file):
        assert line.keys() >= {
            "task_id",
            "dataset",
            "db_id",
            "question",
            "seed",
            "steps",
            "correct",
            "return",
            "components",
        }
        assert line["steps"] == len(line["trajectory"])
        assert line["return"] == pytest.approx(sum(line["components"].values()))
        assert [step["reward"] for step in line["trajectory"]][-1] == line["return"]


def test_oracle_is_right_on_every_starter_question_in_file_order(starter_server: str, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    played = run(
        "play.py", "--base-url", starter_server, "--policy", "oracle", "--dataset", "starter",
        "--episodes", "100000", "--json", str(file), "--quiet",
    )  # fmt: skip
    assert played.returncode == 0, played.stderr
    lines = read(file)
    questions = read(ROOT / "data" / "starter" / "questions" / "starter.jsonl")
    assert [line["task_id"] for line in lines] == [question["question_id"] for question in questions]
    assert [line["task_id"] for line in lines if line["return"] != 1.0] == []
    assert played.stdout == f"oracle: {len(lines)} of {len(lines)} correct, mean return +1.000\n"


def test_errors_are_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    for arguments, said in (
        (("--dataset", "nosuch"), "no data set 'nosuch': it is neither a folder nor one of"),
        (("--dataset", str(tmp_path)), "is missing; run: python scripts/build_questions.py --dataset"),
        (("--base-url", "http://127.0.0.1:9", "--policy", "random"), "Failed to connect to ws://127.0.0.1:9/ws"),
        (("--split", "nosuch", "--dataset", "starter"), "unknown split 'nosuch'"),
        (("--episodes", "0"), "--episodes"),
    ):
        played = run_here("play.py", *arguments)
        assert played.returncode != 0
        assert said in played.stderr, played.stderr
        assert "Traceback" not in played.stderr


def test_a_person_can_play(starter_server: str) -> None:
    played = subprocess.run(
        [sys.executable, str(SCRIPTS / "play.py"), "--base-url", starter_server, "--policy", "human"],
        input="help\n\ndescribe plot\nselect count(*) from plot where has_shed = 1\nanswer 47\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert played.returncode == 0, played.stderr
    assert played.stdout.splitlines()[-1] == "human: 1 of 1 correct, mean return +1.000"


def test_a_person_who_leaves_gets_no_traceback(starter_server: str) -> None:
    played = run("play.py", "--base-url", starter_server, "--policy", "human")
    assert played.returncode != 0
    assert "Traceback" not in played.stderr


def test_a_port_that_serves_something_else_is_named(starter_server: str) -> None:
    assert httpx.get(f"{starter_server}/health").status_code == 200
    played = run("play.py", "--base-url", f"{starter_server}/nowhere", "--policy", "random")
    assert played.returncode != 0
    assert "play: " in played.stderr
    assert "Traceback" not in played.stderr


@pytest.mark.timeout(400)
def test_oracle_is_right_on_every_kept_spider_question(spider_data: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    played = run(
        "play.py", "--dataset", "spider", "--policy", "oracle", "--episodes", "676", "--json", str(file), "--quiet",
        SQL_ENV_DATA=str(spider_data),
    )  # fmt: skip
    assert played.returncode == 0, played.stderr
    assert played.stdout == "oracle: 524 of 524 correct, mean return +1.000\n"
    lines = read(file)
    assert len({line["task_id"] for line in lines}) == 524
    assert {line["return"] for line in lines} == {1.0}


def test_spider_is_served_first_where_it_is_installed(spider_data: Path) -> None:
    played = run("play.py", "--policy", "oracle", SQL_ENV_DATA=str(spider_data))
    assert played.returncode == 0, played.stderr
    assert "spider · student_assessment-001" in played.stdout


def test_a_database_that_differs_ends_the_start(spider_data: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(spider_data, tmp_path / "data")
    database = tmp_path / "data" / "databases" / "pets_1" / "pets_1.sqlite"
    database.write_bytes(database.read_bytes() + b"x")
    played = run("play.py", "--policy", "random", SQL_ENV_DATA=str(tmp_path / "data"))
    assert played.returncode == 1
    assert f"{database} differs from its checksum" in played.stderr
    assert "run: python scripts/download_spider.py" in played.stderr


def test_plan_counts_seeds_from_the_given_one() -> None:
    assert list(Plan(seed=5, episodes=2).selectors()) == [{"seed": 5}, {"seed": 6}]
    assert list(Plan(dataset="/x/mine", episodes=1).selectors()) == [{"dataset": "mine", "split": "all", "index": 0}]


def test_summary_of_nothing() -> None:
    assert summary([]) == "nothing was played"
    one = Trajectory("p", "d", "s", "t", "db", "q", None, None, correct=True, episode_return=1.0)
    assert summary([one]) == "p: 1 of 1 correct, mean return +1.000"
