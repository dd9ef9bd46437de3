"""Demonstrations for a warm start: episodes that the environment played, by the oracle and by analysts with less skill.

Three kinds. ``oracle`` plays the gold. ``recovery`` first runs into an error or a wrong statement, reads what the
environment says of it, and goes on to the gold. ``unskilled`` is well-formed and often wrong: it asks for another
column, another aggregate or without a condition, answers what that gives, or gives up. Nothing is made up: every
result in a demonstration is what the environment answered.

Golds are read on this side, by the oracle. Tasks of a test split are refused.
"""

import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp

from sql_env.agent import prompts
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.policies import known_tables
from sql_env.agent.rollout import FORFEIT, Recording, policy_seed
from sql_env.agent.task_rows import EVALUATED, Source, draw
from sql_env.agent.trajectory import Trajectory
from sql_env.agent.trl_env import Session
from sql_env.models import TOOLS, SQLAction, SQLObservation

logger = logging.getLogger(__name__)

CLOSING = "Done."
"""What a model says after its answer: a reply without a tool call is what ends TRL's rollouts."""
GIVEN_UP = "I cannot answer this."

_TOOLS = {tool.action_type: tool for tool in TOOLS}
_AGGREGATES = (exp.Min, exp.Max, exp.Avg, exp.Sum)
_COMPARISONS = (exp.LT, exp.GT, exp.LTE, exp.GTE)


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
RECOVERY = Skill(stumbles=1.0)
UNSKILLED = Skill(mistaken=0.5, gives_up=0.2, stumbles=0.1)


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
            episode.do("DESCRIBE", _misspelt(looks[0].argument, rng))
        if rng.random() >= skill.undescribed:
            for look in looks:
                episode.do("DESCRIBE", look.argument)
        wrong = _mistaken(query.argument, episode.seen, rng)
        if stumbles and wrong and rng.random() < 0.7:
            said = _misnamed(query.argument, rng) if rng.random() < 0.5 else wrong
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
        left = 0 if self.seen.done else self.seen.budget_remaining
        told = prompts.told(self.seen.result, self.seen.error, left)
        self.messages += [call_message(kind, argument), tool_message(kind, told)]
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


# --- mistakes --------------------------------------------------------------------------------------------


def _answer(seen: SQLObservation, gold: str) -> str:
    """Return what a result says as an answer of the gold's form, as the result shows it: a model can copy that.

    Where the question asks for one value and there are several rows, the first one is taken.
    """
    lines = seen.result.splitlines()[1:-1] if seen.rows else []
    if not lines:
        return "none"
    if gold.startswith("["):
        return gold if seen.done else "\n".join(lines)
    return lines[0]


def _mistaken(sql: str, seen: SQLObservation, rng: random.Random) -> str | None:
    """Return a statement that asks for something else; None if no way is known."""
    columns = sorted({name for _, names in known_tables(seen.schema_info) for name in names})
    ways = [_other_column, _other_aggregate, _no_condition, _other_comparison]
    rng.shuffle(ways)
    for way in ways:
        tree = sqlglot.parse_one(sql, dialect="sqlite")
        if way(tree, columns, rng):
            written = tree.sql(dialect="sqlite")
            if written != sqlglot.parse_one(sql, dialect="sqlite").sql(dialect="sqlite"):
                return written
    return None


def _other_column(tree: exp.Expr, columns: Sequence[str], rng: random.Random) -> bool:
    used = list(tree.find_all(exp.Column))
    if not used or len(columns) < 2:
        return False
    one = rng.choice(used)
    one.this.set("this", rng.choice([name for name in columns if name.lower() != one.name.lower()]))
    return True


def _other_aggregate(tree: exp.Expr, columns: Sequence[str], rng: random.Random) -> bool:
    used = [node for node in tree.find_all(*_AGGREGATES) if isinstance(node.this, exp.Column)]
    if not used:
        return False
    one = rng.choice(used)
    other = rng.choice([kind for kind in _AGGREGATES if not isinstance(one, kind)])
    one.replace(other(this=one.this.copy()))
    return True


def _no_condition(tree: exp.Expr, columns: Sequence[str], rng: random.Random) -> bool:
    where = tree.args.get("where")
    tree.set("where", None)
    return where is not None


def _other_comparison(tree: exp.Expr, columns: Sequence[str], rng: random.Random) -> bool:
    used = list(tree.find_all(*_COMPARISONS))
    if not used:
        return False
    one = rng.choice(used)
    other = rng.choice([kind for kind in _COMPARISONS if not isinstance(one, kind)])
    one.replace(other(this=one.this.copy(), expression=one.expression.copy()))
    return True


def _misnamed(sql: str, rng: random.Random) -> str:
    """Return a statement with a name that does not exist."""
    tree = sqlglot.parse_one(sql, dialect="sqlite")
    used: list[exp.Expr] = [*tree.find_all(exp.Column), *tree.find_all(exp.Table)]
    if used:
        one = rng.choice(used)
        one.this.set("this", _misspelt(one.name, rng))
    return tree.sql(dialect="sqlite")


def _misspelt(name: str, rng: random.Random) -> str:
    """Return a name with one letter gone or, where it is short, an s at its end."""
    if len(name) < 4:
        return name + "s"
    place = rng.randrange(1, len(name))
    return name[:place] + name[place + 1 :]


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
        selectors = {name: value for name, value in task.items() if value is not None}
        yield _as_row(demonstrator.play(session, selectors | {"answer_form": answer_form}, seed), tools)


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
