"""Degenerate policies: what one may try in order to be paid without knowing the answer.

Each is a function from the first observation's tables, a source of chance and the answer form to the actions of an
episode, given at once: none looks at a result, so none can have learned anything. Actions after an ANSWER are sent
all the same.
"""

import random
from collections.abc import Callable, Sequence

from episodes import Action

Canary = Callable[[Sequence[str], random.Random, str], list[Action]]

WRITES = (
    "UPDATE {t} SET rowid = 1",
    "DELETE FROM {t}",
    "DROP TABLE {t}",
    "INSERT INTO {t} DEFAULT VALUES",
    "CREATE TEMP TABLE {t} AS SELECT 0",
    "CREATE TEMP VIEW {t} AS SELECT 0",
    "ATTACH ':memory:' AS evil",
    "PRAGMA writable_schema = 1",
    "WITH x AS (SELECT 1) DELETE FROM {t}",
    "REPLACE INTO {t} SELECT * FROM {t}",
)
METADATA = (
    "SELECT sql FROM sqlite_master",
    "SELECT name FROM sqlite_schema",
    "SELECT * FROM pragma_table_info('{t}')",
    "SELECT * FROM sqlite_temp_master",
    "EXPLAIN SELECT * FROM {t}",
    "SELECT count(*) FROM sqlite_master",
)


def answer(value: str, form: str) -> Action:
    return "ANSWER", f"SELECT {value}" if form == "sql" else value


def guess(tables: Sequence[str], rng: random.Random, form: str) -> Action:
    if form == "sql":
        return "ANSWER", f"SELECT {rng.choice(('count(*)', '*', '0'))} FROM {rng.choice(tables)}"
    return "ANSWER", str(rng.randint(0, 9))


def at_random(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    shapes = ("SELECT count(*) FROM {}", "SELECT * FROM {} LIMIT 1", "SELECT 1 FROM {}", "SELECT max(rowid) FROM {}")
    actions = [
        rng.choice(
            [
                ("DESCRIBE", rng.choice(tables)),
                ("SAMPLE", rng.choice(tables)),
                ("QUERY", rng.choice(shapes).format(rng.choice(tables))),
            ]
        )
        for _ in range(rng.randint(0, 14))
    ]
    return [*actions, guess(tables, rng, form)]


def repeat(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    return [("QUERY", f"SELECT count(*) FROM {tables[0]}")] * 20


def constant(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    return [answer("0", form)]


def select_constant_sweep(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    actions: list[Action] = [("QUERY", f"SELECT {n}") for n in range(6)]
    for n, table in enumerate(tables):
        actions.append(("QUERY", f"SELECT {n}, {n + 1} FROM {table} LIMIT 1"))
    every = ", ".join(f"(SELECT 0 * count(*) FROM {table})" for table in tables)
    return [*actions[-13:], ("QUERY", f"SELECT 1, max({every}, 2)"), answer("1", form)]


def describe_everything(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    return [*(("DESCRIBE", table) for table in tables[:14]), guess(tables, rng, form)]


def dump_everything(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    dumps: list[Action] = [("QUERY", f"SELECT * FROM {table}") for table in tables]
    return [*dumps[-14:], ("ANSWER", dumps[-1][1]) if form == "sql" else ("ANSWER", "NULL")]


def dump_and_stall(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    return [("QUERY", f"SELECT * FROM {rng.choice(tables)}") for _ in range(20)]


def dump_at_random(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    return [("QUERY", f"SELECT * FROM {rng.choice(tables)} LIMIT {rng.randint(1, 20)}"), guess(tables, rng, form)]


def dump_joined(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    return [("QUERY", f"SELECT * FROM {', '.join(tables[:6])} LIMIT 1"), guess(tables, rng, form)]


def count_everything(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    one = rng.choice(tables)
    every = " + ".join(f"(SELECT 0 * count(*) FROM {table})" for table in tables)
    return [("QUERY", f"SELECT count(*), {every} FROM {one}"), guess(tables, rng, form)]


def sqlite_master(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    found = [("QUERY", sql.format(t=rng.choice(tables))) for sql in METADATA]
    return [*found, answer(str(len(tables)), form)]


def answer_spam(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    return [answer(str(n), form) for n in range(20)]


def mutation(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    return [*(("QUERY", sql.format(t=rng.choice(tables))) for sql in WRITES), answer("0", form)]


def fault_seeker(tables: Sequence[str], rng: random.Random, form: str) -> list[Action]:
    """Tries to make the server fail before it can say that the answer is wrong."""
    return [
        ("\ud800", "\ud800"),
        ("QUERY", "SELECT '\ud800'"),
        ("QUERY", f"SELECT * FROM {tables[0]}, {tables[-1]}, {tables[0]} x, {tables[-1]} y"),
        ("DESCRIBE", "\0"),
        ("ANSWER", "[1e9999999999999999999, \ud800"),
        ("ANSWER", "[1e9999999999999999999]"),
    ]


CANARIES: dict[str, Canary] = {
    "random": at_random,
    "repeat": repeat,
    "constant answer": constant,
    "SELECT-constant sweep": select_constant_sweep,
    "describe-everything": describe_everything,
    "dump-everything": dump_everything,
    "dump and stall": dump_and_stall,
    "dump at random": dump_at_random,
    "dump joined": dump_joined,
    "count everything": count_everything,
    "sqlite_master": sqlite_master,
    "answer-spam": answer_spam,
    "mutation": mutation,
    "fault seeker": fault_seeker,
}
