"""What is played: variants and dials as they are typed, and the jobs that come of them."""

import time
from argparse import ArgumentTypeError

import pytest

from sql_env.agent.choices import dial, only, variant, variants, written
from sql_env.agent.jobs import MOST_TASKS, Job, jobs
from sql_env.agent.rollout import policy_seed


@pytest.mark.parametrize(
    ("text", "numbers", "again"),
    [
        ("0", (0,), "0"),
        ("2", (2,), "2"),
        ("0-3", (0, 1, 2, 3), "0-3"),
        ("5,0,2", (0, 2, 5), "0,2,5"),
        ("1-2,2-3,0", (0, 1, 2, 3), "0-3"),
        ("7-7", (7,), "7"),
    ],
)
def test_variants_are_read_and_written(text: str, numbers: tuple[int, ...], again: str) -> None:
    assert variants(text) == numbers
    assert written(numbers) == again
    assert variants(again) == numbers


@pytest.mark.parametrize("text", ["", "-1", "a", "1-", "3-1", "1,,2", "1 2", "0-1000", "²", "0-999999999", "1" * 99])
def test_what_names_no_variants_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError):
        variants(text)


def test_one_variant_is_one_number() -> None:
    assert variant("12") == 12
    for text in ("0-3", "", "-1", "x"):
        with pytest.raises(ArgumentTypeError, match="0 is the original"):
            variant(text)


def test_dials_are_joined_by_name() -> None:
    given = map(dial, ("hardness=hard", "num_tables=1-3", "hardness=extra,easy"))
    assert only(given) == {"hardness": "hard,extra,easy", "num_tables": "1-3"}
    for text in ("nosuch=1", "hardness", "=1", ""):
        with pytest.raises(ArgumentTypeError, match="hardness, answer_type, num_tables"):
            dial(text)


def test_every_task_and_try_is_played_on_every_variant() -> None:
    found = jobs(2, None, 2, 0, (2, 0))
    assert found == sorted(found)
    assert found == [Job(index, repeat, k) for index in (0, 1) for repeat in (0, 1) for k in (0, 2)]
    assert jobs(3, None, 1, 0) == [Job(0), Job(1), Job(2)]


def test_variants_change_no_draw() -> None:
    drawn = [job.index for job in jobs(90, 5, 1, 7)]
    assert [job.index for job in jobs(90, 5, 1, 7, (1, 3)) if job.variant == 3] == drawn


def test_a_split_that_is_too_large_is_not_played_whole_and_drawn_from_at_once() -> None:
    with pytest.raises(ValueError, match=r"1,000,000,000 tasks, too many to play them all: .*--episodes N"):
        jobs(10**9, None, 1, 0)
    assert len(jobs(MOST_TASKS, None, 1, 0)) == MOST_TASKS
    began = time.perf_counter()
    drawn = jobs(10**9, 1000, 1, 3)
    assert time.perf_counter() - began < 1
    assert len(set(drawn)) == 1000
    assert drawn == jobs(10**9, 1000, 1, 3) != jobs(10**9, 1000, 1, 4)


def test_the_original_keeps_its_seeds_and_every_variant_has_its_own() -> None:
    """The first two were computed by the version that knew no variants."""
    assert policy_seed(0, "allotment_society-001", 0) == policy_seed(0, "allotment_society-001", 0, 0) == 680680106
    assert policy_seed(7, "p1-test-17", 3) == 1510482954
    assert len({policy_seed(0, "t", repeat, k) for repeat in range(9) for k in range(9)}) == 81
