"""Variants: other data, the same database; memorised answers are wrong; the same everywhere and for ever."""

import asyncio
import datetime
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from running import run_here

from sql_env.models import SQLAction
from sql_env.server.answers import Gold
from sql_env.server.curation import build, result_flaws
from sql_env.server.databases import Database, SQLValue
from sql_env.server.drafts import Draft
from sql_env.server.engine import Engine
from sql_env.server.environment import SQLEnvironment
from sql_env.server.errors import BusyError, TaskError
from sql_env.server.procedural.chance import Chance
from sql_env.server.questions import Question, QuestionSet, gold_answer, load
from sql_env.server.resources import Resources
from sql_env.server.sandbox import Limits, open_read_only
from sql_env.server.schema import quoted
from sql_env.server.settings import Settings
from sql_env.server.structure import parse
from sql_env.server.variants import store
from sql_env.server.variants import values as new_values
from sql_env.server.variants.changes import changed
from sql_env.server.variants.contents import read_rows, read_structure, write
from sql_env.server.variants.mutants import MUTATIONS, mutants
from sql_env.server.variants.relations import find_relations
from sql_env.server.variants.store import ATTEMPTS, Variants
from sql_env.server.variants.values import Kind
from sql_env.server.verifier import Reason, grade

TASK = "allotment_society-001"
GOLD = "SELECT COUNT(*) FROM plot WHERE has_shed = 1"


@pytest.fixture(scope="module")
def variants() -> Variants:
    return Variants()


@pytest.fixture(scope="module", params=["starter", "spider"])
def dataset(request: pytest.FixtureRequest, resources: Resources) -> QuestionSet:
    """The starter set; Spider's ten databases."""
    if request.param == "starter":
        return resources.default_dataset
    return load("spider", request.getfixturevalue("spider_data"))


def first(dataset: QuestionSet, db_id: str) -> Question:
    return next(question for question in dataset.questions if question.db_id == db_id)


# --- every question --------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
def test_every_question_has_variants_and_its_own_answer_is_wrong_on_them(
    dataset: QuestionSet, variants: Variants, engine: Engine
) -> None:
    limits, same = Limits(rows=1_000, row_bytes=2**22), []
    for k in (1, 2):
        for question in sorted(dataset.questions, key=lambda question: question.db_id):
            variant = variants.variant_of(dataset, question, k)
            gold = Gold.of(variant.question)
            result = engine.run(variant.database, question.gold_sql, limits)
            assert (result.columns, result.rows) == (gold.columns, gold.rows), question.question_id
            assert result_flaws(result, parse(question.gold_sql), Settings()) == []
            assert grade(gold_answer(gold.rows), gold) is Reason.CORRECT
            memorised = grade(gold_answer(question.gold_rows), gold)
            assert (memorised is not Reason.CORRECT) == variant.differs
            kept = (
                "question_id",
                "db_id",
                "question",
                "gold_sql",
                "ordered",
                "hardness",
                "tables",
                "twin_group",
                "par",
            )
            assert all(getattr(variant.question, name) == getattr(question, name) for name in kept)
            same += [] if variant.differs else [question.question_id]
    assert len(same) < 0.03 * 2 * len(dataset.questions), same


def facts(
    database: Database,
) -> tuple[list[tuple[str, ...]], list[object], int, dict[str, Counter[tuple[SQLValue, ...]]]]:
    """A database's schema, what the integrity check says, its foreign keys' violations, its rows."""
    with closing(open_read_only(database)) as connection:
        listed = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        schema = sorted(connection.execute(listed), key=repr)
        whole = list(connection.execute("PRAGMA integrity_check"))
        try:
            broken = len(list(connection.execute("PRAGMA foreign_key_check")))
        except apsw.SQLError:  # a foreign key that names what does not exist
            broken = 0
        tables = [name for kind, name, *_ in schema if kind == "table"]
        rows = {t: Counter(connection.execute(f"SELECT * FROM {quoted(t)}")) for t in tables}
    return schema, whole, broken, rows


