"""Demonstrations for a warm start: episodes that the environment played, by the oracle and by analysts with less skill.

Four kinds. ``oracle`` plays the gold. ``recovery`` first runs into an error or a wrong statement, reads what the
environment says of it, and goes on to the gold. ``mistaken`` asks for something else than the question
(agent/mistakes.py) and answers what that gives. ``given_up`` stops without an answer. Nothing is made up: every result
in a demonstration is what the environment answered.

Golds are read on this side, by the oracle. Tasks of splits that are evaluated are refused.
"""

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sql_env.agent import prompts
from sql_env.agent.mistakes import misnamed, misspelt, mistaken_statement
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.rollout import FORFEIT, Recording, policy_seed
from sql_env.agent.sessions import Session
from sql_env.agent.task_rows import EVALUATED, Source, draw, selectors_of
from sql_env.agent.trajectory import Trajectory
from sql_env.models import TOOLS, SQLAction, SQLObservation

logger = logging.getLogger(__name__)

CLOSING = "Done."
"""What a model says after its answer: a reply without a tool call is what ends TRL's rollouts."""
GIVEN_UP = "I cannot answer this."

_TOOLS = {tool.action_type: tool for tool in TOOLS}


@dataclass(frozen=True)
class Skill:
    """How a demonstrator plays: chances, each from 0 to 1.

    Attributes:
        mistaken: that its statement asks for something else than the question.
        gives_up: that it ends without an answer.
        stumbles: that it runs into an error, or a wrong statement, and recovers.
        undescribed: that it writes its statement without a look at the table.
    """

    mistaken: float = 0.0
    gives_up: float = 0.0
    stumbles: float = 0.0
    undescribed: float = 0.0


ORACLE = Skill()
"""The oracle's."""


@dataclass
class Demonstration:
    """One demonstration.

    Attributes:
        messages: as chat templates take them, from the system prompt to the closing words.
        kind: ``oracle``, ``recovery``, ``mistaken`` or ``given_up``.
        played: the episode.
    """

    messages: list[dict[str, Any]]
    kind: str
    played: Trajectory


class Demonstrator:
    """Plays episodes with a given skill and writes them down as conversations.

    Args:
        oracle: knows the golds.
        skill: how well it plays.
    """

    def __init__(self, oracle: OraclePolicy, skill: Skill = ORACLE) -> None:
        self._oracle, self._skill = oracle, skill

    def play(self, session: Session, selectors: dict[str, Any], seed: int = 0) -> Demonstration:
        """Play one episode.

        Args:
            session: where.
            selectors: keywords for reset.
            seed: decides, together with the task's id, what goes wrong.

        Raises:
            ValueError: the task is of a split that is evaluated.
        """
        first = session.reset(**selectors)
        if first.metadata["split"] in EVALUATED:
            raise ValueError(f"{first.metadata['task_id']} is of split {first.metadata['split']}: it is for evaluation")
        chance = policy_seed(seed, first.metadata["task_id"], 0)
        episode = _Episode(session, first, Recording("demonstrator", first, chance))
        kind = self._go(episode, random.Random(chance))
        return Demonstration(episode.messages, kind, episode.end())

    def _go(self, episode: "_Episode", rng: random.Random) -> str:
        self._oracle.reset(episode.first, 0)
        *looks, query, answer = self._oracle.plan
        skill = self._skill
        stumbles = rng.random() < skill.stumbles
        if stumbles and rng.random() < 0.3:
            episode.do("DESCRIBE", misspelt(looks[0].argument, rng))
        if rng.random() >= skill.undescribed:
            for look in looks:
                episode.do("DESCRIBE", look.argument)
        wrong = mistaken_statement(query.argument, episode.seen, rng)
        if stumbles and wrong and rng.random() < 0.7:
            said = misnamed(query.argument, rng) if rng.random() < 0.5 else wrong
            episode.do("QUERY", said)
        if rng.random() < skill.gives_up:
            episode.say(GIVEN_UP)
            return "given_up"
        mistaken = wrong is not None and rng.random() < skill.mistaken
        seen = episode.do("QUERY", wrong if mistaken and wrong else query.argument)
        episode.do("ANSWER", _answer(seen, answer.argument))
        episode.say(CLOSING)
        return "mistaken" if mistaken else "recovery" if stumbles else "oracle"


