"""Run every hostile statement and print what each cost, here and in the worker, one JSON object a line.

Run by tests/server/test_attacks.py in a process of its own, because times and peaks of memory are the process's.
``python tests/run_attacks.py --table`` prints the same as a table.
"""

import contextlib
import hashlib
import json
import os
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hostile_sql import all_attacks, make_toy_database

from sql_env.server.databases import Database
from sql_env.server.engine import Engine
from sql_env.server.errors import AgentError
from sql_env.server.formatting import show_result
from sql_env.server.sandbox import Limits

LIMITS = Limits()
WARM_UP = "SELECT count(*) FROM concert a, singer b WHERE b.id < 20 AND a.note || b.name = ''"


def cpu_seconds(usage: int) -> float:
    used = resource.getrusage(usage)
    return used.ru_utime + used.ru_stime


class Watched:
    """A process, or the worker, while one statement runs: its processor time and its peak of memory."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets the peak
        self.before, self.peak = self.memory("VmRSS"), 0

    def memory(self, field: str) -> int:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
        return 0  # it was killed

    def sample(self) -> None:
        self.peak = max(self.peak, self.memory("VmHWM"))

    @property
    def seconds(self) -> float:
        """Processor time so far; 0.0 once it was killed."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9
        except OSError:
            return 0.0


def run(engine: Engine, database: Database, sql: str) -> dict[str, object]:
    engine.run(database, WARM_UP)  # starts the worker, or replaces one that was killed
    worker = Watched(engine._worker._process.pid)
    ourselves = Watched(os.getpid())
    started, buried, spent = time.thread_time(), cpu_seconds(resource.RUSAGE_CHILDREN), worker.seconds
    over = threading.Event()
    sampler = threading.Thread(target=lambda: [worker.sample() for _ in iter(lambda: over.wait(0.003), True)])
    sampler.start()
    try:
        shown = show_result(engine.run(database, sql), LIMITS.rows, 2000)
        outcome = {"columns": shown.columns, "rows": shown.rows, "text": shown.text}
        kind = "result"
    except AgentError as error:
        outcome, kind = {"text": str(error)}, type(error).__name__
    finally:
        inline = time.thread_time() - started
        over.set()
        sampler.join()
    worker.sample()
    ourselves.sample()
    in_worker = (worker.seconds or spent) - spent + cpu_seconds(resource.RUSAGE_CHILDREN) - buried
    killed = engine._worker._process is None
    if killed:
        in_worker -= spent
    text = json.dumps(outcome, allow_nan=False, ensure_ascii=False)
    return {
        "kind": kind,
        "inline": round(inline, 3),
        "seconds": round(in_worker, 3),
        "killed": killed,
        "grown": max(worker.peak - worker.before, ourselves.peak - ourselves.before),
        "json": json.loads(text.encode()) == outcome,
        "text": outcome["text"],
    }


def main() -> None:
    table = "--table" in sys.argv
    with tempfile.TemporaryDirectory() as folder:
        path = make_toy_database(Path(folder))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        engine = Engine(LIMITS)
        database = Database("toy", path)
        for name, sql in all_attacks().items():
            row = {"name": name, **run(engine, database, sql)}
            row["file_unchanged"] = hashlib.sha256(path.read_bytes()).hexdigest() == digest
            row["folder"] = sorted(p.name for p in path.parent.iterdir())
            if table:
                cost = f"{row['inline']:6.3f} s {row['seconds']:6.2f} s {row['grown'] / 2**20:6.1f} MiB"
                cost += " killed" if row["killed"] else "       "
                cost += " file " + ("same" if row["file_unchanged"] and row["folder"] == [path.name] else "CHANGED")
                cost += " JSON " + ("ok" if row["json"] else "BROKEN")
                print(f"{name:28} {cost}  {row['kind']:15} {str(row['text'])[:60]!r}")
            else:
                print(json.dumps(row))
        engine.close()


if __name__ == "__main__":
    main()
