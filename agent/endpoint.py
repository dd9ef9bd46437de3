"""An OpenAI-compatible endpoint: what is asked of it, and whose fault a failure is.

``Endpoint`` is the configuration; one ``ChatClient`` is shared by all policies, each on a thread of its own. Endpoints
differ in what they take. What one refuses (tools, a system message, ``max_tokens`` under that name, a temperature, a
seed) is left out from then on, for every policy, and said in the notes of each reply: see ``Dialect``.

Failures. The SDK tries again, with growing pauses or as ``Retry-After`` says, after lost connections, time-outs and
the statuses 408, 409, 429 and 5xx. What is left then is the endpoint's fault, as are answers that are no chat
completion and the statuses 401, 402, 403 and 404, whose text says what to do: ``EndpointError``. A request that does
not fit the context is ``ContextError``; any other refusal is the policy's own fault, ``RequestError``.
"""

import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import Any, Literal

import openai

from sql_env.agent import prompts
from sql_env.agent.completions import Dialect, Reply, read_models, read_reply
from sql_env.agent.faults import EndpointError

logger = logging.getLogger(__name__)

DEFAULT_CONTEXT = 8192
MAX_ADAPTATIONS = 6
CHECK_TOKENS = 128
Message = dict[str, Any]


class RequestError(RuntimeError):
    """The endpoint refused a request for what it holds: the policy's own fault."""


class ContextError(RequestError):
    """The request is longer than the model's context."""


class UnparsedError(RequestError):
    """The model wrote a tool call that the endpoint could not read, and instead of the text an error came."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A model at an endpoint, and how it is asked.

    Attributes:
        model: the model's name there.
        base_url: such as ``http://localhost:8000/v1``; None for OpenAI's, or ``OPENAI_BASE_URL``.
        api_key: by default ``OPENAI_API_KEY``, or ``none``, which local servers take.
        mode: ``tools`` (native tool calls), ``text`` (actions written as text), or ``auto`` (tools, and text for the
            rest of the run where the endpoint refuses them).
        temperature: of sampling.
        top_p: of sampling; None for the endpoint's default.
        max_tokens: tokens of one reply.
        context: tokens of prompt and reply together; None takes what the endpoint tells, or 8,192.
        timeout: seconds for one try at a request.
        max_retries: further tries at it.
        prices: US dollars for a million tokens read and a million written; None if unknown.
    """

    model: str
    base_url: str | None = None
    api_key: str = field(default_factory=lambda: os.environ.get("OPENAI_API_KEY") or "none", repr=False)
    mode: Literal["auto", "tools", "text"] = "auto"
    temperature: float = 0.0
    top_p: float | None = None
    max_tokens: int = 1024
    context: int | None = None
    timeout: float = 120.0
    max_retries: int = 4
    prices: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "tools", "text"):
            raise ValueError(f"mode must be auto, tools or text, not {self.mode!r}")
        if self.max_tokens < 1 or self.timeout <= 0 or self.max_retries < 0:
            raise ValueError("max_tokens and timeout must be positive, max_retries not negative")
        if self.context is not None and self.context <= self.max_tokens:
            raise ValueError(f"a context of {self.context} tokens has no room beside replies of {self.max_tokens}")

        if not self.api_key.isascii():
            raise ValueError("the API key holds characters that no header can carry")

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return what tokens cost in US dollars; None if the prices are unknown."""
        return None if self.prices is None else cost(prompt_tokens, completion_tokens, *self.prices)


def cost(prompt_tokens: int, completion_tokens: int, prompt_price: float, completion_price: float) -> float:
    """Return what tokens cost in US dollars, at prices for a million of each kind."""
    return (prompt_tokens * prompt_price + completion_tokens * completion_price) / 1e6


Render = Callable[[Dialect], list[Message]]
"""Writes a conversation's messages for an endpoint that takes what the dialect says."""


