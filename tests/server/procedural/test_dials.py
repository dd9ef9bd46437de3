"""Dials: every number has its own, and a choice of dials gives exactly the numbers that have them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_env.server.errors import TaskError
from sql_env.server.procedural.dials import CHOICES, COMBINATIONS, Dials, Numbering, parse_wanted
from sql_env.server.procedural.splits import SIZES, numbering

CHOSEN = st.fixed_dictionaries(
    {},
    optional={name: st.lists(st.sampled_from(values), min_size=1, max_size=3) for name, values in CHOICES.items()},
)


@pytest.mark.parametrize("split", SIZES)
def test_each_combination_comes_once_before_any_comes_again(split: str) -> None:
    numbers = numbering(split)
    period = COMBINATIONS * len(numbers.domains)
    first = Counter(numbers.of(number) for number in range(period))
    distinct = {Dials.at(place, numbers._hardness) for place in range(COMBINATIONS)}
    assert set(first) == {(dials, domain) for dials in distinct for domain in numbers.domains}
    by_domain = Counter(domain for _, domain in first.elements())
    assert set(by_domain.values()) == {COMBINATIONS}
    assert numbers.of(period + 17) == numbers.of(17)


@given(CHOSEN, st.booleans(), st.data())
def test_a_choice_gives_the_numbers_that_have_it_and_each_once(
    chosen: dict[str, list[str]], by_domain: bool, data: st.DataObject
) -> None:
    numbers = numbering(data.draw(st.sampled_from(sorted(SIZES))))
    domain = data.draw(st.sampled_from(numbers.domains)) if by_domain else None
    wanted = {name: ",".join(values) for name, values in chosen.items()}
    try:
        found = numbers.select(wanted, domain)
    except TaskError:
        fitting = [n for n in range(min(numbers.size, 5_000)) if fits(numbers, n, chosen, domain)]
        assert fitting == []
        return
    assert len(found) >= 1
    indices = data.draw(st.lists(st.integers(0, len(found) - 1), max_size=30, unique=True))
    picked = [found[index] for index in indices]
    assert len(set(picked)) == len(picked)
    for number in picked:
        assert 0 <= number < numbers.size
        assert fits(numbers, number, chosen, domain)
    for outside in (-1, len(found)):
        with pytest.raises(IndexError):
            found[outside] if not isinstance(found, range | list) else range(0)[outside]


def fits(numbers: Numbering, number: int, chosen: dict[str, list[str]], domain: str | None) -> bool:
    dials, name = numbers.of(number)
    return domain in (None, name) and all(str(getattr(dials, dial)) in values for dial, values in chosen.items())


def test_without_a_choice_the_index_is_the_number() -> None:
    assert numbering("train").select({}) == range(1_000_000_000)
    assert numbering("test").select({"hardness": None}) == range(1_000)


def test_a_small_split_is_chosen_from_wholly() -> None:
    numbers = numbering("test")
    found = [numbers.select({"hardness": name}) for name in CHOICES["hardness"]]
    assert sorted(number for part in found for number in part) == list(range(1_000))


def test_ranges_and_lists_of_values() -> None:
    assert parse_wanted({"num_tables": "2-4, 8", "hardness": "hard,easy", "num_rows": None}) == {
        "num_tables": ("2", "3", "4", "8"),
        "hardness": ("easy", "hard"),
    }
    assert parse_wanted({"num_tables": 3}) == {"num_tables": ("3",)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_tables", 0),
        ("num_tables", "9"),
        ("num_tables", "2-99999999999"),
        ("num_tables", "a-b"),
        ("hardness", "impossible"),
        ("hardness", ""),
        ("num_rows", "small,huge"),
        ("distractors", "x" * 100_000),
    ],
)
def test_a_value_that_a_dial_lacks_is_refused_with_those_that_it_has(name: str, value: object) -> None:
    with pytest.raises(TaskError, match=f"{name} must be one of ") as error:
        parse_wanted({name: value})  # type: ignore[dict-item]
    assert len(str(error.value)) < 300


def test_the_compositional_split_has_nothing_easy() -> None:
    with pytest.raises(TaskError, match="no task of this split"):
        numbering("compositional").select({"hardness": "easy"})
