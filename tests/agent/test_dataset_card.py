"""A run's folder as a data set: the card, and the real ``datasets`` that loads it."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from trajectories import episode, run_of, step

from sql_env.agent.dataset_card import card, public
from sql_env.agent.faults import Fault
from sql_env.agent.report import summary
from sql_env.agent.trajectory import Step, Trajectory

# Not in this process: datasets changes global state when it is imported.
LOAD = """
import json, sys
import datasets
datasets.disable_progress_bars()
for folder in sys.argv[1:]:
    loaded = datasets.load_dataset(folder, chunksize=4000)
    print(json.dumps({"splits": list(loaded), "rows": list(loaded["train"])}))
"""


def front_matter(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def plain(task: int) -> Trajectory:
    return episode(task, True, index=task)


def full(task: int) -> Trajectory:
    """An episode in which every column that may be null is filled."""
    steps = [
        step(
            "QUERY",
            "no such column: é 東京 🔎\n|",
            error_kind="StatementError",
            reply='{"a": [1, "2004-11-08"]}',
            prompt_tokens=10 + task,
            completion_tokens=3,
            notes=["cut", "", "2004-11-08"],
        ),
        step("SAMPLE"),
        step("ANSWER", argument="2004-11-08"),
    ]
    fault = Fault("policy", "raised", "ValueError: |\n", 2)
    changes: dict[str, Any] = {"seed": task, "index": None, "num_tasks": None, "policy_seed": 2**31 - 1, "prompt": "v1"}
    changes["failed_tries"] = [Fault("connection", "server", "the server went away", 1)]
    return episode(task, trajectory=steps, fault=fault, official=task % 2 == 0, par=None, **changes)


def write(folder: Path, episodes: list[Trajectory], **about: object) -> list[dict[str, Any]]:
    """Write a run's folder; return its lines."""
    folder.mkdir()
    lines = [played.to_json() for played in episodes]
    (folder / "trajectories.jsonl").write_text("".join(line + "\n" for line in lines), "utf-8")
    (folder / "run.json").write_text('{"seed": 0}\n', "utf-8")
    (folder / "summary.json").write_text('{"accuracy": 0}\n', "utf-8")
    (folder / "README.md").write_text(card(summary(episodes, about), "python scripts/evaluate.py"), "utf-8")
    return [json.loads(line) for line in lines]


def load(tmp_path: Path, *folders: Path) -> list[dict[str, Any]]:
    environ = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", LOAD, *map(str, folders)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, env=os.environ | environ, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_datasets_loads_what_was_written(tmp_path: Path) -> None:
    """Columns that are null at first and filled later, and the other way round, over several blocks of the reader."""
    runs = {
        "nulls first": [*map(plain, range(40)), *map(full, range(40, 80))],
        "nulls last": [*map(full, range(40)), *map(plain, range(40, 80))],
        "only nulls": [plain(1)],
        "one": [full(1)],
        "shaped": [episode(n, components={"shaping": -0.2, "correctness": -0.1}) for n in range(3)],
        "no steps": [episode(1, trajectory=[]), episode(2, verdict=None, truncated=True)],
    }
    written = [write(tmp_path / name, episodes, policy='a "b": é\n# 🔎') for name, episodes in runs.items()]
    loaded = load(tmp_path, *(tmp_path / name for name in runs))
    for name, lines, found in zip(runs, written, loaded, strict=True):
        assert found["splits"] == ["train"]
        assert found["rows"] == lines, name


def test_what_was_loaded_is_a_trajectory_again(tmp_path: Path) -> None:
    write(tmp_path / "run", [full(1), plain(2)])
    rows = load(tmp_path, tmp_path / "run")[0]["rows"]
    assert [Trajectory.from_json(json.dumps(row)) for row in rows] == [full(1), plain(2)]


def test_the_original_beside_variants_is_a_null_and_a_trajectory_again(tmp_path: Path) -> None:
    """Whole blocks of the reader hold neither column."""
    changed = [episode(n, variant=n % 3, answer_form="sql", test_suite=n % 2 == 0, index=n) for n in range(40)]
    for name, episodes in (("last", [*map(plain, range(40, 80)), *changed]), ("first", [*changed, plain(40)])):
        lines = write(tmp_path / name, episodes)
        rows = load(tmp_path, tmp_path / name)[0]["rows"]
        assert rows == [{"variant": None, "test_suite": None} | line for line in lines]
        assert [Trajectory.from_json(json.dumps(row)) for row in rows] == episodes
    text = card(summary(changed, {}))
    assert "- `variant`: the changed database" in text
    assert "- `test_suite`: whether an answer in SQL" in text
    assert "variant" not in card(summary([plain(1)], {}))


