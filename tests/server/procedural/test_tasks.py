"""Ten thousand procedural tasks: sound, disjoint, as dialled, never guessed, and the same everywhere."""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict

import pytest
from looks import Look, digest_of

from sql_env.server.answers import Gold
from sql_env.server.guesses import best_constant, most_frequent_answer
from sql_env.server.procedural import filters, links
from sql_env.server.procedural.asking.stock import WAYS
from sql_env.server.procedural.splits import HELD_OUT_DOMAINS, SIZES, all_domains, is_held_out, numbering
from sql_env.server.procedural.tasks import make_task, task_id
from sql_env.server.questions import gold_answer
from sql_env.server.settings import Settings
from sql_env.server.structure import hardness, parse
from sql_env.server.verifier import Reason, grade, grade_rows

pytestmark = pytest.mark.timeout(900)

SPIDERS_BEST_CONSTANT = 0.027
"""Share of Spider's 524 questions that the best constant answers: docs/base_rates.md."""

Looks = dict[str, list[Look]]


# --- sound -----------------------------------------------------------------------------------------------


def test_every_gold_runs_in_the_sandbox_and_databases_are_whole(everything: list[Look]) -> None:
    assert len(everything) == 10_000
    assert {one.question.question_id: one.faults for one in everything if one.faults} == {}


def test_no_gold_is_empty_or_repeats_a_row_or_is_beyond_the_budget(everything: list[Look]) -> None:
    for one in everything:
        question = one.question
        assert any(cell is not None for row in question.gold_rows for cell in row), question.question_id
        assert len(set(question.gold_rows)) == len(question.gold_rows) <= Settings().result_rows
        assert question.par <= Settings().max_steps
        assert hardness(parse(question.gold_sql)) == question.hardness


def test_the_oracles_answer_is_right_and_a_changed_one_is_wrong(everything: list[Look]) -> None:
    for one in everything:
        gold = Gold.of(one.question)
        assert grade(gold_answer(gold.rows), gold) is Reason.CORRECT, one.question.question_id
        assert grade_rows(gold.rows, gold) is Reason.CORRECT
        assert grade_rows((*gold.rows, gold.rows[0]), gold) is not Reason.CORRECT
        assert grade_rows(gold.rows[1:], gold) is not Reason.CORRECT
        backwards = grade_rows(gold.rows[::-1], gold) is Reason.CORRECT
        assert backwards == (len(gold.rows) == 1 or not gold.ordered)
        assert grade("", gold) is Reason.EMPTY


def test_tasks_are_as_their_dials_say(looks: Looks) -> None:
    for split, seen in looks.items():
        for number, one in enumerate(seen):
            dials, domain = numbering(split).of(number)
            question = one.question
            assert (question.question_id, question.db_id, question.split) == (task_id(split, number), domain, split)
            assert (question.hardness, question.answer_type) == (dials.hardness, dials.answer_type)
            assert len(one.tables) == dials.num_tables


