"""Summaries, tables and figures of a run."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from matplotlib.image import imread
from trajectories import episode, run_of, runs, step, twins

from sql_env.agent import figures
from sql_env.agent.failures import CAUSES
from sql_env.agent.figures import draw_accuracy, draw_failures, draw_steps
from sql_env.agent.report import HEADER, markdown, row, summary
from sql_env.agent.tables import cell, p_value, table
from sql_env.agent.trajectory import Trajectory

UNEVEN = [
    *run_of("xx.x..x..."),
    episode(77, db_id="a|b\nc <i> 東京", trajectory=[step(error="no\n|", error_kind="x|y")]),
]


def test_the_headline_comes_first_then_the_settings() -> None:
    found = summary(run_of("xxx......."), {"policy": "mine", "seed": 3, "prompt": "v1"})
    assert list(found)[:4] == ["accuracy", "n", "interval", "interval_method"]
    assert (found["accuracy"], found["n"], found["interval"]) == (0.3, 10, [0.107791, 0.603222])
    assert "Wilson" in found["interval_method"]
    assert (found["policy"], found["dataset"], found["split"], found["seed"]) == ("mine", "starter", "test", 3)
    assert found["failures"]["causes"]["wrong_value"]["count"] == 7
    assert found["steps"]["beyond_par"]["mean"]["n"] == 3
    assert found["usage"] == {"prompt_tokens": None, "completion_tokens": None}


def test_repeats_are_said() -> None:
    found = summary(run_of("xx.xxx..", repeats=2), {})
    assert (found["tasks"], found["tries"], list(found["pass_at_k"])) == (4, [2, 2], ["1", "2"])
    assert "Wilson (1927)" not in json.dumps(found)
    assert found["clusters"] == 4
    assert "2 tries each" in markdown(found)


def test_twins_are_said() -> None:
    found = summary(twins("xxxx....xx"), {})
    assert (found["n"], found["tasks"], found["clusters"]) == (10, 10, 5)
    assert "clustered by question, twins being one" in found["interval_method"]
    assert "6 of 10 episodes right (10 tasks, 5 with twins counted once)." in markdown(found)


def test_missing_episodes_are_said_with_what_they_could_change() -> None:
    """1 right of 20 played of 90: 1/90 if all others had been wrong, 71/90 if they had been right."""
    found = summary(run_of("x" + 19 * "."), {"missing": 70})
    assert (found["missing"], found["bounds"]) == (70, [0.011111, 0.788889])
    told = "70 of 90 episodes are missing: accuracy lies between 1.1 % and 78.9 %, whatever they would have been."
    assert f"\n\n**{told}**\n\n" in markdown(found)
    whole = summary(run_of("x."), {"missing": 0})
    assert "bounds" not in whole
    assert "missing" not in markdown(whole)
    assert "1 of 2 episodes is missing: " in markdown(summary(run_of("x"), {"missing": 1}))


@given(runs)
@settings(max_examples=40)
def test_order_changes_no_byte(episodes: list[Trajectory]) -> None:
    shuffled = episodes.copy()
    random.Random(len(episodes)).shuffle(shuffled)
    one, other = summary(episodes, {"seed": 1}), summary(shuffled, {"seed": 1})
    assert json.dumps(one) == json.dumps(other)
    assert markdown(one) == markdown(other)
    json.loads(json.dumps(one, allow_nan=False))


@given(runs)
@settings(max_examples=40)
def test_every_table_is_whole(episodes: list[Trajectory]) -> None:
    widths: list[int] = []
    for line in markdown(summary(episodes, {})).split("\n"):
        bare = re.sub(r"\\.", "", line)
        if not line.startswith("|"):
            widths = []
            continue
        widths.append(bare.count("|"))
        assert len(set(widths)) == 1, line


@pytest.mark.parametrize(
    ("episodes", "about", "error"),
    [
        ([], {}, "the run has no episodes"),
        ([episode(1), episode(2, policy="other")], {}, "several policies .model, other."),
        ([episode(1)], {"accuracy": 1, "policy": "x"}, "results, not of settings: accuracy"),
    ],
)
def test_what_cannot_be_summed_up(episodes: list[Trajectory], about: dict[str, object], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        summary(episodes, about)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("a\nb\r\n\tc", "a b c"),
        ("<script>", "&lt;script>"),
        ("a\\|b", r"a\\\|b"),
        ("[x](y) `z` *w*", r"\[x\](y) \`z\` \*w\*"),
        ("", "–"),
        ("東京 🔎", "東京 🔎"),
    ],
)
def test_cells(text: str, shown: str) -> None:
    assert cell(text) == shown


def test_small_p_values_are_not_nought() -> None:
    assert [p_value(value) for value in (1.0, 0.0342, 0.0009, 0.0)] == ["1.000", "0.034", "< 0.001", "< 0.001"]


def test_a_row_for_a_table_of_results() -> None:
    found = row(summary(run_of("xxx......."), {"policy": "a|b", "split": "test"}))
    assert len(found) == len(HEADER)
    assert found[:5] == (r"a\|b", "starter", "test", "10", "30.0 % [10.8, 60.3]")
    assert found[5].startswith("+0.230 [")
    assert found[6:] == ("3.0", "0.0 % [0.0, 27.8]")
    assert table(HEADER, [found], 3)[1].count("---:") == 5


def test_markdown_tells_everything() -> None:
    text = markdown(summary(UNEVEN, {}))
    assert text.startswith("**model**: 36.4 % [15.2, 64.6], 4 of 11 episodes right (11 tasks).")
    assert r"a\|b c &lt;i> 東京" in text
    assert CAUSES["wrong_value_unseen"] in text
    assert r"| x\|y | 1 |" in text
    one = markdown(summary([episode(1, True)], {}))
    assert "1 of 1 episode right (1 task)." in one
    assert "No failure among 1 episode." in one


@pytest.mark.parametrize("episodes", [UNEVEN, [episode(1, True)], [episode(1)], run_of("xxxx"), run_of("....")])
def test_figures_repeat_their_bytes(episodes: list[Trajectory], tmp_path: Path) -> None:
    for place in ("one.png", "two.png"):
        draw_accuracy(tmp_path / f"accuracy-{place}", {"$x_1$ 東京\n" * 9: episodes, "b": episodes[:1]})
        draw_steps(tmp_path / f"steps-{place}", episodes)
        draw_failures(tmp_path / f"failures-{place}", episodes)
    for name in ("accuracy", "steps", "failures"):
        data = (tmp_path / f"{name}-one.png").read_bytes()
        assert data == (tmp_path / f"{name}-two.png").read_bytes()
        assert b"tEXt" not in data
        height, width, _ = imread(tmp_path / f"{name}-one.png").shape
        assert width > 1200
        assert height > 150


def test_a_figure_holds_six_runs() -> None:
    with pytest.raises(ValueError, match="1 to 6 runs, not 7"):
        draw_accuracy(Path("never.png"), {str(number): run_of("x") for number in range(7)})


def test_names_that_differ_at_their_end_stay_different(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    legends: list[tuple[list[str], int]] = []
    draw = figures.Figure.legend

    def legend(figure: figures.Figure, handles: list[Any], told: list[str], **options: Any) -> object:
        legends.append((told, options["ncols"]))
        return draw(figure, handles, told, **options)

    monkeypatch.setattr(figures.Figure, "legend", legend)
    names = [f"llm-Qwen/Qwen2.5-Coder-7B-Instruct-{'very-' * 9}long-spider-test-{seed}" for seed in range(3)]
    middles = [f"{'a' * 40}{seed}{'b' * 40}" for seed in range(2)]
    draw_accuracy(tmp_path / "long.png", {name: run_of("x.") for name in [*names, *middles]})
    draw_accuracy(tmp_path / "short.png", {"one": run_of("x."), "two": run_of("x.x")})
    (long, one_column), (_, two_columns) = legends
    assert (one_column, two_columns) == (1, 2)
    shown = [text.split(":")[0] for text in long]
    assert len(set(shown)) == 5
    assert all(len(name) <= 48 for name in shown)
    assert shown[2].endswith("test-2")
