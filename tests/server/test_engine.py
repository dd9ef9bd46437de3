"""The engine: results equal SQLite's, limits name themselves, and no statement sees what another did."""

import asyncio
import gc
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import hostile_sql
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sql_env.server.curation import make_database
from sql_env.server.databases import Database, database_path
from sql_env.server.engine import Engine
from sql_env.server.errors import AgentError, BusyError, DataError, ForbiddenError, LimitError, StatementError
from sql_env.server.sandbox import FROZEN_NOW, MAX_SQL_BYTES, Limits, QueryResult

FOREVER = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT count(*) FROM r"
EXPENSIVE = "SELECT sum(length(a.note) + b.age) FROM concert a JOIN singer b ON a.sid = b.id"
BAD = "CAST(x'ff41' AS TEXT)"
GOOD = "\ufffdA"
LEAK = re.compile(r"/\w+/|\\|Traceback|apsw|sqlite3\.|Error\b|\.py\b|<class|\bNone\b|codec")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Views, odd names, and a table called q."""
    path = database_path(tmp_path_factory.mktemp("small"), "small")
    make_database(
        path,
        """CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT, owner INT);
           CREATE TABLE Owner (id INTEGER PRIMARY KEY, Name TEXT, city TEXT);
           CREATE TABLE "odd name" ("a b" TEXT, "x""y" TEXT, "select" TEXT);
           CREATE TABLE q (word TEXT);
           CREATE VIEW pets AS SELECT pet.name, o.city FROM pet JOIN Owner o ON o.id = pet.owner;""",
        [
            ("pet", [(1, "Rex", 1), (2, "Tom", 2), (3, None, 1)]),
            ("Owner", [(1, "Ann", "Rome"), (2, "Bob", "Oslo")]),
            ("odd name", [("1", "2", "3")]),
        ],
    )
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("INSERT INTO q VALUES (CAST(x'ff7a' AS TEXT)), ('b'), (CAST(x'fe61' AS TEXT))")
    return Database("small", path)


def outcome(engine: Engine, database: Database, sql: str, limits: Limits | None = None) -> Any:
    try:
        return engine.run(database, sql, limits)
    except AgentError as error:
        return type(error).__name__, str(error)


# --- results ---------------------------------------------------------------------------------------------


def test_every_spider_gold_runs_and_gives_what_plain_sqlite_gives(engine: Engine, shared_spider: Path) -> None:
    entries = [
        entry
        for part in ("dev", "train_spider")
        for entry in json.loads((shared_spider / f"{part}.json").read_text("utf-8"))
    ]
    assert len(entries) == 4636
    failures = []
    entries.sort(key=lambda entry: entry["db_id"])
    plain, opened = apsw.Connection(":memory:"), ""
    for entry in entries:
        path = shared_spider / "database" / entry["db_id"] / f"{entry['db_id']}.sqlite"
        if entry["db_id"] != opened:
            plain.close()
            plain, opened = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY), entry["db_id"]
        try:
            result = engine.run(Database(entry["db_id"], path), entry["query"])
            cursor = plain.execute(entry["query"])
            expected = [row for row, _ in zip(cursor, range(20), strict=False)]
            cursor.close(True)
        except (AgentError, UnicodeDecodeError, apsw.Error) as error:
            failures.append((entry["db_id"], entry["query"], repr(error)))
            continue
        if list(result.rows) != expected or not result.reads:
            failures.append((entry["db_id"], entry["query"], "another result"))
    plain.close()
    assert failures == []


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("SELECT name FROM pet", "pet.name"),
        ("SELECT NAME FROM PET", "pet.name"),
        ("SELECT p.name FROM pet AS p", "pet.name"),
        ("SELECT * FROM Owner", "owner.id owner.name owner.city"),
        ("SELECT count(*) FROM pet", "pet."),
        ("SELECT 1 FROM pet, Owner", "pet. owner."),
        ("SELECT p.name FROM pet p JOIN Owner o ON p.owner = o.id", "pet.name pet.owner owner.id"),
        ("SELECT name FROM pet WHERE owner IN (SELECT id FROM Owner)", "pet.name pet.owner owner.id"),
        ("SELECT (SELECT max(city) FROM Owner)", "owner.city"),
        ("SELECT EXISTS (SELECT 1 FROM pet)", "pet."),
        ("SELECT x FROM (SELECT name AS x FROM pet)", "pet.name"),
        ("WITH c AS (SELECT name FROM pet) SELECT * FROM c", "pet.name"),
        ("WITH c AS (SELECT name FROM pet) SELECT count(*) FROM c", "pet.name"),
        ("SELECT name FROM pet UNION SELECT city FROM Owner", "pet.name owner.city"),
        ("SELECT city FROM pets", "pets.city pet.name pet.owner owner.id owner.city"),
        ("SELECT id FROM pet ORDER BY name", "pet.id pet.name"),
        ("SELECT rowid FROM q", "q.rowid"),
        ('SELECT "a b" FROM "odd name"', "odd name.a b"),
        ("SELECT 'pet', 3", ""),
        ("VALUES (1)", ""),
    ],
)
def test_reads(engine: Engine, small: Database, sql: str, reads: str) -> None:
    expected = set(re.findall(r"(odd name|\w+)\.(a b|\w*)", reads))
    found = engine.run(small, sql)
    # A table of which nothing but the rows' number is used may come along with one that is read.
    named = {table for table, column in expected if column}
    assert {r for r in found.reads if r[1] or r[0] not in named} == expected
    assert found.tables == {table for table, _ in expected}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT 1;",
        "SELECT 1 ;;  ; ",
        " \n\tSELECT 1",
        ";SELECT 1",
        "-- first\n/* then */ SELECT 1",
        "SELECT 1 -- ; DROP TABLE pet",
        "SELECT 1 /* ; */",
        "SELECT /* ; */ 1 /* unclosed",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "VALUES (1)",
        "(SELECT 1)"[1:-1],
    ],
)
def test_one_statement(engine: Engine, small: Database, sql: str) -> None:
    assert engine.run(small, sql).rows == ((1,),)


@pytest.mark.parametrize("end", ["; -- done", ";\n/* done */", "; /* a */ ; -- b\n;", "; /* unclosed"])
def test_a_comment_may_follow_the_semicolon(engine: Engine, small: Database, end: str) -> None:
    assert engine.run(small, "SELECT 1" + end).rows == ((1,),)


@pytest.mark.parametrize(
    ("sql", "error", "said"),
    [
        ("SELECT 1; SELECT 2", ForbiddenError, "one statement"),
        ("SELECT 1;SELECT 2;", ForbiddenError, "one statement"),
        ("SELECT 1; /* x */ SELECT 2", ForbiddenError, "one statement"),
        ("SELECT 1; -- x\nDELETE FROM pet", ForbiddenError, "one statement"),
        ("EXPLAIN SELECT 1", ForbiddenError, "EXPLAIN"),
        ("explain/**/query plan SELECT name FROM pet", ForbiddenError, "EXPLAIN"),
        ("/* x */ EXPLAIN VALUES (1)", ForbiddenError, "EXPLAIN"),
        ("", StatementError, "no statement"),
        (" ; ", StatementError, "no statement"),
        ("-- only", StatementError, "no statement"),
        ("SELECT nam FROM pet", StatementError, "no such column: nam"),
        ("SELECT 1 FROM pett", StatementError, "no such table: pett"),
        ("SELEC 1", StatementError, "syntax error"),
        ("SELECT 1 LIMIT 'x'", StatementError, "mismatch"),
        ("DELETE FROM pet", ForbiddenError, "only SELECT"),
        ("SELECT random()", ForbiddenError, "random"),
        ("SELECT * FROM sqlite_master", ForbiddenError, "not available"),
        ("SELECT '\ud800'", StatementError, "Unicode"),
        (f"SELECT '{'x' * MAX_SQL_BYTES}'", LimitError, "10,000 bytes"),
        (f"SELECT '{'é' * (MAX_SQL_BYTES // 2)}'", LimitError, "10,000 bytes"),
        ("SELECT replace(hex(note), '7', name || note || note) FROM concert, singer", StatementError, "concert"),
    ],
)
def test_refusals(engine: Engine, small: Database, sql: str, error: type[AgentError], said: str) -> None:
    with pytest.raises(error, match=said):
        engine.run(small, sql)


@pytest.mark.parametrize("sql", ["\0SELECT 1", "SELECT 1\0", "SELECT 1\0; DROP TABLE pet"])
def test_nul_in_a_statement_is_the_agents_fault(engine: Engine, small: Database, sql: str) -> None:
    with pytest.raises(AgentError):
        engine.run(small, sql)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (f"SELECT trim({BAD})", GOOD),
        (f"SELECT replace({BAD}, 'A', 'B')", "\ufffdB"),
        (f"SELECT instr({BAD}, 'A')", 2),
        (f"SELECT count(*) FROM pet WHERE name < {BAD}", 2),
        (f"SELECT upper({BAD}) || 'b'", "\ufffdAb"),
    ],
)
def test_functions_take_invalid_utf8(engine: Engine, small: Database, query: str, value: Any) -> None:
    assert engine.run(small, query).rows == ((value,),)


def test_column_names_are_sqlites(engine: Engine, small: Database) -> None:
    sql = 'SELECT 1 AS a, 2 AS a, 3 AS "", 4 AS "x""y", 5 AS "日本", 6 AS "a | b", count(*), "a b" FROM "odd name"'
    expected = ("a", "a", "", 'x"y', "日本", "a | b", "count(*)", "a b")
    assert engine.run(small, sql).columns == expected
    bad = engine.run(small, sql.replace("6 AS", f"{BAD} AS"))
    assert bad.columns == expected
    assert bad.rows[0][5] == GOOD


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (f"SELECT {BAD}", [(GOOD,)]),
        (f"SELECT {BAD};;", [(GOOD,)]),
        (f"SELECT {BAD} -- trailing", [(GOOD,)]),
        (f"VALUES (1), ({BAD})", [(1,), (GOOD,)]),
        (f"WITH a AS (SELECT {BAD} AS t) SELECT t, 1 FROM a", [(GOOD, 1)]),
        (f"SELECT '{'y' * 4980}', {BAD}", [("y" * 4980, GOOD)]),
        (f"SELECT {BAD}, x'ff', NULL, 1.5, 'ok', 7", [(GOOD, b"\xff", None, 1.5, "ok", 7)]),
        (f"SELECT {BAD} || id, id FROM pet ORDER BY id DESC LIMIT 2", [(f"{GOOD}3", 3), (f"{GOOD}2", 2)]),
        (f"SELECT {BAD} AS a, {BAD} AS a", [(GOOD, GOOD)]),
        ("SELECT name || x'ff' FROM pet UNION SELECT 'Z' ORDER BY 1 DESC LIMIT 1", [("Z",)]),
    ],
)
def test_invalid_utf8_is_replaced(engine: Engine, small: Database, sql: str, rows: list[tuple[Any, ...]]) -> None:
    assert list(engine.run(small, sql).rows) == rows


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        pytest.param("SELECT word FROM q ORDER BY word", [("b",), ("\ufffda",), ("\ufffdz",)], id="a table called q"),
        pytest.param(f"SELECT {','.join([BAD] * 101)}", [(GOOD,) * 101], id="101 columns"),
        pytest.param(f"SELECT {BAD}; -- x", [(GOOD,)], id="a comment after the semicolon"),
    ],
)
def test_invalid_utf8_is_replaced_in_any_statement(
    engine: Engine, small: Database, sql: str, rows: list[tuple[Any, ...]]
) -> None:
    assert list(engine.run(small, sql).rows) == rows


def test_invalid_utf8_is_replaced_before_an_unclosed_comment(engine: Engine, small: Database) -> None:
    assert engine.run(small, f"SELECT {BAD} /* x").rows == ((GOOD,),)


@pytest.mark.parametrize("between", [" ", " /**/ ", " -- x\n", " (n) ", " AS MATERIALIZED "])
def test_a_cte_with_a_tables_name_reads_nothing(engine: Engine, small: Database, between: str) -> None:
    name = between if "AS" in between else f"{between}AS "
    assert engine.run(small, f"WITH pet{name}(SELECT 1) SELECT 3 FROM pet").reads == frozenset()


# --- caps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "kept", "total", "complete"),
    [
        *((0, 0, 0, True), (4, 4, 4, True), (5, 5, 5, True), (6, 5, 6, True)),
        *((9, 5, 9, True), (10, 5, 10, True), (11, 5, 10, False), (5000, 5, 10, False)),
    ],
)
def test_row_caps(engine: Engine, toy: Database, n: int, kept: int, total: int, complete: bool) -> None:
    result = engine.run(toy, f"SELECT id FROM singer LIMIT {n}", Limits(rows=5, counted_rows=10))
    assert result.rows == tuple((i,) for i in range(kept))
    assert (result.total_rows, result.complete) == (total, complete)


@pytest.mark.parametrize(("n", "kept", "complete"), [(4, 4, True), (5, 5, True), (6, 5, True), (320, 5, True)])
def test_byte_cap(engine: Engine, toy: Database, n: int, kept: int, complete: bool) -> None:
    result = engine.run(toy, f"SELECT note FROM concert LIMIT {n}", Limits(rows=100, row_bytes=1000))
    assert (len(result.rows), result.total_rows, result.complete) == (kept, n, complete)


def test_counting_ends_long_before_the_bytes_are_endless(engine: Engine, toy: Database) -> None:
    result = engine.run(toy, "SELECT note FROM concert", Limits(rows=100, row_bytes=1000))
    assert not result.complete
    assert result.total_rows <= 321


def test_byte_cap_counts_utf8(engine: Engine, toy: Database) -> None:
    sql = "SELECT replace(substr(note, 1, 100), 'x', '日') FROM concert LIMIT 10"
    result = engine.run(toy, sql, Limits(rows=100, row_bytes=1000))
    assert sum(len(str(row[0]).encode()) for row in result.rows) <= 1000


def test_a_value_has_a_longest_length(engine: Engine, toy: Database) -> None:
    growing = "WITH RECURSIVE r(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM r LIMIT {}) SELECT max(length(s)) FROM r"
    assert engine.run(toy, growing.format(17)).rows == ((65536,),)
    with pytest.raises(LimitError, match=r"a value in this statement is longer than [\d,]+ bytes"):
        engine.run(toy, growing.format(18))


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(vm_steps=12_345), "query stopped after 12,345 steps of work"),
        (Limits(vm_steps=10**12, seconds=0.1), "query stopped after 0.1 s"),
        (Limits(vm_steps=10**12, seconds=30, memory=3 * 2**20), "query stopped: it needed more than 3 MiB of memory"),
    ],
)
def test_a_stop_names_its_limit_and_value(engine: Engine, toy: Database, limits: Limits, said: str) -> None:
    sql = "SELECT a.note || b.note FROM concert a, concert b ORDER BY 1" if limits.seconds == 30 else FOREVER
    with pytest.raises(LimitError) as error:
        engine.run(toy, sql, limits)
    assert str(error.value) == said


def test_a_small_limit_is_named_too(engine: Engine, toy: Database) -> None:
    with pytest.raises(LimitError, match=r"0\.01 s"):
        engine.run(toy, FOREVER, Limits(vm_steps=10**12, seconds=0.01))


def test_work_is_counted_to_the_handlers_interval(engine: Engine, toy: Database) -> None:
    work = engine.run(toy, EXPENSIVE).vm_steps
    assert engine.run(toy, EXPENSIVE, Limits(vm_steps=work)).vm_steps == work
    with pytest.raises(LimitError):
        engine.run(toy, EXPENSIVE, Limits(vm_steps=work - 1))


# --- the same everywhere ---------------------------------------------------------------------------------

PROBES = [
    "SELECT country, count(*), avg(age), datetime('now'), replace(country, 'U', 'V') FROM singer GROUP BY 1 ORDER BY 1",
    EXPENSIVE,
    "SELECT * FROM concert WHERE cid < 3",
    "SELECT length(group_concat(name)) FROM singer",
    "SELECT name FROM singer WHERE name LIKE '%99%' ORDER BY name DESC",
    f"SELECT {BAD}, name FROM singer LIMIT 2",
    "SELECT nam FROM singer",
    "SELECT * FROM sqlite_schema",
    "SELECT random()",
    FOREVER,
]
QUICK = Limits(vm_steps=200_000, seconds=5.0)


def probe(engine: Engine, toy: Database) -> list[Any]:
    return [outcome(engine, toy, sql, QUICK) for sql in PROBES]


@pytest.fixture(scope="module")
def fresh(toy: Database) -> list[Any]:
    """What the probes give on a connection that has run nothing else before each."""
    results = []
    for sql in PROBES:
        with closing(Engine(QUICK)) as engine:
            results.append(outcome(engine, toy, sql))
    assert sum(isinstance(result, QueryResult) for result in results) == 6
    return results


def test_repetition_changes_nothing(engine: Engine, toy: Database, fresh: list[Any]) -> None:
    assert [probe(engine, toy) for _ in range(3)] == [fresh] * 3


def test_another_thread_changes_nothing(engine: Engine, toy: Database, fresh: list[Any]) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: probe(engine, toy), range(8))) == [fresh] * 8


def test_nothing_a_hostile_statement_did_is_seen_by_the_next(toy: Database, fresh: list[Any]) -> None:
    changed = []
    cheap = [sql for sql in PROBES if sql != FOREVER]
    expected = [result for sql, result in zip(PROBES, fresh, strict=True) if sql != FOREVER]
    with closing(Engine(QUICK)) as engine:
        for name, hostile in hostile_sql.all_attacks().items():
            outcome(engine, toy, hostile, Limits(vm_steps=20_000, seconds=0.05))
            if [outcome(engine, toy, sql, QUICK) for sql in cheap] != expected:
                changed.append(name)
    assert changed == []


def test_the_clock_stands_still_in_any_time_zone(toy: Database) -> None:
    code = (
        "import sys; from pathlib import Path; from sql_env.server.databases import Database\n"
        "from sql_env.server.engine import Engine, Limits\n"
        "engine = Engine(Limits())\n"
        "for sql in sys.argv[2:]: print(engine.run(Database('toy', Path(sys.argv[1])), sql).rows[0][0])\n"
        "engine.close()"
    )
    statements = [
        "SELECT datetime('now')",
        "SELECT datetime()",
        "SELECT CURRENT_TIMESTAMP",
        "SELECT datetime('now', 'localtime')",
        "SELECT datetime('2025-01-01', 'utc')",
        "SELECT strftime('%Y-%m-%d %H:%M:%S', 'now', 'localtime')",
        "SELECT datetime(unixepoch(), 'unixepoch')",
        "SELECT datetime(julianday('now'))",
        "SELECT CURRENT_DATE || ' ' || CURRENT_TIME",
    ]
    for zone in ("Asia/Tokyo", "UTC+7", "America/St_Johns"):
        run = subprocess.run(
            [sys.executable, "-c", code, str(toy.path), *statements],
            env={**os.environ, "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.splitlines() == [FROZEN_NOW] * len(statements), zone


# --- the worker ------------------------------------------------------------------------------------------


class Recording(Engine):
    """An engine that notes which statements went to the worker, in order."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(Limits(), **arguments)
        self.submitted: list[str] = []

    def _submit(self, database: Database, sql: str, limits: Limits) -> "Future[QueryResult]":
        self.submitted.append(sql)
        return super()._submit(database, sql, limits)


