"""Which task a reset chooses: its selectors, checked, and the question that they name or draw."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sql_env.server.errors import TaskError
from sql_env.server.questions import ANY_SPLIT, Question, TaskSet, draw

ANSWER_FORMS = ("value", "sql")
"""What an ANSWER holds: the answer itself, or one SELECT statement that gives it."""

DIALS = ("answer_type", "num_tables", "num_rows", "distractors")
"""What can be asked of a task besides its hardness; all but the first of procedural ones alone."""


@dataclass(frozen=True)
class Selection:
    """The task selectors of reset, checked; None where not given."""

    seed: int | None
    dataset: str | None
    split: str | None
    index: int | None
    task_id: str | None
    db_id: str | None
    hardness: str | None
    answer_form: str
    variant: int
    dials: Mapping[str, str | int | None]

    @classmethod
    def parse(cls, seed: Any, selectors: Mapping[str, Any]) -> "Selection":
        """Check the types of the selectors; other keywords are ignored, since TRL passes every data set column.

        Raises:
            TaskError: a selector has the wrong type, or asks for something that does not exist.
        """
        form = checked("answer_form", selectors.get("answer_form"), str) or "value"
        if form not in ANSWER_FORMS:
            raise TaskError(f"answer_form must be 'value' or 'sql', not {form[:80]!r}")
        texts = {
            name: checked(name, selectors.get(name), str)
            for name in ("dataset", "split", "task_id", "db_id", "hardness")
        }
        numbers = {name: checked(name, selectors.get(name), int) for name in ("index", "variant")}
        numbers["variant"] = numbers["variant"] or 0
        dials = {name: _dial(name, selectors.get(name)) for name in DIALS}
        return cls(seed=checked("seed", seed, int), answer_form=form, dials=dials, **numbers, **texts)


def _dial(name: str, value: Any) -> str | int | None:
    """Return a dial's value: a text, or where it counts something an integer."""
    kind = int if name.startswith("num_") and isinstance(value, int) else str
    found: str | int | None = checked(name, value, kind)
    return found


def checked(name: str, value: Any, kind: type) -> Any:
    """Return a selector's value if it is of its kind, or None.

    Raises:
        TaskError: it is not, or it is a negative number.
    """
    if value is None:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TaskError(f"{name} must be {'an integer' if kind is int else 'a string'}, not {str(value)[:80]!r}")
    if isinstance(value, int) and value < 0:
        raise TaskError(f"{name} must be at least 0, not {value}")
    return value


def choose(dataset: TaskSet, selection: Selection, default_split: str) -> tuple[Question, dict[str, Any]]:
    """Return the question that the selectors choose, and how it was found: by seed, by index or by id."""
    if selection.task_id is not None:
        return _by_id(dataset, selection, selection.task_id), {"seed": selection.seed}
    # By default nothing is drawn from a held-out split; a named database is meant whole.
    split = selection.split or (ANY_SPLIT if selection.db_id is not None else _present(dataset, default_split))
    questions = dataset.select(split, selection.db_id, selection.hardness, **selection.dials)
    if selection.index is not None:
        if selection.index >= len(questions):
            raise TaskError(f"index {selection.index} is out of range: {len(questions)} tasks fit")
        found = {"seed": selection.seed, "index": selection.index, "num_tasks": len(questions)}
        return questions[selection.index], found
    seed = secrets.randbits(32) if selection.seed is None else selection.seed
    return draw(questions, seed), {"seed": seed}


def _by_id(dataset: TaskSet, selection: Selection, task_id: str) -> Question:
    question = dataset.by_id(task_id)
    if not dataset.fits(question, hardness=selection.hardness, **selection.dials):
        raise TaskError(f"task {task_id} has not the hardness or the dials that were asked for with it")
    for name in ("split", "db_id"):
        wanted = getattr(selection, name)
        if wanted not in (None, getattr(question, name)) and (name, wanted) != ("split", ANY_SPLIT):
            raise TaskError(f"task {task_id} has {name} {getattr(question, name)}, not {wanted[:80]!r}")
    return question


def _present(dataset: TaskSet, split: str) -> str:
    return split if split in dataset.splits else ANY_SPLIT
