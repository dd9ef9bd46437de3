"""Curation: what is excluded and why, splits that leak nothing, hardness, and builds that repeat."""

import json
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
import sqlglot

from sql_env.server.audit import Audit, Exclusion, report
from sql_env.server.curation import assign_splits, build, curate, make_database
from sql_env.server.databases import CHECKSUMS, database_path
from sql_env.server.drafts import Draft, read_spider
from sql_env.server.engine import Engine
from sql_env.server.errors import DataError
from sql_env.server.questions import Question, load
from sql_env.server.settings import PACKAGED_DATA, Settings
from sql_env.server.structure import hardness

STARTER = PACKAGED_DATA / "starter"
DB_LIST = PACKAGED_DATA / "questions" / "db_list.json"
SCRIPT = """
CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, weight REAL, owner INT);
CREATE TABLE owner (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE number (n INTEGER PRIMARY KEY);
CREATE TABLE long (t TEXT);
"""
ROWS: list[tuple[str, list[Any]]] = [
    ("pet", [(i, f"p{i}", "dog" if i % 2 else "cat", i * 1.1, i % 3) for i in range(1, 11)]),
    ("owner", [(1, "Ann"), (2, "Bob"), (3, None)]),
    ("number", [(i,) for i in range(1, 31)]),
    ("long", [("x" * 301,), ("y" * 300,), ("z" * 300,)]),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("curation")
    make_database(database_path(folder, "pets"), SCRIPT, ROWS)
    return folder


def draft(sql: str, number: int = 1, db_id: str = "pets", **changes: str) -> Draft:
    values = {"question_id": f"{db_id}-{number:03d}", "question": f"Secret words {number}?", "source": "test"}
    return Draft(db_id=db_id, gold_sql=sql, **values | changes)


def examine(folder: Path, sql: str, db_id: str = "pets", **limits: int) -> Question | Exclusion:
    audit = curate(folder, [draft(sql, db_id=db_id)], Settings(**limits))  # type: ignore[arg-type]
    return audit.questions[0] if audit.questions else next(iter(audit.excluded.values()))


TIED = (Exclusion.TIED_ROWS, Exclusion.TIED_ORDER, Exclusion.TIED_KEYS)

# --- exclusions ------------------------------------------------------------------------------------------

EXCLUDED = [
    (Exclusion.FAILS, "SELECT nope FROM pet"),
    (Exclusion.FAILS, "SELEC 1"),
    (Exclusion.FAILS, "SELECT random()"),
    (Exclusion.FAILS, "DELETE FROM pet"),
    (Exclusion.FAILS, "SELECT count(*) FROM number a, number b, number c, number d, number e, number f"),
    (Exclusion.EMPTY, "SELECT name FROM pet WHERE id = 99"),
    (Exclusion.EMPTY, "SELECT name, id FROM pet LIMIT 0"),
    (Exclusion.ALL_NULL, "SELECT max(weight) FROM pet WHERE id = 99"),
    (Exclusion.ALL_NULL, "SELECT NULL, NULL FROM owner"),
    (Exclusion.ALL_NULL, "SELECT name FROM owner WHERE id = 3"),
    (Exclusion.EMPTY_SELECTION, "SELECT count(*) FROM pet WHERE id = 99"),
    (Exclusion.EMPTY_SELECTION, "SELECT count(*), sum(weight) FROM pet WHERE id = 99"),
    (Exclusion.EMPTY_SELECTION, "SELECT count(DISTINCT name) FROM pet WHERE kind = 'cow'"),
    (Exclusion.OVERSIZED, "SELECT n FROM number WHERE n <= 21"),
    (Exclusion.OVERSIZED, "SELECT a.n FROM number a, number b, number c"),
    (Exclusion.OVERSIZED, "SELECT max(t) FROM long WHERE t LIKE 'x%'"),
    (Exclusion.OVERSIZED, "SELECT t, t, t, t, t, t, t FROM long WHERE t LIKE 'y%'"),
    (Exclusion.TIED_ROWS, "SELECT name FROM pet LIMIT 1"),
    (Exclusion.TIED_ROWS, "SELECT name FROM pet ORDER BY kind LIMIT 3"),
    (Exclusion.TIED_ORDER, "SELECT name FROM pet ORDER BY kind"),
    (Exclusion.TIED_KEYS, "SELECT owner, kind FROM pet GROUP BY owner, kind ORDER BY kind"),
    (Exclusion.TIED_KEYS, "SELECT DISTINCT kind, owner FROM pet GROUP BY owner, kind ORDER BY kind"),
    (
        Exclusion.TIED_KEYS,
        "SELECT kind, id FROM pet WHERE id < 4 UNION SELECT 'cat', 9 ORDER BY kind",
    ),
    (Exclusion.TIED_KEYS, "SELECT kind k, id FROM pet WHERE id < 4 UNION SELECT 'x', 9 ORDER BY k LIMIT 1 OFFSET 1"),
    (Exclusion.TIED_KEYS, "SELECT owner, kind FROM pet GROUP BY owner, kind ORDER BY 2"),
    (Exclusion.TIED_ROWS, "SELECT group_concat(name) FROM pet"),
    (Exclusion.TIED_ROWS, "SELECT name, max(length(name)) FROM pet WHERE id < 10"),
    (Exclusion.TIED_ROWS, "SELECT name, kind FROM pet GROUP BY kind"),
    (Exclusion.TIED_ROWS, "SELECT name FROM pet WHERE rowid = 3"),
    (Exclusion.TIED_ROWS, "SELECT name FROM (SELECT name FROM pet LIMIT 3) ORDER BY name LIMIT 1"),
    (Exclusion.TIED_ROWS, "SELECT name, row_number() OVER () FROM pet"),
    (Exclusion.UNGRADABLE, "SELECT 9e999, 1 FROM owner WHERE id = 1"),
]


@pytest.mark.parametrize(("reason", "sql"), EXCLUDED)
def test_exclusion(folder: Path, reason: Exclusion, sql: str) -> None:
    assert examine(folder, sql) is reason


@pytest.mark.parametrize(("max_steps", "kept"), [(3, False), (4, True)])
def test_a_par_beyond_the_budget_is_excluded(folder: Path, max_steps: int, kept: bool) -> None:
    sql = "SELECT count(*) FROM pet JOIN owner ON owner.id = pet.owner"
    found = examine(folder, sql, max_steps=max_steps)
    assert isinstance(found, Question) if kept else found is Exclusion.PAR


def test_every_exclusion_has_its_case() -> None:
    assert {reason for reason, _ in EXCLUDED} | {Exclusion.PAR, Exclusion.CONTRADICTED} == set(Exclusion)


def test_questions_that_contradict_each_other_are_excluded(folder: Path) -> None:
    words = ("How many pets?", "How many  PETS", "How many pets", "How many owners?")
    golds = ("SELECT count(*) FROM pet", "SELECT count(id) FROM pet", "SELECT max(id) + 1 FROM pet", "SELECT 3")
    drafts = [draft(sql, n, question=text) for n, (text, sql) in enumerate(zip(words, golds, strict=True))]
    assert len(curate(folder, drafts[:2], Settings()).questions) == 2
    audit = curate(folder, drafts, Settings())
    assert [q.question_id for q in audit.questions] == ["pets-003"]
    assert set(audit.excluded.values()) == {Exclusion.CONTRADICTED}


def test_every_reason_is_found_and_the_first_one_counts(folder: Path) -> None:
    examined = curate(folder, [draft("SELECT name FROM pet, number ORDER BY kind")], Settings()).examined["pets-001"]
    assert examined.flaws == (Exclusion.OVERSIZED, Exclusion.TIED_ORDER)


def test_what_sqlite_said_of_a_failing_gold_is_reported(folder: Path) -> None:
    audit = curate(folder, [draft("SELECT nope FROM pet")], Settings())
    assert "pets-001 (no such column: nope)" in report("mine", audit)


@pytest.mark.parametrize(
    ("sql", "rows", "ordered", "answer_type", "tables"),
    [
        ("SELECT count(*) FROM pet", [(10,)], False, "integer", "pet"),
        ("SELECT 0 FROM pet WHERE id = 1", [(0,)], False, "integer", "pet"),
        ("SELECT weight FROM pet WHERE id = 10;", [(11.0,)], False, "float", "pet"),
        ("SELECT name FROM pet ORDER BY weight LIMIT 1", [("p1",)], True, "string", "pet"),
        ("SELECT name FROM pet ORDER BY kind, id LIMIT 2", [("p2",), ("p4",)], True, "list", "pet"),
        ("SELECT name FROM pet WHERE id < 3", [("p1",), ("p2",)], False, "list", "pet"),
        ("SELECT name FROM owner", [("Ann",), ("Bob",), (None,)], False, "list", "owner"),
        ("SELECT kind, count(*) FROM pet GROUP BY kind", [("cat", 5), ("dog", 5)], False, "table", "pet"),
        ("SELECT name FROM (SELECT name FROM pet ORDER BY id LIMIT 1)", [("p1",)], False, "string", "pet"),
        ("SELECT id FROM owner UNION SELECT 9 ORDER BY 1 DESC LIMIT 1", [(9,)], True, "integer", "owner"),
        ("WITH c AS (SELECT id FROM owner) SELECT id FROM c ORDER BY id", [(1,), (2,), (3,)], True, "list", "owner"),
        (
            "SELECT p.id, o.id FROM pet p JOIN owner o ON o.id = p.owner WHERE p.id = 1",
            [(1, 1)],
            False,
            "table",
            "owner pet",
        ),
        ("SELECT sum(weight * 0.1) FROM pet", [(6.05,)], False, "float", "pet"),
        ("SELECT n FROM number WHERE n <= 20 ORDER BY n", [(i,) for i in range(1, 21)], True, "list", "number"),
    ],
)
def test_kept(folder: Path, sql: str, rows: list[Any], ordered: bool, answer_type: str, tables: str) -> None:
    kept = examine(folder, sql)
    assert isinstance(kept, Question), kept
    assert [tuple(pytest.approx(c) if isinstance(c, float) else c for c in r) for r in kept.gold_rows] == rows
    assert (kept.ordered, kept.answer_type) == (ordered, answer_type)
    assert kept.tables == tuple(tables.split())
    assert kept.par == len(kept.tables) + 2


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_tie_at_the_limit_is_found(tmp_path: Path, limit: int) -> None:
    for size in (6, 9, 12):
        scores = [9] * (limit - 1) + [5] * (size - limit + 1)
        make_database(
            database_path(tmp_path, f"d{size}"),
            "CREATE TABLE t (id INTEGER PRIMARY KEY, score INT)",
            [("t", list(enumerate(scores, 1)))],
        )
        tied = f"SELECT id FROM t WHERE id >= 0 ORDER BY score DESC LIMIT {limit}"
        assert examine(tmp_path, tied, f"d{size}") in TIED
        settled = examine(tmp_path, tied.replace("DESC", "DESC, id"), f"d{size}")
        assert isinstance(settled, Question)


@pytest.mark.parametrize(
    ("sql", "tied"),
    [
        ("SELECT kind FROM visit GROUP BY kind ORDER BY count(*) DESC LIMIT 1", True),
        ("SELECT kind, count(*) AS n FROM visit GROUP BY kind ORDER BY n DESC LIMIT 1", True),
        ("SELECT kind, count(*) FROM visit GROUP BY kind ORDER BY 2 DESC LIMIT 2", True),
        ("SELECT kind FROM visit GROUP BY kind ORDER BY count(*) DESC, kind LIMIT 1", False),
        ("SELECT kind FROM visit GROUP BY kind ORDER BY count(*) LIMIT 1", False),
        ("SELECT count(*) FROM visit GROUP BY kind ORDER BY count(*) DESC LIMIT 1", False),
    ],
)
def test_a_tie_that_sorting_hides_is_found_by_its_keys(tmp_path: Path, sql: str, tied: bool) -> None:
    rows = [(kind,) for kind in "aabbc"]
    make_database(database_path(tmp_path, "ties"), "CREATE TABLE visit (kind TEXT)", [("visit", rows)])
    outcome = examine(tmp_path, sql, "ties")
    assert (outcome in TIED) is tied


def test_a_tie_between_two_is_found_wherever_they_stand(tmp_path: Path) -> None:
    missed = []
    for first in range(5):
        for second in range(first + 1, 6):
            db_id = f"d{first}{second}"
            rows = [(i, 5 if i in (first, second) else 0) for i in range(6)]
            make_database(database_path(tmp_path, db_id), "CREATE TABLE t (id INT, score INT)", [("t", rows)])
            if examine(tmp_path, "SELECT id FROM t ORDER BY score DESC LIMIT 1", db_id) not in TIED:
                missed.append((first, second))
    assert missed == []


def test_invalid_utf8_in_a_table_does_not_end_the_build(tmp_path: Path) -> None:
    make_database(database_path(tmp_path, "bad"), "CREATE TABLE t (a TEXT); CREATE TABLE u (a INT)", [("u", [(3,)])])
    with closing(apsw.Connection(str(database_path(tmp_path, "bad")))) as connection:
        connection.execute("INSERT INTO t VALUES (CAST(x'ff41' AS TEXT))")
    assert isinstance(examine(tmp_path, "SELECT a FROM u", "bad"), Question)


def test_a_blob_that_is_never_shown_whole_is_excluded(tmp_path: Path) -> None:
    make_database(database_path(tmp_path, "blob"), "CREATE TABLE t (a BLOB)", [("t", [(b"x" * 65,)])])
    assert examine(tmp_path, "SELECT a FROM t", "blob") is Exclusion.OVERSIZED


def test_total_of_an_empty_selection_is_excluded(folder: Path) -> None:
    assert examine(folder, "SELECT total(weight) FROM pet WHERE id = 99") is Exclusion.EMPTY_SELECTION


def test_odd_tables_are_copied_for_shuffling(tmp_path: Path) -> None:
    make_database(
        database_path(tmp_path, "odd"),
        """CREATE TABLE "a b" ("x""y" TEXT COLLATE NOCASE PRIMARY KEY, "select" INT) WITHOUT ROWID;
           CREATE TABLE g (a INT, b INT AS (a * 2) VIRTUAL, c INT AS (a + 1) STORED);
           CREATE TABLE untyped (v); INSERT INTO g (a) VALUES (3), (4);
           CREATE VIEW w AS SELECT b, c FROM g;""",
        [("a b", [("K", 1), ("z", 2)]), ("untyped", [("1",), (1,)])],
    )
    for sql, rows in (
        ("SELECT b, c FROM w", ((6, 4), (8, 5))),
        ('SELECT "select" FROM "a b" WHERE "x""y" = \'k\'', ((1,),)),
        ("SELECT typeof(v) FROM untyped", (("text",), ("integer",))),
    ):
        kept = examine(tmp_path, sql, "odd")
        assert isinstance(kept, Question), sql
        assert kept.gold_rows == rows


def test_a_missing_database_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pets\.sqlite is missing; 2 questions need it"):
        curate(tmp_path, [draft("SELECT 1"), draft("SELECT 2", 2)], Settings())


# --- twins and splits ------------------------------------------------------------------------------------


def test_twins_are_those_with_the_same_rows_from_the_same_tables(folder: Path) -> None:
    def group(sql: str) -> str:
        kept = examine(folder, sql)
        assert isinstance(kept, Question)
        return kept.twin_group

    one = group("SELECT count(*) FROM pet WHERE kind = 'dog'")
    for twin in (
        "select COUNT( * )  from PET where KIND='dog';",
        "SELECT count(*) FROM pet /* x */ WHERE kind = 'dog' -- y",
    ):
        assert group(twin) == one
    assert group("SELECT count(id) FROM pet WHERE kind = 'dog'") == one
    superlative = group("SELECT name FROM pet ORDER BY weight DESC LIMIT 1")
    assert group("SELECT name FROM pet WHERE weight = (SELECT max(weight) FROM pet)") == superlative
    for other in (
        "SELECT count(*) FROM pet WHERE id > 6",
        "SELECT 5 FROM owner WHERE id = 1",
        "SELECT 5.5 FROM pet LIMIT 1",
    ):
        assert group(other) != one


def made_up(n_databases: int, rng: random.Random) -> list[Question]:
    questions = []
    for d in range(n_databases):
        for i in range(rng.randint(1, 30)):
            question = json.loads(
                '{"question": "?", "gold_sql": "", "columns": [], "gold_rows": [], "ordered": false, "answer_type": "",'
                ' "hardness": "", "tables": [], "par": 3, "source": "", "split": ""}'
            )
            group = f"{d}-{rng.randint(0, 12)}"
            question |= {"question_id": f"d{d}-{i}", "db_id": f"d{d}", "twin_group": group, "gold_sql": group}
            questions.append(Question(**question))
    return questions


def assert_disjoint(questions: Sequence[Question]) -> None:
    databases: dict[str, set[str]] = defaultdict(set)
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    golds: dict[tuple[str, str], set[str]] = defaultdict(set)
    for question in questions:
        databases[question.db_id].add("test" if question.split == "test" else "other")
        groups[question.db_id, question.twin_group].add(question.split)
        golds[question.db_id, " ".join(question.gold_sql.rstrip("; ").split())].add(question.split)
    for by in (databases, groups, golds):
        assert {key: found for key, found in by.items() if len(found) > 1} == {}


@pytest.mark.parametrize("n_databases", [1, 2, 3, 10, 40])
def test_made_up_splits_are_disjoint_and_stable(n_databases: int) -> None:
    questions = assign_splits(made_up(n_databases, random.Random(n_databases)))
    for question in questions:
        assert question.split in ("train", "eval", "test")
    assert_disjoint(questions)
    test = {q.db_id for q in questions if q.split == "test"}
    assert len(test) == round(0.3 * n_databases)
    shuffled = questions[:]
    random.Random(1).shuffle(shuffled)
    again = assign_splits([Question(**{**q.__dict__, "split": ""}) for q in shuffled])
    assert {q.question_id: q.split for q in again} == {q.question_id: q.split for q in questions}


def test_about_one_group_in_five_is_eval() -> None:
    questions = assign_splits(made_up(200, random.Random(0)))
    split = {q.twin_group: q.split for q in questions if q.split != "test"}
    assert 0.15 < Counter(split.values())["eval"] / len(split) < 0.25


def test_a_border_of_the_sources_own_is_kept_and_no_database_added() -> None:
    questions = made_up(20, random.Random(0))
    fixed = [
        Question(**{**q.__dict__, "split": "test" if q.db_id == "d3" and n % 2 else ""})
        for n, q in enumerate(questions)
    ]
    assigned = assign_splits(fixed)
    assert {q.db_id for q in assigned if q.split == "test"} == {"d3"}
    assert_disjoint(assigned)
    assert {q.split for q in assigned} == {"train", "eval", "test"}


def test_a_border_of_the_sources_own_is_kept() -> None:
    questions = [Question(**{**q.__dict__, "split": "test"}) for q in made_up(3, random.Random(0))]
    assert {q.split for q in assign_splits(questions)} == {"test"}


def test_starter_splits_are_disjoint() -> None:
    questions = load("starter", STARTER).questions
    assert_disjoint(questions)
    assert {q.split for q in questions} == {"train", "eval", "test"}


# --- Spider's ten databases ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spider(shared_spider: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Draft], Audit]:
    folder = tmp_path_factory.mktemp("spider")
    db_ids = json.loads(DB_LIST.read_text("utf-8"))
    for db_id in db_ids:
        target = database_path(folder, db_id)
        target.parent.mkdir(parents=True)
        target.symlink_to(shared_spider / "database" / db_id / f"{db_id}.sqlite")
    drafts = read_spider(shared_spider, db_ids)
    return folder, drafts, build("spider", folder, drafts, Settings())


def test_spider_counts(spider: tuple[Path, list[Draft], Audit]) -> None:
    folder, drafts, audit = spider
    assert len(drafts) == len(audit.questions) + len(audit.excluded) == 676
    of_flight_2 = Counter(item.flaws[:1] for item in audit.examined.values() if item.db_id == "flight_2")
    assert of_flight_2[Exclusion.EMPTY,] == 30
    assert of_flight_2[Exclusion.EMPTY_SELECTION,] == 18
    flaws = Counter(flaw for item in audit.examined.values() for flaw in item.flaws)
    assert flaws[Exclusion.TIED_ROWS] == 16
    assert len({(item.db_id, item.statement) for item in audit.examined.values()}) == 346
    assert Counter(audit.excluded.values()) == {
        Exclusion.EMPTY: 40,
        Exclusion.ALL_NULL: 4,
        Exclusion.EMPTY_SELECTION: 22,
        Exclusion.OVERSIZED: 54,
        Exclusion.TIED_ROWS: 14,
        Exclusion.TIED_ORDER: 2,
        Exclusion.TIED_KEYS: 16,
    }
    assert Counter(draft.source for draft in drafts) == {"spider/train_spider": 53, "spider/dev": 623}
    assert load("spider", folder).questions == audit.questions


def test_spider_splits_are_disjoint(spider: tuple[Path, list[Draft], Audit]) -> None:
    questions = spider[2].questions
    assert_disjoint(questions)
    assert {q.split for q in questions} == {"train", "eval", "test"}
    assert len({q.db_id for q in questions if q.split == "test"}) == 3


def test_the_audit_holds_ids_and_no_words(spider: tuple[Path, list[Draft], Audit]) -> None:
    folder, drafts, audit = spider
    text = (folder / "questions" / "AUDIT.md").read_text("utf-8")
    assert text == report("spider", audit)
    assert (
        "676 questions examined, 524 kept. The 676 have 346 distinct golds, and 660 share theirs with another." in text
    )
    for item in drafts:
        assert item.question.strip() not in text
        assert item.gold_sql.strip() not in text
        assert (f" {item.question_id}" in text.replace("\n", " ")) == (item.question_id in audit.excluded)


def test_the_whole_of_spider_keeps_its_border(whole_spider_data: Path) -> None:
    questions = load("spider", whole_spider_data).questions
    assert {q.source for q in questions if q.split == "test"} == {"spider/dev"}
    assert {q.source for q in questions if q.split != "test"} == {"spider/train_spider"}
    assert_disjoint(questions)
    assert {q.split for q in questions} == {"train", "eval", "test"}
    audit = (whole_spider_data / "questions" / "AUDIT.md").read_text("utf-8")
    assert "4636 questions examined, 3902 kept." in audit
    assert audit.count("\n| ") > 90


def official_hardness(sql: dict[str, Any]) -> str:
    """Spider's evaluation.py, eval_hardness, over its own parse of a statement."""
    conditions = sql["from"]["conds"][::2] + sql["where"][::2] + sql["having"][::2]
    nested = sum(isinstance(value, dict) for c in conditions for value in c[3:5])
    nested += sum(sql[key] is not None for key in ("intersect", "except", "union"))
    one = sum(bool(sql[key]) for key in ("where", "groupBy", "orderBy")) + (sql["limit"] is not None)
    one += len(sql["from"]["table_units"]) - 1
    one += (sql["from"]["conds"][1::2] + sql["where"][1::2] + sql["having"][1::2]).count("or")
    one += sum(c[1] == 9 for c in conditions)
    units = sql["select"][1] + sql["where"][::2] + sql["groupBy"] + sql["having"]
    units = units + [u for unit in (sql["orderBy"] or [0, []])[1] for u in unit[1:3] if u]
    aggregates = sum(unit[0] != 0 for unit in units)
    others = (aggregates > 1) + sum(len(part) > 1 for part in (sql["select"][1], sql["where"], sql["groupBy"]))
    if one <= 1 and others == 0 and nested == 0:
        return "easy"
    if nested == 0 and ((others <= 2 and one <= 1) or (one <= 2 and others < 2)):
        return "medium"
    if (
        (others > 2 and one <= 2 and nested == 0)
        or (one == 3 and others <= 2 and nested == 0)
        or (one <= 1 and others == 0 and nested <= 1)
    ):
        return "hard"
    return "extra"


def disagreements(shared_spider: Path) -> list[tuple[str, str, str]]:
    entries = json.loads((shared_spider / "dev.json").read_text("utf-8"))
    pairs = [(official_hardness(e["sql"]), hardness(sqlglot.parse_one(e["query"], read="sqlite"))) for e in entries]
    return [(*pair, e["query"]) for pair, e in zip(pairs, entries, strict=True) if pair[0] != pair[1]]


def test_hardness_is_the_official_one(shared_spider: Path) -> None:
    assert disagreements(shared_spider) == []


@pytest.mark.parametrize(
    ("level", "sql"),
    [
        ("easy", "SELECT name FROM pet"),
        ("easy", "SELECT count(*) FROM pet"),
        ("easy", "SELECT name FROM pet WHERE id = 1"),
        ("easy", "SELECT DISTINCT kind FROM pet"),
        ("easy", "SELECT kind FROM pet GROUP BY kind"),
        ("easy", "SELECT name FROM pet ORDER BY id"),
        ("easy", "SELECT name FROM pet WHERE id BETWEEN 1 AND 3"),
        ("easy", "SELECT p.name FROM pet p JOIN owner o ON p.owner = o.id"),
        ("medium", "SELECT name, kind FROM pet"),
        ("medium", "SELECT max(id), min(id) FROM pet"),
        ("medium", "SELECT name FROM pet WHERE name LIKE 'a%'"),
        ("medium", "SELECT name FROM pet WHERE id = 1 AND kind = 'x'"),
        ("medium", "SELECT name FROM pet WHERE id = 1 OR kind = 'x'"),
        ("medium", "SELECT name FROM pet ORDER BY id LIMIT 1"),
        ("medium", "SELECT kind, count(*) FROM pet GROUP BY kind"),
        ("medium", "SELECT p.name FROM pet p JOIN owner o ON p.owner = o.id WHERE o.name = 'x'"),
        ("hard", "SELECT max(id), min(id) FROM pet WHERE kind = 'x' AND id = 1"),
        ("hard", "SELECT kind FROM pet WHERE id > 1 GROUP BY kind ORDER BY count(*)"),
        ("hard", "SELECT p.name FROM pet p JOIN owner o ON p.owner = o.id ORDER BY o.id LIMIT 1"),
        ("hard", "SELECT name FROM pet WHERE id IN (SELECT owner FROM pet)"),
        ("hard", "SELECT name FROM pet WHERE weight > (SELECT avg(weight) FROM pet)"),
        ("hard", "SELECT name FROM pet UNION SELECT name FROM owner"),
        ("hard", "SELECT name FROM pet WHERE id = 1 INTERSECT SELECT name FROM pet WHERE id = 2"),
        ("hard", "SELECT name FROM pet EXCEPT SELECT p.name FROM pet p JOIN owner o ON o.id = p.id WHERE o.id = 1"),
        ("extra", "SELECT name, kind FROM pet WHERE id IN (SELECT owner FROM pet)"),
        ("extra", "SELECT kind FROM pet WHERE id > 1 GROUP BY kind ORDER BY count(*) LIMIT 1"),
        ("extra", "SELECT name FROM pet WHERE id IN (SELECT id FROM owner) AND id = 1"),
        ("extra", "SELECT p.name, o.name FROM pet p JOIN owner o ON p.owner = o.id WHERE o.id = 1 ORDER BY 1 LIMIT 1"),
        ("extra", "SELECT name, id FROM pet UNION SELECT name, id FROM owner"),
        ("extra", "SELECT name FROM pet WHERE id IN (SELECT id FROM owner) EXCEPT SELECT name FROM owner"),
    ],
)
def test_hardness(level: str, sql: str) -> None:
    assert hardness(sqlglot.parse_one(sql, read="sqlite")) == level


# --- building --------------------------------------------------------------------------------------------

DRAFTS = [draft(sql, number) for number, (_, sql) in enumerate(EXCLUDED, 1)] + [
    draft("SELECT count(*) FROM pet", 101),
    draft("SELECT name FROM pet WHERE id < 3", 102),
]


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    trees = []
    for name in ("one", "two"):
        folder = tmp_path / name
        make_database(database_path(folder, "pets"), SCRIPT, ROWS)
        build("mine", folder, DRAFTS, Settings())
        build("mine", folder, DRAFTS, Settings())
        trees.append({str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()})
    assert trees[0] == trees[1]
    assert set(trees[0]) == {
        "databases/pets/pets.sqlite",
        "questions/mine.jsonl",
        "questions/AUDIT.md",
        CHECKSUMS,
    }


def test_what_was_built_loads_and_keeps_the_drafts_order(tmp_path: Path) -> None:
    make_database(database_path(tmp_path, "pets"), SCRIPT, ROWS)
    audit = build("mine", tmp_path, DRAFTS[::-1], Settings())
    loaded = load("mine", tmp_path)
    assert loaded.questions == audit.questions
    assert [q.question_id for q in loaded.questions] == ["pets-102", "pets-101"]
    assert list(audit.excluded) == [d.question_id for d in DRAFTS[-3::-1]]


def test_the_report_counts_and_lists_ids_only(folder: Path) -> None:
    audit = curate(folder, DRAFTS, Settings())
    text = report("mine", audit)
    assert f"{len(DRAFTS)} questions examined, 2 kept." in text
    for reason, count in Counter(audit.excluded.values()).items():
        assert f"| {reason} | {count} | " in text
    assert all(question_id in text for question_id in audit.excluded)
    for item in DRAFTS:
        assert item.question not in text
        assert item.gold_sql not in text
    assert "Secret" not in text


def test_make_database_replaces_and_repeats(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.sqlite"
    make_database(path, "CREATE TABLE a (n)", [("a", [(1,), (None,)])])
    first = path.read_bytes()
    make_database(path, "CREATE TABLE b (n)", [("b", [])])
    make_database(path, "CREATE TABLE a (n)", [("a", [(1,), (None,)])])
    assert path.read_bytes() == first


# --- the starter set -------------------------------------------------------------------------------------


def logical_dump(path: Path) -> list[Any]:
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        objects = list(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"))
        names = [name for kind, name, _, _ in objects if kind == "table"]
        return [objects, *(list(connection.execute(f'SELECT rowid, * FROM "{name}"')) for name in names)]


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("starter")
    script = PACKAGED_DATA.parent / "scripts" / "build_starter.py"
    run = subprocess.run(
        [sys.executable, str(script), "--out", str(out)], capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return out


def test_the_starter_set_is_what_its_builder_builds(rebuilt: Path) -> None:
    for name in ("questions/starter.jsonl", "questions/AUDIT.md"):
        assert (rebuilt / name).read_bytes() == (STARTER / name).read_bytes()
    found = [sorted(p.relative_to(f) for p in f.glob("databases/*/*")) for f in (rebuilt, STARTER)]
    assert found[0] == found[1]
    for name in found[0]:
        assert logical_dump(rebuilt / name) == logical_dump(STARTER / name)


def test_starter_databases_keep_their_own_constraints(rebuilt: Path) -> None:
    for path in rebuilt.glob("databases/*/*.sqlite"):
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            assert list(connection.execute("PRAGMA integrity_check")) == [("ok",)]
            assert list(connection.execute("PRAGMA foreign_key_check")) == []


def test_starter_golds_are_what_their_statements_give(engine: Engine) -> None:
    starter = load("starter", STARTER)
    for question in starter.questions:
        result = engine.run(starter.database(question), question.gold_sql)
        assert result.rows == question.gold_rows, question.question_id
        assert result.columns == question.columns
        assert result.tables == set(question.tables)
        assert question.par == len(question.tables) + 2
