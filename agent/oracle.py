"""The oracle: plays the gold. It reads golds from the question files on its own side; the wire never carries one."""

from collections.abc import Mapping
from dataclasses import replace

from sql_env.models import SQLAction, SQLObservation
from sql_env.server.errors import DataError
from sql_env.server.guesses import most_frequent_answer
from sql_env.server.questions import Question, QuestionSet, gold_answer, load_all
from sql_env.server.settings import Settings


class OraclePolicy:
    """DESCRIBEs every table of the gold, QUERYs the gold SQL and ANSWERs its result, in par steps.

    Args:
        datasets: the data sets that the server serves, by name.
    """

    name = "oracle"

    def __init__(self, datasets: Mapping[str, QuestionSet]) -> None:
        self._datasets = datasets

    @classmethod
    def for_dataset(cls, dataset: str | None) -> "OraclePolicy":
        """Load the golds of one data set, by name or folder, or of all that are installed.

        Raises:
            RuntimeError: it is missing or damaged.
        """
        return cls(_load(dataset))

    def again(self) -> "OraclePolicy":
        """Return another oracle with the same golds, for another session."""
        return OraclePolicy(self._datasets)

    def reset(self, observation: SQLObservation, seed: int) -> None:
        """Look up the task that the first observation names.

        Raises:
            RuntimeError: this side lacks the data set.
        """
        self._actions = _actions(self._question(observation), observation.metadata["answer_form"])

    def act(self, observation: SQLObservation) -> SQLAction:
        """Return the next action of the plan."""
        return self._actions[observation.step_count]

    def _question(self, observation: SQLObservation) -> Question:
        name = observation.metadata["dataset"]
        if name not in self._datasets:
            raise RuntimeError(f"the oracle has no golds of data set {name!r}; it has: {', '.join(self._datasets)}")
        return self._datasets[name].by_id(observation.metadata["task_id"])


def most_frequent_training_answer(dataset: str | None) -> str:
    """Return the gold that most training questions of a data set share, as an answer.

    Raises:
        RuntimeError: the data set is missing or damaged here.
    """
    loaded = _load(dataset)
    return most_frequent_answer(next(iter(loaded.values())).questions)


def _load(dataset: str | None) -> Mapping[str, QuestionSet]:
    try:
        settings = Settings.from_environ()
        return load_all(replace(settings, dataset=dataset) if dataset else settings)
    except DataError as error:
        raise RuntimeError(str(error)) from None


def _actions(question: Question, answer_form: str) -> list[SQLAction]:
    answer = question.gold_sql if answer_form == "sql" else gold_answer(question.gold_rows)
    describe = [SQLAction(action_type="DESCRIBE", argument=table) for table in question.tables]
    query = SQLAction(action_type="QUERY", argument=question.gold_sql)
    return [*describe, query, SQLAction(action_type="ANSWER", argument=answer)]
