"""What an endpoint's refusal means, from its status and its words, and whose fault it is; pure.

The words differ from one to the next and change: what none of the patterns knows is a plain RequestError.
"""

import re

import openai

from sql_env.agent.faults import EndpointError


class RequestError(RuntimeError):
    """The endpoint refused a request for what it holds: the policy's own fault."""


class ContextError(RequestError):
    """The request is longer than the model's context."""


class UnparsedError(RequestError):
    """The model wrote a tool call that the endpoint could not read, and instead of the text an error came."""


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
UNPARSED_STATUSES = (400, 422, 500)

MODEL_GONE = re.compile(r"model.{0,100}(not found|not exist|not available|not loaded)|model_not_found", re.I | re.S)


def about_the_context(error: openai.APIStatusError, said: str) -> bool:
    """Return whether the prompt is too long."""
    return error.status_code in CONTEXT_STATUSES and bool(CONTEXT.search(f"{error.code} {error.type} {said}"))


def about_the_call(error: openai.APIStatusError, said: str) -> bool:
    """Return whether the endpoint could not read the model's tool call."""
    return error.status_code in UNPARSED_STATUSES and bool(UNPARSED.search(f"{error.code} {said}"))


def about_the_request(error: openai.APIStatusError, said: str) -> bool:
    """Return whether a 403 or 404, after requests that succeeded, is about this one: a content policy's, say.

    It is not if the model is gone, or if the 404 is not the API's own: then the server or a tunnel to it went away.
    """
    own = "json" in error.response.headers.get("content-type", "")
    gone = MODEL_GONE.search(f"{error.code} {said}") is not None
    return error.status_code == 403 or (error.status_code == 404 and own and not gone)


def attributed(status: int, where: str, said: str) -> Exception:
    """Return the error that a status stands for, where nothing else is known."""
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


def words(error: openai.OpenAIError) -> str:
    """Return the server's own words, or the SDK's and their cause."""
    if isinstance(error, openai.APIStatusError):
        body = error.body
        told = (body.get("message") or body.get("detail") or body.get("error")) if isinstance(body, dict) else body
        return str(told or error.message or type(error).__name__)
    cause = error.__cause__
    return f"{error}" + (f" ({type(cause).__name__}: {cause})" if cause else "")