def test_the_dial_of_rows_makes_larger_databases(looks: Looks) -> None:
    sizes = defaultdict(list)
    for number, one in enumerate(looks["train"]):
        dials, _ = numbering("train").of(number)
        if dials.num_tables == 4:
            sizes[dials.num_rows].append(one.size)
    medians = {name: sorted(found)[len(found) // 2] for name, found in sizes.items()}
    assert medians["small"] < medians["medium"] < medians["large"]


# --- disjoint --------------------------------------------------------------------------------------------


def test_no_task_equals_another(everything: list[Look]) -> None:
    """Not even of one split. Now and then the same words have the same answer on another database."""
    assert max(Counter(one.digest for one in everything).values()) == 1
    assert max(Counter(one.content for one in everything).values()) == 1
    asked = Counter((one.question.question, one.question.gold_rows) for one in everything)
    assert sum(count for count in asked.values() if count > 1) <= 30


def test_domains_of_the_test_split_are_in_no_other(looks: Looks) -> None:
    domains = {split: {one.question.db_id for one in seen} for split, seen in looks.items()}
    assert domains["test"] == HELD_OUT_DOMAINS
    assert domains["train"] == domains["eval"] == domains["compositional"] == set(all_domains()) - HELD_OUT_DOMAINS
    assert len(all_domains()) >= 24


def test_entities_of_the_test_domains_are_their_own() -> None:
    entities = defaultdict(set)
    for domain in all_domains().values():
        for entity in domain.entities:
            columns = frozenset(attribute.column for attribute in entity.attributes)
            entities[domain.name in HELD_OUT_DOMAINS].add((entity.name, columns))
    assert not entities[True] & entities[False]


def test_combinations_of_the_compositional_split_are_in_no_other(looks: Looks) -> None:
    for split, seen in looks.items():
        for one in seen:
            held_out = any(is_held_out(one.skeleton, construct) for construct in one.constructs)
            assert held_out == (split == "compositional"), one.question.question_id
    train = combinations(looks["train"])
    for one in looks["compositional"]:
        assert combinations([one]) - train, one.question.question_id


def combinations(seen: list[Look]) -> set[tuple[str, str]]:
    return {(one.skeleton, construct) for one in seen for construct in one.constructs}


def test_every_way_to_ask_and_every_construct_is_in_train(looks: Looks) -> None:
    """What is new in the compositional split is the combination, not a part of it."""
    train, compositional = looks["train"], looks["compositional"]
    ways, constructs = {one.skeleton for one in train}, {c for one in train for c in one.constructs}
    assert ways == {way.name for way in WAYS}
    assert constructs >= {item.__name__ for stock in STOCKS for item, _ in stock}
    assert {one.skeleton for one in compositional} <= ways
    assert {c for one in compositional for c in one.constructs} <= constructs


STOCKS = (filters.OWN, links.LINKED, links.NESTED, links.EITHER)


def test_held_out_combinations_name_what_exists() -> None:
    from sql_env.server.procedural.splits import HELD_OUT_COMBINATIONS

    known = {item.__name__ for stock in STOCKS for item, _ in stock}
    assert set(HELD_OUT_COMBINATIONS) <= {way.name for way in WAYS}
    assert {construct for names in HELD_OUT_COMBINATIONS.values() for construct in names.split()} <= known


# --- not to be guessed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("split", SIZES)
def test_no_constant_is_right_more_often_than_on_spider(looks: Looks, split: str) -> None:
    questions = [one.question for one in looks[split]]
    train = [one.question for one in looks["train"]]
    for constant in (best_constant(questions), most_frequent_answer(train)):
        right = sum(grade(constant, Gold.of(question)) is Reason.CORRECT for question in questions)
        assert right / len(questions) <= SPIDERS_BEST_CONSTANT, constant


# --- the same everywhere ---------------------------------------------------------------------------------

PROGRAM = """
import hashlib, json, sys
from sql_env.server.procedural.tasks import make_task
found = {}
for split in ("train", "eval", "test", "compositional"):
    total = hashlib.sha256()
    for number in range(250):
        made = make_task(split, number)
        total.update(made.question.to_json().encode() + made.database.image)
    found[split] = total.hexdigest()
print(json.dumps(found))
"""

GOLDEN = {
    "train": "fbdc5135bcb9519ee9a32ff623134c619fdb84aa2a8c2de35f46e0123f617246",
    "eval": "da5b44622f020956879440c34570f0e05a5f0ddb6eb3d6a0e0e2c157bc56cd04",
    "test": "16385b7a2c3e998fbbc28959988a07c8df8e28395fafdf1c5d2a82f42c4576e7",
    "compositional": "5b010ba83230106ed45645fc52e7b5aa3a676a94e0c89e96a26e29b239f0cb2c",
}
"""Digests of the first 250 tasks of each split. They may change only together with the generator's version."""


@pytest.mark.parametrize("hash_seed", ["1", "77"])
def test_tasks_are_byte_identical_in_every_process_and_for_ever(hash_seed: str) -> None:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout) == GOLDEN


def test_a_task_does_not_depend_on_those_made_before(everything: list[Look]) -> None:
    for one in everything[::500]:
        _, split, number = one.question.question_id.split("-")
        assert digest_of(make_task(split, int(number))) == one.digest
