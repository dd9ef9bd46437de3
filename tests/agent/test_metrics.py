"""Rates and means with their intervals, pass@k, failures, breakdowns."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trajectories import episode, run_of, runs, step, twins

from sql_env.agent.failures import cause, failures
from sql_env.agent.faults import Fault
from sql_env.agent.intervals import (
    NO_MEDIAN,
    NO_SPREAD,
    SCORE_CLUSTERED,
    SCORE_OF_MEAN,
    SCORE_OF_MEAN_CLUSTERED,
    T_CLUSTERED,
    WILSON,
    T,
    effective_size,
    median_clustered,
    score,
    score_of_mean,
)
from sql_env.agent.metrics import (
    BOUNDS,
    BREAKDOWNS,
    Rate,
    accuracy,
    beyond_par,
    breakdown,
    invalid_actions,
    mean,
    median,
    official_accuracy,
    pass_at_k,
    prompt_tokens,
    returns,
    steps,
)
from sql_env.agent.trajectory import Trajectory


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [  # Wilson's interval at 95 %, worked out by hand from its formula with z = 1.959964
        (0, 10, 0.0, 0.27753),
        (5, 10, 0.23659, 0.76341),
        (10, 10, 0.72247, 1.0),
        (1, 1, 0.20654, 1.0),
        (49, 100, 0.39422, 0.58652),
    ],
)
def test_wilson(right: int, n: int, low: float, high: float) -> None:
    rate = Rate.of([True] * right + [False] * (n - right))
    assert (rate.right, rate.n) == (right, n)
    assert (rate.low, rate.high) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))


def test_it_is_written_with_its_interval() -> None:
    assert str(Rate.of([True] * 3 + [False] * 7)) == "30.0 % [10.8, 60.3]"


def test_nothing_has_no_rate() -> None:
    with pytest.raises(ValueError, match="at least one outcome"):
        Rate.of([])


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_the_interval_holds_the_rate_and_lies_between_0_and_1(outcomes: list[bool]) -> None:
    rate = Rate.of(outcomes)
    assert 0.0 <= rate.low <= sum(outcomes) / len(outcomes) + 1e-12
    assert sum(outcomes) / len(outcomes) - 1e-12 <= rate.high <= 1.0


def test_tasks_that_were_tried_once_have_wilsons_interval() -> None:
    rate = accuracy(run_of("xxx......."))
    assert str(rate) == "30.0 % [10.8, 60.3]"
    assert rate.method == WILSON


def test_repeated_tasks_are_clustered_and_said_to_be() -> None:
    rate = accuracy(run_of("xxxx....xxxx....", repeats=4))
    assert rate.method == SCORE_CLUSTERED
    assert "clustered by question" in rate.method
    independent = Rate.of([True, False] * 8)
    assert rate.low < independent.low
    assert rate.high > independent.high


def test_twins_are_one_question_everywhere() -> None:
    """Every number of twins has the interval that it would have as tries at one task; n counts as before."""
    asked, tried = twins("xxxx....xx......"), run_of("xxxx....xx......", repeats=2)
    assert accuracy(asked) == accuracy(tried)
    assert breakdown(asked, "hardness") == breakdown(tried, "hardness")
    assert returns(asked) == returns(tried)
    assert invalid_actions(asked) == invalid_actions(tried)
    for numbers in (lambda played: played.correct, steps, prompt_tokens):
        assert mean(asked, numbers) == mean(tried, numbers)
        assert median(asked, numbers) == median(tried, numbers)
    passed = pass_at_k(asked)[1]
    assert (passed.n, passed.value, passed.method) == (16, 6 / 16, SCORE_CLUSTERED)
    assert passed.low == pytest.approx(accuracy(asked).low)


def test_a_twin_that_is_not_among_the_tasks_joins_those_that_are() -> None:
    both = [episode(1, True, twin_of="task-0"), episode(2, twin_of="task-0")]
    assert accuracy(both).method == SCORE_CLUSTERED
    assert accuracy([*both[:1], episode(0, twin_of="")]).method == SCORE_CLUSTERED
    assert accuracy([*both[:1], episode(2, dataset="spider", twin_of="task-0")]).method == WILSON


def test_tries_at_twins_are_tries_at_each() -> None:
    """Two twins, two tries each: pass@2 is 1 and 0, of one question."""
    played = [
        *(episode(1, right, repeat=n) for n, right in enumerate((True, False))),
        *(episode(2, twin_of="task-1", repeat=n) for n in range(2)),
    ]
    found = pass_at_k(played)
    assert [(found[k].value, found[k].n) for k in found] == [(0.25, 2), (0.5, 2)]
    assert (found[2].low, found[2].high) == pytest.approx(score(0.5, 1))


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({"verdict": None}, 0),
        ({"verdict": "empty"}, 0),
        ({"verdict": "wrong_value"}, None),
        ({"verdict": None, "answer_form": "value"}, None),
        ({"official": True}, 1),
        ({"official": False}, 0),
    ],
)
def test_no_answer_in_sql_is_officially_wrong(changes: dict[str, Any], right: int | None) -> None:
    found = official_accuracy([episode(**({"answer_form": "sql"} | changes))])
    assert (found and found.right) == right


def test_tries_that_always_agree_are_worth_one_each() -> None:
    """Repeating deterministic tries adds no information: each task is worth one, less what few tasks cost (t for z)."""
    tasks = [(4.0, 4.0), (0.0, 4.0)] * 20
    assert effective_size(tasks) == pytest.approx(40 * (1.959964 / 2.022691) ** 2, rel=1e-5)
    assert effective_size([(4.0, 4.0)] * 7) == 7


def test_miller_clustered_standard_error() -> None:
    """Each task's sum of residuals, squared, over n²: (1² + 1² + 0²) / 6² at a share of 1/2 and n = 6."""
    tasks = [(2.0, 2.0), (0.0, 2.0), (1.0, 2.0)]
    variance = (1**2 + 1**2 + 0**2) / 6**2
    assert effective_size(tasks) == pytest.approx(0.25 / variance * (1.959964 / 4.302653) ** 2, rel=1e-5)


