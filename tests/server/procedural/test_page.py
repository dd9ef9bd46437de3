"""docs/procedural.md says what is measured."""

from pathlib import Path

import hostile_sql
import pytest
from looks import Look

from sql_env.server.procedural.asking.stock import WAYS
from sql_env.server.procedural.splits import SIZES, all_domains, numbering
from sql_env.server.questions import load
from sql_env.server.survey import construct_shares, construct_table, guess_table, samples

pytestmark = pytest.mark.timeout(900)

PAGE = (hostile_sql.ROOT / "docs" / "procedural.md").read_text("utf-8")

Looks = dict[str, list[Look]]


def test_guessable_answers_and_samples(looks: Looks) -> None:
    questions = {split: [one.question for one in seen] for split, seen in looks.items()}
    assert "\n".join(guess_table(questions)) in PAGE
    assert "\n".join(samples(questions["train"], 6)) in PAGE


def test_constructs_beside_spiders(looks: Looks, spider_data: Path) -> None:
    train = [one.question for one in looks["train"]]
    sets = {"procedural, train": train, "Spider": list(load("spider", spider_data).questions)}
    counts = {name: len(questions) for name, questions in sets.items()}
    assert "\n".join(construct_table(construct_shares(sets), counts)) in PAGE


def test_the_numbers_of_domains_ways_and_tasks() -> None:
    assert f"{len(all_domains())} domains (`server/procedural/domains/`)" in PAGE
    assert f"one of {len(WAYS)} ways to ask" in PAGE
    for split, size in SIZES.items():
        assert f"| {split} | {size:,} |" in PAGE
    assert f"| train | {SIZES['train']:,} | {len(numbering('train').domains)} |" in PAGE
    assert f"| test | {SIZES['test']:,} | {len(numbering('test').domains)} others |" in PAGE
