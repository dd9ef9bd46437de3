"""What is seen of a task when it is made: enough for all tests, without keeping its database."""

import hashlib
from dataclasses import dataclass

import apsw

from sql_env.server.answers import Gold
from sql_env.server.curation import gold_of
from sql_env.server.procedural.tasks import Made, make_task
from sql_env.server.questions import Question
from sql_env.server.sandbox import FULL, Connection, Limits
from sql_env.server.structure import parse


@dataclass(frozen=True)
class Look:
    """A task that was made and looked at.

    Attributes:
        digest: of all that it is, question, gold and database.
        content: of its database alone.
        size: of its database, in bytes.
        tables: names of all its tables.
        faults: what is wrong with it.
    """

    question: Question
    skeleton: str
    constructs: tuple[str, ...]
    digest: str
    content: str
    size: int
    tables: tuple[str, ...]
    faults: tuple[str, ...]


def look(task: tuple[str, int]) -> Look:
    """Make a task and look at it."""
    made = make_task(*task)
    image = made.database.image or b""
    connection = apsw.Connection(":memory:")
    connection.deserialize("main", image)
    schema = list(connection.execute("SELECT type, name FROM sqlite_schema"))
    faults = [] if connection.pragma("integrity_check") == "ok" else ["integrity"]
    faults += [f"foreign key {row}" for row in connection.execute("PRAGMA foreign_key_check")]
    faults += [f"{kind} {name}" for kind, name in schema if kind not in ("table", "index")]
    connection.close()
    return Look(
        made.question,
        made.skeleton,
        made.constructs,
        digest_of(made),
        hashlib.sha256(image).hexdigest(),
        len(image),
        tuple(name for kind, name in schema if kind == "table"),
        (*faults, *_gold_faults(made)),
    )


def digest_of(made: Made) -> str:
    """Return the digest of all that a task is."""
    return hashlib.sha256(made.question.to_json().encode() + (made.database.image or b"")).hexdigest()


def _gold_faults(made: Made) -> list[str]:
    """Run the gold as an agent would."""
    question = made.question
    connection = Connection(made.database, FULL)
    result = connection.run(question.gold_sql, Limits())
    connection.close()
    found = []
    if gold_of(result, parse(question.gold_sql)) != Gold.of(question):
        found.append("the gold gives other rows")
    if tuple(sorted(result.tables)) != question.tables or question.par != len(result.tables) + 2:
        found.append("tables or par")
    return found
