"""Variants of a data set's questions: found by attempts, audited like any gold, remembered.

A question's variant k lives on the database of the first attempt on which its gold passes the audit and the original's
answer is wrong. Attempts differ in what they change, and the last ones hardly change anything, so that one is always
found. All attempts of a database are decided by the data set, the database and k, and so are databases and golds: on
any machine, in any version of Python, for ever.
"""

from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Final, TypeAlias

from sql_env.server.answers import Gold
from sql_env.server.curation import MAX_ROWS, answer_type, flaws_of, gold_of, result_flaws
from sql_env.server.databases import Database
from sql_env.server.errors import AgentError, TaskError
from sql_env.server.questions import Question, QuestionSet, TaskSet, gold_answer
from sql_env.server.recent import Recent
from sql_env.server.sandbox import FULL, Connections, Limits, QueryResult, require_text
from sql_env.server.settings import Settings
from sql_env.server.structure import parse
from sql_env.server.ties import reordered_copies
from sql_env.server.variants.changes import Strength, changed
from sql_env.server.variants.contents import Structure, read_rows, read_structure, write
from sql_env.server.variants.relations import Relations, find_relations
from sql_env.server.verifier import Reason, grade

MAX_VARIANT: Final = 1_000_000
"""The last variant's number."""

MAX_BYTES: Final = 8 * 2**20
"""Larger databases have no variants: one would take ten seconds and more."""

FEW_ATTEMPTS_BYTES: Final = 2**20
"""Beyond this size only every third attempt is made, and the last two."""

IMAGE_BYTES: Final = 64 * 2**20
"""Databases that are remembered, all together, their copies for the audit included."""

MAX_REMEMBERED: Final = 20_000
"""Questions' variants that are remembered."""

_LIMITS: Final = Limits(seconds=60.0, memory=256 * 2**20, rows=MAX_ROWS, counted_rows=MAX_ROWS, row_bytes=2**26)
"""What a gold may use: work alone stops it, which is the same on every machine."""

DEFAULTS: Final = Settings()
"""What the audit goes by, whatever the server is set to: a variant is the same everywhere."""

_FULL = Strength(moved=0.6, replaced=0.05, dropped=0.1, added=0.18, repointed=0.1, numbers=0.5, dates=0.5, texts=0.35)
_HALF = replace(_FULL, moved=0.25, numbers=0.25, dates=0.25, texts=0.25, at_least=1)
_SKEWED = replace(_FULL, dropped=0.3, added=0.6, at_least=1, models=3)
_GROWN = replace(_HALF, moved=0.15, dropped=0.0, added=0.25)
_MOVED = Strength(moved=0.9)
ATTEMPTS: Final = (
    *(_FULL, _FULL, _HALF, _MOVED, _FULL, _SKEWED, _GROWN, _MOVED),
    Strength(added=1.2, at_least=2, models=1, small=True),
    Strength(dropped=0.4, at_least=1),
    Strength(moved=0.1, dates=0.2, texts=0.2),
    replace(_GROWN, moved=0.0, replaced=0.02, texts=0.0, dates=0.0),
    _HALF,
    Strength(added=1.2, at_least=2, models=1, small=True),
    Strength(),
    Strength(keys=False),
)
"""How much each attempt changes. The last two, that only rename keys and shuffle rows, may leave the gold as it is."""


@dataclass(frozen=True)
class Variant:
    """A question's variant.

    Attributes:
        question: the question with the variant's gold.
        database: what it is asked about.
        attempt: the number of the attempt that was taken; len(ATTEMPTS) if none could be, and all is as it was.
        differs: whether the original's answer is wrong on it.
    """

    question: Question
    database: Database
    attempt: int
    differs: bool

    @property
    def is_original(self) -> bool:
        """Whether no attempt could be taken."""
        return self.attempt == len(ATTEMPTS)


@dataclass(frozen=True)
class _Plan:
    """What is known of a database before any variant of it."""

    structure: Structure
    relations: Relations


_Key: TypeAlias = tuple[str, str, int, int]
"""Data set, database, k and attempt."""


class _Runner:
    """Runs golds under limits that count work alone. For one thread at a time."""

    def __init__(self) -> None:
        self._connections = Connections(FULL)

    def run(self, database: Database, sql: str, limits: Limits | None = None) -> QueryResult:
        """Run one statement.

        Raises:
            AgentError: as the engine does.
        """
        require_text(sql)
        return self._connections.get(database).run(sql, limits or _LIMITS)


