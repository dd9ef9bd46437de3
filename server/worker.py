"""A process that runs statements and can be killed: the certain end of what nothing else can interrupt.

The parent sends one request a line as JSON on standard input and reads one answer a line. Before each statement the
process asks the kernel to kill it (SIGPROF) when the statement's processor time is spent, and to refuse it more than
a bounded amount of memory. The progress handler normally stops a statement first, which is cheaper.

The image of a database in memory follows every request's line, as it is; the child needs it only when it opens a
connection, but who knows whether it still has one.

A child that is killed is replaced. What a statement cannot do here either: reach the parent's memory.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

from sql_env.server import errors
from sql_env.server.databases import Database, SQLValue
from sql_env.server.errors import AgentError, LimitError, TimeLimitError
from sql_env.server.sandbox import FULL, BudgetError, Connections, Limits, QueryResult, stopped_after

GRACE_SECONDS: Final = 0.05
"""Processor time between the progress handler's stop and the kernel's."""

GROWTH_BYTES: Final = 56 * 2**20
"""Memory that the process may add during a statement; SQLite's own limit is lower."""


class Worker:
    """The parent's handle on one child. For one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the child if there is none; it gets ready while the parent goes on."""
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from sql_env.server.worker import main; main()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )

    def run(self, database: Database, sql: str, limits: Limits) -> QueryResult:
        """Run one statement in the child.

        Raises:
            AgentError: as the sandbox does; LimitError when the child had to be killed.
            RuntimeError: the child failed; its traceback is in the log.
        """
        request = _request(database, sql, limits)
        self.start()
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise RuntimeError("the SQL worker could not be started")
        with suppress(BrokenPipeError):
            process.stdin.write(request)
            process.stdin.flush()
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            raise _death(self.close(), limits)
        return _read_answer(json.loads(line))

    def kill(self) -> None:
        """End the child now, from any thread; whoever waits for its answer is told that there is none."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> int:
        """End the child and return its exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()
        if process.poll() is None and process.stdout is not None and not process.stdout.closed:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        if process.poll() is None:
            process.kill()
        if process.stdout is not None:
            process.stdout.close()
        return process.wait()


def _request(database: Database, sql: str, limits: Limits) -> bytes:
    image_bytes = None if database.image is None else len(database.image)
    request = {"db_id": database.db_id, "path": str(database.path), "image_bytes": image_bytes, "sql": sql}
    return json.dumps(request | {"limits": asdict(limits)}).encode() + b"\n" + (database.image or b"")


def _death(status: int, limits: Limits) -> LimitError:
    if status == -signal.SIGPROF:
        return TimeLimitError(stopped_after(limits.seconds))
    return LimitError("query stopped: it needed more than the server can give")


def _read_answer(answer: dict[str, Any]) -> QueryResult:
    if "result" in answer:
        data = answer["result"]
        return QueryResult(
            tuple(data["columns"]),
            tuple(tuple(_decode(cell) for cell in row) for row in data["rows"]),
            data["total_rows"],
            data["complete"],
            frozenset((table, column) for table, column in data["reads"]),
            data["vm_steps"],
        )
    kind = getattr(errors, answer.get("error", ""), None)
    if kind is None:
        raise RuntimeError("the SQL worker failed")
    raise kind(answer["message"])


def _encode(cell: SQLValue) -> Any:
    return [cell.hex()] if isinstance(cell, bytes) else cell


def _decode(cell: Any) -> SQLValue:
    return bytes.fromhex(cell[0]) if isinstance(cell, list) else cell


# --- the child -------------------------------------------------------------------------------------------


def main() -> None:
    """Answer requests until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to end
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else may write where answers go
    if hasattr(os, "nice"):
        os.nice(19)
    serve(sys.stdin.buffer, answers)


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests, one a line, each followed by as many bytes of an image as it says."""
    connections = Connections(FULL)
    for line in requests:
        request = json.loads(line)
        image_bytes = request["image_bytes"]
        image = None if image_bytes is None else requests.read(image_bytes)
        database = Database(request["db_id"], Path(request["path"]), image)
        answer = _answer(connections, database, request["sql"], Limits(**request["limits"]))
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _answer(connections: Connections, database: Database, sql: str, limits: Limits) -> dict[str, Any]:
    try:
        connection = connections.get(database)
        with _bounded(limits):
            result = connection.run(sql, limits)
    except BudgetError as error:
        kind = TimeLimitError if error.by_clock else LimitError
        return {"error": kind.__name__, "message": str(error)}
    except AgentError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except MemoryError:
        return {"error": "LimitError", "message": "query stopped: it needed too much memory"}
    except Exception:  # noqa: BLE001 — the boundary to the parent: the traceback goes to the log, its text nowhere else
        traceback.print_exc(file=sys.stderr)
        return {}
    data = asdict(result) | {"reads": sorted(result.reads)}
    data["rows"] = [[_encode(cell) for cell in row] for row in result.rows]
    return {"result": data}


@contextmanager
def _bounded(limits: Limits) -> Any:
    """Have the kernel end this process at the statement's processor time, and refuse it memory beyond a bound."""
    _limit_memory(GROWTH_BYTES)
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, limits.seconds + GRACE_SECONDS)
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0)
        _limit_memory(None)


def _limit_memory(growth: int | None) -> None:
    """Let the process add so many bytes of data, or lift the limit; Linux alone counts what we mean."""
    if sys.platform == "linux":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if growth is None:
            resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
        else:
            pages = int(Path("/proc/self/statm").read_text().split()[5])
            resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + growth, hard))
