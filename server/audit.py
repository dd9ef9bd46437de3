"""What became of a data set's questions, and the report of it: counts and ids, never a question's words."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sql_env.server.questions import Question


class Exclusion(StrEnum):
    """Why a question is no task; where several hold, the first in this order counts."""

    FAILS = "the gold SQL does not run"
    EMPTY = "the gold is empty"
    ALL_NULL = "the gold holds only NULL"
    EMPTY_SELECTION = "the gold counts an empty selection"
    OVERSIZED = "the gold is larger than what a QUERY shows"
    PAR = "par exceeds the step budget"
    TIED_ROWS = "the gold's rows depend on the order of stored rows"
    TIED_ORDER = "the gold's order depends on the order of stored rows"
    TIED_KEYS = "SQLite's sorting decides a tie that the gold's ORDER BY leaves open"
    UNGRADABLE = "the gold, given as the answer, is not graded as correct"
    CONTRADICTED = "the same question has another gold"


@dataclass(frozen=True)
class Examined:
    """What the audit found of one draft.

    Attributes:
        db_id: its database.
        statement: its gold but for spaces, quotes and case; equal for the same statement.
        flaws: every reason against it, in the order of Exclusion.
        said: what SQLite said of a gold that fails.
    """

    db_id: str
    statement: str
    flaws: tuple[Exclusion, ...] = ()
    said: str = ""


@dataclass(frozen=True)
class Audit:
    """What became of the drafts.

    Attributes:
        questions: those kept, in the drafts' order.
        examined: every draft by question_id, in the drafts' order.
    """

    questions: tuple[Question, ...]
    examined: Mapping[str, Examined] = field(default_factory=dict)

    @property
    def excluded(self) -> dict[str, Exclusion]:
        """The first reason against each question that is no task, by question_id."""
        return {key: item.flaws[0] for key, item in self.examined.items() if item.flaws}


def report(name: str, audit: Audit) -> str:
    """Write the audit as Markdown."""
    lines = [f"# Audit of {name}", "", _summary(audit), "", *_reasons(audit), "", *_databases(audit)]
    for heading, key in (("Split", "split"), ("Hardness", "hardness"), ("Answer type", "answer_type")):
        lines += ["", *table((heading, "questions"), _counted(getattr(q, key) for q in audit.questions))]
    for reason in Exclusion:
        ids = [_with_words(key, audit.examined[key]) for key, r in audit.excluded.items() if r is reason]
        if ids:
            lines += ["", f"## {reason[0].upper()}{reason[1:]}", "", ", ".join(ids)]
    return "\n".join(lines) + "\n"


def _summary(audit: Audit) -> str:
    golds = Counter((item.db_id, item.statement) for item in audit.examined.values())
    twins = sum(count for count in golds.values() if count > 1)
    groups = len({q.twin_group for q in audit.questions})
    return (
        f"{len(audit.examined)} questions examined, {len(audit.questions)} kept. The {len(audit.examined)} have "
        f"{len(golds)} distinct golds, and {twins} share theirs with another. The {len(audit.questions)} fall into "
        f"{groups} twin groups."
    )


def _reasons(audit: Audit) -> list[str]:
    first = Counter(audit.excluded.values())
    found = Counter(flaw for item in audit.examined.values() for flaw in item.flaws)
    rows = [(str(reason), first[reason], found[reason]) for reason in Exclusion]
    return table(("reason", "excluded for it first", "found in all"), rows)


def _databases(audit: Audit) -> list[str]:
    kept = Counter(q.db_id for q in audit.questions)
    reasons = [reason for reason in Exclusion if reason in audit.excluded.values()]
    rows = []
    for db_id, total in Counter(item.db_id for item in audit.examined.values()).items():
        of_it = Counter(item.flaws[0] for item in audit.examined.values() if item.db_id == db_id and item.flaws)
        rows.append((db_id, total, kept[db_id], *(of_it[reason] for reason in reasons)))
    return table(("database", "examined", "kept", *(reason.name.lower() for reason in reasons)), rows)


def _counted(names: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(names).items())


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a table in Markdown."""
    line: Callable[[Iterable[object]], str] = lambda cells: f"| {' | '.join(map(str, cells))} |"  # noqa: E731
    return [line(header), "|" + "---|" * len(header), *map(line, rows)]


def _with_words(question_id: str, item: Examined) -> str:
    return f"{question_id} ({item.said})" if item.said else question_id
