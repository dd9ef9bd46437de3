"""The ASGI wrapper around the application: refuses what traffic.py does not let pass, and lets go of who is gone.

Every message of a WebSocket and every request's body is checked before the application sees it. A step that lasts is
given up when its client goes away, so that no statement keeps a place in the worker's queue for nobody.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

from openenv.core.env_server.types import WSErrorCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from sql_env.server.connections import STOPPING, Session
from sql_env.server.traffic import FULL, GONE, Refusal, Traffic

BODY_SECONDS = 30
BURST = 16
"""Messages of one connection that are answered before others have their turn: a client may send thousands at once."""


class Guard:
    """The wrapper itself.

    Args:
        app: what is wrapped.
        traffic: shared with whoever stops the server.
    """

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic
        self._ticker = _Ticker()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection or request."""
        if scope["type"] == "websocket":
            with self._traffic.socket() as room:
                if not room:
                    await self._no_room(send)
                    return
                await _Socket(self._traffic, scope, _Watch(receive, self._ticker), send).serve(self._app)
        elif self._traffic.draining and scope["path"].endswith("/health"):
            await _respond(send, HTTPStatus.SERVICE_UNAVAILABLE, STOPPING)  # a balancer sends nobody here any more
        elif scope["type"] == "http" and scope["method"] in ("POST", "PUT", "PATCH", "DELETE"):
            await self._request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _no_room(self, send: Send) -> None:
        self._traffic.telemetry.message_refused("no_room")
        why = STOPPING if self._traffic.draining or self._traffic.stopping else FULL
        await _respond(send, HTTPStatus.SERVICE_UNAVAILABLE, why, kind="websocket.http.response")

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body before the application does, hand it on, and count the request while it is under way."""
        rpc = scope["path"].endswith("/mcp")
        try:
            body = self._traffic.checked_body(await self._body(receive), rpc=rpc)
        except _Left:
            return
        except Refusal as refusal:
            self._traffic.telemetry.message_refused(refusal.reason)
            await _respond(send, _STATUS.get(refusal.reason, HTTPStatus.BAD_REQUEST), str(refusal), rpc=rpc)
            return
        watch = _Watch(receive, self._ticker)
        self._traffic.begin()
        try:
            with _given_up(watch):
                watch.begin()
                await self._app(_with_length(scope, len(body), watch.left), _Replayed(body, watch.next), send)
        finally:
            self._traffic.end()

    async def _body(self, receive: Receive) -> bytes:
        """Read a body.

        Raises:
            Refusal: it is too long or comes too slowly.
            _Left: the client went away.
        """
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _Left
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > self._traffic.longest:
                        raise Refusal("too_long", f"the body is longer than {self._traffic.longest:,} bytes")
        except TimeoutError:
            raise Refusal("too_slow", f"the body took longer than {BODY_SECONDS} s") from None
        return bytes(body)


class _Left(Exception):
    """The client went away before its request was read."""


_STATUS = {
    "too_long": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "too_slow": HTTPStatus.REQUEST_TIMEOUT,
    "stopping": HTTPStatus.SERVICE_UNAVAILABLE,
}


@contextmanager
def _given_up(watch: "_Watch") -> Iterator[None]:
    """End quietly what was cancelled because its client is gone."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not watch.left.is_set() or (task and task.uncancel()):
            raise
    finally:
        watch.close()


class _Watch:
    """Cancels what is done for a client that goes away meanwhile.

    uvicorn tells of a lost connection only to whoever receives, which nobody does while a step runs: a stranger could
    fill the worker's queue by connecting and leaving. Steps that last are watched; most are over before. What the
    client sends meanwhile waits its turn; one that sends a great deal is let go of, as its leaving would not be seen.

    Args:
        receive: the connection's.
        ticker: tells it to look.

    Attributes:
        left: set when the client has gone.
    """

    SECONDS = 0.05
    MOST_WAITING = 16

    def __init__(self, receive: Receive, ticker: "_Ticker") -> None:
        self._receive = receive
        self._ticker = ticker
        self._task = asyncio.current_task()
        self._since: float | None = None
        self._waiting: deque[Message] = deque()
        self._reader: asyncio.Future[None] | None = None
        self.left = asyncio.Event()

    def begin(self) -> None:
        """Something is being done that the client waits for."""
        self._since = time.monotonic()
        self._ticker.add(self)

    def end(self) -> None:
        """It is done."""
        self._since = None
        self._ticker.discard(self)

    async def next(self) -> Message:
        """Return the next event of the connection, which may have come while something was done."""
        if not self._waiting and self._reader is not None:
            reader, self._reader = self._reader, None
            await reader
        return self._waiting.popleft() if self._waiting else await self._receive()

    def close(self) -> None:
        """Look no more."""
        self.end()
        if self._reader is not None:
            self._reader.cancel()

    def look(self, now: float) -> None:
        """Watch the client, if what is done has lasted."""
        if self._since is None or now < self._since + self.SECONDS:
            return
        if self._reader is None or self._reader.done():
            self._reader = asyncio.ensure_future(self._read_ahead())

    async def _read_ahead(self) -> None:
        """Read events until what is done is done, and one that came after it."""
        while True:
            event = await self._receive()
            self._waiting.append(event)
            if self._since is None:
                return
            if event["type"].endswith(".disconnect") or len(self._waiting) > self.MOST_WAITING:
                self.left.set()
                if self._task is not None:
                    self._task.cancel()
                return


