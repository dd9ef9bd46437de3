"""Questions and the data sets that hold them: load, check, split, seeded draw.

A data set is a folder with ``databases/`` and ``questions/``; ``questions/*.jsonl`` holds one question a line,
``questions/SHA256SUMS`` the digest of every file. Loading checks the digests and runs no gold.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

from sql_env.server.databases import CHECKSUMS, Database, Databases, SQLValue, verify
from sql_env.server.errors import DataError, TaskError
from sql_env.server.settings import PACKAGED_DATA, Settings

ANY_SPLIT = "all"
"""Selects every question, whatever its split."""

PROCEDURAL = "procedural"
"""Name of the data set whose tasks are made when they are asked for."""

BUILD = "python scripts/build_questions.py"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question with its gold.

    Attributes:
        question_id: unique in its data set; the task id.
        db_id: the database it is asked about.
        question: the question in words.
        gold_sql: SQL that answers it.
        columns: names of the gold's columns.
        gold_rows: the rows that gold_sql gives; blobs as ``{"blob": "<hex>"}``.
        ordered: whether the rows' order matters.
        answer_type: integer, float, string, list (one column) or table.
        hardness: easy, medium, hard or extra, as Spider defines them.
        tables: tables that gold_sql reads, in alphabetical order.
        twin_group: equal for questions with the same gold.
        par: steps of the oracle: a DESCRIBE for each table, QUERY, ANSWER.
        split: train, eval or test.
        source: where the question comes from.
    """

    question_id: str
    db_id: str
    question: str
    gold_sql: str
    columns: tuple[str, ...]
    gold_rows: tuple[tuple[SQLValue, ...], ...]
    ordered: bool
    answer_type: str
    hardness: str
    tables: tuple[str, ...]
    twin_group: str
    par: int
    split: str
    source: str

    def to_json(self) -> str:
        """Return the question as one line of JSON."""
        data = asdict(self)
        data["gold_rows"] = [[_to_json(cell) for cell in row] for row in self.gold_rows]
        return json.dumps(data, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "Question":
        """Read a question from one line of JSON.

        Raises:
            ValueError: the line is no JSON object with exactly a question's fields.
        """
        data = json.loads(line)
        names = {field.name for field in fields(cls)}
        if not isinstance(data, dict) or data.keys() != names:
            different = sorted(names ^ data.keys()) if isinstance(data, dict) else "all"
            raise ValueError(f"fields missing or unknown: {different}")
        data["gold_rows"] = tuple(tuple(_from_json(cell) for cell in row) for row in data["gold_rows"])
        return cls(**data | {name: tuple(data[name]) for name in ("columns", "tables")})


def _to_json(cell: SQLValue) -> Any:
    return {"blob": cell.hex()} if isinstance(cell, bytes) else cell


def _from_json(cell: Any) -> SQLValue:
    return bytes.fromhex(cell["blob"]) if isinstance(cell, dict) else cell


def gold_answer(rows: Sequence[Sequence[SQLValue]]) -> str:
    """Write gold rows as an answer in JSON, a value, a list or a list of rows: what the oracle says."""
    cells = [[f"x'{cell.hex()}'" if isinstance(cell, bytes) else cell for cell in row] for row in rows]
    answer: Any = cells
    if all(len(row) == 1 for row in cells):
        answer = [row[0] for row in cells] if len(cells) > 1 else cells[0][0]
    return json.dumps(answer, ensure_ascii=False)


def oracle_way(question: Question, answer_form: str) -> list[tuple[str, str]]:
    """Return what the oracle does, actions and arguments: DESCRIBE every table of the gold, QUERY it, ANSWER.

    Args:
        question: the question, as it is on the database that is played.
        answer_form: ``value`` or ``sql``; in SQL it answers with the gold statement.
    """
    described = [("DESCRIBE", table) for table in question.tables]
    answer = question.gold_sql if answer_form == "sql" else gold_answer(question.gold_rows)
    return [*described, ("QUERY", question.gold_sql), ("ANSWER", answer)]


class TaskSet(Protocol):
    """A data set as episodes use it, whether its questions lie in files or are made when they are asked for."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def endless(self) -> bool:
        """Whether a question takes time to be made, and there are too many to list."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of its splits."""

    @property
    def summary(self) -> str:
        """What it holds, in a few words."""

    def select(
        self, split: str = ANY_SPLIT, db_id: str | None = None, hardness: str | None = None, **dials: str | int | None
    ) -> Sequence[Question]:
        """Return the questions that fit every selector; TaskError if a selector names nothing or none fits."""

    def fits(self, question: Question, **dials: str | int | None) -> bool:
        """Return whether a question has what is asked of it; TaskError if a dial names nothing."""

    def by_id(self, task_id: str) -> Question:
        """Return the question with an id; TaskError if there is none."""

    def twin_of(self, question: Question) -> str:
        """Return the id of the first question with the same gold, often this one."""

    def database(self, question: Question) -> Database:
        """Return the database that a question is about."""


@dataclass(frozen=True)
class QuestionSet:
    """The questions of one data set, in file order, and its databases."""

    name: str
    questions: tuple[Question, ...]
    databases: Databases
    endless: ClassVar[bool] = False

    @property
    def summary(self) -> str:
        """How much it holds."""
        return f"{len(self.questions)} questions about {len(self.databases)} databases"

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, in the order train, eval, test, then any other."""
        found = {question.split for question in self.questions}
        known = [split for split in ("train", "eval", "test") if split in found]
        return (*known, *sorted(found.difference(known)))

    @cached_property
    def _by_id(self) -> dict[str, Question]:
        return {question.question_id: question for question in self.questions}

    @cached_property
    def _by_split(self) -> dict[str, tuple[Question, ...]]:
        groups = {name: tuple(q for q in self.questions if q.split == name) for name in self.splits}
        return groups | {ANY_SPLIT: self.questions}

    @cached_property
    def _by_database(self) -> dict[tuple[str, str], tuple[Question, ...]]:
        groups: dict[tuple[str, str], list[Question]] = {}
        for question in self.questions:
            for split in (question.split, ANY_SPLIT):
                groups.setdefault((split, question.db_id), []).append(question)
        return {key: tuple(questions) for key, questions in groups.items()}

    def select(
        self, split: str = ANY_SPLIT, db_id: str | None = None, hardness: str | None = None, **dials: str | int | None
    ) -> tuple[Question, ...]:
        """Return the questions that fit every selector, in file order.

        Args:
            split: a split, or ``all``.
            db_id: a database.
            hardness: one, or several separated by commas.
            **dials: ``answer_type``, likewise; other dials are for procedural tasks alone.

        Raises:
            TaskError: a selector names nothing, or nothing fits all of them.
        """
        if split not in self._by_split:
            raise TaskError(f"unknown split {_shown(split)}; {self.name} has: {', '.join((*self.splits, ANY_SPLIT))}")
        if db_id is not None and db_id not in self.databases:
            raise TaskError(f"unknown database {_shown(db_id)}; {self.name} has: {', '.join(sorted(self.databases))}")
        chosen = self._by_split[split] if db_id is None else self._by_database.get((split, db_id), ())
        wanted = self._wanted({"hardness": hardness, **dials})
        if wanted:
            chosen = tuple(question for question in chosen if _has(question, wanted))
        if not chosen:
            answer_type = dials.get("answer_type")
            told = {"split": split, "db_id": db_id, "hardness": hardness} | (
                {"answer_type": answer_type} if answer_type else {}
            )
            shown = ", ".join(f"{name}={value and _shown(str(value))[1:-1]}" for name, value in told.items())
            raise TaskError(f"no question of {self.name} fits {shown}")
        return chosen

    def fits(self, question: Question, **dials: str | int | None) -> bool:
        """Return whether a question has what is asked of it.

        Raises:
            TaskError: a dial is for procedural tasks alone.
        """
        return _has(question, self._wanted(dials))

    def _wanted(self, dials: Mapping[str, str | int | None]) -> dict[str, list[str]]:
        """Return the values that each dial asks for, without those that ask for nothing."""
        wanted = {}
        for dial, text in dials.items():
            if text is None:
                continue
            if dial not in ("hardness", "answer_type"):
                raise TaskError(f"{self.name} has no dial {dial}; only data set {PROCEDURAL} has it")
            wanted[dial] = [value.strip() for value in str(text).split(",")]
        return wanted

    def by_id(self, task_id: str) -> Question:
        """Return the question with an id.

        Raises:
            TaskError: there is none.
        """
        try:
            return self._by_id[task_id]
        except KeyError:
            raise TaskError(f"unknown task_id {_shown(task_id)} in data set {self.name}") from None

    @cached_property
    def _first_twins(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for question in self.questions:
            found.setdefault(question.twin_group, question.question_id)
        return found

    def twin_of(self, question: Question) -> str:
        """Return the id of the first question with the same gold, often this one; equal for all of them.

        Unlike ``twin_group``, which is a hash of the gold and tells a small one to whoever tries them all.
        """
        return self._first_twins[question.twin_group]

    def database(self, question: Question) -> Database:
        """Return the database that a question is about."""
        return self.databases[question.db_id]


def _has(question: Question, wanted: Mapping[str, Sequence[str]]) -> bool:
    return all(getattr(question, name) in values for name, values in wanted.items())


def _shown(name: str) -> str:
    return repr(name[:80])


def draw(questions: Sequence[Question], seed: int) -> Question:
    """Draw one question; the same seed draws the same one everywhere."""
    return questions[random.Random(seed).randrange(len(questions))]


def load(name: str, folder: Path) -> QuestionSet:
    """Load a data set and check every file of it.

    Raises:
        DataError: a file is missing, differs from its checksum or is malformed; the message names it and the
            command that mends it.
    """
    names = verify(folder, remedy(name, folder))
    files = [file for file in names if file.startswith("questions/") and file.endswith(".jsonl")]
    questions = [question for file in files for question in _read(folder / file, remedy(name, folder))]
    if not questions:
        raise DataError(f"{folder / CHECKSUMS} lists no question; run: {remedy(name, folder)}")
    listed = Databases.listed(folder, names)
    missing = sorted({question.db_id for question in questions}.difference(listed))
    if missing:
        raise DataError(f"{folder / CHECKSUMS} lists no database {', '.join(missing)}; run: {remedy(name, folder)}")
    return QuestionSet(name, tuple(questions), listed)


def remedy(name: str, folder: Path) -> str:
    """Return the command that mends a data set."""
    if name == "spider":
        return f"python scripts/download_spider.py && {BUILD}"
    return "git checkout data/starter" if name == "starter" else f"{BUILD} --dataset {folder}"


def _read(path: Path, mend: str) -> list[Question]:
    questions = []
    try:
        lines = path.read_text("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {error}; run: {mend}") from None
    for number, line in enumerate(lines, 1):
        try:
            questions.append(Question.from_json(line))
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path}:{number}: {error}; run: {mend}") from None
    return questions


def dataset_folders(settings: Settings) -> dict[str, Path]:
    """Return the data sets to serve that lie in folders, by name, the default one first.

    Raises:
        DataError: a setting names a data set that is not installed.
    """
    known = {"spider": settings.data, "starter": _starter(settings)}
    if settings.dataset:
        names = filter(None, map(str.strip, settings.dataset.split(",")))
        return dict(_named(name, known) for name in names if name != PROCEDURAL)
    return {name: folder for name, folder in known.items() if (folder / CHECKSUMS).is_file()}


def _starter(settings: Settings) -> Path:
    folder = settings.data / "starter"
    return folder if folder.is_dir() else PACKAGED_DATA / "starter"


def _named(name: str, known: dict[str, Path]) -> tuple[str, Path]:
    if name in known:
        return name, known[name]
    folder = Path(name)
    if not folder.is_dir():
        names = ", ".join((*known, PROCEDURAL))
        raise DataError(
            f"no data set {name!r}: it is neither a folder nor one of {names} (--dataset, or SQL_ENV_DATASET, names it)"
        )
    return folder.resolve().name, folder
