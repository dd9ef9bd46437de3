"""What an endpoint takes and what it answers: the chat completions protocol as plain data.

Answers are read by hand rather than through the SDK's types, since endpoints leave out, rename and add fields.
"""

import json
from dataclasses import dataclass
from typing import Any

from sql_env.agent.faults import EndpointError, clean

MOST_TOKENS = 10_000_000
"""No context is as long: a larger count is an endpoint's mistake, and is taken as none."""


@dataclass(frozen=True)
class Dialect:
    """What an endpoint takes.

    Attributes:
        tools: native tool calls.
        system: messages of the system.
        limit: the name of the limit on a reply's tokens.
        without: parameters that it refuses.
        notes: what was found out, for the record.
    """

    tools: bool = True
    system: bool = True
    limit: str = "max_tokens"
    without: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """One tool call as the model wrote it; ``arguments`` is JSON text, or ought to be."""

    id: str
    name: Any
    arguments: Any


@dataclass(frozen=True)
class Reply:
    """What a model wrote; token counts are None where the endpoint tells none that can be true."""

    content: str
    reasoning: str
    calls: tuple[Call, ...]
    finish: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    dialect: Dialect

    @property
    def text(self) -> str:
        """All of it as one text, tool calls as Hermes writes them."""
        called = [{"name": call.name, "arguments": call.arguments} for call in self.calls]
        parts = [f"<think>\n{self.reasoning}\n</think>" if self.reasoning else "", self.content]
        parts += [f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>" for call in called]
        return clean("\n".join(part for part in parts if part))


def read_reply(text: str, dialect: Dialect, where: str) -> Reply:
    """Read a chat completion.

    Raises:
        EndpointError: it is none.
    """
    try:
        body = json.loads(text)
        choice = body["choices"][0]
        message = choice["message"]
        if not isinstance(message, dict):
            raise TypeError(message)
    except (ValueError, RecursionError, TypeError, KeyError, IndexError):
        raise EndpointError(f"{where} answered with no chat completion: {clean(text[:200])!r}") from None
    usage = body.get("usage") if isinstance(body.get("usage"), dict) else {}
    return Reply(
        content=_content(message.get("content") or message.get("refusal")),
        reasoning=_content(message.get("reasoning_content") or message.get("reasoning")),
        calls=_calls(message),
        finish=choice.get("finish_reason"),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        dialect=dialect,
    )


def _content(written: Any) -> str:
    if isinstance(written, list):
        written = "".join(
            part["text"] for part in written if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return clean(written) if isinstance(written, str) else ""


def _calls(message: dict[str, Any]) -> tuple[Call, ...]:
    calls: list[Call] = []
    listed = message.get("tool_calls")
    for number, entry in enumerate(listed if isinstance(listed, list) else ()):
        function = entry.get("function") if isinstance(entry, dict) else None
        if isinstance(function, dict):
            given = entry.get("id")
            known = isinstance(given, str) and given and given not in [call.id for call in calls]
            calls.append(Call(given if known else f"none{number:05}", function.get("name"), function.get("arguments")))
    return tuple(calls)


def _count(told: Any) -> int | None:
    return told if type(told) is int and 0 <= told <= MOST_TOKENS else None


def read_models(text: str) -> list[dict[str, Any]]:
    """Return the models that an endpoint lists; none where it answers something else."""
    try:
        entries = json.loads(text)["data"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return []
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