class ChatClient:
    """Asks one endpoint, for any number of threads.

    Args:
        endpoint: which one, and how.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.dialect = Dialect(tools=endpoint.mode != "text")
        self._called_tools = False
        self._lock = Lock()
        self._sdk = openai.OpenAI(
            api_key=endpoint.api_key,
            base_url=endpoint.base_url,
            timeout=endpoint.timeout,
            max_retries=endpoint.max_retries,
        )

    def close(self) -> None:
        """Close its connections."""
        self._sdk.close()

    @cached_property
    def context(self) -> int:
        """Tokens of prompt and reply together: as configured, as the endpoint tells it, or 8,192."""
        if self.endpoint.context is not None:
            return self.endpoint.context
        try:
            listed = read_models(self._sdk.with_options(max_retries=1, timeout=10).models.with_raw_response.list().text)
        except openai.OpenAIError:
            listed = []
        told = [entry.get("max_model_len") for entry in listed if entry.get("id") == self.endpoint.model]
        return next((length for length in told if isinstance(length, int) and length > 0), DEFAULT_CONTEXT)

    def complete(self, render: Render, seed: int | None, answer_form: str, max_tokens: int | None = None) -> Reply:
        """Ask for one reply.

        Args:
            render: writes the messages.
            seed: for the endpoint's sampling.
            answer_form: ``value`` or ``sql``.
            max_tokens: of the reply, if fewer than configured.

        Raises:
            EndpointError: the endpoint fails, is not there, or does not serve this model.
            ContextError: the messages are too long.
            UnparsedError: the endpoint could not read the model's tool call.
            RequestError: the endpoint refuses the request for another reason.
        """
        for _ in range(MAX_ADAPTATIONS):
            dialect = self.dialect
            request = self._request(dialect, render(dialect), seed, answer_form, max_tokens)
            try:
                text = self._sdk.chat.completions.with_raw_response.create(**request).text
            except openai.APIStatusError as error:
                self._adapt(dialect, error)
                continue
            except openai.OpenAIError as error:
                raise EndpointError(f"{self._where}: {_said(error)}") from None
            self._called_tools = self._called_tools or dialect.tools
            return read_reply(text, dialect, self._where)
        raise RequestError(f"{self._where} refused {MAX_ADAPTATIONS} forms of a request")

    @property
    def _where(self) -> str:
        return f"{self.endpoint.model} at {self._sdk.base_url}"

    def _request(
        self, dialect: Dialect, messages: list[Message], seed: int | None, answer_form: str, max_tokens: int | None
    ) -> dict[str, Any]:
        end = self.endpoint
        request: dict[str, Any] = {"model": end.model, "messages": messages, "temperature": end.temperature}
        request |= {"top_p": end.top_p, "seed": seed, dialect.limit: max_tokens or end.max_tokens}
        request |= {"tools": prompts.tool_definitions(answer_form)} if dialect.tools else {}
        return {name: value for name, value in request.items() if value is not None and name not in dialect.without}

    def _adapt(self, dialect: Dialect, error: openai.APIStatusError) -> None:
        """Note what the endpoint does not take, or raise what its refusal means."""
        said = _said(error)
        if error.status_code in CONTEXT_STATUSES and CONTEXT.search(f"{error.code} {error.type} {said}"):
            raise ContextError(f"{self._where}: {said}") from None
        if dialect.tools and UNPARSED.search(f"{error.code} {said}"):
            raise UnparsedError(said) from None
        with self._lock:
            if dialect != self.dialect:
                return  # another thread has found out
            changed = self._changed(dialect, error.status_code, said)
            if changed is not None:
                logger.warning("%s: %s (it said: %s)", self._where, changed.notes[-1], said[:300])
                self.dialect = changed
                return
        raise _attributed(error.status_code, self._where, said) from None

    def _changed(self, dialect: Dialect, status: int, said: str) -> Dialect | None:
        if status in (401, 402, 403, 429):
            return None
        if dialect.limit == "max_tokens" and "max_completion_tokens" in said:
            return _with(dialect, "endpoint wants max_completion_tokens", limit="max_completion_tokens")
        for name in ("temperature", "top_p", "seed"):
            if status < 500 and name not in dialect.without and re.search(PARAMETER_REFUSED % (name, name), said):
                return _with(dialect, f"endpoint refuses {name}", without=dialect.without | {name})
        if dialect.system and SYSTEM_REFUSED.search(said):
            return _with(dialect, "endpoint refuses system messages", system=False)
        if dialect.tools and self.endpoint.mode == "auto" and not self._called_tools and TOOLS_REFUSED.search(said):
            return _with(dialect, "endpoint refuses tools: actions written as text", tools=False)
        return None

    def check(self) -> str:
        """Ask for one short reply, so that what is wrong is said before a run; return what was found, in one line.

        Raises:
            EndpointError: the endpoint fails, is not there, or does not serve this model; the text says what to do.
            RequestError: it refuses a plain request.
        """
        with suppress(UnparsedError):  # then it takes tools
            self.complete(_check, None, "value", max_tokens=min(CHECK_TOKENS, self.endpoint.max_tokens))
        if self.context <= self.endpoint.max_tokens:
            raise RequestError(
                f"{self._where} has a context of {self.context} tokens, no room beside replies of "
                f"{self.endpoint.max_tokens}: lower max_tokens"
            )
        form = "native tool calls" if self.dialect.tools else "actions written as text"
        return "; ".join((f"{self._where}: {form}, context of {self.context:,} tokens", *self.dialect.notes))


CONTEXT = re.compile(
    r"context_length_exceeded|exceed_context_size|string_above_max_length|prompt is too long|too many tokens"
    r"|(maximum|max|available|model'?s)[ _]context|context (length|window|size)|inputs`? tokens \+ `?max_new_tokens"
    r"|(input|prompt|tokens?).{0,40}(exceeds?|longer than).{0,40}(limit|max|length)",
    re.IGNORECASE | re.DOTALL,
)
"""The words of OpenAI, vLLM, llama.cpp, Anthropic and HF for a prompt that is too long."""
CONTEXT_STATUSES = (400, 413, 422, 500)

PARAMETER_REFUSED = (
    r"(?i)\b%s\b.{0,60}(not support|unsupported|deprecated|not permitted|not allowed)"
    r"|(unsupported|unexpected|unrecognized|unknown|extra|not support).{0,60}\b%s\b"
)
SYSTEM_REFUSED = re.compile(r"system[ _-](role|message|prompt|instruction)s?.{0,40}(not|un)[ -]?(support|allow)", re.I)
TOOLS_REFUSED = re.compile(r"tool|function.?call|jinja|chat.?template", re.IGNORECASE)
"""What a refusal of tools speaks of. Ollama: "does not support tools"; vLLM: '"auto" tool choice requires …';
llama.cpp: "tools param requires --jinja flag" (a 500). It counts only where no request with tools was ever taken."""

UNPARSED = re.compile(r"tool_use_failed|(parsing|parse|call) (a |the |input|tool|function)", re.IGNORECASE)
"""Groq: code tool_use_failed, "Failed to call a function"; Ollama: "error parsing tool call"; llama.cpp: "Failed to
parse input". They say so instead of handing over what the model wrote."""


