"""A run's folder: what is kept, what is refused, what a cut leaves."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_env.agent.faults import Fault
from sql_env.agent.rollouts import Job, Lost
from sql_env.agent.run_folder import RESULTS, RunFolder, RunFolderError, read_settings, read_trajectories
from sql_env.agent.trajectory import Step, Trajectory

SETTINGS = {"policy": "random", "dataset": "starter", "seed": 1, "split": "test"}


def episode(index: int, repeat: int = 0, text: str = "x") -> Trajectory:
    step = Step("QUERY", f"SELECT '{text}'", text, None, 0.0)
    return Trajectory(
        "random", "starter", "test", f"t-{index}", "db", text, None, 9, [step], index=index, repeat=repeat
    )  # fmt: skip


def filled(path: Path) -> RunFolder:
    folder = RunFolder(path, SETTINGS)
    for index in (3, 1, 2):
        folder.write(episode(index))
    return folder


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    filled(tmp_path).close()
    again = RunFolder(tmp_path, SETTINGS)
    assert set(again.played) == {Job(1), Job(2), Job(3)}
    again.write(episode(0))
    assert [played.index for played in again.finish()] == [0, 1, 2, 3]
    assert [played.index for played in read_trajectories(tmp_path)] == [0, 1, 2, 3]
    assert read_settings(tmp_path) == SETTINGS


def test_a_line_that_was_cut_off_anywhere_is_dropped_and_written_again(tmp_path: Path) -> None:
    filled(tmp_path).close()
    file = tmp_path / "trajectories.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    extra = episode(7, text="é|\n\u2028").to_json().encode() + b"\n"
    for cut in range(len(extra)):
        file.write_bytes(b"".join(lines) + extra[:cut])
        folder = RunFolder(tmp_path, SETTINGS)
        assert set(folder.played) == {Job(1), Job(2), Job(3)}
        folder.write(episode(7, text="é|\n\u2028"))
        folder.close()
        assert file.read_bytes() == b"".join(lines) + extra
    assert len(read_trajectories(tmp_path)) == 4


def test_another_run_is_refused_unless_it_is_to_be_overwritten(tmp_path: Path) -> None:
    filled(tmp_path).close()
    with pytest.raises(RunFolderError, match=r"another run \(seed: 1, now 2.*--overwrite"):
        RunFolder(tmp_path, SETTINGS | {"seed": 2})
    folder = RunFolder(tmp_path, SETTINGS | {"seed": 2}, overwrite=True)
    assert folder.played == {}
    folder.close()
    assert read_settings(tmp_path)["seed"] == 2


def test_overwriting_leaves_no_result_of_another_run(tmp_path: Path) -> None:
    filled(tmp_path).close()
    for name in (*RESULTS, "mine.txt"):
        (tmp_path / name).write_text("old")
    RunFolder(tmp_path, SETTINGS | {"seed": 2}, overwrite=True).close()
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", "trajectories.jsonl", "mine.txt"}


def test_episodes_that_the_run_does_not_ask_for_are_refused(tmp_path: Path) -> None:
    filled(tmp_path).close()
    RunFolder(tmp_path, SETTINGS, [Job(1), Job(2), Job(3), Job(4)]).close()
    with pytest.raises(RunFolderError, match=r"trajectories.jsonl:1: this episode is not of this run"):
        RunFolder(tmp_path, SETTINGS, [Job(1), Job(2)])
    file = tmp_path / "trajectories.jsonl"
    once = file.read_text()
    file.write_text(once + once)
    with pytest.raises(RunFolderError, match=r"trajectories.jsonl:4: this episode stands twice"):
        RunFolder(tmp_path, SETTINGS)
    file.write_text(once.replace('"starter"', '"spider"', 1))
    with pytest.raises(RunFolderError, match=r":1: this episode is not of this run"):
        RunFolder(tmp_path, SETTINGS | {"seed": 1})


def test_two_processes_do_not_write_one_run(tmp_path: Path) -> None:
    folder = filled(tmp_path)
    with pytest.raises(RunFolderError, match="another process"):
        RunFolder(tmp_path, SETTINGS)
    folder.close()
    RunFolder(tmp_path, SETTINGS).close()


def test_what_was_lost_is_kept_beside(tmp_path: Path) -> None:
    folder = filled(tmp_path)
    folder.write(Lost(Job(5), [Fault("connection", "server", "gone", 2)]))
    folder.finish()
    assert json.loads((tmp_path / "lost.jsonl").read_text()) == {
        "job": {"index": 5, "repeat": 0},
        "faults": [{"source": "connection", "kind": "server", "message": "gone", "step": 2}],
    }
    assert len(read_trajectories(tmp_path)) == 3


def test_files_of_something_else_are_named(tmp_path: Path) -> None:
    (tmp_path / "trajectories.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(RunFolderError, match=r"without run.json"):
        RunFolder(tmp_path, SETTINGS)
    with pytest.raises(RunFolderError, match=r"trajectories.jsonl:1: this line is no trajectory"):
        read_trajectories(tmp_path)
    with pytest.raises(RunFolderError, match="No such file"):
        read_trajectories(tmp_path / "nosuch")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(RunFolderError, match="holds no trajectory"):
        read_trajectories(tmp_path / "empty.jsonl")
    good = episode(1).to_json()
    spoiled = (good.replace('"steps": 1', '"steps": 2'), good.replace('"QUERY"', "3"), good.replace('"repeat"', '"re"'))
    for wrong in ("[1]", "3", "null", '"x"', "{", '{"return": 1, "steps": 2, "trajectory": 3}', *spoiled):
        (tmp_path / "x.jsonl").write_text(wrong + "\n")
        with pytest.raises(RunFolderError, match=r"x.jsonl:1"):
            read_trajectories(tmp_path / "x.jsonl")


@given(st.text(), st.one_of(st.none(), st.builds(Fault, st.just("policy"), st.text(), st.text(), st.integers(0, 9))))
def test_a_trajectory_reads_back_as_it_was_written(text: str, fault: Fault | None) -> None:
    text = text.encode("utf-8", "replace").decode()
    written = episode(3, 1, text)
    written.fault = fault
    line = written.to_json()
    assert "\n" not in line
    assert Trajectory.from_json(line) == written
