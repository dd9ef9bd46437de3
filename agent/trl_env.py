"""The environment class for TRL's ``environment_factory``: one rollout at a time, four tools, one reward.

TRL pools instances, calls ``reset`` with every column of a row, offers each public method as a tool and asks
``get_reward`` at the end. What a model reads here (tools, opening, results) is what it reads in evaluations and
demonstrations: agent/prompts.py writes all of it. Where an instance plays, its sessions decide (agent/sessions.py).

Not covered: a call whose arguments have other names than the tool's never reaches this class. TRL answers it with an
error and the episode loses no step, so a trainer has to bound its tool calls (``max_tool_calling_iterations``).
"""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from sql_env.agent import prompts
from sql_env.agent.faults import RolloutError
from sql_env.agent.rollout import FORFEIT, Recording
from sql_env.agent.sessions import Connect, Session
from sql_env.agent.task_rows import selectors_of
from sql_env.agent.trajectory import Trajectory
from sql_env.models import TOOLS, SQLAction, SQLObservation

OVER = "the episode is over: no tool can be called any more"
LOST = "the connection to the environment was lost: this episode does not count"
MOST_CHARS = 4_000
"""Characters of an observation that a model is told."""
WAITS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each try to connect; after the last one the server is gone."""

Reward = Literal["outcome", "shaped", "progress", "binary"]


class SQLToolEnv:
    """One rollout in SQLEnv, as TRL's trainers take it. Public methods are the model's tools, so there are no others.

    Args:
        connect: makes a session; called at the first reset, and again after a lost connection.
        reward: what ``get_reward`` returns. ``outcome``: the outcome return, in [-0.1, 1]. ``shaped``: the sum of the
            steps' rewards, which is the same number where the server shapes by a potential (docs/rewards.md).
            ``progress``: that sum without the last step's repayment, as naive shaping pays it. ``binary``: 1 or 0.
        max_chars: how much of an observation a model is told.
        told: gets each finished episode.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        reward: Reward = "outcome",
        max_chars: int = MOST_CHARS,
        told: Callable[[Trajectory], None] | None = None,
    ) -> None:
        if reward not in get_args(Reward):
            raise ValueError(f"reward must be one of {', '.join(get_args(Reward))}, not {reward!r}")
        self._connect, self._reward, self._max_chars, self._told = connect, reward, max_chars, told
        self._session: Session | None = None
        self._recording: Recording | None = None
        self._played: Trajectory | None = None
        self._lost = False

    # --- what TRL calls ------------------------------------------------------------------------------------

    def reset(self, **row: Any) -> str:
        """Start the episode that a row names, and return what the model is told first.

        The same row gives the same episode. TRL appends the text to the row's last message.

        Args:
            **row: a data set's row: ``task_id``, or ``split`` and ``index``; ``dataset``, ``variant`` and
                ``answer_form`` where they are not the server's defaults. Other columns are ignored.

        Raises:
            ValueError: the row names no task.
            RolloutError: the server cannot be reached or refuses the row; the message says why.
        """
        selectors = selectors_of(row)
        if "task_id" not in selectors and "index" not in selectors:
            raise ValueError(
                "a row must name its task by task_id, or by split and index: rollouts of one group play the same task"
            )
        self._played, self._lost = None, False
        first = self._begin(selectors)
        self._recording = Recording("trl", first, 0)
        return self._bounded(prompts.opening(first))

    def describe(self, table: str) -> str:
        """Show a table's columns, types, keys and number of rows.

        Args:
            table: Name of a table.
        """
        return self._act("DESCRIBE", table)

    def sample(self, table: str) -> str:
        """Show the first rows of a table.

        Args:
            table: Name of a table.
        """
        return self._act("SAMPLE", table)

    def query(self, sql: str) -> str:
        """Run one read-only SQL query (SQLite) and show its result.

        Args:
            sql: One SELECT statement.
        """
        return self._act("QUERY", sql)

    def answer(self, answer: str) -> str:
        """Give the final answer and end the episode.

        Args:
            answer: A value, a list, or a table: plain text or JSON.
        """
        return self._act("ANSWER", answer)

    def get_reward(self) -> float | None:
        """Return the episode's reward; None if the server lost it, which TRL takes for a rollout that does not count.

        An episode without an answer is given a blank one first, as in evaluations.
        """
        if self._recording is not None and self._played is None and not self._lost:
            self._step(FORFEIT)
        return None if self._played is None else _reward(self._played, self._reward)

    # --- the episode ---------------------------------------------------------------------------------------

    def _begin(self, selectors: dict[str, Any]) -> SQLObservation:
        """Reset, on a new connection where the old one is gone."""
        for number, seconds in enumerate(WAITS):
            time.sleep(seconds)
            try:
                if self._session is None:
                    self._session = self._connect()
                return self._session.reset(**selectors)
            except RolloutError as error:
                self._drop()
                if error.kind == "refused" or number + 1 == len(WAITS):
                    raise
        raise AssertionError

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _act(self, kind: str, argument: Any) -> str:
        if self._recording is None:
            raise ValueError("no episode is running: call reset first")
        if self._lost:
            raise ValueError(LOST)
        if self._played is not None:
            raise ValueError(OVER)
        text = argument if isinstance(argument, str) else json.dumps(argument, ensure_ascii=False, default=str)
        seen = self._step(SQLAction(action_type=kind, argument=text))
        if seen is None:
            raise ValueError(LOST)
        return self._bounded(prompts.told_of(seen))

    def _step(self, action: SQLAction) -> SQLObservation | None:
        """Take one action; None if the episode is lost."""
        assert self._session is not None
        assert self._recording is not None
        try:
            seen = self._session.step(action)
            self._recording.step(action, seen)
            if seen.done:
                self._played = self._recording.finish(seen)
        except RolloutError:
            self._lost = True
            self._drop()
            return None
        if self._played is not None and self._told is not None:
            self._told(self._played)
        return seen

    def _bounded(self, text: str) -> str:
        return text if len(text) <= self._max_chars else text[: self._max_chars] + prompts.SHORTENED


def _reward(played: Trajectory, kind: Reward) -> float:
    steps = [step.reward for step in played.trajectory]
    if kind == "outcome":
        return played.episode_return
    if kind == "binary":
        return float(played.correct)
    return sum(steps) if kind == "shaped" else played.episode_return + sum(steps[:-1])


class SQLStatementEnv(SQLToolEnv):
    """The same where an ANSWER holds a statement (``answer_form`` is ``sql``): the tool tells of its argument so."""

    def answer(self, answer: str) -> str:
        """Give the final answer and end the episode.

        Args:
            answer: One SELECT statement whose result answers the question.
        """
        return self._act("ANSWER", answer)


ENVIRONMENTS: dict[str, type[SQLToolEnv]] = {"value": SQLToolEnv, "sql": SQLStatementEnv}
"""The class for each form of answers."""

for _tool in TOOLS:  # transformers would tell a model of each tool that it returns a string; nobody else does
    for _env in ENVIRONMENTS.values():
        getattr(_env, _tool.name).__annotations__.pop("return", None)


def close_all(environments: Sequence[SQLToolEnv]) -> None:
    """End the sessions of a trainer's instances, which TRL leaves open."""
    for environment in environments:
        environment._drop()
