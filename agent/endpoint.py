"""An OpenAI-compatible endpoint: what is asked of it, and whose fault a failure is.

``Endpoint`` is the configuration; one ``ChatClient`` is shared by all policies, each on a thread of its own. Endpoints
differ in what they take. What one refuses (tools, a system message, ``max_tokens`` under that name, a temperature, a
seed) is left out from then on, for every policy, and said in the notes of each reply: see ``Dialect``.

Failures. The SDK tries again, with growing pauses or as ``Retry-After`` says, after lost connections, time-outs and
the statuses 408, 409, 429 and 5xx. What is left then is the endpoint's fault, as are answers that are no chat
completion and the statuses 401, 402, 403 and 404, whose text says what to do: ``EndpointError``. A request that does
not fit the context is ``ContextError``; any other refusal is the policy's own fault, ``RequestError``. So is a 403 or
404 once a request has succeeded, since key, URL and model are right then: it is about what this request holds.

The API key is in no message, whoever wrote it, and in no reply.
"""

import json
import logging
import os
import re
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Lock
from typing import Any, Literal

import openai

from sql_env.agent import prompts
from sql_env.agent.bounded_http import BoundedClient, LoopThread
from sql_env.agent.completions import Dialect, Reply, read_models, read_reply
from sql_env.agent.faults import EndpointError
from sql_env.agent.refusals import (
    PARAMETER_REFUSED,
    SYSTEM_REFUSED,
    TOOLS_REFUSED,
    ContextError,
    RequestError,
    UnparsedError,
    about_the_call,
    about_the_context,
    about_the_request,
    attributed,
    words,
)

logger = logging.getLogger(__name__)

DEFAULT_CONTEXT = 8192
MAX_ADAPTATIONS = 6
CHECK_TOKENS = 128
LONGEST_SAID = 500
NO_KEYS = ("none", "empty", "token", "dummy", "test", "ollama", "llama", "vllm", "lm-studio", "local")
"""What people write where a server takes any key: words that messages may hold."""
Message = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A model at an endpoint, and how it is asked.

    Attributes:
        model: the model's name there.
        base_url: such as ``http://localhost:8000/v1``; None for OpenAI's, or ``OPENAI_BASE_URL``.
        api_key: by default ``OPENAI_API_KEY``, or ``none``, which local servers take; white space around it goes.
        mode: ``tools`` (native tool calls), ``text`` (actions written as text), or ``auto`` (tools, and text for the
            rest of the run where the endpoint refuses them).
        temperature: of sampling.
        top_p: of sampling; None for the endpoint's default.
        max_tokens: tokens of one reply.
        context: tokens of prompt and reply together; None takes what the endpoint tells, or 8,192.
        timeout: seconds for one try at a request, all of it.
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
        object.__setattr__(self, "api_key", self.api_key.strip() or "none")
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ValueError("the API key holds characters that no header can carry")

    def redacted(self, text: str) -> str:
        """Return a text without the API key."""
        if self.api_key.lower() in NO_KEYS:
            return text
        forms = {self.api_key, repr(self.api_key)[1:-1], json.dumps(self.api_key)[1:-1]}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, "[API key]")
        return text

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
        self._succeeded = False
        self._lock = Lock()
        self._sdk = openai.AsyncOpenAI(
            api_key=endpoint.api_key,
            base_url=endpoint.base_url,
            timeout=endpoint.timeout,
            max_retries=endpoint.max_retries,
            http_client=BoundedClient(),
        )
        self._loop = LoopThread(f"requests to {endpoint.model}", self._sdk.close)
        weakref.finalize(self, self._loop.let_go)

    def close(self) -> None:
        """Close its connections; what is being asked is called off."""
        self._loop.close()

    @cached_property
    def context(self) -> int:
        """Tokens of prompt and reply together: as configured, as the endpoint tells it, or 8,192."""
        if self.endpoint.context is not None:
            return self.endpoint.context
        try:
            listed = read_models(self._loop.call(self._list()))
        except openai.OpenAIError:
            listed = []
        told = [entry.get("max_model_len") for entry in listed if entry.get("id") == self.endpoint.model]
        return next((length for length in told if isinstance(length, int) and length > 0), DEFAULT_CONTEXT)

    async def _list(self) -> str:
        return (await self._sdk.with_options(max_retries=1, timeout=10).models.with_raw_response.list()).text

    async def _create(self, request: dict[str, Any]) -> str:
        text: str = (await self._sdk.chat.completions.with_raw_response.create(**request)).text
        return text

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
                text = self.endpoint.redacted(self._loop.call(self._create(request)))
            except openai.APIStatusError as error:
                self._adapt(dialect, error)
                continue
            except openai.OpenAIError as error:
                raise EndpointError(f"{self._where}: {self._said(error)}") from None
            reply = read_reply(text, dialect, self._where)
            self._called_tools = self._called_tools or dialect.tools
            self._succeeded = True
            return reply
        raise RequestError(f"{self._where} refused {MAX_ADAPTATIONS} forms of a request")

    @property
    def _where(self) -> str:
        url = self._sdk.base_url  # without user and password
        return self.endpoint.redacted(f"{self.endpoint.model} at {url.scheme}://{url.netloc.decode()}{url.path}")

    def _said(self, error: openai.OpenAIError) -> str:
        return self.endpoint.redacted(words(error))[:LONGEST_SAID]

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
        said = self._said(error)
        if about_the_context(error, said):
            raise ContextError(f"{self._where}: {said}") from None
        if dialect.tools and about_the_call(error, said):
            raise UnparsedError(said) from None
        with self._lock:
            if dialect != self.dialect:
                return  # another thread has found out
            changed = self._changed(dialect, error.status_code, said)
            if changed is not None:
                logger.warning("%s: %s (it said: %s)", self._where, changed.notes[-1], said[:300])
                self.dialect = changed
                return
        if self._succeeded and about_the_request(error, said):
            raise RequestError(f"{self._where} refused this request with {error.status_code}: {said}") from None
        raise attributed(error.status_code, self._where, said) from None

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
        try:
            self.complete(_check, 0, "value", max_tokens=min(CHECK_TOKENS, self.endpoint.max_tokens))
        except UnparsedError:
            self._called_tools = self._succeeded = True
        if self.context <= self.endpoint.max_tokens:
            raise RequestError(
                f"{self._where} has a context of {self.context} tokens, no room beside replies of "
                f"{self.endpoint.max_tokens}: lower max_tokens"
            )
        form = "native tool calls" if self.dialect.tools else "actions written as text"
        return "; ".join((f"{self._where}: {form}, context of {self.context:,} tokens", *self.dialect.notes))


def _check(dialect: Dialect) -> list[Message]:
    system = prompts.system_prompt("value", tools=dialect.tools)
    if not dialect.system:
        return [{"role": "user", "content": f"{system}\n\n{prompts.CHECK}"}]
    return [{"role": "system", "content": system}, {"role": "user", "content": prompts.CHECK}]


def _with(dialect: Dialect, note: str, **changes: Any) -> Dialect:
    return replace(dialect, notes=(*dialect.notes, note), **changes)