def test_one_task_repeated_is_worth_one() -> None:
    rate = accuracy(run_of("xx..", repeats=4))
    assert (rate.low, rate.high) == pytest.approx(score(0.5, 1))


def test_drawing_a_task_twice_is_repeating_it() -> None:
    assert accuracy([episode(1), episode(1)]).method == SCORE_CLUSTERED


def test_one_name_in_two_data_sets_is_two_tasks() -> None:
    assert accuracy([episode(1), episode(1, dataset="spider")]).method == WILSON


@pytest.mark.parametrize(
    ("outcomes", "repeats", "expected"),
    [  # 1 − C(n − c, k) / C(n, k), averaged over tasks
        ("x...", 4, [1 / 4, 1 - 3 / 6, 1 - 1 / 4, 1]),
        ("xx......", 4, [1 / 4, (1 - 1 / 6) / 2, 1 / 2, 1 / 2]),
        ("xxx", 1, [1]),
        ("....", 2, [0, 0]),
    ],
)
def test_pass_at_k(outcomes: str, repeats: int, expected: list[float]) -> None:
    found = pass_at_k(run_of(outcomes, repeats))
    assert list(found) == list(range(1, repeats + 1))
    assert [value.value for value in found.values()] == pytest.approx(expected)
    assert all(value.low <= value.value <= value.high for value in found.values())
    assert {value.n for value in found.values()} == {len(outcomes) // repeats}


def test_pass_at_k_stops_at_the_fewest_tries() -> None:
    episodes = run_of("x.x.x.", repeats=3)
    assert list(pass_at_k(episodes[:-1])) == [1, 2]
    assert pass_at_k(episodes[:-1])[1].value == pytest.approx((2 / 3 + 1 / 2) / 2)
    with pytest.raises(ValueError, match="at least one episode"):
        pass_at_k([])


@given(st.integers(1, 4).flatmap(lambda k: st.lists(st.text("x.", min_size=k, max_size=k), min_size=1, max_size=12)))
def test_pass_at_1_is_the_accuracy_and_more_tries_pass_more(tasks: list[str]) -> None:
    episodes = run_of("".join(tasks), repeats=len(tasks[0]))
    found, rate = pass_at_k(episodes), accuracy(episodes)
    assert (found[1].value, found[1].low, found[1].high) == pytest.approx((rate.value, rate.low, rate.high))
    values = [value.value for value in found.values()]
    assert values == sorted(values)


def test_means_have_students_interval() -> None:
    """1, 2, 3, 4, 5: mean 3, standard error √(2.5/5), t with 4 degrees 2.776445."""
    played = [episode(n, episode_return=float(n)) for n in range(1, 6)]
    found = mean(played, lambda played: played.episode_return)
    assert found is not None
    half = 2.776445 * math.sqrt(2.5 / 5)
    assert (found.low, found.high) == pytest.approx((3 - half, 3 + half), rel=1e-6)
    assert found.method == T
    assert mean(played, lambda played: played.episode_return, BOUNDS["return"]) == found, "beyond its bounds"


def test_means_between_bounds_are_rates_on_their_scale() -> None:
    """Returns of 1.0 and −0.1 are outcomes in other words; means of what lies between are held with caution."""
    found, rate = returns(run_of("xxx.......")), accuracy(run_of("xxx......."))
    for name in ("return", "correctness"):
        assert (found[name].low, found[name].high) == pytest.approx((1.1 * rate.low - 0.1, 1.1 * rate.high - 0.1))
        assert found[name].method == SCORE_OF_MEAN
    assert returns(twins("xx.."))["return"].method == SCORE_OF_MEAN_CLUSTERED


def test_means_between_bounds_have_an_interval_where_all_are_alike() -> None:
    found = returns(run_of("xxxx"))
    low, _ = score(1.0, 4)
    assert (found["return"].low, found["return"].high) == pytest.approx((1.1 * low - 0.1, 1.0))
    assert (found["execution"].low, found["efficiency"].high) == (0.0, 0.0)
    middle = score_of_mean([(2 * 0.45, 2)] * 7, BOUNDS["return"])
    assert middle == pytest.approx([1.1 * end - 0.1 for end in score(0.5, 7)]), "twins are worth one"


@given(st.lists(st.lists(st.floats(-0.1, 1.0), min_size=1, max_size=4), min_size=1, max_size=12))
def test_means_between_bounds_stay_between_them(questions: list[list[float]]) -> None:
    clusters = [(math.fsum(values), len(values)) for values in questions]
    average = math.fsum(total for total, _ in clusters) / sum(count for _, count in clusters)
    low, high = score_of_mean(clusters, (-0.1, 1.0)) or (9.0, 9.0)
    assert -0.1 - 1e-9 <= low <= average + 1e-9
    assert average - 1e-9 <= high <= 1.0 + 1e-9


def test_repeating_every_episode_narrows_no_interval() -> None:
    once = [episode(n, n % 3 == 0) for n in range(12)]
    alone = mean(once, lambda played: played.episode_return)
    twice = mean(once + once, lambda played: played.episode_return)
    assert alone is not None
    assert twice is not None
    assert (twice.low, twice.high) == pytest.approx((alone.low, alone.high))
    assert (twice.n, alone.n, twice.method) == (24, 12, T_CLUSTERED)


def test_steps_that_are_all_alike_have_no_interval() -> None:
    found = mean([episode(n) for n in range(9)], steps)
    assert found is not None
    assert (found.value, found.n, found.low, found.high) == (3, 9, None, None)
    assert found.method == NO_SPREAD


def test_steps_beyond_par_are_of_right_episodes() -> None:
    late = episode(1, True, trajectory=[step()] * 8)
    found = [beyond_par(played) for played in (late, episode(2, True), episode(3), episode(4, True, par=None))]
    assert found == [5, 0, None, None]
    middle = median([late, episode(2, True), episode(3)], beyond_par)
    assert middle is not None
    assert (middle.value, middle.n) == (2.5, 2)


def test_medians_have_a_bootstrap_interval() -> None:
    """For 0 … 100 the order statistics that hold the median with 95 % are the 41st and the 61st: 40 and 60."""
    low, high = median_clustered([[float(value)] for value in range(101)]) or (0.0, 0.0)
    assert (low, high) == (pytest.approx(40, abs=2), pytest.approx(60, abs=2))


def test_few_or_like_values_say_nothing_of_the_median() -> None:
    assert median_clustered([[float(value), value + 0.5] for value in range(5)]) is None
    assert median_clustered([[3.0], [3.0, 3.0]] * 9) is None
    assert median_clustered([[float(value)] for value in range(6)]) is not None
    found = median([episode(n) for n in range(9)], steps)
    assert found is not None
    assert (found.value, found.low, found.method) == (3, None, NO_MEDIAN)


def test_invalid_actions_are_counted_by_kind() -> None:
    wrong = [step(error="no", error_kind=kind) for kind in ("StatementError", "ActionError", "StatementError", None)]
    found = invalid_actions([episode(1), episode(2, trajectory=[step(), *wrong])])
    assert found is not None
    assert (found.count, found.share.n, found.share.value) == (4, 8, 0.5)
    assert list(found.by_kind.items()) == [("StatementError", 2), ("ActionError", 1), ("unknown", 1)]
    assert invalid_actions([episode(trajectory=[])]) is None


def test_tokens_that_are_unknown_are_not_nought() -> None:
    assert prompt_tokens(episode()) is None
    assert prompt_tokens(episode(trajectory=[step(prompt_tokens=7), step(), step(prompt_tokens=0)])) == 7


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"verdict": "correct", "correct": True}, None),
        ({"fault": Fault("policy", "raised", "x"), "verdict": "empty"}, "policy_raised"),
        ({"fault": Fault("policy", "stalled", "x"), "verdict": "empty"}, "policy_stalled"),
        ({"fault": Fault("policy", "no_action", "x"), "verdict": "empty"}, "policy_no_action"),
        ({"fault": Fault("policy", "other", "x"), "verdict": "empty"}, "policy_other"),
        ({"verdict": None, "truncated": True}, "no_answer"),
        ({"verdict": "empty"}, "empty"),
        ({"verdict": "unparsable"}, "unparsable"),
        ({"verdict": "wrong_shape"}, "wrong_shape"),
        ({"verdict": "wrong_order"}, "wrong_order"),
        ({"verdict": "wrong_value"}, "wrong_value"),
        ({"trajectory": [step("DESCRIBE"), step("QUERY", "no"), step("ANSWER")]}, "wrong_value_unseen"),
        ({"trajectory": [step("SAMPLE"), step("ANSWER")]}, "wrong_value"),
        ({"verdict": "new"}, "other"),
    ],
)
def test_every_failure_has_one_cause(changes: dict[str, Any], name: str | None) -> None:
    played = episode(**changes)
    assert cause(played) == name
    assert failures([played]) == ({name: 1} if name else {})


@given(runs)
def test_failures_and_breakdowns_add_up(episodes: list[Trajectory]) -> None:
    rate = accuracy(episodes)
    assert sum(failures(episodes).values()) == rate.n - rate.right
    for name in BREAKDOWNS:
        parts = breakdown(episodes, name).values()
        assert (sum(part.n for part in parts), sum(part.right for part in parts)) == (rate.n, rate.right)
        assert all(part.low <= part.value + 1e-12 and part.value - 1e-12 <= part.high for part in parts)


def test_breakdowns_come_in_the_known_order() -> None:
    episodes = [episode(n, hardness=value) for n, value in enumerate(["extra", "", "easy", "odd", "medium"])]
    assert list(breakdown(episodes, "hardness")) == ["easy", "medium", "extra", "odd", "unknown"]


@given(st.floats(0, 1), st.floats(0.01, 1e6))
def test_score_intervals_hold_the_share(share: float, size: float) -> None:
    low, high = score(share, size)
    assert 0.0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1.0
