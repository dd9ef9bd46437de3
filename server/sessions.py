"""Sessions as OpenEnv keeps them, each with an environment of its own that also answers as MCP tools.

Every session counts against one capacity and ends after one idle time, whichever endpoint opened it: ``/ws``, ``/mcp``
over WebSocket or HTTP, or the conforming endpoint of mcp_endpoint.py.
"""

from functools import partial

from openenv.core.env_server.exceptions import SessionCapacityError
from openenv.core.env_server.http_server import HTTPEnvServer
from openenv.core.env_server.types import ConcurrencyConfig

from sql_env.models import SQLAction, SQLObservation, SQLState
from sql_env.server.environment import NAME, SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.telemetry import Telemetry
from sql_env.server.tools import ToolClient


class ServedEnvironment(SQLEnvironment):
    """The environment of one session, with tools for OpenEnv's ``/mcp``."""

    @property
    def mcp_client(self) -> ToolClient:
        """What OpenEnv asks for tools."""
        return ToolClient(self)


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
        self._telemetry = telemetry
        telemetry.watch("sessions_open", "Sessions open now.", lambda: self.active_sessions)
        telemetry.watch("sessions_limit", "Sessions that may be open at once.", lambda: settings.max_sessions)

    async def _create_session(self) -> tuple[str, SQLEnvironment]:
        """Open a session, as every endpoint of OpenEnv does."""
        try:
            session_id, environment = await super()._create_session()
        except SessionCapacityError:
            self._telemetry.session_refused()
            raise
        assert isinstance(environment, SQLEnvironment)
        environment.begin_session(session_id)
        return session_id, environment

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

    async def end(self, session_id: str) -> None:
        """Close a session; one that is closed already stays so."""
        await self._destroy_session(session_id)
