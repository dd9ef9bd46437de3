"""What a visitor may choose from: data sets, splits, databases, hardness, with the number of questions of each."""

from collections import Counter
from typing import Any

from sql_env.server.procedural.dials import HARDNESS
from sql_env.server.questions import QuestionSet, TaskSet
from sql_env.server.resources import Resources
from sql_env.server.web.ends import is_withheld


def offers(resources: Resources) -> dict[str, Any]:
    """Return what this server offers, as the page reads it; nothing that helps to solve a task.

    ``counts`` is, by split and database, the number of questions of each hardness; null for a data set without end.
    """
    settings = resources.settings
    return {
        "datasets": [_offer(dataset, resources) for dataset in resources.datasets.values()],
        "split": settings.split,
        "max_steps": settings.max_steps,
    }


def _offer(dataset: TaskSet, resources: Resources) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "summary": dataset.summary,
        "splits": list(dataset.splits),
        "withheld": [split for split in dataset.splits if is_withheld(split, resources.settings.reveal)],
        "hardnesses": list(HARDNESS),
        "counts": _counts(dataset) if isinstance(dataset, QuestionSet) else None,
    }


def _counts(dataset: QuestionSet) -> dict[str, dict[str, dict[str, int]]]:
    counts: dict[str, dict[str, Counter[str]]] = {split: {} for split in dataset.splits}
    for question in dataset.questions:
        counts[question.split].setdefault(question.db_id, Counter())[question.hardness] += 1
    return {split: {db: dict(of) for db, of in sorted(found.items())} for split, found in counts.items()}
