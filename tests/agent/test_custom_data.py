"""A user's own folder, as docs/custom_data.md says: built, audited, served and played by real processes."""

import json
import re
import sqlite3
from pathlib import Path

import pytest
from hostile_sql import ROOT
from running import run

from sql_env.agent.local_server import local_server
from sql_env.client import SQLEnvClient

DOC = (ROOT / "docs" / "custom_data.md").read_text("utf-8")
QUESTIONS = [
    {
        "db_id": "shop",
        "question": "How many orders are still open?",
        "gold_sql": "SELECT count(*) FROM orders WHERE state = 'open'",
    },
    {
        "db_id": "shop",
        "question": "Who ordered what? Customer and thing.",
        "gold_sql": "SELECT customer, thing FROM orders",
    },
    {
        "db_id": "shop",
        "question": "Which thing is the dearest?",
        "gold_sql": "SELECT thing FROM orders ORDER BY price DESC LIMIT 1",
    },
    {
        "db_id": "staff",
        "question": "Who works here? By name.",
        "gold_sql": "SELECT name FROM person ORDER BY name",
        "split": "test",
    },
    {"db_id": "staff", "question": "Who is the boss?", "gold_sql": "SELECT name FROM person WHERE boss IS NULL"},
    {"db_id": "shop", "question": "Anything for Zoe?", "gold_sql": "SELECT thing FROM orders WHERE customer = 'Zoe'"},
    {"db_id": "shop", "question": "Cheapest?", "gold_sql": "SELECT thing FROM orders ORDER BY state LIMIT 1"},
    {"db_id": "shop", "question": "What?", "gold_sql": "SELECT nosuch FROM orders", "question_id": "mine"},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Made with the standard library's sqlite3, in the default journal mode and in WAL mode, properly closed."""
    folder = tmp_path / "my_data"
    for db_id, mode, script in (
        ("shop", "delete", "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer, thing, state TEXT, price REAL);"
         "INSERT INTO orders VALUES (1,'Ann','pen','open',1.5),(2,'Bob','ink','sent',2),(3,'Ann','pad','open',3)"),
        ("staff", "wal", "CREATE TABLE person (name TEXT, boss TEXT);"
         "INSERT INTO person VALUES ('Ann', NULL), ('Bob', 'Ann'), ('Cy', 'Ann')"),
    ):  # fmt: skip
        path = folder / "databases" / db_id / f"{db_id}.sqlite"
        path.parent.mkdir(parents=True)
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.executescript(script)
        connection.close()
    (folder / "source").mkdir()
    (folder / "source" / "questions.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))
    return folder


def build(folder: Path) -> "tuple[int, str]":
    built = run("build_questions.py", "--dataset", str(folder))
    assert "Traceback" not in built.stderr
    return built.returncode, built.stdout + built.stderr


def test_it_is_built_audited_served_and_played(folder: Path, tmp_path: Path) -> None:
    code, said = build(folder)
    assert code == 0, said
    assert "5  of 8 questions kept" in said
    assert "AUDIT.md" in said
    audit = (folder / "questions" / "AUDIT.md").read_text("utf-8")
    for line in ("shop-004", "shop-005", "mine (no such column: nosuch)", "| staff | 2 | 2 |"):
        assert line in audit
    names = {"AUDIT.md", "SHA256SUMS", "my_data.jsonl"}
    assert {path.name for path in (folder / "questions").iterdir()} == names
    file = tmp_path / "out.jsonl"
    played = run("play.py", "--dataset", str(folder), "--policy", "oracle", "--episodes", "99", "--json", str(file))
    assert played.returncode == 0, played.stderr
    assert played.stdout.splitlines()[-1] == "oracle: 5 of 5 correct, mean return +1.000"
    in_sql = run(
        "play.py", "--dataset", str(folder), "--policy", "oracle", "--episodes", "99", "--answer-form", "sql", "--quiet"
    )
    assert in_sql.stdout == "oracle: 5 of 5 correct, mean return +1.000\n"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert {line["dataset"] for line in lines} == {"my_data"}
    with local_server({"SQL_ENV_DATASET": f"{folder},starter"}) as url, SQLEnvClient(base_url=url).sync() as env:
        assert env.reset(dataset="my_data", task_id="staff-001").observation.question == "Who works here? By name."
        assert env.reset(dataset="my_data", split="test", seed=1).observation.metadata["task_id"] == "staff-001"
        assert env.reset(dataset="starter", seed=1).observation.metadata["dataset"] == "starter"


def test_building_changes_no_database_and_repeats(folder: Path) -> None:
    files = sorted(folder.rglob("*.sqlite"))
    before = [path.read_bytes() for path in files]
    build(folder)
    first = {path.name: path.read_bytes() for path in (folder / "questions").iterdir()}
    build(folder)
    assert {path.name: path.read_bytes() for path in (folder / "questions").iterdir()} == first
    assert [path.read_bytes() for path in files] == before
    assert [path for path in folder.rglob("*") if path.name.endswith(("-wal", "-shm", "-journal"))] == []


def faults(folder: Path) -> dict[str, str]:
    """Break the folder in one way after the other; return what the builder said."""
    source, said = folder / "source" / "questions.jsonl", {}
    good = source.read_text()
    for name, text in {
        "no such database": good.replace('"db_id": "shop"', '"db_id": "shpo"', 1),
        "a path": good.replace('"db_id": "shop"', '"db_id": "../staff"', 1),
        "not JSON": good + "\n{",
        "a field is missing": good.replace('"gold_sql"', '"sql"', 1),
        "twice the same id": good.replace('"question_id": "mine"', '"question_id": "shop-001"'),
        "nothing is kept": good.splitlines()[-1],
        "no questions": "",
    }.items():
        source.write_text(text)
        code, said[name] = build(folder)
        assert code != 0, name
    source.write_text(good)
    return said


def test_what_is_wrong_is_said_with_what_to_do(folder: Path) -> None:
    said = faults(folder)
    assert "shpo.sqlite is missing; 1 questions need it; did you mean shop?" in said["no such database"]
    assert "staff.sqlite is missing; 1 questions need it" in said["a path"]
    assert "questions.jsonl:9: expected a JSON object" in said["not JSON"]
    assert "questions.jsonl:1: lacks gold_sql" in said["a field is missing"]
    assert "question_id 'shop-001' stands twice" in said["twice the same id"]
    assert "none of 1 questions can be kept" in said["nothing is kept"]
    assert "no questions" in said["no questions"]
    assert "source/*.jsonl" in said["no questions"]


def test_a_database_that_is_none_and_one_with_an_open_log_are_named(folder: Path) -> None:
    path = folder / "databases" / "staff" / "staff.sqlite"
    log = path.with_name("staff.sqlite-wal")
    log.write_bytes(b"x" * 4096)
    assert f"{log} holds changes that are not in the database yet" in build(folder)[1]
    log.unlink()
    path.write_text("this is no database, but it is long enough to be looked at" * 100)
    code, said = build(folder)
    assert code != 0
    assert f"{path} cannot be read as an SQLite database" in said


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, said = build(tmp_path / "nosuch")
    assert code != 0
    assert "nosuch" in said


def test_the_page_names_every_reason_and_field() -> None:
    from sql_env.server.audit import Exclusion
    from sql_env.server.drafts import _NEEDED, _OPTIONAL

    for field in (*_NEEDED, *_OPTIONAL):
        assert f"| `{field}` |" in DOC
    reasons = " ".join(re.findall(r"^\| (the .*?|SQLite.*?|par .*?) \|", DOC, re.MULTILINE))
    told = {
        Exclusion.EMPTY: "is empty",
        Exclusion.ALL_NULL: "holds only NULL",
        Exclusion.EMPTY_SELECTION: "counts an empty",
        Exclusion.TIED_ROWS: "the gold's rows",
        Exclusion.TIED_ORDER: "or their order",
    }
    for reason in Exclusion:
        if reason is not Exclusion.UNGRADABLE:
            assert told.get(reason, str(reason)) in reasons, reason
