"""What DESCRIBE knows: tables under any quoting, keys, generated columns, views, near names."""

from pathlib import Path

import pytest

from sql_env.server.curation import make_database
from sql_env.server.databases import Database, database_path
from sql_env.server.engine import Engine
from sql_env.server.errors import DataError, StatementError
from sql_env.server.questions import QuestionSet, load
from sql_env.server.schema import Column, ForeignKey, Schema, Table, nearest, quoted, read_schema, unquoted
from sql_env.server.settings import PACKAGED_DATA

SCRIPT = """
CREATE TABLE Pet (id INTEGER PRIMARY KEY, name TEXT NOT NULL, weight real, owner_id INT REFERENCES owner, x);
CREATE TABLE owner (id INTEGER PRIMARY KEY, "full name" VARCHAR(20) COLLATE NOCASE);
CREATE TABLE visit (pet INT, day DATE, vet TEXT DEFAULT 'x', PRIMARY KEY (vet, day),
    FOREIGN KEY (pet) REFERENCES Pet (id), FOREIGN KEY (vet, day) REFERENCES gone (a, b)) WITHOUT ROWID;
CREATE TABLE area (side INT, square INT AS (side * side) VIRTUAL, half REAL GENERATED ALWAYS AS (side / 2.0) STORED);
CREATE TABLE "odd name" (a); CREATE TABLE "sel""ect" (a); CREATE TABLE "order" ("from" TEXT); CREATE TABLE "it's" (a);
CREATE TABLE "main.x" (a); CREATE TABLE "日本" (a); CREATE TABLE "[b]" (a); CREATE TABLE sqlite (a);
CREATE VIEW heavy AS SELECT name AS "Name", weight FROM Pet WHERE weight > 10;
CREATE INDEX by_name ON Pet (name);
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Database:
    path = database_path(tmp_path_factory.mktemp("schema"), "odd")
    pets = [(1, "Rex", 12.5, 1, None), (2, "Tom", 4.0, 9, None), (3, "Ace", 30.0, None, None)]
    make_database(path, SCRIPT, [("Pet", pets), ("sqlite", [(1,)])])
    return Database("odd", path)


@pytest.fixture(scope="module")
def schema(engine: Engine, database: Database) -> Schema:
    return read_schema(database)


def table(schema: Schema, name: str) -> Table:
    found = schema.find(quoted(name))
    assert found is not None
    return found


def test_names_are_in_alphabetical_order_without_sqlites_own(schema: Schema) -> None:
    expected = "[b] area heavy it's main.x odd+name order owner Pet sel\"ect sqlite visit 日本"
    assert schema.names == tuple(name.replace("+", " ") for name in expected.split())


@pytest.mark.parametrize(
    "argument",
    [
        *("Pet", "pet", "PET", '"Pet"', "`pET`", "[Pet]", "'pet'", "main.pet", "MAIN.Pet", 'main."pet"', "main.[Pet]"),
        *("pet;", " pet ", "\tpet\n", "pet ; ", '"pet";', "main.pet;"),
    ],
)
def test_a_table_is_found_under_any_quoting(schema: Schema, argument: str) -> None:
    found = schema.find(argument)
    assert found is not None
    assert found.name == "Pet"


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("odd name", "odd name"),
        ('"ODD name"', "odd name"),
        ("[odd name]", "odd name"),
        ("'odd name';", "odd name"),
        ('"sel""ect"', 'sel"ect'),
        ('sel"ect', 'sel"ect'),
        ('[sel"ect]', 'sel"ect'),
        ("order", "order"),
        ('"order"', "order"),
        ("it's", "it's"),
        ("'it''s'", "it's"),
        ('"it\'s"', "it's"),
        ('"main.x"', "main.x"),
        ("main.main.x", "main.x"),
        ('"[b]"', "[b]"),
        ("日本", "日本"),
        ("heavy", "heavy"),
    ],
)
def test_odd_names_are_found(schema: Schema, argument: str, name: str) -> None:
    found = schema.find(argument)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "argument",
    ["", " ", ";", '""', "pets", "Pet.name", "temp.pet", "pet, owner", "sqlite_master", "by_name", "gone", '"'],
)
def test_what_is_no_table_is_not_found(schema: Schema, argument: str) -> None:
    assert schema.find(argument) is None


@pytest.mark.parametrize("argument", ['"main"."Pet"', "[main].[Pet]", "main . pet"])
def test_a_quoted_main_is_recognised(schema: Schema, argument: str) -> None:
    assert schema.find(argument) is not None


@pytest.mark.parametrize("name", ["a", "", "a b", 'a"b', "a`b", "it's", "[a]", "日本", "select", '""'])
def test_quoting_is_undone(name: str) -> None:
    assert unquoted(quoted(name)) == name


def test_columns_types_and_keys(schema: Schema) -> None:
    pet = table(schema, "Pet")
    assert pet.columns == (
        Column("id", "INTEGER", 1, False),
        Column("name", "TEXT", 0, True),
        Column("weight", "REAL", 0, False),
        Column("owner_id", "INT", 0, False),
        Column("x", "", 0, False),
    )
    assert pet.primary_key == ("id",)
    assert pet.foreign_keys == (ForeignKey(("owner_id",), "owner", ()),)
    assert (pet.row_count, pet.is_view) == (3, False)
    assert [c.type for c in table(schema, "owner").columns] == ["INTEGER", "VARCHAR(20)"]


def test_a_composite_key_is_in_its_own_order(schema: Schema) -> None:
    visit = table(schema, "visit")
    assert [c.name for c in visit.columns] == ["pet", "day", "vet"]
    assert visit.primary_key == ("vet", "day")
    assert visit.foreign_keys == (
        ForeignKey(("pet",), "Pet", ("id",)),
        ForeignKey(("vet", "day"), "gone", ("a", "b")),
    )
    assert visit.row_count == 0


def test_generated_columns_are_columns(schema: Schema) -> None:
    assert [(c.name, c.type) for c in table(schema, "area").columns] == [
        ("side", "INT"),
        ("square", "INT"),
        ("half", "REAL"),
    ]


def test_a_view_has_columns_and_rows_and_no_keys(schema: Schema) -> None:
    heavy = table(schema, "heavy")
    assert heavy.is_view
    assert [c.name for c in heavy.columns] == ["Name", "weight"]
    assert (heavy.row_count, heavy.primary_key, heavy.foreign_keys) == (2, (), ())


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nmae FROM pet", "no such column: nmae; did you mean name?"),
        ("SELECT p.wieght FROM pet p", "no such column: p.wieght; did you mean weight?"),
        ("SELECT Pet.NAMES FROM pet", "no such column: Pet.NAMES; did you mean name?"),
        ("SELECT fullname FROM owner", "no such column: fullname; did you mean full name?"),
        ("SELECT city FROM pet", "no such column: city"),
        ("SELECT wieght FROM owner", "no such column: wieght"),
        ("SELECT * FROM pett", "no such table: pett; did you mean Pet?"),
        ("SELECT * FROM oddname", "no such table: oddname; did you mean odd name?"),
        ("SELECT * FROM main.visits", "no such table: main.visits; did you mean visit?"),
        ("SELECT * FROM airports", "no such table: airports"),
        ("SELECT * FROM pet WHERE", "incomplete input"),
        ("SELECT nosuch(1)", "no such function: nosuch"),
    ],
)
def test_near_names(engine: Engine, database: Database, schema: Schema, sql: str, said: str) -> None:
    with pytest.raises(StatementError) as error:
        engine.run(database, sql)
    assert schema.explain_unknown(str(error.value), sql) == said


@pytest.mark.parametrize(("name", "near"), [("nmae", "Name"), ("NAME", "Name"), ("agee", "age"), ("xyz", ""), ("", "")])
def test_nearest(name: str, near: str) -> None:
    assert nearest(name, ["age", "Name"]) == near
    assert nearest(name, []) == ""


def test_a_file_that_is_no_database_is_the_datas_fault(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("no database " * 100)
    with pytest.raises(DataError, match=r"text\.sqlite"):
        read_schema(Database("text", tmp_path / "text.sqlite"))


def test_every_starter_table_is_readable_and_its_golds_tables_are_known(engine: Engine) -> None:
    starter: QuestionSet = load("starter", PACKAGED_DATA / "starter")
    names = {}
    for db_id, database in starter.databases.items():
        schema = read_schema(database)
        names[db_id] = {name.lower() for name in schema.names}
        for table in schema.tables:
            count = engine.run(database, f"SELECT count(*) FROM {quoted(table.name)}").rows[0][0]
            assert table.row_count == count
            assert table.columns
    for question in starter.questions:
        assert names[question.db_id].issuperset(question.tables)
