"""Databases that live only in memory: the same rows and the same refusals as from a file, and bounds of their own."""

import gc
import itertools
import json
import os
import re
import subprocess
import sys
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import hostile_sql
import pytest

from sql_env.server.curation import make_image
from sql_env.server.databases import Database
from sql_env.server.engine import Engine
from sql_env.server.errors import AgentError, DataError, ForbiddenError, LimitError, StatementError
from sql_env.server.resources import Resources, Schemas
from sql_env.server.sandbox import FROZEN_NOW, FULL, INLINE, Connection, Connections, Limits, open_read_only
from sql_env.server.schema import read_schema
from sql_env.server.settings import PACKAGED_DATA
from sql_env.server.ties import SHUFFLES, reordered_copies
from sql_env.server.worker import Worker

SCHEMA = """CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, weight REAL, kind VARCHAR(9));
    CREATE TABLE Owner (name TEXT PRIMARY KEY, age INT) WITHOUT ROWID;"""
PETS = [(i, f"p{i:03d}", i * 1.1, "dog") for i in range(1, 31)]
OWNERS = [("Ann", 31), ("Bob", None), ("Cy", 5)]


def of_file(database: Database) -> Database:
    return Database.in_memory(database.db_id, database.path.read_bytes())


def numbered(n: int, db_id: str = "n") -> Database:
    """A database of its own content: one table, one row."""
    return Database.in_memory(db_id, make_image("CREATE TABLE t (n INT)", [("t", [(n,)])]))


@pytest.fixture(scope="module")
def pets() -> Database:
    return Database.in_memory("pets", make_image(SCHEMA, [("pet", PETS), ("Owner", OWNERS)]))


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


def outcome(engine: Engine, database: Database, sql: str, limits: Limits | None = None) -> Any:
    try:
        return engine.run(database, sql, limits)
    except LimitError:
        return LimitError
    except AgentError as error:
        return type(error), str(error)


# --- what it is ------------------------------------------------------------------------------------------


def test_the_name_tells_the_content_and_nothing_keeps_the_image() -> None:
    one, again, other = numbered(1), numbered(1), numbered(2)
    assert one == again
    assert hash(one) == hash(again)
    assert one != other
    assert one != numbered(1, "m")
    assert one.key == again.key != other.key != numbered(1, "m").key
    assert len(one.path.name) == 16
    assert not one.path.exists()
    assert "SQLite" not in repr(one)
    assert one.size == len(one.image or b"") > 0


def test_the_size_of_a_file_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    assert Database("x", tmp_path / "x").size == 5
    assert Database("x", tmp_path / "y").size == 0


# --- the same as from a file -----------------------------------------------------------------------------


def test_every_starter_gold_gives_the_same_inline_and_in_the_worker(
    engine: Engine, worker: Worker, resources: Resources
) -> None:
    starter = resources.default_dataset
    images = {db_id: of_file(database) for db_id, database in starter.databases.items()}
    assert len(starter.questions) == 348
    for question in starter.questions:
        image = images[question.db_id]
        expected = engine.run(starter.database(question), question.gold_sql)
        assert engine.run(image, question.gold_sql) == expected
        assert worker.run(image, question.gold_sql, engine.limits) == expected
        assert expected.rows == question.gold_rows


def test_what_an_image_takes_is_not_counted_against_a_statement(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "run", lambda *_: pytest.fail("went to the worker"))
    starter = resources.default_dataset
    largest = of_file(max(starter.databases.values(), key=lambda database: database.size))
    with closing(Engine(Limits(memory=2**18))) as engine:
        assert engine.run(largest, "SELECT 1").rows == ((1,),)
        for table in read_schema(largest).names:
            assert engine.run(largest, f'SELECT count(*) FROM "{table}"').total_rows == 1


def test_schemas_are_the_same(resources: Resources) -> None:
    for database in resources.default_dataset.databases.values():
        assert read_schema(of_file(database)) == read_schema(database)


@pytest.mark.parametrize("sql", ["SELECT datetime('now')", "SELECT CURRENT_TIMESTAMP", "SELECT datetime()"])
def test_the_clock_stands_still(engine: Engine, worker: Worker, pets: Database, sql: str) -> None:
    assert engine.run(pets, sql).rows == worker.run(pets, sql, Limits()).rows == ((FROZEN_NOW,),)


