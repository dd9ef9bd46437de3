"""From a question and its gold SQL to a task, or to the reasons why it is none.

Building runs every gold and excludes what cannot be graded without luck: golds that fail, that are empty or all
NULL, that count an empty selection, that are larger than what a QUERY shows, that depend on the order in which rows
happen to be stored, and those whose par exceeds the step budget. Every exclusion is counted in ``questions/AUDIT.md``
by reason and id, never with the question's text.
"""

import difflib
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import apsw
from sqlglot import exp

from sql_env.server.answers import Gold
from sql_env.server.audit import Audit, Examined, Exclusion, report
from sql_env.server.databases import Database, SQLValue, database_path, write_checksums
from sql_env.server.drafts import Draft
from sql_env.server.engine import Engine, Runs
from sql_env.server.errors import AgentError, DataError
from sql_env.server.formatting import show_result
from sql_env.server.questions import Question, gold_answer
from sql_env.server.sandbox import Limits, QueryResult
from sql_env.server.schema import quoted
from sql_env.server.settings import Settings
from sql_env.server.structure import counts_rows, hardness, normal_text, parse
from sql_env.server.ties import Tie, find_tie, reordered_copies, rounded
from sql_env.server.verifier import Reason, grade

MAX_ROWS = 25_000
"""Rows of a gold that the audit looks at; a larger one is oversized, and not searched for ties."""

TEST_SHARE = 0.3
"""Share of the databases that are held out as ``test``, unless the source has its own border."""

EVAL_SHARE = 5
"""Inside the training databases, one twin group in this many is ``eval``."""

_TIED = {Tie.ROWS: Exclusion.TIED_ROWS, Tie.ORDER: Exclusion.TIED_ORDER, Tie.KEYS: Exclusion.TIED_KEYS}


def build(name: str, folder: Path, drafts: Sequence[Draft], settings: Settings) -> Audit:
    """Audit drafts and write ``questions/<name>.jsonl``, ``AUDIT.md`` and the checksum list of a data set.

    Raises:
        DataError: a database that a draft needs is missing or unreadable, or no question can be kept.
    """
    audit = curate(folder, drafts, settings)
    questions = folder / "questions"
    questions.mkdir(parents=True, exist_ok=True)
    (questions / "AUDIT.md").write_text(report(name, audit), "utf-8")
    if not audit.questions:
        raise DataError(f"none of {len(drafts)} questions can be kept; {questions / 'AUDIT.md'} says why")
    lines = "".join(question.to_json() + "\n" for question in audit.questions)
    (questions / f"{name}.jsonl").write_text(lines, "utf-8")
    db_ids = sorted({question.db_id for question in audit.questions})
    files = [f"questions/{name}.jsonl", *(f"databases/{db_id}/{db_id}.sqlite" for db_id in db_ids)]
    write_checksums(folder, files)
    return audit


def curate(folder: Path, drafts: Sequence[Draft], settings: Settings) -> Audit:
    """Run every draft's gold and decide; the order of the drafts is kept."""
    by_database = defaultdict(list)
    for draft in drafts:
        by_database[draft.db_id].append(draft)
    for db_id, group in by_database.items():
        _require_database(folder, db_id, len(group))
    examined: dict[str, Examined] = {}
    kept: dict[str, Question] = {}
    limits = Limits(rows=MAX_ROWS, counted_rows=MAX_ROWS, row_bytes=2**26)
    with closing(Engine(limits)) as engine:
        for db_id, group in by_database.items():
            database = Database(db_id, database_path(folder, db_id))
            copies = reordered_copies(database)
            for draft in group:
                item, question = _examine(engine, database, copies, draft, settings)
                examined[draft.question_id] = item
                if question is not None:
                    kept[draft.question_id] = question
    for question_id in _contradicted(kept.values()):
        del kept[question_id]
        examined[question_id] = replace(examined[question_id], flaws=(Exclusion.CONTRADICTED,))
    questions = [kept[draft.question_id] for draft in drafts if draft.question_id in kept]
    in_order = {draft.question_id: examined[draft.question_id] for draft in drafts}
    return Audit(tuple(assign_splits(questions)), in_order)