@pytest.fixture
def recording() -> Iterator[Recording]:
    with closing(Recording()) as engine:
        yield engine


async def test_cheap_runs_inline_and_expensive_in_the_worker(recording: Recording, toy: Database) -> None:
    for sql, submitted in (("SELECT count(*) FROM singer", []), (EXPENSIVE, [EXPENSIVE])):
        recording.submitted.clear()
        result = await recording.run_async(toy, sql)
        assert recording.submitted == submitted
        assert result == recording.run(toy, sql)


@pytest.mark.parametrize("sql", ["SELECT nam FROM singer", "DELETE FROM singer", "SELECT 1; SELECT 2"])
async def test_a_refusal_needs_no_worker(recording: Recording, toy: Database, sql: str) -> None:
    with pytest.raises(AgentError):
        await recording.run_async(toy, sql)
    assert recording.submitted == []


async def test_run_async_gives_what_run_gives(recording: Recording, toy: Database) -> None:
    for sql in PROBES:
        for limits in (None, QUICK, Limits(rows=3, counted_rows=7, row_bytes=500)):
            try:
                found: Any = await recording.run_async(toy, sql, limits)
            except AgentError as error:
                found = type(error).__name__, str(error)
            assert found == outcome(recording, toy, sql, limits)


async def test_sessions_take_turns_in_order_of_arrival(recording: Recording, toy: Database) -> None:
    statements = [f"{EXPENSIVE} WHERE {i} = {i}" for i in range(5)]
    done: list[str] = []

    async def session(sql: str) -> None:
        await recording.run_async(toy, sql)
        done.append(sql)

    await asyncio.gather(*map(session, statements))
    assert done == statements
    assert recording.submitted == statements


