"""One episode as a model reads it: turns, written as messages for what its endpoint takes, and kept within its context.

A turn holds what the model wrote and what the environment said to it. Turns are written anew for each request, natively
or as text, so an endpoint that turns out to refuse tools changes nothing but the writing. Every tool call written is
answered, arguments are always JSON, and no two messages of a user follow each other.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from sql_env.agent import prompts
from sql_env.agent.completions import Call, Dialect, Reply
from sql_env.agent.endpoint import Message
from sql_env.agent.faults import clean
from sql_env.agent.replies import loaded, without_thoughts
from sql_env.agent.trajectory import Step, Trajectory
from sql_env.models import ACTION_TYPES, TOOLS, SQLAction

LONGEST_KEPT = 4_000
"""Characters of a reply or an argument that later requests repeat."""
SHORT = 300
MESSAGE_CHARS = 24
"""What a message costs beside its text, in characters."""

_TOOL_NAMES = {tool.action_type: tool for tool in TOOLS}


@dataclass(frozen=True)
class Demonstration:
    """An episode to be shown as an example.

    Attributes:
        opening: what a player is told first.
        trajectory: how it was played.
    """

    opening: str
    trajectory: Trajectory


@dataclass
class Turn:
    """One reply and what came of it.

    Attributes:
        action: what was sent to the environment.
        content: the reply's text, without its reasoning.
        calls: its tool calls; the first one was carried out.
        told: what the environment said; empty while it has not.
        removed: whether ``told`` made room.
        shortened: whether the text did.
    """

    action: SQLAction
    content: str = ""
    calls: tuple[Call, ...] = ()
    told: str = ""
    removed: bool = False
    shortened: bool = False

    @classmethod
    def of(cls, reply: Reply, action: SQLAction) -> "Turn":
        """Return the turn that a reply begins."""
        return cls(action, _cut(without_thoughts(reply.content), LONGEST_KEPT), reply.calls)

    @property
    def said(self) -> str:
        """What later requests say that the environment said."""
        return prompts.REMOVED if self.removed else self.told

    def messages(self, *, tools: bool) -> list[Message]:
        """Write the turn."""
        if tools and self.calls:
            calls = [_written(call) for call in self.calls]
            answers = [self.said, *(prompts.IGNORED for _ in calls[1:])]
            told = zip(calls, answers, strict=True)
            content = None if self.shortened else self.content or None
            asked: Message = {"role": "assistant", "content": content, "tool_calls": calls}
            return [asked, *({"role": "tool", "tool_call_id": call["id"], "content": said} for call, said in told)]
        return [{"role": "assistant", "content": self._as_text()}, {"role": "user", "content": self.said}]

    def _as_text(self) -> str:
        known = self.action.action_type in ACTION_TYPES
        action = prompts.write_action(self.action) if known else self.action.argument
        whole = self.content if self.content and not self.calls else action or "…"
        return min(whole, _cut(action, SHORT) or "…", key=len) if self.shortened else whole


@dataclass
class Conversation:
    """An episode under way.

    Attributes:
        answer_form: ``value`` or ``sql``.
        opening: what the model was told first.
        demonstrations: examples, told before.
        budget: the episode's steps.
        turns: what was said since.
    """

    answer_form: str
    opening: str
    demonstrations: Sequence[Demonstration] = ()
    budget: int = 15
    turns: list[Turn] = field(default_factory=list)

    def messages(self, dialect: Dialect) -> list[Message]:
        """Write everything for an endpoint that takes what the dialect says."""
        system = prompts.system_prompt(self.answer_form, tools=dialect.tools)
        written: list[Message] = [{"role": "system" if dialect.system else "user", "content": system}]
        for shown in self.demonstrations:
            written.append({"role": "user", "content": f"{prompts.EXAMPLE}\n\n{shown.opening}"})
            for turn in _turns(shown.trajectory, self.budget):
                written += turn.messages(tools=dialect.tools)
        new = f"{prompts.NEW}\n\n" if self.demonstrations else ""
        written.append({"role": "user", "content": new + self.opening})
        for turn in self.turns:
            written += turn.messages(tools=dialect.tools)
        return _merged(written)

    def make_room(self) -> int:
        """Remove the oldest thing that later replies can do without; return how many results went: 1 or 0.

        First the results but the last one, then the words around the actions.

        Raises:
            LookupError: nothing is left to be removed.
        """
        for turn in self.turns[:-1]:
            if not turn.removed and len(turn.told) > len(prompts.REMOVED):
                turn.removed = True
                return 1
        for turn in self.turns:
            if not turn.shortened:
                turn.shortened = True
                return 0
        raise LookupError("nothing is left to be removed")


def length(messages: Sequence[Message]) -> int:
    """Return how long messages are, in characters."""
    return sum(
        MESSAGE_CHARS
        + len(message["content"] or "")
        + sum(
            MESSAGE_CHARS + len(call["function"]["name"]) + len(call["function"]["arguments"])
            for call in message.get("tool_calls", ())
        )
        for message in messages
    )


def _turns(trajectory: Trajectory, budget: int) -> list[Turn]:
    """Return a recorded episode's turns, as if their player had called tools."""
    turns, steps = [], trajectory.trajectory
    for number, step in enumerate(steps):
        left = 0 if number + 1 == len(steps) else budget - number - 1
        action = SQLAction(action_type=step.action_type, argument=step.argument)
        told = prompts.told(step.result, step.error, left)
        turns.append(Turn(action, calls=(_call(step, number),), told=told))
    return turns


def _call(step: Step, number: int) -> Call:
    """Return an action as a tool call; its id has the form that the strictest endpoints want."""
    tool = _TOOL_NAMES[step.action_type]
    return Call(f"shown{number:04}", tool.name, json.dumps({tool.argument: step.argument}, ensure_ascii=False))


def _written(call: Call) -> Message:
    """Write a call so that every endpoint can read it again: a proper name, an object as JSON text, not too long."""
    given = loaded(call.arguments)
    name = call.name if isinstance(call.name, str) else ""
    proper = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "_-") else "_" for sign in name[:64])
    kept = {clean(str(key)): _kept(value) for key, value in list(given.items())[:4]} if isinstance(given, dict) else {}
    function = {"name": proper or "unknown", "arguments": json.dumps(kept, ensure_ascii=False)}
    return {"id": call.id, "type": "function", "function": function}


def _kept(value: object) -> object:
    if isinstance(value, str):
        return _cut(clean(value), LONGEST_KEPT)
    written = clean(json.dumps(value, ensure_ascii=False))
    return value if len(written) <= LONGEST_KEPT and written == json.dumps(value, ensure_ascii=False) else ""


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _merged(messages: Sequence[Message]) -> list[Message]:
    """Join messages of a user that follow each other: many chat templates refuse two."""
    joined: list[Message] = []
    for message in messages:
        if joined and message["role"] == joined[-1]["role"] == "user":
            joined[-1] = {"role": "user", "content": f"{joined[-1]['content']}\n\n{message['content']}"}
        else:
            joined.append(message)
    return joined
