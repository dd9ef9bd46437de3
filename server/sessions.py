"""Sessions as OpenEnv keeps them, each with an environment of its own that also answers as MCP tools.

Every session counts against one capacity and ends after one idle time, whichever endpoint opened it: ``/ws``, ``/mcp``
over WebSocket or HTTP, or the conforming endpoint of mcp_endpoint.py.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from openenv.core.env_server.exceptions import SessionCapacityError
from openenv.core.env_server.http_server import HTTPEnvServer
from openenv.core.env_server.types import ConcurrencyConfig, SessionInfo

from sql_env.models import SQLAction, SQLObservation, SQLState
from sql_env.server.connections import CONNECTION, STOPPING
from sql_env.server.environment import NAME, Ended, SQLEnvironment
from sql_env.server.errors import TaskError
from sql_env.server.resources import Resources
from sql_env.server.telemetry import Telemetry
from sql_env.server.tools import ToolClient

NO_AFFINITY = (
    "this server has several worker processes, and a session over HTTP would need one and the same: use a WebSocket "
    "(/ws, /mcp), or a server with SQL_ENV_WORKERS=1"
)


class ServedEnvironment(SQLEnvironment):
    """The environment of one session, with tools for OpenEnv's ``/mcp``."""

    readmit: Callable[[], None] | None = None
    """Asks for a place again, once the session was closed under a connection that goes on."""

    @property
    def mcp_client(self) -> ToolClient:
        """What OpenEnv asks for tools."""
        return ToolClient(self)

    async def list_tasks(self, split: str) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return tasks, made on a thread where they have to be; OpenEnv awaits it."""
        return await self._resources.make_task(super().list_tasks, split)

    async def get_task(self, split: str, index: int) -> dict[str, Any]:  # type: ignore[override]
        """Return one task, likewise."""
        return await self._resources.make_task(super().get_task, split, index)

    async def get_task_range(  # type: ignore[override]
        self, split: str, start: int | None = None, stop: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the tasks of a slice, likewise."""
        return await self._resources.make_task(super().get_task_range, split, start, stop)

    def _admit(self) -> None:
        """Refuse an episode where the session was closed and the server is full."""
        if self.readmit is not None:
            self.readmit()


class Sessions(HTTPEnvServer):
    """OpenEnv's server, whose sessions have names in the log and may be opened by other endpoints of ours.

    Args:
        resources: what the sessions share.
        telemetry: where they are counted.
    """

    def __init__(self, resources: Resources, telemetry: Telemetry) -> None:
        settings = resources.settings
        super().__init__(
            partial(ServedEnvironment, resources, telemetry),
            SQLAction,
            SQLObservation,
            env_name=NAME,
            concurrency_config=ConcurrencyConfig(
                max_concurrent_envs=settings.max_sessions, session_timeout=settings.session_timeout
            ),
            state_cls=SQLState,
        )
        self.draining = False
        """Whether no episode may begin any more."""
        self._workers = settings.workers
        self._telemetry = telemetry
        self._closing: set[asyncio.Future[None]] = set()
        telemetry.watch("sessions_open", "Sessions open now.", lambda: self.active_sessions)
        telemetry.watch("episodes_running", "Episodes running now.", lambda: self.playing)
        telemetry.watch("draining", "Whether the server takes no new episodes, 1 or 0.", lambda: self.draining)
        telemetry.watch("workers", "Worker processes on the port; the figures are one's.", lambda: settings.workers)
        telemetry.watch("sessions_limit", "Sessions that may be open at once.", lambda: settings.max_sessions)

    async def _create_session(self) -> tuple[str, SQLEnvironment]:
        """Open a session, as every endpoint of OpenEnv does.

        OpenEnv reserves a place, then makes the environment on a thread. A caller that is cancelled in between would
        leave a place taken that no reaper sees: so the making is not cancelled with it, and its session is closed.
        """
        if self.draining:
            raise SessionCapacityError(len(self._sessions), 0, STOPPING)
        if self._workers > 1 and CONNECTION.get() is None:
            raise SessionCapacityError(len(self._sessions), 0, NO_AFFINITY)
        making = asyncio.ensure_future(super()._create_session())
        try:
            session_id, environment = await asyncio.shield(making)
        except SessionCapacityError:
            self._telemetry.session_refused()
            raise
        except asyncio.CancelledError:
            making.add_done_callback(self._close_unwanted)
            raise
        assert isinstance(environment, ServedEnvironment)
        environment.readmit = partial(self._readmit, session_id, environment)
        environment.begin_session(session_id)
        connection = CONNECTION.get()
        if connection is not None:
            connection.plays(environment)
        return session_id, environment

    def _close_unwanted(self, made: "asyncio.Future[tuple[str, Any]]") -> None:
        if not made.cancelled() and not made.exception():
            closing = asyncio.ensure_future(self._destroy_session(made.result()[0]))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _readmit(self, session_id: str, environment: SQLEnvironment) -> None:
        """Give a session that was closed under its connection a place again, so that it counts.

        Raises:
            TaskError: there is none, or the server is stopping.
        """
        if self.draining:
            raise TaskError(STOPPING)
        if session_id in self._sessions:
            return
        if len(self._sessions) >= self._max_concurrent_envs:
            self._telemetry.session_refused()
            raise TaskError("the session was closed for idleness and the server is full: try again later")
        now = time.time()
        self._sessions[session_id] = environment
        if self._shared_session_executor is not None:
            self._session_executors[session_id] = self._shared_session_executor
        self._session_info[session_id] = SessionInfo(
            session_id=session_id,
            created_at=now,
            last_activity_at=now,
            step_count=0,
            environment_type=type(environment).__name__,
        )
        environment.begin_session(session_id)

    async def open(self) -> tuple[str, SQLEnvironment]:
        """Open a session.

        Raises:
            SessionCapacityError: as many are open as may be.
        """
        return await self._create_session()

    def find(self, session_id: str) -> SQLEnvironment | None:
        """Return a session's environment and take note that it is used; None if it was closed, for idleness, say."""
        environment = self._sessions.get(session_id)
        self._update_session_activity(session_id)
        return environment if isinstance(environment, SQLEnvironment) else None

    @property
    def playing(self) -> int:
        """How many episodes are running."""
        return sum(environment.is_playing for environment in self._environments())

    def ended(self, episode_id: str) -> Ended | None:
        """Return an episode that is over and whose session is open, gold and all; None if there is none."""
        named = (env.ended for env in self._environments() if env.state.episode_id == episode_id)
        return next(filter(None, named), None)

    def _environments(self) -> Iterator[SQLEnvironment]:
        """Return those of the sessions that are open; one that is still being opened has none."""
        return (environment for environment in self._sessions.values() if isinstance(environment, SQLEnvironment))

    async def end(self, session_id: str) -> None:
        """Close a session; one that is closed already stays so."""
        await self._destroy_session(session_id)