@pytest.fixture
def blocked() -> Iterator[tuple[Recording, threading.Event]]:
    """An engine whose worker is busy until the event is set."""
    with closing(Recording(queue_seconds=0.1)) as engine:
        release = threading.Event()
        engine._queue.submit(release.wait, 30)
        try:
            yield engine, release
        finally:
            release.set()


async def test_a_busy_server_says_so(blocked: tuple[Recording, threading.Event], toy: Database) -> None:
    engine, release = blocked
    with pytest.raises(BusyError) as error:
        await engine.run_async(toy, EXPENSIVE)
    assert str(error.value) == "the server is busy: no turn within 0.1 s; try again"
    assert (await engine.run_async(toy, "SELECT 1")).rows == ((1,),)
    release.set()
    assert (await engine.run_async(toy, EXPENSIVE)).total_rows == 1
    assert engine.submitted == [EXPENSIVE, EXPENSIVE]


async def test_a_statement_that_has_its_turn_is_not_refused(toy: Database) -> None:
    with closing(Recording(queue_seconds=0.001)) as engine:
        assert await engine.run_async(toy, EXPENSIVE) == engine.run(toy, EXPENSIVE)


async def test_a_late_stop_leaves_nothing_for_the_log(toy: Database) -> None:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context["message"]))
    with closing(Recording(queue_seconds=0.001)) as engine:
        stopped = await asyncio.gather(
            engine.run_async(toy, FOREVER, Limits(vm_steps=5_000_000)), return_exceptions=True
        )
    assert [str(error) for error in stopped] == ["query stopped after 5,000,000 steps of work"]
    del stopped
    await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


