"""Policies: from an observation to the next action.

A policy knows what the wire carries and nothing else; only the oracle (agent/oracle.py) reads golds, on its own
side. ``reset`` tells it that an episode begins, ``act`` asks for one action. Both may take their time: many episodes at
once are played with a policy and a thread each.

What a policy wants recorded beside an action it puts into the action's ``metadata``, which the client does not send:
``reply`` (text: what a model wrote), ``prompt_tokens``, ``completion_tokens`` (int), ``notes`` (list of text).
"""

import random
from collections.abc import Callable, Mapping
from typing import Protocol

from sql_env.models import ACTION_TYPES, SQLAction, SQLObservation


class Policy(Protocol):
    """Anything that plays one episode at a time."""

    name: str

    def reset(self, observation: SQLObservation, seed: int) -> None:
        """Begin an episode; ``seed`` (0 to 2^31 − 1) decides whatever the policy leaves to chance."""

    def act(self, observation: SQLObservation) -> SQLAction:
        """Return the next action.

        Raises:
            ConnectionError: what the policy depends on cannot be reached; the episode is then played again. Any other
                exception is the policy's own fault and loses the episode.
        """


class RandomPolicy:
    """Explores at random but sensibly: real tables, columns that DESCRIBE has shown, simple queries, a guess."""

    name = "random"

    def reset(self, observation: SQLObservation, seed: int) -> None:
        """Begin an episode."""
        self._rng = random.Random(seed)
        self._length = self._rng.randint(2, 6)

    def act(self, observation: SQLObservation) -> SQLAction:
        """Return a DESCRIBE, SAMPLE or QUERY, and after a few an ANSWER made of something seen."""
        if observation.step_count + 1 >= self._length:
            return SQLAction(action_type="ANSWER", argument=self._guess(observation))
        table, columns = self._rng.choice(known_tables(observation.schema_info))
        kinds = ["DESCRIBE", "SAMPLE", "QUERY"] if not columns else ["SAMPLE", "QUERY", "QUERY"]
        kind = self._rng.choice(kinds)
        return SQLAction(action_type=kind, argument=self._query(table, columns) if kind == "QUERY" else table)

    def _query(self, table: str, columns: list[str]) -> str:
        if not columns or self._rng.random() < 0.4:
            return f"SELECT count(*) FROM {table}"  # noqa: S608 — the server runs it in a sandbox
        column = self._rng.choice(columns)
        shape = self._rng.choice(("{c}", "DISTINCT {c}", "max({c})", "min({c})", "avg({c})"))
        return f"SELECT {shape.format(c=column)} FROM {table} LIMIT 20"  # noqa: S608 — as above

    def _guess(self, observation: SQLObservation) -> str:
        cells = [str(cell) for row in observation.rows for cell in row if cell is not None]
        return self._rng.choice(cells) if cells else str(self._rng.randint(0, 9))


def known_tables(schema_info: str) -> list[tuple[str, list[str]]]:
    """Read tables and their known columns from ``schema_info``."""
    first, *described = schema_info.splitlines()
    tables: dict[str, list[str]] = {name: [] for name in first.removeprefix("Tables: ").split(", ")}
    for line in described:
        name, _, columns = line.partition("(")
        tables[name] = [column.split(" ")[0] for column in columns.removesuffix(")").split(", ")]
    return list(tables.items())


class ConstantPolicy:
    """Gives the same answer to every question, at once; a blank one is the null policy.

    Args:
        answer: what it says.
    """

    def __init__(self, answer: str) -> None:
        self.name = "constant" if answer else "null"
        self._answer = answer

    def reset(self, observation: SQLObservation, seed: int) -> None:
        """Begin an episode."""

    def act(self, observation: SQLObservation) -> SQLAction:
        """Answer."""
        return SQLAction(action_type="ANSWER", argument=self._answer)


class LookupPolicy:
    """Gives the answer that a table holds for the task, at once, without a look at the question.

    Args:
        answers: an answer for each task id; a blank one for any other.
    """

    name = "lookup"

    def __init__(self, answers: Mapping[str, str]) -> None:
        self._answers = answers

    def reset(self, observation: SQLObservation, seed: int) -> None:
        """Note the task."""
        self._answer = self._answers.get(observation.metadata["task_id"], "")

    def act(self, observation: SQLObservation) -> SQLAction:
        """Answer."""
        return SQLAction(action_type="ANSWER", argument=self._answer)


class HumanPolicy:
    """Asks a person.

    Args:
        ask: prints a prompt and returns a line; raises EOFError at the end of input.
        tell: prints what the person needs to see; None where somebody else does (agent/transcript.py).
    """

    name = "human"

    def __init__(self, ask: Callable[[str], str] = input, tell: Callable[[str], None] | None = None) -> None:
        self._ask, self._tell = ask, tell

    def reset(self, observation: SQLObservation, seed: int) -> None:
        """Begin an episode."""

    def act(self, observation: SQLObservation) -> SQLAction:
        """Read one line such as ``describe singer``; anything that is no action is asked again."""
        if self._tell is not None:
            opening = f"\n{observation.question}\n{observation.schema_info}" if observation.step_count == 0 else ""
            self._tell(opening or observation.error or observation.result)
        while True:
            line = self._ask(f"[{observation.budget_remaining} steps left] action> ").strip()
            kind, _, argument = line.partition(" ")
            if kind.upper() in ACTION_TYPES:
                return SQLAction(action_type=kind, argument=argument.strip())
            if kind.upper() in ("SELECT", "WITH"):
                return SQLAction(action_type="QUERY", argument=line)
            self._ask("Type DESCRIBE table, SAMPLE table, QUERY sql or ANSWER value. [Enter] ")
