"""The oracle plays the gold; memory says the original's, as if learned by heart.

They read golds from the question files, or make them, on their own side; the wire never carries one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

from sql_env.models import SQLAction, SQLObservation
from sql_env.server.databases import SQLValue
from sql_env.server.datasets import load_all
from sql_env.server.errors import DataError
from sql_env.server.guesses import most_frequent_answer
from sql_env.server.questions import Question, QuestionSet, TaskSet, gold_answer, oracle_way
from sql_env.server.settings import Settings
from sql_env.server.variants.store import Variants


class OraclePolicy:
    """DESCRIBEs every table of the gold, QUERYs the gold SQL and ANSWERs its result, in par steps.

    Args:
        datasets: the data sets that the server serves, by name.
        variants: what makes their variants' golds, shared by several sessions; None for one of its own.
    """

    name = "oracle"

    def __init__(self, datasets: Mapping[str, TaskSet], variants: Variants | None = None) -> None:
        self._datasets, self._variants = datasets, variants or Variants()

    @classmethod
    def for_dataset(cls, dataset: str | None) -> Self:
        """Load the golds of one data set, by name or folder, or of all that are installed.

        Raises:
            RuntimeError: it is missing or damaged.
        """
        return cls(_load(dataset))

    def again(self) -> Self:
        """Return another one with the same golds, for another session."""
        return type(self)(self._datasets, self._variants)

    def reset(self, observation: SQLObservation, seed: int) -> None:
        """Look up the task that the first observation names.

        Raises:
            RuntimeError: this side lacks the data set.
        """
        dataset = self._dataset(observation)
        question = dataset.by_id(observation.metadata["task_id"])
        self.plan = self._plan(dataset, question, observation)
        """The episode's actions."""

    def act(self, observation: SQLObservation) -> SQLAction:
        """Return the next action of the plan."""
        return self.plan[observation.step_count]

    def _plan(self, dataset: TaskSet, question: Question, first: SQLObservation) -> list[SQLAction]:
        variant = self._variants.variant_of(dataset, question, first.metadata.get("variant") or 0)
        way = oracle_way(variant.question, first.metadata["answer_form"])
        return [SQLAction(action_type=action, argument=argument) for action, argument in way]

    def _dataset(self, observation: SQLObservation) -> TaskSet:
        name = observation.metadata["dataset"]
        if name not in self._datasets:
            raise RuntimeError(f"the oracle has no golds of data set {name!r}; it has: {', '.join(self._datasets)}")
        return self._datasets[name]


class MemoryPolicy(OraclePolicy):
    """Says each question's original gold at once, whatever the data are now: right on the original, wrong on variants.

    In SQL it says the same rows as constants.
    """

    name = "memory"

    def _plan(self, dataset: TaskSet, question: Question, first: SQLObservation) -> list[SQLAction]:
        in_sql = first.metadata["answer_form"] == "sql"
        return [_answer(_constants(question.gold_rows) if in_sql else gold_answer(question.gold_rows))]


def most_frequent_training_answer(dataset: str | None) -> str:
    """Return the gold that most training questions of a data set share, as an answer.

    Of a data set without end the first thousand training tasks are looked at.

    Raises:
        RuntimeError: the data set is missing or damaged here.
    """
    loaded = next(iter(_load(dataset).values()))
    if isinstance(loaded, QuestionSet):
        return most_frequent_answer(loaded.questions)
    training = loaded.select("train")
    return most_frequent_answer([training[number] for number in range(1000)])


def _load(dataset: str | None) -> Mapping[str, TaskSet]:
    try:
        settings = Settings.from_environ()
        return load_all(replace(settings, dataset=dataset) if dataset else settings)
    except DataError as error:
        raise RuntimeError(str(error)) from None


def _answer(text: str) -> SQLAction:
    return SQLAction(action_type="ANSWER", argument=text)


def _constants(rows: Sequence[Sequence[SQLValue]]) -> str:
    """Return a statement that gives rows without a look at any table."""
    return "VALUES " + ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)


def _literal(value: SQLValue) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
