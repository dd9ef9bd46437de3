"""Demonstrations: what is in them was played, and nothing in them is evaluated."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from running import run

from sql_env.agent import prompts
from sql_env.agent.demonstration_set import read_demonstrations, write_demonstrations
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.task_rows import EVALUATED, HARDNESS, SELECTORS, Source, curriculum, draw, selectors_of
from sql_env.agent.trajectories import CLOSING, GIVEN_UP, Demonstrator, Skill, num_tasks, play_demonstrations
from sql_env.models import TOOLS, SQLAction
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings

UNSKILLED = Skill(mistaken=0.4, gives_up=0.2, stumbles=0.4)
SOURCES = [Source.parse("procedural:train:40"), Source.parse("starter:train:210")]


@pytest.fixture(scope="module")
def resources() -> Iterator[Resources]:
    with closing(Resources.load(Settings.from_environ({}))) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def rows(resources: Resources) -> list[dict[str, Any]]:
    return list(play_demonstrations(SQLEnvironment(resources), SOURCES, UNSKILLED, 0))


def test_every_result_is_what_the_environment_answers(resources: Resources, rows: list[dict[str, Any]]) -> None:
    """Each demonstration is played again, call by call, and must be told the same words."""
    session = SQLEnvironment(resources)
    for row in rows:
        seen = session.reset(dataset=row["dataset"], task_id=row["task_id"], variant=row["variant"])
        system, opening, *turns = row["messages"]
        assert system["content"] == prompts.system_prompt("value", tools=True)
        assert opening["content"] == prompts.opening(seen)
        for call, told in zip(turns[:-1:2], turns[1::2], strict=True):
            (one,) = call["tool_calls"]
            tool = next(tool for tool in TOOLS if tool.name == one["function"]["name"])
            (argument,) = one["function"]["arguments"].values()
            seen = session.step(SQLAction(action_type=tool.action_type, argument=argument))
            left = 0 if seen.done else seen.budget_remaining
            assert told == {
                "role": "tool",
                "name": tool.name,
                "content": prompts.told(seen.result, seen.error, left),
            }
        assert turns[-1] == {"role": "assistant", "content": GIVEN_UP if row["kind"] == "given_up" else CLOSING}
        assert seen.done == (row["kind"] != "given_up")


def test_kinds_are_what_their_names_say(rows: list[dict[str, Any]]) -> None:
    kinds = Counter(row["kind"] for row in rows)
    assert set(kinds) == {"oracle", "recovery", "mistaken", "given_up"}
    for row in rows:
        text = json.dumps(row["messages"])
        if row["kind"] in ("oracle", "recovery"):
            assert row["correct"], row["task_id"]
        if row["kind"] == "oracle":
            assert "Error: " not in text
            assert row["return"] == 1.0
        if row["kind"] == "given_up":
            assert not row["correct"]
            assert '"name": "answer"' not in text
    wrong = [row["correct"] for row in rows if row["kind"] == "mistaken"]
    assert sum(wrong) < 0.15 * len(wrong), "what is asked instead sometimes has the same answer"
    recovered = [json.dumps(row["messages"]) for row in rows if row["kind"] == "recovery"]
    assert any("no table named" in text for text in recovered)
    assert any("no such column" in text for text in recovered)


def test_the_same_seed_gives_the_same_demonstrations(resources: Resources, rows: list[dict[str, Any]]) -> None:
    again = list(play_demonstrations(SQLEnvironment(resources), SOURCES, UNSKILLED, 0))
    assert again == rows
    other = play_demonstrations(SQLEnvironment(resources), SOURCES[:1], UNSKILLED, 1)
    assert [row["task_id"] for row in other] != [row["task_id"] for row in rows if row["dataset"] == "procedural"]


def test_the_oracle_is_right_on_every_training_question(resources: Resources) -> None:
    session = SQLEnvironment(resources)
    demonstrator = Demonstrator(OraclePolicy(resources.datasets))
    for index in range(num_tasks(session, {"dataset": "starter", "split": "train"})):
        shown = demonstrator.play(session, {"dataset": "starter", "split": "train", "index": index})
        assert shown.kind == "oracle"
        assert shown.played.correct, shown.played.task_id


@pytest.mark.parametrize("split", EVALUATED)
def test_nothing_that_is_evaluated_is_demonstrated(resources: Resources, split: str) -> None:
    """Not as a source, and not by naming a task, whatever split the row claims."""
    with pytest.raises(ValueError, match="holds what is evaluated"):
        Source.parse(f"procedural:{split}:3")
    demonstrator, session = Demonstrator(OraclePolicy(resources.datasets)), SQLEnvironment(resources)
    if split != "all":
        with pytest.raises(ValueError, match="it is for evaluation"):
            demonstrator.play(session, {"dataset": "procedural", "task_id": f"p1-{split}-7"})


def test_no_demonstration_is_about_an_evaluated_database(resources: Resources, rows: list[dict[str, Any]]) -> None:
    starter = resources.datasets["starter"]
    evaluated = {question.db_id for question in starter.select("test")}
    golds = {question.question_id for split in ("test", "eval") for question in starter.select(split)}
    assert not evaluated & {row["db_id"] for row in rows if row["dataset"] == "starter"}
    assert not golds & {row["task_id"] for row in rows}


def test_rows_are_drawn_once_and_then_on_variants() -> None:
    source = Source("starter", "train", 25, {})
    drawn = draw([source], lambda _: 10, 3)
    assert len(drawn) == 25
    places = Counter((row["variant"], row["index"]) for row in drawn)
    assert max(places.values()) == 1
    assert Counter(row["variant"] for row in drawn) == {0: 10, 1: 10, 2: 5}
    assert draw([source], lambda _: 10, 3) == drawn
    assert draw([source], lambda _: 10, 4) != drawn
    assert {frozenset(row) for row in drawn} == {frozenset(drawn[0])}, "a data set has one set of columns"
    assert set(selectors_of(drawn[0])) == {"dataset", "split", "index", "variant"}
    assert set(drawn[0]) <= set(SELECTORS)


def test_dials_that_a_data_set_has_not_are_left_out() -> None:
    dials = ["hardness=easy", "num_tables=1-2"]
    assert Source.parse("procedural:train:5", dials).only == {"hardness": "easy", "num_tables": "1-2"}
    assert Source.parse("starter:train:5", dials).only == {"hardness": "easy"}
    for wrong in ("starter", "starter:train", "starter:train:many"):
        with pytest.raises(ValueError, match="a source is DATASET:SPLIT:COUNT"):
            Source.parse(wrong)


def test_a_curriculum_goes_from_easy_to_extra_and_keeps_some_of_all() -> None:
    parts = Source("starter", "train", 202, {}).by_hardness()
    assert [part.count for part in parts] == [51, 51, 50, 50]
    rows = draw(parts, lambda _: 1000, 0)
    ordered = curriculum(rows, 0.0, 0)
    assert [row["hardness"] for row in ordered] == sorted((row["hardness"] for row in rows), key=HARDNESS.index)
    some = curriculum(rows, 0.3, 0)
    assert sorted(map(str, some)) == sorted(map(str, rows))
    first = Counter(row["hardness"] for row in some[:60])
    assert first["easy"] > 35
    assert first["easy"] < 60


def test_the_script_writes_a_data_set_with_a_card(tmp_path: Path) -> None:
    sources = ("--source", "procedural:train:20", "--source", "starter:train:20")
    made = run("build_demonstrations.py", *sources, "--gives-up", "0.3", "--out", str(tmp_path / "demos"))
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("40 demonstrations in ")
    rows = read_demonstrations(tmp_path / "demos")
    assert len(rows) == 40
    card = (tmp_path / "demos" / "README.md").read_text("utf-8")
    assert card.startswith("---\nlicense: cc0-1.0\n")
    assert "| procedural | train | 20 |" in card
    assert str(tmp_path) not in card
    from datasets import load_dataset

    loaded = load_dataset(str(tmp_path / "demos"), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == 40
    refused = run("build_demonstrations.py", "--source", "procedural:test:2", "--out", str(tmp_path / "no"))
    assert refused.returncode == 1
    assert "holds what is evaluated" in refused.stderr


def test_a_mixture_has_the_strictest_licence(tmp_path: Path) -> None:
    row = {"kind": "oracle", "correct": True, "split": "train"}
    write_demonstrations(tmp_path, [row | {"dataset": name} for name in ("starter", "spider", "procedural")], "made")
    card = (tmp_path / "README.md").read_text("utf-8")
    assert card.startswith("---\nlicense: cc-by-sa-4.0\n")
    assert "Yu et al." in card