@dataclass
class _Episode:
    """An episode under way, and the conversation about it."""

    session: Session
    first: SQLObservation
    recording: Recording
    seen: SQLObservation = field(init=False)
    messages: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = self.first
        self.messages = opening_messages(self.first)

    def do(self, kind: str, argument: str) -> SQLObservation:
        """Take one action and write it down with what it gave."""
        action = SQLAction(action_type=kind, argument=argument)
        self.seen = self.session.step(action)
        self.recording.step(action, self.seen)
        self.messages += [call_message(kind, argument), tool_message(kind, prompts.told_of(self.seen))]
        return self.seen

    def say(self, words: str) -> None:
        """Write down a reply without an action."""
        self.messages.append({"role": "assistant", "content": words})

    def end(self) -> Trajectory:
        """Return the episode; one that was given up gets a blank answer."""
        if not self.seen.done:
            self.seen = self.session.step(FORFEIT)
            self.recording.step(FORFEIT, self.seen)
        return self.recording.finish(self.seen)


# --- conversations ---------------------------------------------------------------------------------------


def system_message(answer_form: str = "value") -> dict[str, Any]:
    """Return the message that every conversation begins with."""
    return {"role": "system", "content": prompts.system_prompt(answer_form, tools=True)}


def opening_messages(first: SQLObservation) -> list[dict[str, Any]]:
    """Return an episode's first messages."""
    return [
        system_message(first.metadata.get("answer_form", "value")),
        {"role": "user", "content": prompts.opening(first)},
    ]


def call_message(kind: str, argument: str) -> dict[str, Any]:
    """Return an action as the message of a model that calls a tool."""
    tool = _TOOLS[kind]
    function = {"name": tool.name, "arguments": {tool.argument: argument}}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}


def tool_message(kind: str, told: str) -> dict[str, Any]:
    """Return what a tool gave as a message."""
    return {"role": "tool", "name": _TOOLS[kind].name, "content": told}


def _answer(seen: SQLObservation, gold: str) -> str:
    """Return what a result says as an answer of the gold's form, as the result shows it: a model can copy that.

    Where the question asks for one value and there are several rows, the first one is taken.
    """
    lines = seen.result.splitlines()[1:-1] if seen.rows else []
    if not lines:
        return "none"
    return "\n".join(lines) if gold.startswith("[") else lines[0]


# --- many ------------------------------------------------------------------------------------------------


def play_demonstrations(
    session: Session,
    sources: Sequence[Source],
    skill: Skill,
    seed: int,
    answer_form: str = "value",
    oracle: OraclePolicy | None = None,
) -> Iterator[dict[str, Any]]:
    """Play demonstrations of tasks drawn from sources; yield them as rows for TRL's SFTTrainer.

    Args:
        session: where.
        sources: what to draw from.
        skill: how well they are played.
        seed: of the draw and of what goes wrong.
        answer_form: what an ANSWER holds.
        oracle: knows the golds; None loads what is installed here. One that shares an in-process session's data sets
            saves making every procedural task twice.

    Raises:
        RuntimeError: the golds are missing here.
        ValueError: a source has no such tasks.
    """
    demonstrator = Demonstrator(oracle or OraclePolicy.for_dataset(None), skill)
    tools = prompts.tool_definitions(answer_form)
    for number, task in enumerate(draw(sources, lambda selectors: num_tasks(session, selectors), seed)):
        if number and number % 1000 == 0:
            logger.info("%s demonstrations played", f"{number:,}")
        selectors = selectors_of(task) | {"answer_form": answer_form}
        yield _as_row(demonstrator.play(session, selectors, seed), tools)


def num_tasks(session: Session, selectors: dict[str, Any]) -> int:
    """Ask how many tasks fit selectors.

    Raises:
        TaskError, RolloutError: they name nothing.
    """
    return int(session.reset(**selectors, index=0).metadata["num_tasks"])


def _as_row(shown: Demonstration, tools: list[dict[str, Any]]) -> dict[str, Any]:
    played = shown.played
    return {
        "messages": shown.messages,
        "tools": tools,
        "kind": shown.kind,
        "dataset": played.dataset,
        "split": played.split,
        "db_id": played.db_id,
        "task_id": played.task_id,
        "variant": played.variant,
        "correct": played.correct,
        "return": played.episode_return,
    }
