"""Which messages and connections a server takes, and how much is under way.

OpenEnv 0.10 ends a session on a message that is JSON but no object, on a binary one and on one that is nested too
deeply, and sends the text of whatever Python said. Here each is a Refusal, which guard.py answers, and the session
lives on. Bodies and messages have a longest length, open sockets a highest number, and a server that is told to stop
takes no new message while those under way end. Half a surrogate pair, which JSON can carry and UTF-8 cannot, is read
as ``?``. Of a step that is longer than any message may be only the beginning is read: an agent that writes too much is
told so as an agent is.

A server that drains lets running episodes go on and takes no new ones; then it stops.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sql_env.server.connections import CONNECTION, STOPPING, Connection
from sql_env.server.telemetry import Telemetry

GONE = "sql_env.gone"
"""Key of an ASGI scope: an asyncio.Event that is set when the client of the request goes away."""

FULL = "the server has too many open connections: try again later"
MAX_DEPTH = 64
"""Deepest nesting of a message; the environment's own reach 4."""


class Refusal(Exception):
    """A message that no session sees.

    Args:
        reason: one word for the counter.
        message: what the client is told.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Traffic:
    """How much is under way, and whether more is taken.

    Args:
        longest: bytes of a message or a request's body.
        most_sockets: WebSockets that may be open at once.
        patience: seconds after which a WebSocket without a message is closed.
        telemetry: where refusals are counted.
    """

    def __init__(self, longest: int, most_sockets: int, patience: float, telemetry: Telemetry) -> None:
        self.longest = longest
        self.most_sockets = most_sockets
        self.patience = patience
        self.telemetry = telemetry
        self.sockets = 0
        self.draining = False
        self.stopping = False
        self._open: set[Connection] = set()
        self._under_way = 0
        self._quiet = asyncio.Event()

    def begin(self) -> None:
        """A message was taken."""
        self._under_way += 1

    def end(self) -> None:
        """A message was answered."""
        self._under_way -= 1
        if self.stopping and not self._under_way:
            self._quiet.set()

    @contextmanager
    def socket(self) -> Iterator[bool]:
        """Count a WebSocket while it is open; false if there is no room for it."""
        room = self.sockets < self.most_sockets and not self.draining and not self.stopping
        self.sockets += room
        try:
            yield room
        finally:
            self.sockets -= room

    @contextmanager
    def serving(self, connection: Connection) -> Iterator[None]:
        """Know a WebSocket while it is served, so that it can be let go of."""
        self._open.add(connection)
        token = CONNECTION.set(connection)
        try:
            yield
        finally:
            CONNECTION.reset(token)
            self._open.discard(connection)

    async def let_go(self) -> None:
        """Close the WebSockets on which no episode is running."""
        for connection in list(self._open):
            await connection.let_go()

    async def drain(self, seconds: float) -> None:
        """Take no new message, and wait until those under way are answered, at most so many seconds."""
        self.stopping = True
        if self._under_way:
            try:
                await asyncio.wait_for(self._quiet.wait(), seconds)
            except TimeoutError:
                return

    def checked_message(self, text: str | None, *, rpc: bool = False) -> str:
        """Return a message's text as the application may have it.

        Args:
            text: the message, None if it was binary.
            rpc: whether it is to be a JSON-RPC request.

        Raises:
            Refusal: it is too long, no text frame, or nothing that could be meant; or the server is stopping.
        """
        if self.stopping:
            raise Refusal("stopping", STOPPING)
        if text is None:
            raise Refusal("malformed", "messages are text frames; this one is binary")
        if len(text) > self.longest:
            text = self._beginning(text)
        value = parse(text)
        if not isinstance(value, dict):
            raise Refusal("malformed", 'a message is a JSON object, such as {"type": "reset", "data": {}}')
        if rpc or value.get("type") == "mcp":
            check_rpc(value if rpc else value.get("data"))
        return clean(text, value)

    def _beginning(self, text: str) -> str:
        """Return a step with an argument that is still too long for any action, in place of one that is far longer.

        Raises:
            Refusal: it is no step as clients write it.
        """
        step = _STEP.match(text)
        if step is None:
            raise Refusal("too_long", f"the message is longer than {self.longest:,} bytes")
        begin = re.sub(r'[\\"\x00-\x1f]', " ", text[step.end() : step.end() + 200])
        data = {"action_type": step[1], "argument": begin + "x" * (self.longest - 500)}
        return json.dumps({"type": "step", "data": data})

    def checked_body(self, body: bytes, *, rpc: bool = False) -> bytes:
        """Return a request's body as the application may have it.

        Args:
            body: all of it.
            rpc: whether it is to be a JSON-RPC request.

        Raises:
            Refusal: it is nested too deeply or holds a number that cannot be read; or the server is stopping.
        """
        if self.stopping:
            raise Refusal("stopping", STOPPING)
        text = body.decode("utf-8", "replace")
        try:
            value = parse(text)
        except Refusal as refusal:
            if refusal.reason == "no_json":
                return body  # the application says so better
            raise
        if rpc:
            check_rpc(value)
        return clean(text, value).encode() if "\\u" in text else body


_STEP = re.compile(
    r'\s*\{\s*"type"\s*:\s*"step"\s*,\s*"data"\s*:\s*\{\s*"action_type"\s*:\s*"(\w{1,20})"\s*,\s*"argument"\s*:\s*"'
)


def check_rpc(value: Any) -> None:
    """Check that something is a JSON-RPC request, so that none of Python's words about it reach the client.

    Raises:
        Refusal: it is not.
    """
    request = value if isinstance(value, dict) else {}
    params = request.get("params", {})
    fits = (
        request.get("jsonrpc") == "2.0"
        and isinstance(request.get("method"), str)
        and isinstance(request.get("id"), str | int | None)
        and isinstance(params, dict)
        and isinstance(params.get("session_id"), str | None)
        and request.keys() <= {"jsonrpc", "method", "params", "id"}
    )
    if not fits:
        raise Refusal(
            "malformed",
            'a request is {"jsonrpc": "2.0", "id": 1, "method": …, "params": {…}}; a session_id in it is a string',
        )


def parse(text: str) -> Any:
    """Parse JSON.

    Raises:
        Refusal: it is none, is nested deeper than MAX_DEPTH or holds a number that cannot be read.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise Refusal("no_json", f"this is no JSON: {error.msg} at character {error.pos}") from None
    except (RecursionError, ValueError) as error:
        what = "is nested too deeply" if isinstance(error, RecursionError) else "holds a number too long to read"
        raise Refusal("malformed", f"the message {what}") from None
    if text.count("{") + text.count("[") > MAX_DEPTH and _deeper(value, MAX_DEPTH):
        raise Refusal("malformed", f"the message is nested deeper than {MAX_DEPTH} levels")
    return value


def _deeper(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [child for parent in level for child in _children(parent)]
    return bool(level)


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def clean(text: str, value: Any) -> str:
    """Return JSON with ``?`` for each half of a surrogate pair that stands alone."""
    if "\\u" not in text:
        return text
    written = json.dumps(value, ensure_ascii=False)
    return written.encode("utf-8", "replace").decode()