def test_every_column_is_declared_and_told() -> None:
    text = card(summary([plain(1)], {}))
    declared = {feature["name"]: feature for feature in front_matter(text)["dataset_info"]["features"]}
    line = json.loads(plain(1).to_json())
    assert list(declared) == list(line)
    assert [part["name"] for part in declared["trajectory"]["list"]] == [field.name for field in fields(Step)]
    for parts in (declared["fault"]["struct"], declared["failed_tries"]["list"]):
        assert [part["name"] for part in parts] == list(asdict(Fault("policy", "raised", "x")))
    for name in [*line, *(field.name for field in fields(Step))]:
        assert f"- `{name}`: " in text


@pytest.mark.parametrize(
    ("dataset", "licence", "said"),
    [
        ("starter", "cc0-1.0", "CC0 1.0"),
        ("spider", "cc-by-sa-4.0", "Yu et al., *Spider"),
        ("mine", "other", "its terms hold"),
        ("Spider", "other", "its terms hold"),
    ],
)
def test_the_licence_follows_the_data(dataset: str, licence: str, said: str) -> None:
    text = card(summary(run_of("x.", dataset=dataset), {}))
    assert front_matter(text)["license"] == licence
    assert said in text.rpartition("## Licence")[2]


@pytest.mark.parametrize(
    "policy", ['a "b": c', "# no\n---\nlicense: mit", "é 東京 🔎", "\x00\x7f\u2028", "- x", "{a: b}", ""]
)
def test_no_name_breaks_the_front_matter(policy: str) -> None:
    text = card(summary(run_of("x."), {"policy": policy, "dataset": "starter"}))
    found = front_matter(text)
    assert found["license"] == "cc0-1.0"
    assert found["pretty_name"].startswith("SQLEnv: ")
    assert "\n" not in found["pretty_name"]


def test_the_card_says_what_was_measured_and_how() -> None:
    text = card(summary(run_of("xxx......."), {}), "python scripts/evaluate.py --policy oracle \\\n  --seed 1")
    assert "10 episodes of SQLEnv" in text
    assert "30.0 % [10.8, 60.3]" in text
    assert "\n    python scripts/evaluate.py --policy oracle --seed 1\n" in text
    one = card(summary(run_of("x"), {"missing": 3}))
    assert "How it was made" not in one
    assert "1 episode of SQLEnv" in one
    assert "**3 of 4 episodes are missing: accuracy lies between 25.0 % and 100.0 %" in one


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("evaluate.py --base-url http://a:b@10.0.0.1:8000 --seed 1", "evaluate.py --seed 1"),
        ("evaluate.py --model-url=http://k@host/v1?key=s --model m", "evaluate.py --model m"),
        ("evaluate.py --model-u http://x --conc 4 --ou '/home/me/my runs' --quiet", "evaluate.py --quiet"),
        ("evaluate.py --concurrency=4 --policy p --out", "evaluate.py --policy p"),
        ("p --answer 'see http://me:p@ss@h.org:1/a/b?token=s#f now'", "p --answer 'see http://h.org:1/a/b now'"),
        ("p --answer https://k@h.org --answer 'é | $x'", "p --answer https://h.org --answer 'é | $x'"),
        ("p --answer 'a\n```b'", "p --answer 'a ```b'"),
        ("p 'open --out x", "p ''\"'\"'open'"),
        ("p --overwrite --context 9 --model m -o x -- y", "p --overwrite --context 9 --model m -o x -- y"),
    ],
)
def test_no_secret_stands_in_the_command(command: str, shown: str) -> None:
    assert public(command) == shown
    assert f"\n    {shown}\n" in card(summary(run_of("x"), {}), command)


@pytest.mark.parametrize(("n", "size"), [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (20_000, "10K<n<100K")])
def test_sizes(n: int, size: str) -> None:
    numbers = summary(run_of("x"), {}) | {"n": n}
    assert front_matter(card(numbers))["size_categories"] == [size]
