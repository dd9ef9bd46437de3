"""Questions: round trip, selection, stable draws, and loading that trusts no file."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_env.server.curation import make_database
from sql_env.server.databases import CHECKSUMS, Databases, database_path, write_checksums
from sql_env.server.datasets import load_all
from sql_env.server.errors import DataError, TaskError
from sql_env.server.questions import (
    Question,
    QuestionSet,
    dataset_folders,
    draw,
    gold_answer,
    load,
    remedy,
)
from sql_env.server.settings import PACKAGED_DATA, Settings


def question(number: int = 1, **changes: Any) -> Question:
    values: dict[str, Any] = {
        "question_id": f"pets-{number:03d}",
        "db_id": "pets",
        "question": "How many pets?",
        "gold_sql": "SELECT count(*) FROM pet",
        "columns": ("count(*)",),
        "gold_rows": ((3,),),
        "ordered": False,
        "answer_type": "integer",
        "hardness": "easy",
        "tables": ("pet",),
        "twin_group": "abc",
        "par": 3,
        "split": "train",
        "source": "test",
    }
    return Question(**values | changes)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CELLS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT | st.binary(max_size=5)


@settings(max_examples=200)
@given(TEXT, st.lists(st.tuples(CELLS, CELLS), max_size=4), st.booleans())
def test_a_question_survives_its_line(text: str, rows: list[Any], ordered: bool) -> None:
    before = question(question=text, columns=(text, "b"), gold_rows=tuple(rows), ordered=ordered)
    line = before.to_json()
    assert "\n" not in line
    assert "\r" not in line
    after = Question.from_json(line)
    assert after == before
    assert repr(after) == repr(before)
    assert after.to_json() == line


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "3", "null", '"x"', "{}", '{"question_id": "x"}']
    + [json.dumps(json.loads(question().to_json()) | {"extra": 1})]
    + [
        json.dumps({k: v for k, v in json.loads(question().to_json()).items() if k != field})
        for field in ("par", "gold_rows")
    ],
)
def test_a_line_that_is_no_question_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 — any text: the loader adds file and line
        Question.from_json(line)


def test_a_refused_line_names_the_fields() -> None:
    with pytest.raises(ValueError, match=r"\['extra', 'par'\]"):
        Question.from_json(question().to_json().replace('"par"', '"extra"'))


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        (((3,),), "3"),
        ((("02647",),), '"02647"'),
        (((None,),), "null"),
        ((("",),), '""'),
        (((b"\0\xff",),), "\"x'00ff'\""),
        (((1,), (2,)), "[1, 2]"),
        (((1, "é"),), '[[1, "é"]]'),
        (((1, None), (2.5, "x")), '[[1, null], [2.5, "x"]]'),
    ],
)
def test_gold_answer(rows: Any, answer: str) -> None:
    assert gold_answer(rows) == answer


# --- selection -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def some() -> QuestionSet:
    questions = [
        question(1, split="test"),
        question(2, split="train", hardness="hard"),
        question(3, split="extra"),
        question(4, split="train", db_id="cars"),
        question(5, split="eval"),
    ]
    return QuestionSet("some", tuple(questions), Databases(Path("data"), ["pets", "cars", "empty"]))


def test_splits_are_in_a_known_order(some: QuestionSet) -> None:
    assert some.splits == ("train", "eval", "test", "extra")


@pytest.mark.parametrize(
    ("selectors", "numbers"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"split": "all"}, [1, 2, 3, 4, 5]),
        ({"split": "train"}, [2, 4]),
        ({"split": "train", "db_id": "pets"}, [2]),
        ({"db_id": "cars"}, [4]),
        ({"hardness": "easy"}, [1, 3, 4, 5]),
        ({"split": "train", "db_id": "pets", "hardness": "hard"}, [2]),
    ],
)
def test_selectors(some: QuestionSet, selectors: dict[str, str], numbers: list[int]) -> None:
    assert [int(q.question_id[-3:]) for q in some.select(**selectors)] == numbers


@pytest.mark.parametrize(
    ("selectors", "said"),
    [
        ({"split": "dev"}, "unknown split 'dev'; some has: train, eval, test, extra, all"),
        ({"split": ""}, "unknown split ''; some has: train, eval, test, extra, all"),
        ({"db_id": "dogs"}, "unknown database 'dogs'; some has: cars, empty, pets"),
        ({"db_id": "../pets"}, "unknown database '../pets'; some has: cars, empty, pets"),
        ({"db_id": "empty"}, "no question of some fits split=all, db_id=empty, hardness=None"),
        ({"split": "eval", "hardness": "hard"}, "no question of some fits split=eval, db_id=None, hardness=hard"),
        ({"split": "x" * 1000}, f"unknown split '{'x' * 80}'; some has: train, eval, test, extra, all"),
    ],
)
def test_selectors_that_fit_nothing(some: QuestionSet, selectors: dict[str, str], said: str) -> None:
    with pytest.raises(TaskError) as error:
        some.select(**selectors)
    assert str(error.value) == said


@pytest.mark.parametrize("task_id", ["", "pets-1", "PETS-001", "pets-006", "pets-001 ", "x" * 500])
def test_an_unknown_task_is_named(some: QuestionSet, task_id: str) -> None:
    with pytest.raises(TaskError) as error:
        some.by_id(task_id)
    assert str(error.value) == f"unknown task_id {task_id[:80]!r} in data set some"


def test_a_task_and_its_database_are_found(some: QuestionSet) -> None:
    assert some.by_id("pets-004") is some.questions[3]
    assert some.database(some.by_id("pets-004")).path == Path("data/databases/cars/cars.sqlite")


@pytest.mark.parametrize(("seed", "number"), [(0, 864), (42, 654), (2**31, 346)])
def test_a_seed_draws_the_same_question_for_ever(seed: int, number: int) -> None:
    assert draw([question(i) for i in range(1000)], seed).question_id == f"pets-{number:03d}"


def test_seeds_reach_every_question() -> None:
    questions = [question(i) for i in range(10)]
    assert {draw(questions, seed).question_id for seed in range(200)} == {q.question_id for q in questions}


# --- loading ---------------------------------------------------------------------------------------------


def write(folder: Path, lines: list[str]) -> None:
    (folder / "questions").mkdir(parents=True, exist_ok=True)
    (folder / "questions" / "mine.jsonl").write_text("".join(line + "\n" for line in lines), "utf-8")
    make_database(database_path(folder, "pets"), "CREATE TABLE pet (id)", [("pet", [(1,), (2,), (3,)])])
    write_checksums(folder, ["questions/mine.jsonl", "databases/pets/pets.sqlite"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, [question(1).to_json(), question(2, question="Wie viele Tiere? 日本").to_json()])
    return tmp_path


def test_a_data_set_loads_in_file_order(folder: Path) -> None:
    loaded = load("mine", folder)
    assert [q.question_id for q in loaded.questions] == ["pets-001", "pets-002"]
    assert loaded.questions[1].question == "Wie viele Tiere? 日本"
    assert list(loaded.databases) == ["pets"]
    assert loaded.database(loaded.questions[0]).path.is_file()


@pytest.mark.parametrize("name", ["questions/mine.jsonl", "databases/pets/pets.sqlite"])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_changed_byte_is_found(folder: Path, name: str, place: float) -> None:
    data = bytearray((folder / name).read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x20
    (folder / name).write_bytes(data)
    refused(folder, f"{folder / name} differs from its checksum")


@pytest.mark.parametrize("name", ["questions/mine.jsonl", "databases/pets/pets.sqlite", CHECKSUMS])
def test_a_missing_file_is_found(folder: Path, name: str) -> None:
    (folder / name).unlink()
    refused(folder, f"{folder / name} is missing")


def test_a_list_without_questions_is_refused(folder: Path) -> None:
    write_checksums(folder, ["databases/pets/pets.sqlite"])
    refused(folder, f"{folder / CHECKSUMS} lists no question")


def test_a_question_without_its_database_is_refused(folder: Path) -> None:
    write_checksums(folder, ["questions/mine.jsonl"])
    refused(folder, f"{folder / CHECKSUMS} lists no database pets")


def refused(folder: Path, said: str) -> None:
    for name in ("mine", "spider", "starter"):
        with pytest.raises(DataError) as error:
            load(name, folder)
        assert str(error.value).startswith(said)
        assert str(error.value).endswith(f"; run: {remedy(name, folder)}")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("spider", "python scripts/download_spider.py && python scripts/build_questions.py"),
        ("starter", "git checkout data/starter"),
        ("mine", "python scripts/build_questions.py --dataset somewhere"),
    ],
)
def test_remedies(name: str, command: str) -> None:
    assert remedy(name, Path("somewhere")) == command


@pytest.mark.parametrize("line", ["{", "[1]", "{}", "", question().to_json().replace("[[3]]", "5")])
def test_a_malformed_line_is_named(folder: Path, line: str) -> None:
    write(folder, [question(1).to_json(), line, question(2).to_json()])
    with pytest.raises(DataError) as error:
        load("mine", folder)
    assert str(error.value).startswith(f"{folder / 'questions' / 'mine.jsonl'}:2: ")


def test_a_malformed_line_is_mended_by_a_command(folder: Path) -> None:
    write(folder, ["{"])
    with pytest.raises(DataError) as error:
        load("mine", folder)
    assert remedy("mine", folder) in str(error.value)


def test_a_malformed_cell_is_the_datas_fault(folder: Path) -> None:
    write(folder, [question().to_json().replace("[[3]]", '[[{"x": 1}]]')])
    with pytest.raises(DataError):
        load("mine", folder)


def test_a_file_in_another_encoding_is_the_datas_fault(folder: Path) -> None:
    (folder / "questions" / "mine.jsonl").write_bytes(b'{"\xff"}\n')
    write_checksums(folder, ["questions/mine.jsonl", "databases/pets/pets.sqlite"])
    with pytest.raises(DataError):
        load("mine", folder)


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_odd_line_breaks_survive_the_file(folder: Path, character: str) -> None:
    before = question(gold_rows=((f"a{character}b",),))
    write(folder, [before.to_json()])
    assert load("mine", folder).questions == (before,)


def test_infinities_survive_the_file(folder: Path) -> None:
    before = question(gold_rows=((math.inf,), (-math.inf,), (2**63 - 1,), (b"\0",)))
    write(folder, [before.to_json()])
    assert load("mine", folder).questions == (before,)


# --- which data sets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("installed", "setting", "names"),
    [
        (["."], "", ["spider"]),
        (["starter"], "", ["starter"]),
        ([".", "starter"], "", ["spider", "starter"]),
        ([".", "starter"], "starter", ["starter"]),
        ([".", "starter"], "starter, spider", ["starter", "spider"]),
        (["starter"], "procedural", ["procedural"]),
        ([".", "starter"], "spider,procedural,starter", ["spider", "procedural", "starter"]),
    ],
)
def test_data_sets(folder: Path, tmp_path_factory: Any, installed: list[str], setting: str, names: list[str]) -> None:
    data = tmp_path_factory.mktemp("data")
    (data / "starter").mkdir()
    for place in installed:
        shutil.copytree(folder, data / place, dirs_exist_ok=True)
    settings = Settings(data=data, dataset=setting)
    assert list(dataset_folders(settings)) == [name for name in names if name != "procedural"]
    assert [s.name for s in load_all(settings).values()] == (names if setting else [*names, "procedural"])


def test_a_folder_of_ones_own_is_a_data_set(folder: Path, tmp_path: Path) -> None:
    sets = load_all(Settings(data=tmp_path / "nowhere", dataset=f"{folder},starter"))
    assert list(sets) == [folder.name, "starter"]
    assert sets[folder.name].questions == load("x", folder).questions


def test_an_unknown_data_set_is_named() -> None:
    with pytest.raises(DataError) as error:
        dataset_folders(Settings(dataset="starter,nope"))
    assert str(error.value) == (
        "no data set 'nope': it is neither a folder nor one of spider, starter, procedural "
        "(--dataset, or SQL_ENV_DATASET, names it)"
    )


def test_no_data_set_at_all_is_told_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "starter").mkdir()
    with pytest.raises(DataError, match=r"no data set found under .*; run: git checkout data/starter"):
        load_all(Settings(data=tmp_path))


def test_the_starter_set_loads_and_holds_no_duplicates() -> None:
    loaded = load("starter", PACKAGED_DATA / "starter")
    assert len({q.question_id for q in loaded.questions}) == len(loaded.questions) > 0
    assert len({(q.db_id, q.question) for q in loaded.questions}) == len(loaded.questions)
    assert {q.db_id for q in loaded.questions} == set(loaded.databases)
