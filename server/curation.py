"""From a question and its gold SQL to a task, or to a reason why it is none.

Building runs every gold and excludes what cannot be graded without luck: golds that fail, that are empty or all
NULL, that aggregate over an empty selection, that are larger than what a QUERY shows, that depend on the order in
which rows happen to be stored, and those whose par exceeds the step budget. Every exclusion is counted in
``questions/AUDIT.md`` by reason and id, never with the question's text.
"""

import hashlib
import itertools
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
from sqlglot import exp

from sql_env.server.answers import Gold
from sql_env.server.databases import Database, SQLValue, database_path, write_checksums
from sql_env.server.engine import Engine
from sql_env.server.errors import AgentError, DataError
from sql_env.server.formatting import show_result
from sql_env.server.questions import Question, gold_answer
from sql_env.server.sandbox import Limits, QueryResult
from sql_env.server.schema import quoted
from sql_env.server.settings import Settings
from sql_env.server.structure import counts_rows, hardness, parse, twin_group, with_sort_keys
from sql_env.server.verifier import Reason, grade

SHUFFLES = 3
"""Row-shuffled copies, besides a reversed one, on which a gold has to give the same result."""

TEST_SHARE = 0.3
"""Share of the databases that are held out as ``test``, unless the source has its own border."""

EVAL_SHARE = 5
"""Inside the training databases, one twin group in this many is ``eval``."""


class Exclusion(StrEnum):
    """Why a question is no task."""

    FAILS = "the gold SQL does not run"
    EMPTY = "the gold is empty"
    ALL_NULL = "the gold holds only NULL"
    EMPTY_SELECTION = "the gold counts an empty selection"
    OVERSIZED = "the gold is larger than what a QUERY shows"
    TIED = "the gold depends on the order of stored rows"
    PAR = "par exceeds the step budget"
    UNGRADABLE = "the gold, given as the answer, is not graded as correct"


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A question before the audit.

    Attributes:
        question_id: unique in the data set.
        split: a split that the source fixes, or "" to let the builder choose.
    """

    question_id: str
    db_id: str
    question: str
    gold_sql: str
    split: str = ""
    source: str


@dataclass(frozen=True)
class Audit:
    """What became of the drafts."""

    questions: tuple[Question, ...]
    excluded: dict[str, Exclusion]


def build(name: str, folder: Path, drafts: Sequence[Draft], settings: Settings) -> Audit:
    """Audit drafts and write ``questions/<name>.jsonl``, ``AUDIT.md`` and the checksum list of a data set.

    Raises:
        DataError: a database that a draft needs is missing or unreadable.
    """
    audit = curate(folder, drafts, settings)
    questions = folder / "questions"
    questions.mkdir(parents=True, exist_ok=True)
    lines = "".join(question.to_json() + "\n" for question in audit.questions)
    (questions / f"{name}.jsonl").write_text(lines, "utf-8")
    (questions / "AUDIT.md").write_text(report(name, audit), "utf-8")
    db_ids = sorted({question.db_id for question in audit.questions})
    files = [f"questions/{name}.jsonl", *(f"databases/{db_id}/{db_id}.sqlite" for db_id in db_ids)]
    write_checksums(folder, files)
    return audit


def curate(folder: Path, drafts: Sequence[Draft], settings: Settings) -> Audit:
    """Run every draft's gold and decide; the order of the drafts is kept."""
    by_database = defaultdict(list)
    for draft in drafts:
        by_database[draft.db_id].append(draft)
    outcomes: dict[str, Question | Exclusion] = {}
    with closing(Engine(Limits(rows=1000, counted_rows=1000))) as engine:
        for db_id, group in by_database.items():
            path = database_path(folder, db_id)
            if not path.is_file():
                raise DataError(f"{path} is missing; {len(group)} questions need it")
            with TemporaryDirectory() as scratch:
                copies = _reordered_copies(path, Path(scratch))
                for draft in group:
                    outcomes[draft.question_id] = _examine(engine, Database(db_id, path), copies, draft, settings)
    in_order = {draft.question_id: outcomes[draft.question_id] for draft in drafts}
    questions = [outcome for outcome in in_order.values() if isinstance(outcome, Question)]
    excluded = {key: outcome for key, outcome in in_order.items() if isinstance(outcome, Exclusion)}
    return Audit(tuple(assign_splits(questions)), excluded)


