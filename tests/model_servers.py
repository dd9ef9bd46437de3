"""Servers that speak the chat completions protocol over real HTTP on the loopback interface.

These are SIMULATIONS: no model runs in them. ``Analyst`` writes the actions that a test tells it to, in tool calls or
as text, whichever the request asks for. What is real is the protocol: each request is checked as OpenAI's API checks
it, and answered with 400 where it breaks a rule. tests/train/ plays against a real server with a real, if tiny, model.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from sql_env.models import TOOLS

Body = dict[str, Any]
PLAN = (("DESCRIBE", "plot"), ("QUERY", "SELECT COUNT(*) FROM plot WHERE has_shed = 1"), ("ANSWER", "47"))
"""Right on the task allotment_society-001."""


@dataclass
class Answer:
    """What a server sends: JSON or raw text, in whole, in part (``drop``), never (``hang``) or for ever.

    For ever: as many bytes of white space at once as ``endless`` says, or a byte of the headers or of the body every
    tenth of a second (``drip``).
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: str | bytes | None = None
    drop: bool = False
    hang: bool = False
    drip: Literal["headers", "body"] | None = None
    endless: int = 0


@dataclass
class ModelServer:
    """A server that runs: its URL, the requests it got, those that broke a rule of the protocol."""

    url: str
    requests: list[Body] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@contextmanager
def model_server(
    reply: Callable[[Body, int], Answer], models: Sequence[Body] = ({"id": "m"},)
) -> Iterator[ModelServer]:
    """Serve on a free port; ``reply`` is given each request and its number, from 0."""
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # else each answer goes in two packets, and the second waits 40 ms for the first

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send(Answer({"object": "list", "data": list(models)}))

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            served.keys.append(self.headers.get("authorization", ""))
            with lock:
                number = len(served.requests)
                served.requests.append(request)
            wrong = broken_rule(request)
            if wrong:
                served.broken.append(wrong)
            self._send(refusal(wrong, code="invalid") if wrong else reply(request, number))

        def _send(self, answer: Answer) -> None:
            if answer.hang:
                closing.wait(30)
                self.close_connection = True
                return
            if answer.drip or answer.endless:
                self._send_for_ever(answer)
            written = answer.raw if answer.raw is not None else json.dumps(answer.body)
            sent = written.encode() if isinstance(written, str) else written
            self.send_response(answer.status)
            for name, value in ({"content-type": "application/json"} | answer.headers).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(sent) + (1000 if answer.drop else 0)))
            self.end_headers()
            self.wfile.write(sent)
            self.close_connection = self.close_connection or answer.drop

        def _send_for_ever(self, answer: Answer) -> None:
            """Until the client has enough, which raises, or the server closes."""
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            if answer.drip != "headers":
                self.wfile.write(b"content-type: application/json\r\n\r\n")
            while not closing.is_set():
                self.wfile.write(b" " * answer.endless if answer.endless else b"x")
                self.wfile.flush()
                if answer.drip:
                    closing.wait(0.1)
            raise ConnectionAbortedError

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, *_: object) -> None:
            pass  # a client that gave up

    lock = threading.Lock()
    with Server(("127.0.0.1", 0), Handler) as server:
        served = ModelServer(f"http://127.0.0.1:{server.server_port}/v1")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            closing.set()
            server.shutdown()
            thread.join()


# --- the protocol ----------------------------------------------------------------------------------------


def broken_rule(request: Body) -> str | None:
    """Return which rule of the chat completions API a request breaks, or None."""
    known = {"model", "messages", "tools", "seed", "temperature", "top_p", "max_tokens", "max_completion_tokens"}
    if not isinstance(request.get("model"), str) or set(request) - known:
        return f"unknown or missing parameters: {sorted(set(request) - known)}"
    wanted: list[str] = []
    for message in request["messages"]:
        role, content = message.get("role"), message.get("content")
        if role == "tool":
            if message["tool_call_id"] not in wanted:
                return "a tool message answers no tool call"
            wanted.remove(message["tool_call_id"])
        elif wanted:
            return "tool calls without a response"
        if role not in ("system", "user", "assistant", "tool"):
            return f"unknown role {role!r}"
        calls = message.get("tool_calls")
        if not (isinstance(content, str) and content) and not (role == "assistant" and content is None and calls):
            return f"a message of {role} without content"
        for call in calls or ():
            if call["type"] != "function" or not isinstance(call["function"]["arguments"], str):
                return "a tool call that is none"
            if not isinstance(json.loads(call["function"]["arguments"]), dict):
                return "arguments that are no object"
            if not re.fullmatch("[a-zA-Z0-9_-]{1,64}", call["function"]["name"]):
                return "a function name with other signs than letters, digits, _ and -"
            wanted.append(call["id"])
    return "tool calls without a response" if wanted else None


def tokens(request: Body) -> int:
    """Count a prompt's tokens crudely: one for four characters of its JSON."""
    return len(json.dumps([request["messages"], request.get("tools")])) // 4


def refusal(message: str, status: int = 400, code: Any = None, kind: str = "invalid_request_error") -> Answer:
    """Refuse as OpenAI does."""
    return Answer({"error": {"message": message, "type": kind, "param": None, "code": code}}, status)


def completion(request: Body, content: Any = None, calls: Any = None, finish: str | None = None) -> Answer:
    """Answer with a chat completion, usage counted."""
    message = {"role": "assistant", "content": content} | ({"tool_calls": calls} if calls else {})
    reason = finish or ("tool_calls" if calls else "stop")
    usage = {"prompt_tokens": tokens(request), "completion_tokens": 7, "total_tokens": tokens(request) + 7}
    choices = [{"index": 0, "message": message, "finish_reason": reason}]
    whole = {"id": "c", "object": "chat.completion", "created": 0, "model": request["model"]}
    return Answer(whole | {"choices": choices, "usage": usage})


def call(name: str, arguments: Any, number: int = 0) -> Body:
    """Return one tool call; arguments that are no text are written as JSON."""
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": written}}


def acting(request: Body, action: str, argument: str, number: int = 0) -> Answer:
    """Write an action in the form that the request asks for."""
    if "tools" not in request:
        return completion(request, f"I go on.\n\n{action}: {argument}")
    tool = next(tool for tool in TOOLS if tool.action_type == action)
    return completion(request, calls=[call(tool.name, {tool.argument: argument}, number)])


def taken(request: Body) -> int:
    """Return how many turns the episode has behind it: replies after the last opening."""
    roles = [message["role"] for message in request["messages"]]
    openings = [n for n, m in enumerate(request["messages"]) if m["role"] == "user" and "Question: " in m["content"]]
    return roles[openings[-1] if openings else 0 :].count("assistant")


class Analyst:
    """Plays a plan, one action a turn (SIMULATED: it reads nothing but how far the episode is)."""

    def __init__(self, plan: Sequence[tuple[str, str]] = PLAN) -> None:
        self._plan = plan

    def __call__(self, request: Body, number: int) -> Answer:
        turn = min(taken(request), len(self._plan) - 1)
        return acting(request, *self._plan[turn], number)