def _check(dialect: Dialect) -> list[Message]:
    system = prompts.system_prompt("value", tools=dialect.tools)
    if not dialect.system:
        return [{"role": "user", "content": f"{system}\n\n{prompts.CHECK}"}]
    return [{"role": "system", "content": system}, {"role": "user", "content": prompts.CHECK}]


def _with(dialect: Dialect, note: str, **changes: Any) -> Dialect:
    return replace(dialect, notes=(*dialect.notes, note), **changes)


def _attributed(status: int, where: str, said: str) -> Exception:
    remedies = {
        401: "set OPENAI_API_KEY to a key that this endpoint takes",
        402: "the account has no credit left",
        403: "the key has no right to this model: choose another model or key",
        404: "check the model's name (GET /v1/models lists them) and the URL, which usually ends in /v1",
    }
    if status in remedies:
        return EndpointError(f"{where} answered {status}: {remedies[status]}. It said: {said}")
    if status in (408, 409, 429) or status >= 500:
        return EndpointError(f"{where} still answered {status} after all retries: {said}")
    return RequestError(f"{where} refused the request with {status}: {said}")


def _said(error: openai.OpenAIError) -> str:
    """Return the server's own words, or the SDK's and their cause."""
    if isinstance(error, openai.APIStatusError):
        body = error.body
        told = (body.get("message") or body.get("detail") or body.get("error")) if isinstance(body, dict) else body
        return str(told or error.message or type(error).__name__)[:500]
    cause = error.__cause__
    return f"{error}" + (f" ({type(cause).__name__}: {cause})" if cause else "")