def _require_database(folder: Path, db_id: str, count: int) -> None:
    """Check that a database is there and whole: what a write-ahead log holds is not in the file that is served."""
    path = database_path(folder, db_id)
    if not re.fullmatch(r"[\w.-]*\w[\w.-]*", db_id) or not path.is_file():
        there = sorted(found.stem for found in (folder / "databases").glob("*/*.sqlite"))
        near = difflib.get_close_matches(db_id, there, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise DataError(f"{path} is missing; {count} questions need it{hint}")
    for suffix in ("-wal", "-journal"):
        log = path.with_name(path.name + suffix)
        if log.is_file() and log.stat().st_size:
            raise DataError(
                f"{log} holds changes that are not in the database yet; close the programs that use it, or run: "
                f"sqlite3 {path} 'PRAGMA wal_checkpoint(TRUNCATE)'"
            )


def _examine(
    engine: Engine, database: Database, copies: Sequence[Database], draft: Draft, settings: Settings
) -> tuple[Examined, Question | None]:
    statement = normal_text(draft.gold_sql)
    try:
        result = engine.run(database, draft.gold_sql)
    except AgentError as error:
        return Examined(draft.db_id, statement, (Exclusion.FAILS,), str(error)), None
    tree = parse(draft.gold_sql)
    flaws = flaws_of(engine, database, lambda: copies, draft.gold_sql, tree, result, settings)
    item = Examined(draft.db_id, statement, tuple(flaws))
    return item, None if flaws else question_of(draft, result, tree)


def flaws_of(
    engine: Runs,
    database: Database,
    copies: Callable[[], Sequence[Database]],
    sql: str,
    tree: exp.Expr,
    result: QueryResult,
    settings: Settings,
) -> list[Exclusion]:
    """Return every reason against a gold that runs, in the order of Exclusion.

    Args:
        engine: has to keep all rows.
        database: the gold's database.
        copies: gives the same with its rows in other orders (``reordered_copies``).
        sql: the gold.
        tree: its syntax tree.
        result: what it gave.
        settings: how much a QUERY shows and how many steps there are.
    """
    flaws = result_flaws(result, tree, settings)
    if result.rows and result.complete:
        tie = find_tie(engine, database, copies(), sql, tree, result)
        flaws += [_TIED[tie]] if tie else []
    flaws += [] if flaws or _is_gradable(result, tree, settings) else [Exclusion.UNGRADABLE]
    return sorted(flaws, key=list(Exclusion).index)


def question_of(draft: Draft, result: QueryResult, tree: exp.Expr) -> Question:
    """Return a draft as a question, with what its gold gave."""
    gold = gold_of(result, tree)
    return Question(
        question_id=draft.question_id,
        db_id=draft.db_id,
        question=" ".join(draft.question.split()),
        gold_sql=draft.gold_sql.strip(),
        columns=gold.columns,
        gold_rows=gold.rows,
        ordered=gold.ordered,
        answer_type=answer_type(gold),
        hardness=hardness(tree),
        tables=tuple(sorted(result.tables)),
        twin_group=twin_group(draft.db_id, result),
        par=len(result.tables) + 2,
        split=draft.split,
        source=draft.source,
    )


def gold_of(result: QueryResult, tree: exp.Expr) -> Gold:
    """Return what a gold's result is compared as: in order if the statement has a top-level ORDER BY."""
    return Gold(result.columns, result.rows, tree.args.get("order") is not None)


def result_flaws(result: QueryResult, tree: exp.Expr, settings: Settings) -> list[Exclusion]:
    """Return the reasons against a gold that its result alone gives."""
    cells = [cell for row in result.rows for cell in row]
    if not cells:
        return [Exclusion.EMPTY]
    flaws = []
    if all(cell is None for cell in cells):
        flaws.append(Exclusion.ALL_NULL)
    elif len(result.rows) == 1 and not any(cells) and counts_rows(tree):
        flaws.append(Exclusion.EMPTY_SELECTION)
    if not result.complete or show_result(result, settings.result_rows, settings.result_chars).truncated:
        flaws.append(Exclusion.OVERSIZED)
    if len(result.tables) + 2 > settings.max_steps:
        flaws.append(Exclusion.PAR)
    return flaws


def _is_gradable(result: QueryResult, tree: exp.Expr, settings: Settings) -> bool:
    return grade(gold_answer(result.rows), gold_of(result, tree), settings.answer_chars) is Reason.CORRECT


def _contradicted(questions: Iterable[Question]) -> list[str]:
    """Return the ids of questions that ask the same in the same words and have different golds."""
    asked = defaultdict(list)
    for question in questions:
        asked[question.db_id, " ".join(re.findall(r"\w+", question.question.casefold()))].append(question)
    return [q.question_id for group in asked.values() if len({_content(q) for q in group}) > 1 for q in group]


def _content(question: Question) -> tuple[object, ...]:
    rows = [repr(rounded(row)) for row in question.gold_rows]
    return tuple(rows if question.ordered else sorted(rows))


def twin_group(db_id: str, result: QueryResult) -> str:
    """Return what questions have in common whose golds read the same tables and give the same rows, in any order.

    Equal statements are twins, and so are statements that say the same in other words. Now and then it also joins two
    questions that merely have the same answer; then both are on one side of the border between splits.
    """
    rows = sorted(repr(rounded(row)) for row in result.rows)
    return hashlib.sha256(repr((db_id, sorted(result.tables), rows)).encode("utf-8", "replace")).hexdigest()[:12]


def answer_type(gold: Gold) -> str:
    """Classify a gold: integer, float or string for one cell, list for one column, else table."""
    n_rows, n_columns = gold.shape
    if n_columns > 1:
        return "table"
    if n_rows > 1:
        return "list"
    return {int: "integer", float: "float"}.get(type(gold.rows[0][0]), "string")


def assign_splits(questions: Sequence[Question]) -> list[Question]:
    """Give a split to every question that has none: test by database, eval by twin group, train the rest.

    Where the source says which questions are ``test``, its databases are the test databases and no other is added.
    """
    test = {q.db_id for q in questions if q.split == "test"}
    if not test:
        free = sorted({q.db_id for q in questions if not q.split}, key=_rank)
        test = set(free[: round(len(free) * TEST_SHARE)])
    return [replace(q, split=q.split or _split(q, test)) for q in questions]


def _split(question: Question, test: set[str]) -> str:
    if question.db_id in test:
        return "test"
    return "eval" if int(_rank(question.twin_group), 16) % EVAL_SHARE == 0 else "train"


def _rank(name: str) -> str:
    return hashlib.sha256(f"sql_env split {name}".encode()).hexdigest()


TableRows: TypeAlias = tuple[str, Sequence[Sequence[SQLValue]]]
"""A table's name and its rows."""


def make_database(path: Path, schema: str, rows: Iterable[TableRows]) -> None:
    """Write an SQLite file from a schema and (table, rows) pairs, replacing what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(apsw.Connection(str(path))) as connection:
        _fill(connection, schema, rows)


def make_image(schema: str, rows: Iterable[TableRows]) -> bytes:
    """Return an SQLite database as bytes, made in memory from a schema and (table, rows) pairs.

    The same input gives the same bytes every time. They do not name the version of SQLite that wrote them: its number
    in the header is zero, which SQLite accepts.
    """
    with closing(apsw.Connection(":memory:")) as connection:
        _fill(connection, schema, rows)
        image = connection.serialize("main")
    return image[:96] + bytes(4) + image[100:]


def _fill(connection: apsw.Connection, schema: str, rows: Iterable[TableRows]) -> None:
    with connection:
        connection.execute(schema)
        for table, values in rows:
            if values:
                marks = ", ".join("?" * len(values[0]))
                connection.executemany(f"INSERT INTO {quoted(table)} VALUES ({marks})", values)  # noqa: S608
    connection.execute("VACUUM")
