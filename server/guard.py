"""The ASGI wrapper around the application: refuses what traffic.py does not let pass, and lets go of who is gone.

Every message of a WebSocket and every request's body is checked before the application sees it. A step that lasts is
given up when its client goes away, so that no statement keeps a place in the worker's queue for nobody.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from openenv.core.env_server.types import WSErrorCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sql_env.server.traffic import FULL, Refusal, Traffic

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection or request."""
        if scope["type"] == "websocket":
            with self._traffic.socket() as room:
                await (_Socket(self._traffic, scope, receive, send).serve(self._app) if room else _no_room(send))
        elif scope["type"] == "http" and scope["method"] in ("POST", "PUT", "PATCH", "DELETE"):
            await self._request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body before the application does, and hand it on."""
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._traffic.longest:
                self._traffic.telemetry.message_refused("too_long")
                text = f"the body is longer than {self._traffic.longest:,} bytes"
                await _respond(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
                return
        try:
            read = self._traffic.checked_body(bytes(body))
        except Refusal as refusal:
            self._traffic.telemetry.message_refused(refusal.reason)
            await _respond(send, HTTPStatus.BAD_REQUEST, str(refusal))
            return
        with _given_up(watch := _Watch(receive)):
            watch.begin()
            await self._app(_with_length(scope, len(read)), _Replayed(read, watch.next), send)


@contextmanager
def _given_up(watch: "_Watch") -> Iterator[None]:
    """End quietly what was cancelled because its client is gone."""
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not watch.gone or (task and task.uncancel()):
            raise
    finally:
        watch.close()


class _Watch:
    """Cancels what is done for a client that goes away meanwhile.

    uvicorn tells of a lost connection only to whoever receives, which nobody does while a step runs: a stranger could
    fill the worker's queue by connecting and leaving. Steps that last are watched; most are over before.

    Args:
        receive: the connection's.
    """

    SECONDS = 0.05

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._ahead: asyncio.Future[Message] | None = None
        self.gone = False

    def begin(self) -> None:
        """Something is being done that the client waits for."""
        self._timer = asyncio.get_running_loop().call_later(self.SECONDS, self._look)

    def end(self) -> None:
        """It is done."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def next(self) -> Message:
        """Return the next event of the connection, which may have come while something was done."""
        ahead, self._ahead = self._ahead, None
        return await (ahead or self._receive())

    def close(self) -> None:
        """Look no more."""
        self.end()
        if self._ahead is not None:
            self._ahead.cancel()

    def _look(self) -> None:
        self._ahead = asyncio.ensure_future(self._receive())
        self._ahead.add_done_callback(self._noticed)

    def _noticed(self, ahead: "asyncio.Future[Message]") -> None:
        if ahead.cancelled() or ahead.exception() or not ahead.result()["type"].endswith(".disconnect"):
            return
        if self._timer is not None and self._task is not None:
            self.gone = True
            self._task.cancel()


class _Socket:
    """One WebSocket: every message is checked; those under way are counted and watched."""

    def __init__(self, traffic: Traffic, scope: Scope, receive: Receive, send: Send) -> None:
        self._traffic = traffic
        self._scope = scope
        self._send = send
        self._watch = _Watch(receive)
        self._under_way = False
        self._taken = 0

    async def serve(self, app: ASGIApp) -> None:
        """Serve until the connection ends."""
        with _given_up(self._watch):
            try:
                await app(self._scope, self._next, self._send)
            finally:
                self._answered()

    async def _next(self) -> Message:
        """Return the next message for the application, which asks once it has answered the one before."""
        self._answered()
        while True:
            self._taken += 1
            if not self._taken % BURST:
                await asyncio.sleep(0)
            message = await self._watch.next()
            if message["type"] != "websocket.receive":
                return message
            try:
                text = self._traffic.checked_message(message.get("text"))
            except Refusal as refusal:
                self._traffic.telemetry.message_refused(refusal.reason)
                await self._send({"type": "websocket.send", "text": json.dumps(self._error(refusal))})
            else:
                self._under_way = True
                self._traffic.begin()
                self._watch.begin()
                return {"type": "websocket.receive", "text": text}

    def _answered(self) -> None:
        if self._under_way:
            self._under_way = False
            self._watch.end()
            self._traffic.end()

    def _error(self, refusal: Refusal) -> dict[str, Any]:
        """Write an error in the dialect of the endpoint: JSON-RPC on /mcp, OpenEnv's elsewhere."""
        if self._scope["path"].endswith("/mcp"):
            number = -32700 if refusal.reason == "no_json" else -32600
            return {"jsonrpc": "2.0", "id": None, "error": {"code": number, "message": str(refusal)}}
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


def _with_length(scope: Scope, length: int) -> Scope:
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())]}


async def _no_room(send: Send) -> None:
    await _respond(send, HTTPStatus.SERVICE_UNAVAILABLE, FULL, kind="websocket.http.response")


async def _respond(send: Send, status: HTTPStatus, detail: str, kind: str = "http.response") -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": f"{kind}.start", "status": status.value, "headers": headers})
    await send({"type": f"{kind}.body", "body": json.dumps({"detail": detail}).encode()})
