"""The worker process: killed when it has to be, replaced, and gone with its parent."""

import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sql_env.server.databases import Database
from sql_env.server.errors import ForbiddenError, LimitError, StatementError
from sql_env.server.sandbox import Limits
from sql_env.server.worker import Worker, serve

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SKIPPED: the kernel's limits are Linux's here")

# One operation that runs for seconds without asking the progress handler anything.
UNINTERRUPTIBLE = (
    "WITH RECURSIVE d(s) AS (SELECT 'x' UNION ALL SELECT s||s FROM d WHERE length(s)<65536), "
    "a(s) AS MATERIALIZED (SELECT max(s) FROM d) SELECT unhex(s, replace(s,'x','y')||'x') FROM a"
)


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


def pid(worker: Worker) -> int:
    worker.start()
    assert worker._process is not None
    return worker._process.pid


def test_rows_of_every_kind_come_back_as_they_were(worker: Worker, toy: Database) -> None:
    sql = "SELECT 1, 9223372036854775807, 1.5, 9e999, NULL, 'é\u2028\"', x'00ff', '' FROM singer LIMIT 2"
    result = worker.run(toy, sql, Limits())
    assert result.rows == ((1, 2**63 - 1, 1.5, float("inf"), None, 'é\u2028"', b"\x00\xff", ""),) * 2
    assert result.tables == {"singer"}


@pytest.mark.parametrize(
    ("sql", "kind", "said"),
    [
        ("SELECT nosuch FROM singer", StatementError, "no such column: nosuch"),
        ("DROP TABLE singer", ForbiddenError, "only SELECT statements are allowed; the database is read-only"),
        ("SELECT count(*) FROM concert a, concert b", LimitError, "query stopped after 1,000 steps of work"),
    ],
)
def test_errors_come_back_by_kind(worker: Worker, toy: Database, sql: str, kind: type, said: str) -> None:
    with pytest.raises(kind) as error:
        worker.run(toy, sql, Limits(vm_steps=1000))
    assert (type(error.value), str(error.value)) == (kind, said)


def test_what_cannot_be_interrupted_is_killed_and_the_next_statement_runs(worker: Worker, toy: Database) -> None:
    first = pid(worker)
    with pytest.raises(LimitError, match=r"^query stopped after 0\.3 s$"):
        worker.run(toy, UNINTERRUPTIBLE, Limits(seconds=0.3))
    assert worker.run(toy, "SELECT count(*) FROM singer", Limits()).rows == ((5000,),)
    assert pid(worker) != first


def test_the_clock_counts_from_the_statement_not_from_the_process(worker: Worker, toy: Database) -> None:
    for _ in range(4):
        worker.run(toy, "SELECT count(*) FROM concert a, singer b WHERE b.id < 20", Limits(seconds=0.3))
    with pytest.raises(LimitError, match=r"after 0\.3 s"):
        worker.run(toy, UNINTERRUPTIBLE, Limits(seconds=0.3))


def test_memory_beyond_the_bound_is_refused_without_a_death(worker: Worker, toy: Database) -> None:
    before = pid(worker)
    doubled = ", ".join(f"c{i} AS (SELECT x+x x FROM c{i - 1})" for i in range(1, 22))
    with pytest.raises(LimitError, match="too complex, or needs too much memory"):
        worker.run(toy, f"WITH c0 AS (SELECT id x FROM singer), {doubled} SELECT x FROM c21", Limits())
    assert worker.run(toy, "SELECT 1", Limits()).rows == ((1,),)
    assert pid(worker) == before


def test_a_worker_that_dies_is_a_limit_for_one_statement_only(worker: Worker, toy: Database) -> None:
    worker.run(toy, "SELECT 1", Limits())
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(worker.run, toy, UNINTERRUPTIBLE, Limits(seconds=20))
        with pytest.raises(TimeoutError):
            running.result(0.3)
        os.kill(pid(worker), signal.SIGKILL)
        with pytest.raises(LimitError, match="more than the server can give"):
            running.result(10)
    assert worker.run(toy, "SELECT 1", Limits()).rows == ((1,),)


def test_it_ends_with_its_parent(worker: Worker, toy: Database) -> None:
    worker.run(toy, "SELECT 1", Limits())
    assert worker.close() == 0, "end of input is the end, without a signal"
    assert worker.close() == 0


def test_a_fault_of_ours_in_the_worker_is_logged_there_and_nameless_here(
    toy: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sql_env.server.sandbox.Connection", lambda *_: 1 / 0)
    limits = {"vm_steps": 1, "seconds": 1, "memory": 1, "rows": 1, "counted_rows": 1, "row_bytes": 1}
    request = {"db_id": "toy", "path": str(Path(toy.path)), "image_bytes": None, "sql": "SELECT 1", "limits": limits}
    answers = io.BytesIO()
    serve(io.BytesIO(json.dumps(request).encode() + b"\n"), answers)
    assert answers.getvalue() == b"{}\n"
    assert "ZeroDivisionError" in capfd.readouterr().err
