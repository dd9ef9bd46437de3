"""Run every hostile statement in this process and print what each cost, one JSON object a line.

Run by tests/server/test_attacks.py in a process of its own, because the peak of memory is the process's.
``python tests/run_attacks.py --table`` prints the same as a table.
"""

import hashlib
import json
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hostile_sql import all_attacks, make_toy_database

from sql_env.server.databases import Database
from sql_env.server.engine import Engine, Limits
from sql_env.server.errors import AgentError
from sql_env.server.formatting import show_result

LIMITS = Limits()


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def memory_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def run(engine: Engine, database: Database, sql: str) -> dict[str, object]:
    reset_peak()
    before, started = memory_bytes("VmRSS"), cpu_seconds()
    try:
        shown = show_result(engine.run(database, sql), LIMITS.rows, 2000)
        outcome = {"columns": shown.columns, "rows": shown.rows, "text": shown.text}
        kind = "result"
    except AgentError as error:
        outcome, kind = {"text": str(error)}, type(error).__name__.lstrip("_").replace("BudgetError", "LimitError")
    seconds = cpu_seconds() - started
    text = json.dumps(outcome, allow_nan=False, ensure_ascii=False)
    return {
        "kind": kind,
        "seconds": round(seconds, 3),
        "grown": memory_bytes("VmHWM") - before,
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
        engine.run(database, "SELECT * FROM concert a JOIN singer b ON a.sid = b.id ORDER BY note, name LIMIT 1")
        for name, sql in all_attacks().items():
            row = {"name": name, **run(engine, database, sql)}
            row["file_unchanged"] = hashlib.sha256(path.read_bytes()).hexdigest() == digest
            row["folder"] = sorted(p.name for p in path.parent.iterdir())
            if table:
                cost = f"{row['seconds']:6.2f} s {row['grown'] / 2**20:6.1f} MiB"
                print(f"{name:28} {cost}  {row['kind']:15} {str(row['text'])[:60]!r}")
            else:
                print(json.dumps(row))
        engine.close()


if __name__ == "__main__":
    main()