@pytest.mark.timeout(300)
def test_a_variant_is_as_whole_as_its_original(dataset: QuestionSet, variants: Variants) -> None:
    for db_id, original in dataset.databases.items():
        schema, whole, broken, rows = facts(original)
        for attempt in (0, 3, 5, len(ATTEMPTS) - 2):
            new_schema, new_whole, new_broken, new_rows = facts(
                variants.database(dataset, first(dataset, db_id), 1, attempt)
            )
            assert (new_schema, new_whole) == (schema, whole)
            assert new_broken <= broken, (db_id, attempt)
            assert new_rows != rows
            for table, own in new_rows.items():
                assert own.total() >= rows[table].total() // 2 or rows[table].total() < 4, (db_id, table)
                assert len(ATTEMPTS) - attempt > 2 or own.total() == rows[table].total()


def test_the_last_attempt_only_shuffles_rows(dataset: QuestionSet, variants: Variants) -> None:
    for db_id, original in dataset.databases.items():
        assert facts(variants.database(dataset, first(dataset, db_id), 1, len(ATTEMPTS) - 1)) == facts(original)


def test_what_golds_name_is_still_there(dataset: QuestionSet, variants: Variants) -> None:
    """Every value that is a literal of some gold stays in its column, on the strongest attempt too."""
    for db_id, original in dataset.databases.items():
        structure = read_structure(original)
        before = read_rows(original, structure)
        golds = [question.gold_sql for question in dataset.questions if question.db_id == db_id]
        literals = find_relations(structure, before, golds).literals
        after = read_rows(variants.database(dataset, first(dataset, db_id), 1, 0), structure)
        for table, old, new in zip(structure.tables, before, after, strict=True):
            for column, name in enumerate(table.columns):
                named = {row[column] for row in old if row[column] in literals}
                assert named <= {row[column] for row in new}, (db_id, table.name, name)


# --- the same everywhere ---------------------------------------------------------------------------------

DIGESTS = """
import hashlib, json, sys
from sql_env.server.datasets import load_all
from sql_env.server.settings import Settings
from sql_env.server.variants.store import Variants
((_, dataset),) = load_all(Settings(dataset="starter")).items()
told, variants = {}, Variants()
for task_id in ("allotment_society-001", "bee_survey-020", "mountain_rescue-024"):
    variant = variants.variant_of(dataset, dataset.by_id(task_id), 3)
    told[task_id] = [hashlib.sha256(variant.database.image).hexdigest(), variant.attempt, variant.question.gold_rows]
print(json.dumps(told))
"""


def test_two_processes_make_the_same_variants() -> None:
    """Under other hash seeds, so that the order of sets has no say."""
    told = [
        subprocess.run(
            [sys.executable, "-c", DIGESTS], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "12345")
    ]
    assert told[0] == told[1]
    assert len(json.loads(told[0])) == 3


def test_a_variant_is_what_it_was(variants: Variants, resources: Resources) -> None:
    """Pinned: whoever changes how variants are made has to count them anew (``sql_env variant 1`` in store.py)."""
    database = variants.database(resources.default_dataset, resources.default_dataset.by_id(TASK), 1, 0)
    rows = read_rows(database, read_structure(database))
    assert hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16] == "3938b2036f5fce48"


def test_variants_differ_from_each_other(variants: Variants, resources: Resources) -> None:
    dataset = resources.default_dataset
    question = dataset.by_id("solar_coop-001")
    images = {variants.variant_of(dataset, question, k).database.image for k in range(1, 5)}
    assert len(images) == 4
    assert variants.variant_of(dataset, question, 0).database == dataset.database(question)


# --- odd databases ---------------------------------------------------------------------------------------

ODD = """
CREATE TABLE "odd ""name"" [1]" ("a b" INTEGER PRIMARY KEY, "select" TEXT UNIQUE, n REAL CHECK (n < 900), d TEXT);
CREATE TABLE "group" (x INTEGER, y INTEGER, z TEXT, PRIMARY KEY (x, y),
  FOREIGN KEY (x) REFERENCES "odd ""name"" [1]"("a b"), FOREIGN KEY (y) REFERENCES nowhere(id)) WITHOUT ROWID;
CREATE TABLE empty (e);
CREATE TABLE mixed (m, b BLOB NOT NULL, g GENERATED ALWAYS AS (m || 'x') VIRTUAL, ref INTEGER REFERENCES empty(e));
CREATE TABLE logged (t TEXT);
CREATE INDEX by_z ON "group"(z);
CREATE VIEW seen AS SELECT "select" FROM "odd ""name"" [1]";
CREATE TRIGGER noting AFTER INSERT ON mixed BEGIN INSERT INTO logged VALUES (new.m); END;
"""