def test_a_write_ahead_logs_database_is_read(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "wal.sqlite"
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("journal_mode", "wal")
        connection.execute("CREATE TABLE t (n); INSERT INTO t VALUES (7)")
    assert engine.run(of_file(Database("wal", path)), "SELECT n FROM t").rows == ((7,),)


# --- hostile statements ----------------------------------------------------------------------------------


@pytest.mark.timeout(400)
def test_hostile_statements_fail_as_on_the_file_and_change_nothing(
    toy: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image, limits = of_file(toy), Limits(vm_steps=1_000_000, seconds=0.3)
    with closing(Engine(limits)) as engine:
        for name, sql in hostile_sql.all_attacks().items():
            found, expected = outcome(engine, image, sql), outcome(engine, toy, sql)
            if LimitError not in (found, expected):  # the clock's stops do not repeat
                assert found == expected, name
        assert engine.run(image, "SELECT count(*), max(id), sum(age) FROM singer").rows == ((5000, 4999, 222500),)
    assert image == of_file(toy)
    assert os.listdir(tmp_path) == []


REFUSED = """insert update delete_returning cte_delete drop temp_view attach attach_memory detach vacuum_into pragma
    pragma_table savepoint begin reindex analyze two_statements master schema temp_master table_info database_list
    dbstat stmt fts load_extension explain""".split()
MORE_REFUSED = (
    "UPDATE sqlite_dbpage SET data = x''",
    "SELECT * FROM sqlite_dbpage",
    "CREATE TEMP TABLE x (a)",
    "PRAGMA writable_schema = 1",
    "PRAGMA main.user_version = 1",
)
SELECTS = re.compile(r"\s*(SELECT|WITH|VALUES)\b", re.IGNORECASE)


@pytest.mark.parametrize("profile", [INLINE, FULL])
def test_what_is_refused_leaves_the_connections_copy_as_it_was(toy: Database, profile: Any) -> None:
    connection = Connection(of_file(toy), profile)
    before = connection._apsw.serialize("main")
    shared = [sql for sql in hostile_sql.shared_attacks().values() if not SELECTS.match(sql)]
    for sql in [*(hostile_sql.OURS[name] for name in REFUSED), *MORE_REFUSED, *shared]:
        with pytest.raises((ForbiddenError, StatementError)):
            connection.run(sql, Limits())
    assert connection._apsw.serialize("main") == before
    connection.close()


@pytest.mark.parametrize("sql", ["DELETE FROM pet", "CREATE TABLE x (a)", "PRAGMA user_version = 3", "VACUUM"])
def test_sqlite_itself_does_not_write_even_without_the_other_layers(pets: Database, sql: str) -> None:
    with closing(open_read_only(pets)) as connection:
        connection.pragma("query_only", 0)
        with pytest.raises(apsw.ReadOnlyError):
            connection.execute(sql)


@pytest.mark.parametrize("image", [b"", b"no database " * 100, b"SQLite format 3\0", "cut", "torn"])
def test_a_corrupt_image_is_the_datas_fault(engine: Engine, pets: Database, image: Any) -> None:
    whole = pets.image or b""
    image = {"cut": whole[:1000], "torn": whole[:100] + bytes(4000) + whole[4100:]}.get(image, image)
    database = Database.in_memory("bad", image)
    for read in (lambda: engine.run(database, "SELECT 1"), lambda: read_schema(database)):
        with pytest.raises(DataError, match=rf"^in memory.{database.path.name} cannot be read as an SQLite database"):
            read()
    with pytest.raises(DataError):
        reordered_copies(database)


# --- one beside another ----------------------------------------------------------------------------------


def test_databases_of_one_name_are_not_confused(engine: Engine, worker: Worker) -> None:
    schemas = Schemas()
    for n in (1, 2, 1, 3, 2):
        database = numbered(n)
        assert engine.run(database, "SELECT n FROM t").rows == ((n,),)
        assert worker.run(database, "SELECT n FROM t", Limits()).rows == ((n,),)
        assert schemas(database).names == ("t",)
    wider = Database.in_memory("n", make_image("CREATE TABLE u (n INT)", []))
    assert schemas(wider).names == ("u",)


def test_the_worker_opens_what_it_no_longer_has(pets: Database, worker: Worker) -> None:
    worker.run(pets, "SELECT 1", Limits())
    process = worker._process
    large = [big(n) for n in range(5)]
    for _ in range(2):
        for n, database in enumerate(large):
            assert worker.run(database, "SELECT n, length(x) FROM t LIMIT 1", Limits()).rows == ((n, 50_000),)
    assert worker._process is process, "memory for images is not the statement's"


def big(n: int) -> Database:
    """A database of some 5 MiB."""
    return Database.in_memory("big", make_image("CREATE TABLE t (n INT, x BLOB)", [("t", [(n, b"x" * 50_000)] * 100)]))


# --- bounds ----------------------------------------------------------------------------------------------


def test_a_large_image_goes_to_the_worker_at_once(pets: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sql_env.server.engine.INLINE_FILE_BYTES", pets.size - 1)
    monkeypatch.setattr("sql_env.server.sandbox.Connection", lambda *_: pytest.fail("opened on the caller's thread"))
    with closing(Engine(Limits())) as engine:
        assert engine.run(pets, "SELECT count(*) FROM pet").rows == ((30,),)


def test_images_that_are_open_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    databases = [numbered(n) for n in range(30)]
    monkeypatch.setattr("sql_env.server.sandbox.MAX_IMAGE_BYTES", 4 * databases[0].size)
    connections = Connections(INLINE)
    gc.collect()
    before, used = len(apsw.connections()), apsw.memory_used()
    for n, database in enumerate([*databases, *databases]):
        assert connections.get(database).run("SELECT n FROM t", Limits()).rows == ((n % 30,),)
        assert len(apsw.connections()) - before == min(n + 1, 4)
    assert connections.get(databases[-3]) is connections.get(databases[-3])
    assert apsw.memory_used() - used < 2**20


def test_one_image_beyond_the_bound_is_open_alone(pets: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sql_env.server.sandbox.MAX_IMAGE_BYTES", pets.size // 2)
    connections = Connections(INLINE)
    small = connections.get(numbered(1))
    assert connections.get(pets).run("SELECT count(*) FROM Owner", Limits()).rows == ((3,),)
    assert small not in connections._open.values()


def test_files_do_not_count_as_images(toy: Database, pets: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sql_env.server.sandbox.MAX_IMAGE_BYTES", pets.size)
    connections = Connections(INLINE)
    assert [connections.get(database) for database in (toy, pets)] == [*connections._open.values()]


def test_nothing_that_remembers_databases_keeps_one_alive() -> None:
    with ThreadPoolExecutor(1) as thread, closing(Engine(Limits())) as engine:
        schemas = Schemas()
        alive = []
        for n in range(20):
            database = numbered(n)
            assert thread.submit(engine.run, database, "SELECT n FROM t").result().rows == ((n,),)
            assert schemas(database).names == ("t",)
            alive.append(weakref.ref(database))
            del database
        thread.submit(int).result()  # lets go of the last call's arguments
        gc.collect()
        assert [ref() for ref in alive] == [None] * 20


def test_schemas_of_databases_in_memory_are_bounded_and_the_latest_kept(
    toy: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sql_env.server.resources.MAX_SCHEMAS_IN_MEMORY", 3)
    read: list[Database] = []
    monkeypatch.setattr("sql_env.server.resources.read_schema", lambda database: read.append(database) or object())
    schemas = Schemas()
    for n in (0, 1, 2, 0, 3, 0, 2, 1):
        schemas(toy)
        schemas(numbered(n))
    assert read == [toy, *map(numbered, (0, 1, 2, 3, 1))]


# --- making images ---------------------------------------------------------------------------------------


def test_an_image_is_the_same_in_every_process() -> None:
    code = (
        "import sys; from sql_env.server.curation import make_image\n"
        "schema, pets, owners = __import__('json').loads(sys.stdin.read())\n"
        "sys.stdout.write(make_image(schema, [('pet', pets), ('Owner', owners)]).hex())"
    )
    wanted = make_image(SCHEMA, [("pet", PETS), ("Owner", OWNERS)])
    assert make_image(SCHEMA, [("pet", PETS), ("Owner", OWNERS)]) == wanted
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps([SCHEMA, PETS, OWNERS]),
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert bytes.fromhex(run.stdout) == wanted


def test_an_image_names_no_version_of_sqlite(pets: Database, tmp_path: Path) -> None:
    image = pets.image or b""
    assert image[96:100] == bytes(4)
    (tmp_path / "pets.sqlite").write_bytes(image)
    with closing(apsw.Connection(str(tmp_path / "pets.sqlite"))) as connection:
        assert list(connection.execute("PRAGMA integrity_check")) == [("ok",)]
        connection.execute("DELETE FROM pet")
        assert list(connection.execute("SELECT count(*) FROM Owner")) == [(3,)]


# --- copies ----------------------------------------------------------------------------------------------


def rows(database: Database, table: str) -> list[Any]:
    with closing(open_read_only(database)) as connection:
        return list(connection.execute(f"SELECT * FROM {table}"))


def test_copies_hold_the_same_rows_in_other_orders(pets: Database) -> None:
    copies = reordered_copies(pets)
    assert [copy.db_id for copy in copies] == ["pets"] * (1 + SHUFFLES)
    assert rows(copies[0], "pet") == PETS[::-1]
    for a, b in itertools.combinations([pets, *copies], 2):
        assert rows(a, "pet") != rows(b, "pet")
        assert sorted(rows(a, "pet")) == sorted(rows(b, "pet"))
        assert sorted(rows(a, "Owner")) == sorted(rows(b, "Owner"))
    assert reordered_copies(pets) == copies


def test_copies_of_a_file_and_of_its_image_are_the_same() -> None:
    path = next((PACKAGED_DATA / "starter").glob("databases/*/*.sqlite"))
    database = Database(path.stem, path)
    assert reordered_copies(database) == reordered_copies(of_file(database))


def test_copies_keep_types_and_collations_and_drop_keys(pets: Database) -> None:
    for copy in reordered_copies(pets):
        with closing(open_read_only(copy)) as connection:
            found = [connection.column_metadata("main", "pet", name) for name in ("id", "name", "weight", "kind")]
            assert [(kind, collation, key) for kind, collation, _, key, _ in found] == [
                ("INTEGER", "BINARY", False),
                ("TEXT", "NOCASE", False),
                ("REAL", "BINARY", False),
                ("VARCHAR(9)", "BINARY", False),
            ]
            assert list(connection.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'index'")) == [(0,)]


def test_copies_of_some_tables_hold_those(pets: Database) -> None:
    for wanted in (["owner"], {"owner", "gone"}):
        assert [read_schema(copy).names for copy in reordered_copies(pets, wanted)] == [("Owner",)] * (1 + SHUFFLES)
    assert read_schema(reordered_copies(pets, [])[0]).names == ()
    assert read_schema(reordered_copies(pets, ["pet", "owner"])[0]).names == ("Owner", "pet")


def test_copies_of_some_tables_hold_all_where_there_is_a_view(engine: Engine) -> None:
    schema = "CREATE TABLE a (n); CREATE TABLE b (n); CREATE VIEW v AS SELECT n FROM b"
    database = Database.in_memory("views", make_image(schema, [("b", [(1,), (2,)])]))
    copy = reordered_copies(database, ["v"])[0]
    assert engine.run(copy, "SELECT n FROM v").rows == ((2,), (1,))
    assert read_schema(copy).names == ("a", "b", "v")


def test_copies_keep_text_that_is_not_utf8(engine: Engine) -> None:
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a TEXT); INSERT INTO t VALUES (CAST(x'ff41' AS TEXT)), ('b')")
        database = Database.in_memory("odd", connection.serialize("main"))
    for copy in reordered_copies(database):
        assert set(engine.run(copy, "SELECT hex(a) FROM t").rows) == {("FF41",), ("62",)}


def test_a_database_too_large_to_copy_is_named(pets: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*_: Any) -> bytes:
        raise apsw.NoMemError

    monkeypatch.setattr("sql_env.server.ties._reordered", out_of_memory)
    with pytest.raises(DataError, match=r"is too large to be copied in memory$"):
        reordered_copies(pets)