async def test_a_cancelled_session_leaves_the_worker_free(recording: Recording, toy: Database) -> None:
    task = asyncio.create_task(recording.run_async(toy, FOREVER))
    while not recording.submitted:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await recording.run_async(toy, EXPENSIVE)).total_rows == 1


async def test_the_event_loop_goes_on_while_statements_run(recording: Recording, toy: Database) -> None:
    sorting = "SELECT a.note || b.cid FROM concert a, concert b ORDER BY 1"
    running = asyncio.gather(
        *(recording.run_async(toy, sql) for sql in (FOREVER, sorting, EXPENSIVE)), return_exceptions=True
    )
    began = last = time.monotonic()
    gaps = []
    while not running.done():
        await asyncio.sleep(0.005)
        gaps.append(time.monotonic() - last)
        last = time.monotonic()
    assert [isinstance(r, LimitError) for r in running.result()] == [True, True, False]
    assert len(gaps) > 20
    assert max(gaps) < max(0.5, (last - began) / 4)


# --- what it holds ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> list[Database]:
    folder = tmp_path_factory.mktemp("thirty")
    databases = [Database(f"d{i}", database_path(folder, f"d{i}")) for i in range(30)]
    for i, database in enumerate(databases):
        make_database(database.path, "CREATE TABLE t (n INT)", [("t", [(i,), (i + 1,)])])
    return databases


