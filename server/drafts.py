"""Questions before the audit: read from a user's own files or from Spider's, checked, numbered."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_env.server.errors import DataError
from sql_env.server.questions import ANY_SPLIT

_NEEDED = ("db_id", "question", "gold_sql")
_OPTIONAL = ("question_id", "split", "source")


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


def read_drafts(files: Iterable[Path], source: str) -> list[Draft]:
    """Read questions in their least form, one JSON object a line with db_id, question and gold_sql.

    A line may also hold question_id, split (train, eval, test or a name of your own) and source.

    Args:
        files: JSON Lines files in UTF-8.
        source: where questions come from that do not say it.

    Raises:
        DataError: a line lacks a field, holds one that is no text, or repeats a question_id; it names file and line.
    """
    drafts = list(_numbered((item for file in files for item in _read_lines(file)), source))
    seen: set[str] = set()
    for draft in drafts:
        if draft.question_id in seen:
            raise DataError(f"question_id {draft.question_id!r} stands twice in the sources; each needs its own")
        seen.add(draft.question_id)
    return drafts


def _read_lines(file: Path) -> Iterator[dict[str, str]]:
    try:
        lines = file.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            missing = set(_NEEDED) - item.keys()
        except (ValueError, AttributeError):
            raise DataError(f"{file}:{number}: expected a JSON object") from None
        if missing:
            raise DataError(f"{file}:{number}: lacks {', '.join(sorted(missing))}")
        _check(item, f"{file}:{number}")
        yield item


def _check(item: dict[str, Any], where: str) -> None:
    for name in (*_NEEDED, *_OPTIONAL):
        value = item.get(name, "")
        if not isinstance(value, str) or (name in _NEEDED and not value.strip()):
            raise DataError(f"{where}: {name} must be text, not {value!r}")
    if item.get("split") == ANY_SPLIT:
        raise DataError(f"{where}: {ANY_SPLIT!r} means every split; choose train, eval, test or another name")


def _numbered(items: Iterable[dict[str, str]], source: str) -> Iterator[Draft]:
    """Number the questions of each database from 1, in the order in which they come."""
    counts: dict[str, int] = defaultdict(int)
    for item in items:
        counts[item["db_id"]] += 1
        yield Draft(
            question_id=item.get("question_id") or f"{item['db_id']}-{counts[item['db_id']]:03d}",
            db_id=item["db_id"],
            question=item["question"],
            gold_sql=item["gold_sql"],
            split=item.get("split", ""),
            source=item.get("source") or source,
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
