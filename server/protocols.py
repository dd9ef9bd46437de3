"""uvicorn's connections, with the bounds that it lacks: bytes held for messages not yet whole, time for a request.

What is held for all WebSockets together stays within a budget, so that many strangers who each send most of a long
message do not take the machine's memory; and a connection that sends no request gives its descriptor back.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LONGEST_FRAME = 8 * 2**20
"""Bytes of a message beyond which its connection is closed, with 1009."""


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket; one with a long message under way is closed when all together hold more than the budget."""

    BUDGET = 64 * 2**20
    SMALL = 256 * 2**10
    _held_by_all = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._held = 0

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._hold(self._held + len(data))
        if self._held > self.SMALL and WebSocketConnection._held_by_all > self.BUDGET:
            self._hold(0)
            self.transport.abort()
            return
        super().data_received(data)

    def send_receive_event_to_app(self) -> None:
        """Hand a whole message on."""
        self._hold(0)
        super().send_receive_event_to_app()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was held."""
        self._hold(0)
        super().connection_lost(exc)

    def _hold(self, size: int) -> None:
        WebSocketConnection._held_by_all += size - self._held
        self._held = size


class HttpConnection(HttpToolsProtocol):
    """An HTTP connection, closed if its first request's headers have not come after 30 s."""

    PATIENCE = 30.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.PATIENCE, self.transport.close)

    def on_headers_complete(self) -> None:
        """A request's headers have come."""
        self._in_time()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._in_time()
        super().connection_lost(exc)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
