"""What was reached on the original and on variants: by hand, in summaries, in tables, in comparisons."""

import json
from pathlib import Path
from typing import Any

import pytest
from trajectories import episode, on_variants, run_of, twins

from sql_env.agent import robust
from sql_env.agent.comparison import as_json, as_markdown, compare_runs
from sql_env.agent.metrics import pass_at_k, rate_of
from sql_env.agent.paired import SIGN_FLIP, compare
from sql_env.agent.report import markdown, summary
from sql_env.agent.trajectory import Trajectory

LEARNT = on_variants("x..x..xx.xxx")
"""Four tasks on the original and two variants: always right on the original, once on all."""


def test_each_variant_and_all_of_them_and_robust_accuracy() -> None:
    found = robust.on_variants(LEARNT)
    assert found is not None
    assert found.original is not None
    assert found.robust is not None
    assert (found.original.right, found.original.n) == (4, 4)
    assert {number: (rate.right, rate.n) for number, rate in found.each.items()} == {1: (2, 4), 2: (1, 4)}
    assert (found.together.right, found.together.n) == (3, 8)
    assert (found.robust.right, found.robust.n) == (1, 4)


def test_intervals_take_a_questions_variants_for_one() -> None:
    """Eight episodes of four questions on variants are as wide as four; twins that agree add nothing."""
    alike = on_variants(".xx.xx......")
    found = robust.on_variants(alike)
    assert found is not None
    assert "clustered by question" in found.together.method
    four = rate_of([played for played in alike if played.variant == 1], lambda played: played.correct)
    assert found.together.high - found.together.low > 0.95 * (four.high - four.low)
    alone = on_variants("xxx...", 3)
    paired = [*alone, *(episode(f"twin-{n // 3}", n < 3, variant=n % 3, twin_of=f"task-{n // 3}") for n in range(6))]
    one, two = robust.robust_accuracy(alone), robust.robust_accuracy(paired)
    assert one is not None
    assert two is not None
    assert (one.right, one.n, two.right, two.n) == (1, 2, 2, 4)
    assert two.high - two.low > one.high - one.low


def test_a_try_that_lacks_an_episode_is_not_robust_and_not_counted() -> None:
    whole = on_variants("xxxxx.")
    found = robust.robust_accuracy(whole[:-1])
    assert found is not None
    assert (found.right, found.n) == (1, 1)
    tries = [*on_variants("xxx", repeat=0), *on_variants("xx.", repeat=1)]
    found = robust.robust_accuracy(tries)
    assert found is not None
    assert (found.right, found.n) == (1, 2)


def test_without_the_original_nothing_is_called_robust() -> None:
    changed = [played for played in LEARNT if played.variant]
    found = robust.on_variants(changed)
    assert found is not None
    assert (found.original, found.robust) == (None, None)
    assert robust.on_variants(run_of("x.")) is None


def test_a_variant_is_no_try_for_pass_at_k() -> None:
    assert {k: (mean.value, mean.n) for k, mean in pass_at_k(LEARNT).items()} == {1: (7 / 12, 12)}


def test_the_summary_and_its_table_say_it() -> None:
    numbers = summary(LEARNT, {"variants": [0, 1, 2]})
    assert (numbers["n"], numbers["tasks"], numbers["clusters"], numbers["tries"]) == (12, 4, 4, [1, 1])
    told = numbers["on_variants"]
    assert (told["original"]["accuracy"], told["together"]["n"], told["robust"]["accuracy"]) == (1.0, 8, 0.25)
    assert list(told["each"]) == ["1", "2"]
    for part in (told["original"], told["together"], told["robust"], *told["each"].values()):
        low, high = part["interval"]
        assert low <= part["accuracy"] <= high
        assert part["interval_method"].startswith("95 %")
    text = markdown(numbers)
    assert "7 of 12 episodes right (4 tasks, on the original and 2 variants)." in text
    for line in ("| the original | 4 | 4 | 100.0 %", "| variant 2 | 4 | 1 | 25.0 %", "| all variants | 8 | 3 | 37.5 %"):
        assert line in text
    assert "| robust: right on the original and on every variant | 4 | 1 | 25.0 %" in text
    one = markdown(summary([played for played in LEARNT if played.variant == 2], {}))
    assert "(4 tasks, on variant 2)." in one
    assert "robust" not in one
    assert "all variants" not in one


def test_a_run_on_the_original_alone_says_nothing_of_variants() -> None:
    numbers = summary(run_of("xx.."), {})
    assert not {"on_variants", "test_suite_accuracy"} & set(numbers)
    assert "variant" not in markdown(numbers)