def odd(
    path: Path, parents: Sequence[tuple[object, ...]], pairs: Sequence[tuple[object, ...]], cells: Sequence[SQLValue]
) -> Database:
    path.unlink(missing_ok=True)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(ODD)
        connection.executemany('INSERT OR IGNORE INTO "odd ""name"" [1]" VALUES (?, ?, ?, ?)', parents)
        connection.executemany('INSERT OR IGNORE INTO "group" VALUES (?, ?, ?)', pairs)
        connection.executemany("INSERT INTO mixed (m, b, ref) VALUES (?, x'00ff', 1)", [(cell,) for cell in cells])
        connection.execute("INSERT INTO logged VALUES (CAST(x'ff' AS TEXT))")
    return Database("odd", path)


TEXTS = st.text(max_size=12)
CELLS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXTS, st.binary(max_size=5))
DATES = st.dates(datetime.date(1990, 1, 1)).map(str)


@given(
    st.lists(st.tuples(st.integers(-9, 99), TEXTS, st.floats(-1e6, 899), DATES), max_size=40),
    st.lists(st.tuples(st.integers(-9, 99), st.integers(0, 5), TEXTS), max_size=60),
    st.lists(CELLS, max_size=30),
    st.integers(0, len(ATTEMPTS) - 1),
)
@settings(max_examples=60)
def test_odd_databases_stay_whole(
    tmp_path_factory: pytest.TempPathFactory,
    parents: list[tuple[object, ...]],
    pairs: list[tuple[object, ...]],
    cells: list[SQLValue],
    attempt: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / "odd.sqlite"
    original = odd(path, parents, pairs, cells)
    structure = read_structure(original)
    rows = read_rows(original, structure)
    golds = ['SELECT "select" FROM "odd ""name"" [1]" WHERE "a b" = 3 OR d LIKE \'199%\'']
    relations = find_relations(structure, rows, golds)
    image = write(structure, changed(structure, relations, rows, "x", ATTEMPTS[attempt]))
    assert write(structure, changed(structure, relations, rows, "x", ATTEMPTS[attempt])) == image
    made = Database.in_memory("odd", image)
    assert read_structure(made) == structure
    with closing(open_read_only(made)) as connection:
        assert list(connection.execute("PRAGMA integrity_check")) == [("ok",)]
    if attempt == len(ATTEMPTS) - 1:  # text that is no UTF-8 among it
        assert [sorted(map(repr, own)) for own in read_rows(made, structure)] == [
            sorted(map(repr, own)) for own in rows
        ]
    number = next(i for i, table in enumerate(structure.tables) if table.name.startswith("odd"))
    held = {row[0] for row in read_rows(made, structure)[number]}
    assert {row[0] for row in rows[number] if row[0] == 3} <= held
    broken = [
        sum(row[0] not in {parent[0] for parent in found[number]} for row in found[1 - number])
        for found in (rows, read_rows(made, structure))
    ]
    assert broken[1] <= broken[0]


def test_a_data_set_of_ones_own(tmp_path: Path) -> None:
    folder = tmp_path / "my set"
    (folder / "databases" / "odd").mkdir(parents=True)
    parents = [(i, f"thing {chr(97 + i % 26)}{i}", i * 1.5, f"20{10 + i % 9}-03-04") for i in range(60)]
    odd(folder / "databases" / "odd" / "odd.sqlite", parents, [(i, i % 4, "z") for i in range(40)], ["a", 2, None])
    sql = [
        'SELECT count(*) FROM "group"',
        'SELECT "select" FROM "odd ""name"" [1]" WHERE n > 80',
        "SELECT count(*) FROM seen",
    ]
    drafts = [
        Draft(question_id=f"q{n}", db_id="odd", question=f"What is {n}?", gold_sql=gold, source="me")
        for n, gold in enumerate(sql)
    ]
    build("my set", folder, drafts, Settings())
    dataset = load("my set", folder)
    assert len(dataset.questions) == 3
    variants = Variants()
    for question in dataset.questions:
        assert [variants.variant_of(dataset, question, k).differs for k in range(1, 4)] == [True] * 3


def test_what_has_no_variants_says_so(tmp_path: Path, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = resources.default_dataset
    question = dataset.by_id(TASK)
    with pytest.raises(TaskError, match="variant must be at most 1000000"):
        SQLEnvironment(resources).reset(task_id=TASK, variant=1_000_001)
    monkeypatch.setattr(store, "MAX_BYTES", 1000)
    with pytest.raises(TaskError, match="allotment_society is too large for variants"):
        Variants().variant_of(dataset, question, 1)
    assert resources.varied(dataset, question, 10**7) is None
    with closing(apsw.Connection(str(tmp_path / "x.sqlite"))) as connection:
        connection.execute("CREATE VIRTUAL TABLE v USING fts5(a)")
    assert read_structure(Database("x", tmp_path / "x.sqlite")).virtual


# --- new values ------------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6)), min_size=1), st.integers(0, 99))
def test_numbers_stay_within_the_column(numbers: list[int | float], seed: int) -> None:
    kind, chance = Kind(tuple(numbers)), Chance(str(seed))
    for number in numbers:
        new = new_values.near(chance, number, kind)
        assert type(new) is type(number)
        assert min(numbers) <= new <= max(numbers)


def test_dates_keep_their_form() -> None:
    kind = Kind(("2020-02-28", "2021-12-31", "2019-01-01 10:00:00"))
    assert kind.is_date
    moved = {new_values.moved(Chance(str(n)), "2020-02-28 11:12:13", kind) for n in range(50)}
    assert len(moved) > 20
    assert all(isinstance(m, str) and m.endswith(" 11:12:13") and Kind((m,)).is_date for m in moved)


@pytest.mark.parametrize(
    "column",
    [
        ("Anna Lee", "Bob Kim", "Cy Orr"),
        ("France", "Peru", "Chad"),
        ("AB12", "XY99"),
        ("a@b.org", "c@d.net"),
        ("007", "123"),
    ],
)
def test_new_texts_are_unseen_and_of_the_columns_words(column: tuple[str, ...]) -> None:
    kind = Kind(column)
    for n in range(20):
        new = new_values.unseen(Chance(str(n)), column[0], kind)
        assert new not in column
        assert new is None or len(new) <= 60
    assert any(new_values.unseen(Chance(str(n)), column[0], kind) for n in range(20))


def test_mutants() -> None:
    gold = "SELECT DISTINCT a, COUNT(*) FROM t JOIN u ON t.i = u.i WHERE b > 3 AND c = 'x' GROUP BY i, a"
    made = dict.fromkeys(MUTATIONS, "") | dict(mutants(sqlglot.parse_one(gold, read="sqlite")))
    assert made["DISTINCT dropped"] == gold.replace("DISTINCT ", "")
    assert made["a condition dropped"] == gold.replace("b > 3 AND ", "")
    assert made["AND and OR exchanged"] == gold.replace("AND", "OR")
    assert made["> and >=, < and <= exchanged"] == gold.replace(">", ">=")
    assert made["a join made an outer join"] == gold.replace("JOIN", "LEFT JOIN")
    assert made["another key to group by"] == gold.replace("i, a", "i")
    assert "COUNT(DISTINCT" in made["COUNT(*) made COUNT(DISTINCT a column)"]
    union = dict(mutants(sqlglot.parse_one("SELECT a FROM t UNION SELECT MIN(b) FROM t", read="sqlite")))
    assert union["UNION made INTERSECT"] == "SELECT a FROM t INTERSECT SELECT MIN(b) FROM t"
    assert union["UNION made UNION ALL"] == "SELECT a FROM t UNION ALL SELECT MIN(b) FROM t"
    assert union["MIN and MAX, SUM and AVG exchanged"] == "SELECT a FROM t UNION SELECT MAX(b) FROM t"
    assert union["the first part of a set operation"] == "SELECT a FROM t"


# --- many sessions ---------------------------------------------------------------------------------------


def test_threads_do_the_same_work_once(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(store, "write", lambda *given: made.append(given) or write(*given))
    dataset, variants = resources.default_dataset, Variants()
    question = dataset.by_id(TASK)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: variants.variant_of(dataset, question, 1), range(16)))
    assert len(made) == found[0].attempt + 1
    assert all(variant.question == found[0].question for variant in found)


def test_what_is_forgotten_is_made_again(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "IMAGE_BYTES", 1)
    dataset, variants = resources.default_dataset, Variants()
    one, other = dataset.by_id(TASK), dataset.by_id("bee_survey-001")
    first = variants.variant_of(dataset, one, 1)
    variants.variant_of(dataset, other, 1)
    assert variants.remembered(dataset, one, 1) is None
    again = variants.variant_of(dataset, one, 1)
    assert (again.question, again.attempt, again.database.image) == (
        first.question,
        first.attempt,
        first.database.image,
    )


# --- episodes --------------------------------------------------------------------------------------------


@pytest.fixture
def env(resources: Resources) -> Iterator[SQLEnvironment]:
    own = Resources(resources.settings, resources.datasets)
    yield SQLEnvironment(own)
    own.close()


def act(env: SQLEnvironment, kind: str, argument: str) -> dict[str, object]:
    return env.step(SQLAction(action_type=kind, argument=argument)).metadata


def test_an_episode_on_a_variant(env: SQLEnvironment, resources: Resources) -> None:
    question = resources.default_dataset.by_id(TASK)
    first = env.reset(task_id=TASK, variant=2)
    assert first.question == question.question
    assert (first.metadata["variant"], first.metadata["task_id"], env.state.task_id) == (2, TASK, TASK)
    looked = env.look()
    assert looked is not None
    assert looked.metadata["variant"] == 2
    counted = env.step(SQLAction(action_type="QUERY", argument=GOLD)).rows[0][0]
    end = act(env, "ANSWER", str(counted))
    assert (end["verdict"], end["variant"], end["twin_of"]) == ("correct", 2, TASK)
    env.reset(task_id=TASK, variant=2)
    assert act(env, "ANSWER", gold_answer(question.gold_rows))["verdict"] == "wrong_value"
    for variant in (None, 0):
        assert env.reset(task_id=TASK, variant=variant).metadata["variant"] == 0
        assert act(env, "ANSWER", "47")["verdict"] == "correct"


def test_a_seed_draws_the_same_task_in_every_variant(env: SQLEnvironment) -> None:
    drawn = [env.reset(seed=7, variant=k).metadata for k in (0, 1, 2)]
    assert len({told["task_id"] for told in drawn}) == 1
    assert [told["variant"] for told in drawn] == [0, 1, 2]


async def test_a_variant_is_made_beside_the_event_loop(env: SQLEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    turned, slow = threading.Event(), Variants._find

    def waits_for_the_loop(*given: Any) -> Any:
        turned.clear()
        assert turned.wait(20), "the event loop stood still while a variant was made"
        return slow(*given)

    async def turn() -> None:
        while True:
            turned.set()
            await asyncio.sleep(0.005)

    monkeypatch.setattr(Variants, "_find", waits_for_the_loop)
    loop = asyncio.create_task(turn())
    assert (await env.reset_async(task_id=TASK, variant=1)).metadata["variant"] == 1
    with pytest.raises(TaskError):
        await env.reset_async(task_id=TASK, variant=10**7)
    loop.cancel()


def test_an_answer_right_by_chance_is_wrong_on_a_variant(env: SQLEnvironment) -> None:
    for k in (0, 2):
        env.reset(task_id=TASK, answer_form="sql", variant=k)
        end = act(env, "ANSWER", GOLD)
        assert (end["verdict"], end["test_suite_accuracy"], end["official_execution_accuracy"]) == (
            "correct",
            True,
            True,
        )
    env.reset(task_id=TASK, answer_form="sql")
    end = act(env, "ANSWER", "SELECT 47")
    assert (end["verdict"], end["test_suite_accuracy"], end["official_execution_accuracy"]) == (
        "wrong_on_variant",
        False,
        True,
    )
    assert float(str(end["outcome_return"])) <= 0.0


def test_an_answer_that_fails_on_a_variant_alone_is_wrong(env: SQLEnvironment) -> None:
    """What no longer ends, or no longer runs, once the rows are others."""
    forever = "(WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r)"
    for otherwise in (forever, "abs(-9223372036854775807 - 1)"):
        env.reset(task_id=TASK, answer_form="sql")
        end = act(env, "ANSWER", f"SELECT CASE WHEN ({GOLD}) = 47 THEN 47 ELSE {otherwise} END")
        assert end["verdict"] == "wrong_on_variant"


async def test_no_turn_on_a_variant_costs_no_grade(env: SQLEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, calls = env._resources.engine, []

    async def busy_later(database: Database, sql: str, limits: Limits) -> object:
        calls.append(sql)
        if len(calls) == 3:
            raise BusyError("the server is busy: no turn within 30 s; try again")
        return engine.run(database, sql, limits)

    await env.reset_async(task_id=TASK, answer_form="sql")
    monkeypatch.setattr(engine, "run_async", busy_later)
    answer = SQLAction(action_type="ANSWER", argument=GOLD)
    seen = await env.step_async(answer)
    assert (seen.done, seen.metadata["error_kind"]) == (False, "BusyError")
    assert (await env.step_async(answer)).metadata["verdict"] == "correct"


# --- the script ------------------------------------------------------------------------------------------


def test_written_variants_are_data_sets(tmp_path: Path, resources: Resources) -> None:
    command = ("--dataset", "starter", "--variants", "1-2", "--db-id", "allotment_society")
    trees = []
    for name in ("one", "two"):
        told = run_here("build_variants.py", *command, "--out", str(tmp_path / name))
        assert told.returncode == 0, told.stderr
        assert told.stdout.count("48 questions on ") == 2
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        trees.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files})
    assert trees[0] == trees[1]
    written = load("x", tmp_path / "one" / "starter-variant-1")
    dataset = resources.default_dataset
    wanted = [q for q in dataset.questions if q.db_id == "allotment_society"]
    assert [q.question_id for q in written.questions] == [q.question_id for q in wanted]
    with closing(Resources(Settings(), {"x": written})) as own:
        for question in written.questions[::9]:
            variant = own.variants.variant_of(dataset, dataset.by_id(question.question_id), 1)
            assert replace(question, db_id=variant.question.db_id) == variant.question
            assert own.engine.run(written.database(question), question.gold_sql).rows == variant.question.gold_rows


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dataset", "nosuch"), "neither a folder nor one of"),
        (("--dataset", "starter", "--db-id", "nosuch"), "starter has no database nosuch"),
        (("--dataset", "starter", "--variants", "0-2"), "expected K or K-K"),
    ],
)
def test_what_the_script_refuses(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    told = run_here("build_variants.py", *arguments, "--out", str(tmp_path))
    assert told.returncode
    assert said in told.stderr


async def test_a_reset_that_was_overtaken_begins_nothing(env: SQLEnvironment) -> None:
    """The session is closed, or reset again, while the variant is made."""
    slow = asyncio.create_task(env.reset_async(task_id=TASK, variant=71))
    await asyncio.sleep(0)
    env.close()
    with pytest.raises(TaskError, match="closed or reset meanwhile"):
        await slow
    assert env.look() is None
    first, second = (asyncio.create_task(env.reset_async(task_id=TASK, variant=k)) for k in (72, 73))
    with pytest.raises(TaskError, match="closed or reset meanwhile"):
        await first
    assert (await second).metadata["variant"] == 73


async def test_a_variant_that_gets_no_turn_is_refused(resources: Resources) -> None:
    own = Resources(replace(resources.settings, queue_seconds=0.1), resources.datasets)
    env, hurry = SQLEnvironment(own), threading.Event()
    try:
        own._variants.submit(hurry.wait)
        own._suites.submit(hurry.wait)
        with pytest.raises(TaskError, match=r"the server is busy: no turn within 0.1 s; try again"):
            await env.reset_async(task_id=TASK, variant=74)
        await env.reset_async(task_id=TASK, answer_form="sql")
        gold = own.default_dataset.by_id(TASK).gold_sql
        busy = await env.step_async(SQLAction(action_type="ANSWER", argument=gold))
        assert (busy.done, busy.metadata["error_kind"]) == (False, "BusyError")
        hurry.set()
        assert (await env.step_async(SQLAction(action_type="ANSWER", argument=gold))).metadata["verdict"] == "correct"
    finally:
        hurry.set()
        own.close()


def test_the_suite_is_none_that_can_be_played(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    monkeypatch.setattr(resources, "varied", lambda _dataset, _question, k: tried.append(k))
    env = SQLEnvironment(resources)
    env.reset(task_id=TASK, answer_form="sql", variant=2)
    env.step(SQLAction(action_type="ANSWER", argument=resources.default_dataset.by_id(TASK).gold_sql))
    assert tried == [1_000_001, 1_000_002, 1_000_003]


def test_databases_whose_variants_are_large_are_remembered_all_the_same() -> None:
    """Three of the largest that may have variants fit."""
    assert store.IMAGE_BYTES >= 4 * store.MAX_BYTES
