"""Recorded episodes for the page: which tasks, in which order, without what models wrote; and the file it carries."""

import json

import pytest
from hostile_sql import ROOT
from running import run_here

from sql_env.agent.recordings import recordings
from sql_env.agent.trajectory import Step, Trajectory

CARRIED = ROOT / "server" / "web" / "assets" / "replays.json"


def episode(task_id: str, *, correct: bool = False, split: str = "eval") -> Trajectory:
    step = Step("ANSWER", "1", "Correct.", None, 1.0, reply="<think>", prompt_tokens=9, notes=["n"])
    return Trajectory("llm", "starter", split, task_id, "db", "How many?", None, 3, [step], correct=correct)


def test_the_first_tasks_that_all_have_whatever_became_of_them() -> None:
    good = [episode(task, correct=task == "d") for task in "abcd"]
    bad = [episode(task) for task in "dcb"]
    shown = recordings({"good": good, "bad": bad}, 2)
    assert [(one["policy"], one["task_id"]) for one in shown] == [
        ("good", "b"), ("bad", "b"), ("good", "c"), ("bad", "c"),
    ]  # fmt: skip
    assert all(step["reply"] is None and step["notes"] == [] for one in shown for step in one["trajectory"])
    with pytest.raises(ValueError, match="3 tasks in common, not 4"):
        recordings({"good": good, "bad": bad}, 4)


def test_the_script_refuses_what_measures_and_what_is_none(tmp_path) -> None:
    for name, text in (("test", episode("a", split="test").to_json()), ("none", "{}")):
        (tmp_path / f"{name}.jsonl").write_text(text + "\n", "utf-8")
        out = tmp_path / "out.json"
        made = run_here("build_replays.py", f"x={tmp_path / name}.jsonl", "--tasks", "1", "--out", str(out))
        assert made.returncode == 1
        assert ("measured on split test" if name == "test" else "is no trajectory") in made.stderr
        assert not out.exists()


def test_what_the_page_carries_is_real(tmp_path) -> None:
    """Every recorded episode replays on a server of today, byte for byte, and none is of a split that measures."""
    carried = [json.loads(json.dumps(one)) for one in json.loads(CARRIED.read_text("utf-8"))]
    assert {one["split"] for one in carried} <= {"train", "eval"}
    file = tmp_path / "carried.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in carried), "utf-8")
    replayed = run_here("replay.py", str(file))
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
