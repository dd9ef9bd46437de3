"""``/mcp/stream``: the Model Context Protocol as its specification has it, for Claude, Cursor and other MCP hosts.

OpenEnv's own ``/mcp`` is a dialect without ``initialize``. This endpoint is the MCP SDK's streamable HTTP server; each
MCP session has a session of the environment's, opened at its first call, counted like any other, closed with it. The
SDK's low-level server is used rather than FastMCP's, which does not tell when a session ends: a slot would stay taken
until it had been idle for long.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from anyio import ClosedResourceError
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sql_env.server.environment import NAME, SQLEnvironment
from sql_env.server.sessions import NO_AFFINITY, Sessions
from sql_env.server.settings import Settings
from sql_env.server.tools import call_tool, list_tools, refused
from sql_env.server.traffic import GONE

PATH = "/mcp/stream"
INSTRUCTIONS = (
    "Answer a question about a database whose columns and rows are hidden. Call task first: it gives the question and "
    "the tables. Explore with describe, sample and query within the steps left, then call answer once."
)


class _NoAlarm(logging.Filter):
    """Drops what the SDK 1.30 logs as an error when a client ends its session while its event stream is open."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be kept."""
        return not (record.exc_info and isinstance(record.exc_info[1], ClosedResourceError))


logging.getLogger("mcp.server.streamable_http").addFilter(_NoAlarm())


class McpSession:
    """The environment's session behind one MCP session."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._session_id = ""
        self._opening = asyncio.Lock()  # hosts call tools in parallel

    async def environment(self) -> SQLEnvironment:
        """Return the environment; opens a session if there is none, or if it was closed for idleness.

        Raises:
            SessionCapacityError: the server is full.
        """
        async with self._opening:
            found = self._sessions.find(self._session_id)
            if found is None:
                self._session_id, found = await self._sessions.open()
            return found

    async def end(self) -> None:
        """Give the session back."""
        await self._sessions.end(self._session_id)


async def _call(session: McpSession, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
    return await call_tool(await session.environment(), name, arguments)


async def _unless_gone(
    call: Coroutine[Any, Any, types.CallToolResult], gone: asyncio.Event | None
) -> types.CallToolResult:
    """Finish a call, or give it up when the client that waits for it goes away; the SDK itself goes on for nobody."""
    if gone is None:
        return await call
    calling, leaving = asyncio.ensure_future(call), asyncio.ensure_future(gone.wait())
    try:
        await asyncio.wait({calling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return calling.result() if calling.done() else refused("the call was given up: its client has gone")
    finally:
        calling.cancel()
        leaving.cancel()


class McpEndpoint:
    """An ASGI application for one path.

    Args:
        sessions: where sessions are opened.
        settings: capacity, idle time and the longest body.
        version: the environment's version.
    """

    def __init__(self, sessions: Sessions, settings: Settings, version: str) -> None:
        self._sessions = sessions
        self._workers = settings.workers
        server: Server[McpSession, Any] = Server(NAME, version, INSTRUCTIONS, lifespan=self._session)

        @server.list_tools()  # type: ignore[no-untyped-call, untyped-decorator]
        async def _list_tools() -> list[types.Tool]:
            return list_tools()

        @server.call_tool(validate_input=False)  # type: ignore[untyped-decorator]
        async def _call_tool(name: str, arguments: dict[str, Any]) -> types.CallToolResult:
            context = server.request_context
            session: McpSession = context.lifespan_context
            gone = context.request.scope.get(GONE) if context.request else None
            return await _unless_gone(_call(session, name, arguments), gone)

        self.manager = StreamableHTTPSessionManager(
            server,
            json_response=True,
            session_idle_timeout=settings.session_timeout,
            max_sessions=settings.max_sessions,
            max_request_body_size=settings.max_message,
        )

    @asynccontextmanager
    async def _session(self, _server: object) -> AsyncIterator[McpSession]:
        session = McpSession(self._sessions)
        try:
            yield session
        finally:
            await session.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._workers > 1:
            error = {"jsonrpc": "2.0", "id": None, "error": {"code": -32000, "message": NO_AFFINITY}}
            await JSONResponse(error, HTTPStatus.SERVICE_UNAVAILABLE)(scope, receive, send)
            return
        await self.manager.handle_request(scope, receive, send)

    def route(self) -> Route:
        """Return where the endpoint is found."""
        return Route(PATH, endpoint=self, methods=["GET", "POST", "DELETE"])