def test_results_are_no_settings() -> None:
    with pytest.raises(ValueError, match="results, not of settings: on_variants"):
        summary(LEARNT, {"on_variants": 1})


def in_sql(task: int, suite: bool | None, **changes: Any) -> Trajectory:
    right = changes.pop("right", bool(suite))
    return episode(task, right, answer_form="sql", official=True, test_suite=suite, **changes)


def test_test_suite_accuracy_stands_beside_the_official_one() -> None:
    episodes = [in_sql(0, True), in_sql(1, True), in_sql(2, False, verdict="wrong_on_variant"), in_sql(3, False)]
    numbers = summary(episodes, {})
    assert (numbers["official_accuracy"]["accuracy"], numbers["test_suite_accuracy"]["accuracy"]) == (1.0, 0.5)
    assert numbers["failures"]["causes"]["wrong_on_variant"]["count"] == 1
    assert "| official execution accuracy | 4 | 100.0 %" in markdown(numbers)
    assert "| test-suite accuracy | 4 | 50.0 %" in markdown(numbers)


def test_a_server_without_a_test_suite_has_no_test_suite_accuracy() -> None:
    """It tells false of wrong answers and nothing of right ones: 0 % would be a lie."""
    episodes = [in_sql(0, None, right=True), in_sql(1, False), in_sql(2, False, db_id="other")]
    assert robust.suite_accuracy(episodes) is None
    numbers = summary(episodes, {})
    assert numbers["test_suite_accuracy"] is None
    assert "test-suite" not in markdown(numbers)
    assert robust.suite_accuracy(run_of("x.")) is None


def test_a_database_without_variants_is_left_out() -> None:
    large = [in_sql(9, None, right=True, db_id="large"), in_sql(10, False, db_id="large")]
    found = robust.suite_accuracy([in_sql(0, True), in_sql(1, False), *large])
    assert found is not None
    assert (found.right, found.n) == (1, 2)


# --- comparisons -----------------------------------------------------------------------------------------


def write(folder: Path, episodes: list[Trajectory], /, **settings: object) -> Path:
    folder.mkdir()
    lines = "".join(played.to_json() + "\n" for played in episodes)
    (folder / "trajectories.jsonl").write_text(lines, "utf-8")
    (folder / "run.json").write_text(json.dumps({"policy": "model"} | settings), "utf-8")
    return folder


def test_runs_are_paired_by_task_and_variant() -> None:
    found = compare(LEARNT, on_variants("x..x..xx.x.."))
    assert (found.n, found.only_first, found.only_second, found.test) == (12, 2, 0, SIGN_FLIP)
    originals = [played for played in LEARNT if played.variant == 0]
    with pytest.raises(ValueError, match="8 only in the first, 0 only in the second, 4 in both"):
        compare(LEARNT, originals)
    assert compare(LEARNT, originals, shared_only=True).n == 4


def test_a_questions_variants_are_flipped_together() -> None:
    """Three questions on three variants, each better everywhere: as rare as three flips, not nine."""
    found = compare(on_variants("." * 9), on_variants("x" * 9))
    assert (found.n, found.only_second) == (9, 9)
    assert found.p_value == pytest.approx(2 / 2**3, abs=0.01)


def test_the_comparison_tells_robust_accuracy(tmp_path: Path) -> None:
    folders = [write(tmp_path / "learnt", LEARNT), write(tmp_path / "sound", on_variants("xxxxxxxxx..."))]
    compared = compare_runs(folders)
    text = as_markdown(compared)
    assert "| run | the original | variants | robust |" in text
    assert "| learnt | 100.0 %" in text
    assert "| 37.5 %" in text
    assert "a task on each of them is a task by itself" in text
    assert as_json(compared)["runs"]["sound"]["on_variants"]["robust"]["accuracy"] == 0.75
    plain = compare_runs([write(tmp_path / "a", twins("x.")), write(tmp_path / "b", twins("xx"))])
    assert "variant" not in as_markdown(plain)


def test_missing_episodes_are_counted_on_every_variant(tmp_path: Path) -> None:
    settings = {"episodes": "all", "num_tasks": 4, "repeats": 1, "variants": [0, 1, 2]}
    folders = [write(tmp_path / name, LEARNT[:cut], **settings) for name, cut in (("whole", 12), ("cut", 11))]
    compared = compare_runs(folders, shared_only=True)
    assert [run.numbers.get("missing") for run in compared.runs.values()] == [None, 1]