def _examine(
    engine: Engine, database: Database, copies: Sequence[Database], draft: Draft, settings: Settings
) -> Question | Exclusion:
    try:
        result = engine.run(database, draft.gold_sql)
    except AgentError:
        return Exclusion.FAILS
    tree = parse(draft.gold_sql)
    ordered = tree.args.get("order") is not None
    gold = Gold(result.columns, result.rows, ordered)
    par = len(result.tables) + 2
    if flaw := _flaw(result, gold, tree, par, settings):
        return flaw
    if not all(_same_result(engine, copy, draft.gold_sql, result, ordered) for copy in copies):
        return Exclusion.TIED
    if _has_equal_keys(engine, database, tree):
        return Exclusion.TIED
    return Question(
        question_id=draft.question_id,
        db_id=draft.db_id,
        question=" ".join(draft.question.split()),
        gold_sql=draft.gold_sql.strip(),
        columns=result.columns,
        gold_rows=result.rows,
        ordered=ordered,
        answer_type=answer_type(gold),
        hardness=hardness(tree),
        tables=tuple(sorted(result.tables)),
        twin_group=twin_group(draft.db_id, tree),
        par=par,
        split=draft.split,
        source=draft.source,
    )


def _flaw(result: QueryResult, gold: Gold, tree: exp.Expr, par: int, settings: Settings) -> Exclusion | None:
    cells = [cell for row in result.rows for cell in row]
    if not cells:
        return Exclusion.EMPTY
    if all(cell is None for cell in cells):
        return Exclusion.ALL_NULL
    if len(result.rows) == 1 and not any(cells) and counts_rows(tree):
        return Exclusion.EMPTY_SELECTION
    if not result.complete or show_result(result, settings.result_rows, settings.result_chars).truncated:
        return Exclusion.OVERSIZED
    if par > settings.max_steps:
        return Exclusion.PAR
    if grade(gold_answer(gold.rows), gold, settings.answer_chars) is not Reason.CORRECT:
        return Exclusion.UNGRADABLE
    return None


def answer_type(gold: Gold) -> str:
    """Classify a gold: integer, float or string for one cell, list for one column, else table."""
    n_rows, n_columns = gold.shape
    if n_columns > 1:
        return "table"
    if n_rows > 1:
        return "list"
    return {int: "integer", float: "float"}.get(type(gold.rows[0][0]), "string")


def assign_splits(questions: Sequence[Question]) -> list[Question]:
    """Give a split to every question that has none: test by database, eval by twin group, train the rest."""
    free = sorted({q.db_id for q in questions if not q.split}, key=_rank)
    test = set(free[: round(len(free) * TEST_SHARE)])
    return [replace(q, split=q.split or _split(q, test)) for q in questions]


def _split(question: Question, test: set[str]) -> str:
    if question.db_id in test:
        return "test"
    return "eval" if int(_rank(question.twin_group), 16) % EVAL_SHARE == 0 else "train"


def _rank(name: str) -> str:
    return hashlib.sha256(f"sql_env split {name}".encode()).hexdigest()


# --- row order -------------------------------------------------------------------------------------------


def _reordered_copies(path: Path, scratch: Path) -> list[Database]:
    """Copy a database with its rows in other orders: one reversed, which exchanges any two, the others shuffled."""
    orders = [itertools.count(0, -1).__next__, *(random.Random(seed).random for seed in range(SHUFFLES))]
    return [_reordered_copy(path, scratch / f"{n}.sqlite", order) for n, order in enumerate(orders)]


def _reordered_copy(path: Path, copy: Path, order: Callable[..., float]) -> Database:
    """Copy a database without keys and indices that could restore its rows' order."""
    with closing(apsw.Connection(str(copy))) as target:
        target.create_scalar_function("copy_order", order, 0)
        target.execute("ATTACH ? AS original", (str(path),))
        found = target.execute(
            "SELECT name, type, sql FROM original.sqlite_schema WHERE type IN ('table', 'view') "
            "AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY type, name"
        )
        with target:
            for name, kind, sql in list(found):
                if kind == "view":
                    target.execute(sql)
                else:
                    _copy_reordered(target, name)
    return Database(copy.stem, copy)


def _copy_reordered(target: apsw.Connection, table: str) -> None:
    listed = "SELECT name FROM pragma_table_xinfo(?, 'original') WHERE hidden <> 1"
    names = [name for (name,) in target.execute(listed, (table,))]
    columns = []
    for name in names:
        kind, collation, *_ = target.column_metadata("original", table, name)
        columns.append(f"{quoted(name)} {quoted(kind) if kind else ''} COLLATE {quoted(collation)}")
    target.execute(f"CREATE TABLE main.{quoted(table)} ({', '.join(columns)})")
    rows = f"SELECT {', '.join(map(quoted, names))} FROM original.{quoted(table)} ORDER BY copy_order()"  # noqa: S608
    target.execute(f"INSERT INTO main.{quoted(table)} {rows}")


def _has_equal_keys(engine: Engine, database: Database, tree: exp.Expr) -> bool:
    """Return whether rows that look different share their ORDER BY keys, up to one row beyond the LIMIT.

    Reordered copies cannot show such a tie where SQLite sorts the rows before, for GROUP BY or a window.
    """
    probed = with_sort_keys(tree)
    if probed is None:
        return False
    probe, n_keys = probed
    try:
        rows = engine.run(database, probe.sql(dialect="sqlite")).rows
    except AgentError:
        return False  # a key that cannot be selected as it stands; the copies have to suffice
    seen = [(_rounded(row[:-n_keys]), row[-n_keys:]) for row in rows]
    return any(a[1] == b[1] and a[0] != b[0] for a, b in itertools.pairwise(seen))