def held() -> tuple[int, int]:
    gc.collect()
    return len(os.listdir("/proc/self/fd")), len(apsw.connections())


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="SKIPPED: descriptors are read from Linux's /proc")
def test_descriptors_and_connections_do_not_grow(engine: Engine, thirty: list[Database]) -> None:
    def round_trip() -> None:
        for i, database in enumerate(thirty):
            assert engine.run(database, "SELECT max(n) FROM t").rows == ((i + 1,),)
            outcome(engine, database, "SELECT m FROM t")
            outcome(engine, database, f"SELECT {BAD} FROM t, t, t; SELECT 1")
            outcome(engine, database, FOREVER, Limits(vm_steps=1000))

    round_trip()
    before = held()
    for _ in range(25):
        round_trip()
    after = held()
    assert after[0] <= before[0]
    assert after[1] <= before[1]


def test_a_large_file_goes_to_the_worker_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """count(*) is one operation, however many pages it reads."""
    path = tmp_path / "large.sqlite"
    make_database(path, "CREATE TABLE t (n INT)", [("t", [(1,), (2,)])])
    monkeypatch.setattr("sql_env.server.engine.INLINE_FILE_BYTES", path.stat().st_size - 1)
    monkeypatch.setattr("sql_env.server.sandbox.Connection", lambda *_: pytest.fail("opened on the caller's thread"))
    with closing(Engine(Limits())) as engine:
        assert engine.run(Database("large", path), "SELECT count(*) FROM t").rows == ((2,),)


