"""Training runs as one result: folders made here of real episodes, so that every number is known beforehand."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sql_env.agent import training_report
from sql_env.agent.curve_figure import draw_curve
from sql_env.agent.model_card import model_card
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.policies import ConstantPolicy, Policy
from sql_env.agent.sessions import play
from sql_env.agent.trajectory import Trajectory
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings

SETS = {"starter test": ("starter", "test")}


@pytest.fixture(scope="module")
def resources() -> Iterator[Resources]:
    with closing(Resources.load(Settings(dataset="starter"))) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def folder(resources: Resources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds: before GRPO right on 2, 4 and 6 of 20 questions, after it on 12, 14 and 16."""
    out = tmp_path_factory.mktemp("training")
    for seed in range(3):
        run = out / f"grpo-outcome-{seed}"
        run.mkdir()
        lines = [
            line
            for temperature in (0, 1)
            for when, right in (("before", 2 + 2 * seed), ("after", 12 + 2 * seed))
            for line in _episodes(resources, right, f"llm:{when} GRPO, temperature {temperature}")
        ]
        (run / "held_out.jsonl").write_text("".join(lines), "utf-8")
        logs = [{"step": step, "reward": step / 10 + seed, "episodes/accuracy": step / 10} for step in range(10)]
        (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, logs)), "utf-8")
        about = {"random": {"return": [-0.08, -0.09, -0.05]}, "seconds": 60 * (seed + 1)}
        (run / "training.json").write_text(json.dumps(about), "utf-8")
    (out / "grpo-outcome-9").mkdir()  # one that was cut off
    return out


def _episodes(resources: Resources, right: int, name: str) -> list[str]:
    session = SQLEnvironment(resources)
    played: list[Trajectory] = []
    for index in range(20):
        policy: Policy = OraclePolicy(resources.datasets) if index < right else ConstantPolicy("")
        played.append(play(session, policy, {"dataset": "starter", "split": "test", "index": index}, 0))
        played[-1].policy = name
    return [episode.to_json() + "\n" for episode in played]


def test_the_return_of_rollouts(folder: Path) -> None:
    told = training_report.returns_line(folder)
    assert "+1.00 (+0.00 / +1.00 / +2.00) in the first tenth" in told
    assert "+1.90 (+0.90 / +1.90 / +2.90) in the last" in told


def test_how_episodes_end(folder: Path) -> None:
    _, _, before, after = training_report.ends_table(folder, SETS, [0.0])
    assert before == "| starter test | 0 | before GRPO | 60 | 20.0 % | 0.0 % | 80.0 % |"
    assert after == "| starter test | 0 | after GRPO | 60 | 70.0 % | 0.0 % | 30.0 % |"


def test_the_table_holds_each_seed_and_what_they_gained(folder: Path) -> None:
    *_, row = training_report.main_table(folder, SETS, 1.0)
    name, n, *bases, before, after, gained, over_seeds = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert (name, n, bases) == ("starter test", "20", ["–", "–", "–"])
    assert before.startswith("20.0 % [")
    assert before.endswith("(10.0 / 20.0 / 30.0)")
    assert after.startswith("70.0 % [")
    assert gained.startswith("+50.0 [")
    assert gained.endswith("p < 0.001")
    assert over_seeds == "+50.0", "seeds that all gained the same say nothing of the spread"


def test_unfinished_runs_do_not_count(folder: Path) -> None:
    assert training_report.seeds_of(folder, "outcome") == [0, 1, 2]
    assert training_report.seeds_of(folder, "binary") == []
    assert training_report.costs(folder) == {"grpo": 120.0}
    curves = training_report.rewards(folder, "outcome")
    assert [curve[-1] for curve in curves] == [0.9, 1.9, 2.9]


def test_the_ablation_has_a_row_for_each_finished_arm(folder: Path) -> None:
    _, _, *rows = training_report.ablation_table(folder, ["outcome", "binary"], SETS, 0.0)
    (row,) = rows
    assert row.startswith("| outcome | 3 | 90.0 % | 70.0 % [")


def test_figures_are_drawn(folder: Path, tmp_path: Path) -> None:
    training_report.figures(folder, ["outcome", "binary"], tmp_path)
    assert (tmp_path / "training_curve.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "training_ablation.png").exists(), "one arm is no ablation"
    with pytest.raises(ValueError, match="a curve needs"):
        draw_curve(tmp_path / "none.png", {"GRPO": []})


def test_a_page_keeps_what_stands_around_the_marks() -> None:
    page = f"# Title\n{training_report.BEGIN}\nold\n{training_report.END}\nafter\n"
    assert training_report.replaced(page, "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no <!-- training: begin -->"):
        training_report.replaced("# Title\n", "new")


def test_a_card_names_no_private_place_and_invents_no_base_model() -> None:
    about = {
        "method": "GRPO",
        "recipe": {"model": "runs/tiny-sft", "sources": ["procedural:train:10"], "only": [], "reward": "outcome"},
        "settings": {"output_dir": "mine", "seed": 3, "max_steps": 5},
        "versions": {"trl": "1.16.0"},
        "prompt": "abc",
        "parameters": 1_234_567,
        "rewards": {"first": 0.1, "last": 0.5},
        "random": {"return": [-0.08, -0.09, -0.05]},
        "held_out": {"procedural:test:10 at temperature 1": {"n": 10, "before": "10.0 %", "after": "60.0 %"}},
    }
    card = model_card(about, "python scripts/train_grpo.py --model /home/me/x --output_dir /home/me/mine")
    assert "/home/me" not in card
    assert "| procedural:test:10 at temperature 1 | 10 | 10.0 % | 60.0 % |" in card
    assert "| parameters | 1,234,567 |" in card
    named = model_card({**about, "recipe": {**about["recipe"], "model": "Qwen/Qwen3-0.6B"}}, "python x")  # type: ignore[dict-item]
    assert "base_model: Qwen/Qwen3-0.6B" in named
