"""What there is to play: splits and tasks of the default data set, without golds. OpenEnv calls it its Task API."""

from typing import Any, Final

from sql_env.server.errors import TaskError
from sql_env.server.questions import Question
from sql_env.server.resources import Resources

MOST_MADE: Final = 100
"""Tasks without end that are listed at once."""


class Catalogue:
    """The Task API of an environment, which has to set ``_resources``."""

    _resources: Resources

    def list_splits(self) -> list[str]:
        """Return the default data set's splits."""
        return list(self._resources.default_dataset.splits)

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        """Return every task of a split, without golds; the first hundred where there is no end of them."""
        most = MOST_MADE if self._resources.default_dataset.endless else None
        return self._range(split, 0, most)

    def num_tasks(self, split: str) -> int:
        """Return the number of tasks of a split; ``all`` counts every split."""
        return len(self._resources.default_dataset.select(split))

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        """Return one task, without its gold.

        Raises:
            IndexError: the split has no such index.
        """
        questions = self._resources.default_dataset.select(split)
        if not 0 <= index < len(questions):
            raise IndexError(index)
        return _task(questions[index], index)

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[dict[str, Any]]:
        """Return the tasks of a slice of a split, without golds.

        Raises:
            TaskError: there are more than a hundred and each would have to be made.
        """
        return self._range(split, start, stop)

    def _range(self, split: str, start: int | None, stop: int | None) -> list[dict[str, Any]]:
        dataset = self._resources.default_dataset
        questions = dataset.select(split)
        chosen = range(*slice(start, stop).indices(len(questions)))
        if dataset.endless and len(chosen) > MOST_MADE:
            raise TaskError(f"{dataset.name} has no end: ask for at most {MOST_MADE} tasks at once")
        return [_task(questions[i], i) for i in chosen]


def _task(question: Question, index: int) -> dict[str, Any]:
    return {
        "id": question.question_id,
        "index": index,
        "split": question.split,
        "db_id": question.db_id,
        "question": question.question,
        "hardness": question.hardness,
    }
