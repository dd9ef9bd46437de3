"""What sessions and the connections that they are played over know of each other. No I/O, no framework."""

from contextvars import ContextVar
from typing import Protocol

STOPPING = "the server is stopping: connect again in a moment"


class Session(Protocol):
    """The session of a connection."""

    @property
    def is_playing(self) -> bool:
        """Whether an episode is running."""


class Connection(Protocol):
    """An open WebSocket."""

    def plays(self, session: Session) -> None:
        """Take note of the session that was opened for it."""

    async def let_go(self) -> None:
        """Close it, unless an episode is running or a message under way."""


CONNECTION: ContextVar[Connection | None] = ContextVar("CONNECTION", default=None)
"""The WebSocket for which something is done; none for a request."""