class _Ticker:
    """Tells all watches to look from time to time, while there is something to watch.

    One timer for all: to begin and end one for each message would be a tenth of what a step costs.
    """

    def __init__(self) -> None:
        self._busy: set[_Watch] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watch: _Watch) -> None:
        """Tell this one, too, from now on."""
        self._busy.add(watch)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_Watch.SECONDS / 2, self._tick)

    def discard(self, watch: _Watch) -> None:
        """Tell this one no more."""
        self._busy.discard(watch)

    def _tick(self) -> None:
        now, self._timer = time.monotonic(), None
        for watch in self._busy:
            watch.look(now)
        if self._busy:
            self._timer = asyncio.get_running_loop().call_later(_Watch.SECONDS / 2, self._tick)


class _Silence:
    """Raises TimeoutError in a block that lasts too long, as ``asyncio.timeout`` does, with one timer for many blocks.

    Args:
        seconds: how long a block may last.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._task = asyncio.current_task()
        self._began: float | None = None
        self._is_over = False
        self._timer: asyncio.Handle | None = None

    def __enter__(self) -> None:
        self._began = time.monotonic()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._look)

    def __exit__(self, kind: type[BaseException] | None, *_fault: object) -> None:
        self._began = None
        if self._is_over and kind is asyncio.CancelledError and self._task is not None:
            self._is_over = False
            if not self._task.uncancel():
                raise TimeoutError from None

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        left = self._seconds if self._began is None else self._began + self._seconds - time.monotonic()
        if left > 0:
            self._timer = asyncio.get_running_loop().call_later(left, self._look)
        elif self._task is not None:
            self._timer = None
            self._is_over = True
            self._task.cancel()


class _Socket:
    """One WebSocket: every message is checked; those under way are counted and watched; silence ends it."""

    def __init__(self, traffic: Traffic, scope: Scope, watch: _Watch, send: Send) -> None:
        self._traffic = traffic
        self._scope = scope
        self._send = send
        self._rpc = scope["path"].endswith("/mcp")
        self._watch = watch
        self._under_way = False
        self._taken = 0
        self._session: Session | None = None
        self._let_go = False
        self._silence = _Silence(traffic.patience)

    async def serve(self, app: ASGIApp) -> None:
        """Serve until the connection ends."""
        # OpenEnv's answer may find nobody: nothing is wrong.
        with _given_up(self._watch), suppress(WebSocketDisconnect), self._traffic.serving(self):
            try:
                await app(self._scope, self._next, self._send)
            finally:
                self._answered()
                self._silence.close()

    def plays(self, session: Session) -> None:
        """Take note of the session that was opened for this connection."""
        self._session = session

    async def let_go(self) -> None:
        """Close the connection, unless an episode is running or a message under way."""
        if self._under_way or self._let_go or (self._session is not None and self._session.is_playing):
            return
        self._let_go = True
        await self._send({"type": "websocket.close", "code": 1012, "reason": STOPPING})

    async def _next(self) -> Message:
        """Return the next message for the application, which asks once it has answered the one before."""
        self._answered()
        if self._traffic.draining:
            await self.let_go()
        while True:
            self._taken += 1
            if not self._taken % BURST:
                await asyncio.sleep(0)
            message = await self._patiently()
            if self._let_go:  # what came at the same time is not answered any more
                return {"type": "websocket.disconnect", "code": 1012}
            if message["type"] != "websocket.receive":
                return message
            try:
                text = self._traffic.checked_message(message.get("text"), rpc=self._rpc)
            except Refusal as refusal:
                self._traffic.telemetry.message_refused(refusal.reason)
                await self._send({"type": "websocket.send", "text": json.dumps(self._error(refusal))})
            else:
                self._under_way = True
                self._traffic.begin()
                self._watch.begin()
                return {"type": "websocket.receive", "text": text}

    async def _patiently(self) -> Message:
        """Return the next event; of a socket that was silent for too long, its end."""
        try:
            with self._silence:
                return await self._watch.next()
        except TimeoutError:
            await self._send({"type": "websocket.close", "code": 1001, "reason": "no message for too long"})
            return {"type": "websocket.disconnect", "code": 1001}

    def _answered(self) -> None:
        if self._under_way:
            self._under_way = False
            self._watch.end()
            self._traffic.end()

    def _error(self, refusal: Refusal) -> dict[str, Any]:
        """Write an error in the dialect of the endpoint: JSON-RPC on /mcp, OpenEnv's elsewhere."""
        if self._rpc:
            return _rpc_error(refusal.reason, str(refusal))
        code = _CODES.get(refusal.reason, WSErrorCode.VALIDATION_ERROR)
        return {"type": "error", "data": {"message": str(refusal), "code": code}}


_CODES = {"no_json": WSErrorCode.INVALID_JSON, "stopping": WSErrorCode.SESSION_ERROR}


class _Replayed:
    """A request's body that was read already, then whatever else the client sends."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            return await self._receive()
        return {"type": "http.request", "body": body, "more_body": False}


def _with_length(scope: Scope, length: int, left: asyncio.Event) -> Scope:
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())], GONE: left}


def _rpc_error(reason: str, message: str) -> dict[str, Any]:
    number = -32700 if reason == "no_json" else -32600
    return {"jsonrpc": "2.0", "id": None, "error": {"code": number, "message": message}}


async def _respond(
    send: Send, status: HTTPStatus, detail: str, *, rpc: bool = False, kind: str = "http.response"
) -> None:
    """Answer with an error; a request of JSON-RPC that was read with one of JSON-RPC, as OpenEnv does."""
    body: dict[str, Any] = {"detail": detail}
    if rpc and status is HTTPStatus.BAD_REQUEST:
        status, body = HTTPStatus.OK, _rpc_error("", detail)
    headers = [(b"content-type", b"application/json")]
    await send({"type": f"{kind}.start", "status": status.value, "headers": headers})
    await send({"type": f"{kind}.body", "body": json.dumps(body).encode()})