class Variants:
    """The variants of data sets' questions. For any thread: the same work is never done twice at once."""

    def __init__(self) -> None:
        self._building = Lock()
        self._runner = _Runner()
        self._plans: Recent[tuple[str, str], _Plan] = Recent(256)
        self._made: Recent[_Key, Database] = Recent(IMAGE_BYTES, lambda database: database.size)
        self._copies: Recent[_Key, list[Database]] = Recent(IMAGE_BYTES, lambda copies: sum(c.size for c in copies))
        self._found: Recent[tuple[str, str, int], tuple[Question, int, bool]] = Recent(MAX_REMEMBERED)

    def variant_of(self, dataset: TaskSet, question: Question, k: int) -> Variant:
        """Return a question's variant; 0 is the original.

        Raises:
            TaskError: the database has no variants.
        """
        known = self.remembered(dataset, question, k)
        if known is not None:
            return known
        self._require(dataset, question)
        with self._building:
            return self.remembered(dataset, question, k) or self._find(dataset, question, k)

    def remembered(self, dataset: TaskSet, question: Question, k: int) -> Variant | None:
        """Return a question's variant if that takes no time, else None."""
        if k == 0:
            return Variant(question, dataset.database(question), 0, False)
        found = self._found.get((dataset.name, question.question_id, k))
        if found is None:
            return None
        varied, attempt, differs = found
        if attempt == len(ATTEMPTS):
            return Variant(varied, dataset.database(question), attempt, differs)
        database = self._made.get((dataset.name, _scope(dataset, question), k, attempt))
        return Variant(varied, database, attempt, differs) if database else None

    def database(self, dataset: TaskSet, question: Question, k: int, attempt: int) -> Database:
        """Return the database that an attempt makes for a question, and in files for all about its database."""
        with self._building:
            return self._make((dataset.name, _scope(dataset, question), k, attempt), dataset, question)

    def _require(self, dataset: TaskSet, question: Question) -> None:
        if dataset.database(question).size > MAX_BYTES:
            raise TaskError(f"database {question.db_id} is too large for variants; play variant 0")

    def _find(self, dataset: TaskSet, question: Question, k: int) -> Variant:
        key = (dataset.name, question.question_id, k)
        found = self._found.get(key)
        attempts = [found[1]] if found else _attempts(dataset.database(question))  # the database was forgotten
        for attempt in attempts:
            place = (dataset.name, _scope(dataset, question), k, attempt)
            database = self._make(place, dataset, question)
            varied = self._audited(place, database, question, waived=attempt >= len(ATTEMPTS) - 2)
            if varied is not None:
                differs = _differs(question, Gold.of(varied))
                self._found.put(key, (varied, attempt, differs))
                return Variant(varied, database, attempt, differs)
        self._found.put(key, (question, len(ATTEMPTS), False))
        return Variant(question, dataset.database(question), len(ATTEMPTS), False)

    def _make(self, key: _Key, dataset: TaskSet, question: Question) -> Database:
        made = self._made.get(key)
        if made is not None:
            return made
        _, scope, k, attempt = key
        original, plan = dataset.database(question), self._plan(dataset, question)
        seed = f"sql_env variant 1 {dataset.name}/{scope} k={k} attempt={attempt}"
        rows = changed(plan.structure, plan.relations, read_rows(original, plan.structure), seed, ATTEMPTS[attempt])
        return self._made.put(key, Database.in_memory(original.db_id, write(plan.structure, rows)))

    def _reordered(self, key: _Key, database: Database) -> list[Database]:
        return self._copies.get(key) or self._copies.put(key, reordered_copies(database))

    def _plan(self, dataset: TaskSet, question: Question) -> _Plan:
        key = (dataset.name, _scope(dataset, question))
        plan = self._plans.get(key)
        if plan is None:
            original = dataset.database(question)
            structure = read_structure(original)
            if structure.virtual:
                raise TaskError(f"database {original.db_id} has virtual tables and so no variants; play variant 0")
            relations = find_relations(structure, read_rows(original, structure), _golds(dataset, question))
            plan = self._plans.put(key, _Plan(structure, relations))
        return plan

    def _audited(self, key: _Key, database: Database, question: Question, *, waived: bool) -> Question | None:
        """Return the question with its gold on another database, or None if that would be no task, or not another.

        Args:
            key: under which the database is remembered.
            database: the database.
            question: the original.
            waived: whether the gold may be the original's.
        """
        try:
            result = self._runner.run(database, question.gold_sql)
        except AgentError:
            return None
        tree = parse(question.gold_sql)
        gold = gold_of(result, tree)
        if not gold.rows or not (waived or _differs(question, gold)):
            return None
        copies = partial(self._reordered, key, database)
        flaws = flaws_of(self._runner, database, copies, question.gold_sql, tree, result, DEFAULTS)
        if flaws and not set(flaws) <= set(result_flaws(_result(question), tree, DEFAULTS)):
            return None
        return replace(question, columns=gold.columns, gold_rows=gold.rows, answer_type=answer_type(gold))


def _scope(dataset: TaskSet, question: Question) -> str:
    """Return what shares a variant's database: all questions about a database, or one that has its own."""
    return question.question_id if dataset.endless else question.db_id


def _golds(dataset: TaskSet, question: Question) -> list[str]:
    """Return the golds that ask about a question's database."""
    if not isinstance(dataset, QuestionSet):
        return [question.gold_sql]
    return sorted({other.gold_sql for other in dataset.questions if other.db_id == question.db_id})


def _attempts(database: Database) -> list[int]:
    """Return the numbers of the attempts that are made at variants of a database."""
    step, last = 3 if database.size > FEW_ATTEMPTS_BYTES else 1, len(ATTEMPTS) - 2
    return [*range(0, last, step), last, last + 1]


def _result(question: Question) -> QueryResult:
    """Return what a question's gold has given."""
    rows = question.gold_rows
    return QueryResult(question.columns, rows, len(rows), True, frozenset((t, "") for t in question.tables), 0)


def _differs(question: Question, gold: Gold) -> bool:
    """Return whether a question's own answer is wrong where the gold is another."""
    answer = gold_answer(question.gold_rows)
    return grade(answer, gold, len(answer)) is not Reason.CORRECT