def _same_result(engine: Engine, copy: Database, sql: str, result: QueryResult, ordered: bool) -> bool:
    try:
        other = engine.run(copy, sql)
    except AgentError:
        return False
    if len(other.rows) != len(result.rows):
        return False
    ours, theirs = list(map(_rounded, result.rows)), list(map(_rounded, other.rows))
    return ours == theirs if ordered else sorted(ours, key=repr) == sorted(theirs, key=repr)


def _rounded(row: Sequence[SQLValue]) -> list[SQLValue]:
    """Forgive the last bits of a float: a sum depends on the order of its terms."""
    return [float(f"{cell:.12g}") if isinstance(cell, float) else cell for cell in row]


# --- reading drafts --------------------------------------------------------------------------------------


def read_drafts(files: Iterable[Path], source: str) -> list[Draft]:
    """Read questions in their least form, one JSON object a line with db_id, question and gold_sql.

    Raises:
        DataError: a line lacks one of them.
    """
    return list(_numbered((item for file in files for item in _read_lines(file)), source))


def _read_lines(file: Path) -> Iterator[dict[str, str]]:
    for number, line in enumerate(file.read_text("utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            missing = {"db_id", "question", "gold_sql"} - item.keys()
        except (ValueError, AttributeError):
            raise DataError(f"{file}:{number}: expected a JSON object") from None
        if missing:
            raise DataError(f"{file}:{number}: lacks {', '.join(sorted(missing))}")
        yield item


def _numbered(items: Iterable[dict[str, str]], source: str) -> Iterator[Draft]:
    """Number the questions of each database from 1, in the order in which they come."""
    counts: dict[str, int] = defaultdict(int)
    for item in items:
        counts[item["db_id"]] += 1
        yield Draft(
            question_id=f"{item['db_id']}-{counts[item['db_id']]:03d}",
            db_id=item["db_id"],
            question=item["question"],
            gold_sql=item["gold_sql"],
            split=item.get("split", ""),
            source=item.get("source", source),
        )


def read_spider(folder: Path, db_ids: Sequence[str] | None) -> list[Draft]:
    """Read Spider's train and dev questions about some databases, or about all with Spider's own border kept.

    Args:
        folder: holds train_spider.json and dev.json.
        db_ids: the databases; None takes all, and every dev database is then ``test``.

    Raises:
        DataError: a file is missing or is no list of Spider questions.
    """
    items = []
    for part, split in (("train_spider", ""), ("dev", "test")):
        for entry in _read_list(folder / f"{part}.json"):
            if db_ids is None or entry["db_id"] in db_ids:
                item = {"db_id": entry["db_id"], "question": entry["question"], "gold_sql": entry["query"]}
                items.append(item | {"split": split if db_ids is None else "", "source": f"spider/{part}"})
    return list(_numbered(items, "spider"))


def _read_list(path: Path) -> list[dict[str, str]]:
    try:
        entries = json.loads(path.read_text("utf-8"))
        if all(entry.keys() >= {"db_id", "question", "query"} for entry in entries):
            return list(entries)
    except FileNotFoundError:
        raise DataError(f"{path} is missing; run: python scripts/download_spider.py") from None
    except (ValueError, AttributeError, TypeError):
        pass
    raise DataError(f"{path} is not a list of Spider questions; run: python scripts/download_spider.py")


# --- writing ---------------------------------------------------------------------------------------------


def report(name: str, audit: Audit) -> str:
    """Write the audit as Markdown: counts and ids, never a question's text."""
    total = len(audit.questions) + len(audit.excluded)
    lines = [f"# Audit of {name}", "", f"{total} questions examined, {len(audit.questions)} kept.", ""]
    lines += ["| reason | questions |", "|---|---|"]
    for reason in Exclusion:
        lines.append(f"| {reason} | {sum(r is reason for r in audit.excluded.values())} |")
    for reason in Exclusion:
        ids = [question_id for question_id, r in audit.excluded.items() if r is reason]
        if ids:
            lines += ["", f"## {reason[0].upper()}{reason[1:]}", "", ", ".join(ids)]
    return "\n".join(lines) + "\n"


def make_database(path: Path, schema: str, rows: Iterable[tuple[str, Sequence[Sequence[SQLValue]]]]) -> None:
    """Write an SQLite file from a schema and (table, rows) pairs, replacing what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with closing(apsw.Connection(str(path))) as connection:
        with connection:
            connection.execute(schema)
            for table, values in rows:
                if values:
                    marks = ", ".join("?" * len(values[0]))
                    connection.executemany(f"INSERT INTO {quoted(table)} VALUES ({marks})", values)  # noqa: S608
        connection.execute("VACUUM")
