"""Sessions by MCP over HTTP, a connection of its own for each request: what a balancer has to keep together."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import httpx

Message = dict[str, Any]
_ACCEPT = {"accept": "application/json, text/event-stream"}
_CLIENT = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "sql_env replicas", "version": "1"},
}


class SessionGoneError(RuntimeError):
    """The server that answered does not know the session."""


class HttpSession(Protocol):
    """One session in either dialect."""

    @classmethod
    async def open(cls, base_url: str) -> Self:
        """Open a session."""

    async def call(self, tool: str, **arguments: str) -> Message:
        """Call a tool and return its result.

        Raises:
            SessionGoneError: the session is unknown where the request arrived.
        """


async def _post(url: str, body: Message, headers: dict[str, str] | None = None) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as client:
        return await client.post(url, json={"jsonrpc": "2.0", **body}, headers={**_ACCEPT, **(headers or {})})


@dataclass
class StreamSession:
    """MCP's streamable HTTP at ``/mcp/stream``: the session is named in a header."""

    url: str
    headers: dict[str, str]

    @classmethod
    async def open(cls, base_url: str) -> Self:
        """Initialize a session."""
        url = f"{base_url}/mcp/stream"
        first = await _post(url, {"id": 1, "method": "initialize", "params": _CLIENT})
        first.raise_for_status()
        session = cls(url, {"mcp-session-id": first.headers["mcp-session-id"]})
        await _post(url, {"method": "notifications/initialized"}, session.headers)
        return session

    async def call(self, tool: str, **arguments: str) -> Message:
        """Call a tool."""
        params = {"name": tool, "arguments": arguments}
        told = await _post(self.url, {"id": 2, "method": "tools/call", "params": params}, self.headers)
        if told.status_code == httpx.codes.NOT_FOUND:
            raise SessionGoneError(told.text)
        result: Message = told.raise_for_status().json()["result"]
        return result


@dataclass
class DialectSession:
    """OpenEnv's JSON-RPC at ``/mcp``: the session is named in the body."""

    url: str
    session_id: str

    @classmethod
    async def open(cls, base_url: str) -> Self:
        """Create a session."""
        told = await _post(f"{base_url}/mcp", {"id": 1, "method": "openenv/session/create", "params": {}})
        return cls(f"{base_url}/mcp", told.json()["result"]["session_id"])

    async def call(self, tool: str, **arguments: str) -> Message:
        """Call a tool."""
        params = {"session_id": self.session_id, "name": tool, "arguments": arguments}
        told = (await _post(self.url, {"id": 2, "method": "tools/call", "params": params})).json()
        if "error" in told:
            raise SessionGoneError(str(told["error"]))
        result: Message = told["result"]
        return result


async def two_steps(session: HttpSession) -> int:
    """Start an episode if none is running, take two steps, and return how many the server has counted."""
    await session.call("task")
    for number in range(2):
        result = await session.call("query", sql=f"SELECT {number}")
    return int(result["_meta"]["step_count"])
