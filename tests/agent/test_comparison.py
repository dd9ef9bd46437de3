"""Runs beside each other: pairs, seeds, tables, the script."""

import itertools
import json
import math
import random
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from running import run
from trajectories import episode, run_of, twins

from sql_env.agent.comparison import as_json, as_markdown, compare_runs
from sql_env.agent.intervals import NO_SPREAD, holm, mcnemar, newcombe, sign_flip
from sql_env.agent.paired import MCNEMAR, NO_SPREAD_OF_SEEDS, SIGN_FLIP, T_OF_SEEDS, compare, over_seeds
from sql_env.agent.trajectory import Trajectory

outcomes = st.integers(1, 40).flatmap(lambda n: st.tuples(*[st.text("x.", min_size=n, max_size=n)] * 2))


def write(folder: Path, episodes: list[Trajectory], /, **settings: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(played.to_json() + "\n" for played in episodes)
    (folder / "trajectories.jsonl").write_text(lines, "utf-8")
    (folder / "run.json").write_text(json.dumps({"policy": "model"} | settings), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (0, 5, 2 / 2**5),
        (1, 7, 2 * (1 + 8) / 2**8),
        (2, 8, 2 * (1 + 10 + 45) / 2**10),
    ],
)
def test_mcnemar_by_hand(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == mcnemar(only_second, only_first) == pytest.approx(p)


def test_newcombe_on_published_data() -> None:
    """Airway hyper-responsiveness before and after a transplant: −0.507 to −0.026 (Fagerland et al., 2014)."""
    assert newcombe(1, 7, 1, 12) == pytest.approx((-0.507, -0.026), abs=5e-4)


def test_newcombe_without_discordant_pairs() -> None:
    low, high = newcombe(10, 0, 0, 0)
    assert (low, high) == pytest.approx((-0.27753, 0.27753), abs=1e-5)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(outcomes)
def test_pairs_are_symmetric(both: tuple[str, str]) -> None:
    first, second = map(run_of, both)
    one, other = compare(first, second), compare(second, first[::-1])
    assert (one.only_first, one.only_second) == (other.only_second, other.only_first)
    assert one.p_value == other.p_value
    assert one.difference == pytest.approx(-other.difference)
    assert one.low is not None
    assert other.high is not None
    assert one.low == pytest.approx(-other.high)
    assert one.low - 1e-12 <= one.difference <= -other.low + 1e-12  # type: ignore[operator]
    assert one.difference == pytest.approx(one.second - one.first)


def test_identical_runs_do_not_differ() -> None:
    same = compare(run_of("xx..x"), run_of("xx..x"))
    assert (same.p_value, same.difference, same.only_first, same.only_second) == (1.0, 0.0, 0, 0)
    assert (same.test, same.n, same.left_out) == (MCNEMAR, 5, 0)
    again = compare(run_of("xx..x.", 2), run_of("xx..x.", 2))
    assert (again.p_value, again.difference, again.test, again.method) == (1.0, 0.0, SIGN_FLIP, NO_SPREAD)


def test_repeated_tasks_are_compared_by_their_means() -> None:
    first, second = run_of("x..." * 10, 4), run_of("xxx." * 10, 4)
    found = compare(first, second)
    assert (found.n, found.only_first, found.only_second, found.test) == (10, 0, 10, SIGN_FLIP)
    assert (found.first, found.second, found.difference) == (0.25, 0.75, 0.5)
    assert found.p_value == pytest.approx(2 / 2**10, abs=0.001)
    assert compare(second, first).p_value == found.p_value
    assert compare(run_of("x.x.", 1), run_of("xxx.....", 2)).test == SIGN_FLIP


def test_twins_are_flipped_together() -> None:
    """Three questions of two tasks, each better twice: as rare as three flips of one side, 2/2³, not 2/2⁶."""
    found = compare(twins("......"), twins("xxxxxx"))
    assert (found.n, found.only_first, found.only_second, found.test) == (6, 0, 6, SIGN_FLIP)
    assert found.p_value == pytest.approx(2 / 2**3, abs=0.01)
    assert (found.difference, found.low, found.method) == (1.0, None, NO_SPREAD)
    old = [replace(played, twin_of="") for played in twins("xxxxxx")]
    assert compare(twins("......"), old).p_value == compare(old, twins("......")).p_value == found.p_value


def test_the_difference_is_the_mean_over_tasks_and_not_over_questions() -> None:
    """A question of three tasks, all better, and three of one: 3/6. Residuals 3 − 1.5, 0 − 0.5 thrice; t of 3."""
    first = [*twins("...", of=3), *(episode(n) for n in range(3, 6))]
    found = compare(first, [*twins("xxx", of=3), *(episode(n) for n in range(3, 6))])
    half = 3.182446 * math.sqrt(4 / 3 * (1.5**2 + 3 * 0.5**2)) / 6
    assert found.difference == 0.5
    assert (found.low, found.high) == (pytest.approx(0.5 - half), 1.0)


def test_two_runs_that_are_equally_good_seldom_differ() -> None:
    """142 tasks of 66 questions as in Spider's test split, twins mostly answered alike: 5 % may be called different."""
    sizes, rng = [1] * 4 + [2] * 54 + [3] * 6 + [6] * 2, random.Random(0)

    def play(hardness: list[float]) -> list[Trajectory]:
        asked, played = iter(range(142)), []
        for question, (size, share) in enumerate(zip(sizes, hardness, strict=True)):
            alike = rng.random() < share
            for place in itertools.islice(asked, size):
                right = alike if rng.random() < 0.9 else rng.random() < share
                played.append(episode(place, right, twin_of=f"first-{question}"))
        return played

    wrong, naive = 0, 0
    for _ in range(300):
        hardness = [rng.random() for _ in sizes]
        first, second = play(hardness), play(hardness)
        found = compare(first, second)
        assert (found.n, found.test) == (142, SIGN_FLIP)
        wrong += found.p_value < 0.05
        naive += mcnemar(found.only_first, found.only_second) < 0.05
    assert 0.02 <= wrong / 300 <= 0.08
    assert naive / 300 > 0.1, "as if twins were independent"


def test_sign_flips_agree_with_all_of_them() -> None:
    differences = [0.25, 0.5, -0.25, 1.0, 0.75, 0.0, 0.5, -0.5]
    flips = [sum(s * d for s, d in zip(signs, differences, strict=True)) for signs in product((-1, 1), repeat=8)]
    exact = sum(abs(flip) >= sum(differences) - 1e-9 for flip in flips) / len(flips)
    assert sign_flip(differences) == pytest.approx(exact, abs=0.015)
    assert sign_flip(differences) == sign_flip(differences[::-1]) == sign_flip([-value for value in differences])


def test_different_tasks_are_refused_unless_told_otherwise() -> None:
    first, second = run_of("xx.."), [*run_of("x.."), episode(9), episode(10)]
    with pytest.raises(ValueError, match="1 only in the first, 2 only in the second, 3 in both"):
        compare(first, second)
    shared = compare(first, second, shared_only=True)
    assert (shared.n, shared.left_out, shared.only_first) == (3, 3, 1)
    with pytest.raises(ValueError, match="share no task"):
        compare(first, run_of("xx..", dataset="spider"), shared_only=True)


def test_seeds_by_hand() -> None:
    """Shares 0.2, 0.4, 0.6: mean 0.4, sd 0.2, t with 2 degrees 4.302653."""
    found = over_seeds({2: run_of("xxx.."), 0: run_of("x...."), 1: run_of("xx...")})
    half = 4.302653 * 0.2 / math.sqrt(3)
    assert (found.n, found.mean, found.sd) == (3, pytest.approx(0.4), pytest.approx(0.2))
    assert (found.low, found.high) == (0.0, pytest.approx(0.4 + half))
    assert list(found.each) == [0, 1, 2]
    assert str(found.each[0]) == "20.0 % [3.6, 62.4]"
    alone = over_seeds({5: run_of("x.")})
    assert (alone.sd, alone.low, alone.high) == (None, None, None)
    assert (found.method, alone.method) == (T_OF_SEEDS, NO_SPREAD_OF_SEEDS)
    with pytest.raises(ValueError, match="each seed drew other tasks"):
        over_seeds({0: run_of("x."), 1: run_of("x..")})
    with pytest.raises(ValueError, match="no seeds"):
        over_seeds({})


def test_runs_that_differ_only_in_the_seed_are_averaged(tmp_path: Path) -> None:
    folders = [
        write(tmp_path / "base", run_of("x....")),
        write(tmp_path / "a", run_of("xx..."), split="test", seed=0),
        write(tmp_path / "b", run_of("xxx.."), seed=1, split="test"),
        write(tmp_path / "c", run_of("xxxx."), seed=1, split="eval"),
    ]
    found = compare_runs(folders)
    assert list(found.seeds) == ["a, b"]
    assert list(found.pairs) == ["a", "b", "c"]
    assert found.adjusted == {"a": 1.0, "b": 1.0, "c": 0.75}
    text = as_markdown(found)
    assert "| a, b | 2 | 50.0 % [0.0, 100.0] | 14.1 |" in text
    assert "p (Holm)" in text
    assert json.loads(json.dumps(as_json(found), allow_nan=False))["against"]["c"]["p_holm"] == 0.75


def test_seeds_that_drew_other_tasks_are_not_averaged(tmp_path: Path) -> None:
    folders = [write(tmp_path / str(seed), run_of("x." + seed * "."), seed=seed) for seed in range(2)]
    found = compare_runs(folders, shared_only=True)
    assert (found.seeds, found.drawn_apart) == ({}, ["0, 1"])
    assert as_markdown(found).endswith("\n\nNot averaged over seeds, since each seed drew other tasks: 0, 1.\n")
    assert as_json(found)["drawn_apart"] == ["0, 1"]


def test_missing_episodes_are_told_under_the_table(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", run_of("x."), episodes="all", num_tasks=2, repeats=1)
    told = write(tmp_path / "told", run_of("x."))
    (told / "summary.json").write_text('{"n": 2, "missing": 2}', "utf-8")
    stale = write(tmp_path / "stale", run_of("x."), episodes="all", num_tasks=3, repeats=2)
    (stale / "summary.json").write_text('{"n": 1, "missing": 9}', "utf-8")
    drawn = write(tmp_path / "drawn", run_of("x."), episodes=3, num_tasks=90, repeats=1)
    (drawn / "summary.json").write_text("[]", "utf-8")
    found = compare_runs([whole, told, stale, drawn])
    assert [run.numbers.get("missing") for run in found.runs.values()] == [None, 2, 4, 1]
    text = as_markdown(found)
    assert "**told: 2 of 4 episodes are missing: accuracy lies between 25.0 % and 75.0 %, whatever they would" in text
    assert "**drawn: 1 of 3 episodes is missing: " in text
    assert "**whole" not in text
    assert as_json(found)["runs"]["stale"]["bounds"] == pytest.approx([1 / 6, 5 / 6], abs=1e-6)


def test_the_footer_says_which_to_trust(tmp_path: Path) -> None:
    def text(episodes: list[Trajectory]) -> str:
        return as_markdown(compare_runs([write(tmp_path / name, episodes) for name in ("a", "b")]))

    assert "The exact test is conservative; where it and the interval disagree, the test counts." in text(run_of("x."))
    assert "two-sided. Where the test and the interval disagree, the test counts." in text(twins("x."))


def test_the_same_seed_twice_is_no_spread(tmp_path: Path) -> None:
    folders = [write(tmp_path / name, run_of("x.."), seed=0) for name in ("a", "b")]
    assert not compare_runs(folders).seeds


def test_names_that_need_escaping_or_occur_twice(tmp_path: Path) -> None:
    folders = [write(tmp_path / parent / "r|n é", run_of("x..")) for parent in ("one", "two")]
    found = compare_runs(folders)
    assert list(found.runs) == ["r|n é", "r|n é (2)"]
    assert r"| r\|n é (2) | model |" in as_markdown(found)
    assert "Holm" not in as_markdown(found)


def test_the_script_prints_and_writes(tmp_path: Path) -> None:
    first, second = write(tmp_path / "first", run_of("x...")), write(tmp_path / "second", run_of("xxx."))
    out = tmp_path / "out"
    done = run("compare.py", str(first), str(second), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "| second | 4 | +50.0 [-" in done.stdout
    assert (out / "comparison.md").read_text("utf-8").startswith(done.stdout)
    assert json.loads((out / "comparison.json").read_text("utf-8"))["against"]["second"]["only_second"] == 2
    assert imread(out / "accuracy.png").shape[1] > 1200


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    first, second = write(tmp_path / "first", run_of("x...")), write(tmp_path / "second", run_of("xxx"))
    empty, broken = write(tmp_path / "empty", []), write(tmp_path / "broken", run_of("x"))
    (broken / "trajectories.jsonl").write_text('{"policy": 1}\n', "utf-8")
    mixed = write(tmp_path / "mixed", [episode(1), episode(2, policy="other")])
    cases = {
        "first and second: the runs played different tasks.*; --shared compares on those in both$": second,
        "no run's folder": tmp_path / "nowhere",
        "holds no trajectory": empty,
        "no trajectory": broken,
        "several policies": mixed,
    }
    for message, folder in cases.items():
        with pytest.raises((RuntimeError, ValueError), match=message):
            compare_runs([first, folder])
    with pytest.raises(ValueError, match="at least two runs"):
        compare_runs([first])
    told = as_markdown(compare_runs([first, second], shared_only=True))
    assert "Left out, as only one of the two played them: 1 task (second)." in told


def test_the_script_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    done = run("compare.py", str(write(tmp_path / "first", run_of("x"))), str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("compare: ")
    assert done.stderr.count("\n") == 1