def test_connections_of_a_thread_are_bounded(
    engine: Engine, thirty: list[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sql_env.server.sandbox.MAX_CONNECTIONS", 4)
    with ThreadPoolExecutor(1) as thread, closing(Engine(Limits())) as bounded:
        before = len(apsw.connections())
        for _ in range(2):
            for i, database in enumerate(thirty):
                assert thread.submit(bounded.run, database, "SELECT n FROM t").result().rows == ((i,), (i + 1,))
        assert len(apsw.connections()) - before <= 4


def test_a_file_that_is_no_database_is_the_datas_fault(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("no database " * 100)
    for name in ("text.sqlite", "missing.sqlite"):
        with pytest.raises(DataError, match=re.escape(name)):
            engine.run(Database("bad", tmp_path / name), "SELECT 1")
    assert not (tmp_path / "missing.sqlite").exists()


def test_the_file_and_its_folder_stay_as_they_are(engine: Engine, small: Database) -> None:
    before = small.path.read_bytes()
    for sql in ("INSERT INTO q VALUES (1)", "SELECT * FROM q ORDER BY 1", "CREATE TABLE x(a)", "PRAGMA user_version=3"):
        outcome(engine, small, sql)
    assert small.path.read_bytes() == before
    assert os.listdir(small.path.parent) == ["small.sqlite"]


# --- any text --------------------------------------------------------------------------------------------

FRAGMENTS = """SELECT SELECT SELECT FROM FROM WHERE GROUP BY ORDER BY HAVING LIMIT OFFSET DISTINCT AS ON JOIN LEFT
    NATURAL UNION ALL EXCEPT INTERSECT WITH RECURSIVE VALUES IN EXISTS NOT AND OR IS NULL LIKE GLOB BETWEEN CASE
    WHEN THEN ELSE END CAST COLLATE NOCASE OVER PARTITION ROWS UNBOUNDED PRECEDING FILTER ESCAPE INSERT INTO UPDATE SET
    DELETE CREATE TABLE TEMP DROP PRAGMA ATTACH EXPLAIN VACUUM BEGIN RETURNING RAISE INDEXED MATERIALIZED
    CURRENT_TIMESTAMP singer singer concert id name
    country age cid sid yr note s.name main. sqlite_master json_each rowid a b r n
    count( max( sum( group_concat( substr( replace( instr( trim( date( strftime( hex( char( json_extract( median(
    abs( round( nth_value( random( printf( ( ( ( ) ) ) ) , , , * * + - / % || < = == <> ~ << & | . ; -- /* */ -> ->>
    0 1 2 -1 3.5 1e3 9e999 9223372036854775807 0x1F '' 'x' 'now' '%a%' "name" "nope" [age] `id` x'00ff' x' ' " ?1 :p
    @v $d # ! \\ \n \t \0 é \u2028""".split(" ")


@hypothesis_settings(max_examples=1200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sql=st.lists(st.sampled_from(FRAGMENTS), max_size=22).map(" ".join))
def test_sql_like_text_gives_rows_or_an_agents_error(engine: Engine, toy: Database, sql: str) -> None:
    check_any(engine, toy, sql)


EXPRESSIONS = """name; id + age; count(*); max(note); substr(name, 2, age); replace(name, 'n', country); trim(note);
    instr(note, id); abs(age); date(yr); hex(note); char(age); json_extract(name, '$'); sum(id) OVER (ORDER BY id);
    median(age); CAST(x'ff' AS TEXT); 9e999; x'00'; name || note; (SELECT 1); nth_value(id, 0) OVER (); round(age, age);
    group_concat(id); trim(CAST(x'ff' AS TEXT)); replace(char(55296), 'a', 'b'); strftime(name, age)""".split(";")
SELECTS = st.builds(
    "SELECT {} FROM {} {} {}".format,
    st.lists(st.sampled_from(EXPRESSIONS), min_size=1, max_size=4).map(", ".join),
    st.sampled_from(
        ["singer", "concert", "singer, concert", "singer JOIN concert ON sid = id", "(SELECT * FROM singer)"]
    ),
    st.sampled_from(
        ["", "WHERE age > 60", "WHERE name LIKE '%9_'", "WHERE id IN (SELECT sid FROM concert)", "WHERE 0"]
    ),
    st.sampled_from(
        ["", "LIMIT 3", "GROUP BY 1", "ORDER BY 1 DESC", "GROUP BY 1 HAVING count(*) > 1", "UNION SELECT 1"]
    ),
)


@hypothesis_settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sql=SELECTS)
def test_statements_give_rows_or_an_agents_error(engine: Engine, toy: Database, sql: str) -> None:
    check_any(engine, toy, sql)


@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sql=st.text(max_size=60))
def test_any_text_gives_rows_or_an_agents_error(engine: Engine, toy: Database, sql: str) -> None:
    check_any(engine, toy, sql)


def check_any(engine: Engine, toy: Database, sql: str) -> None:
    found = outcome(engine, toy, sql, Limits(vm_steps=50_000, seconds=1.0))
    if isinstance(found, QueryResult):
        assert all(len(row) == len(found.columns) for row in found.rows)
        assert len(found.rows) <= min(20, found.total_rows)
        assert found.tables <= {"singer", "concert"}
    else:
        assert LEAK.search(sql) or not LEAK.search(found[1])
