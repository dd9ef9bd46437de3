"""Several processes of the server on one port, by uvicorn's supervisor; each has its own sessions, engine and metrics.

A connection stays with the process that took it, which is all that a WebSocket needs. Sessions over HTTP are refused.
The kernel spreads connections: every process listens on a socket of its own with SO_REUSEPORT. With the one socket that
uvicorn shares, the process that is quickest takes them all.
"""

import logging
import os
import socket
from importlib import import_module
from threading import Lock

import uvicorn
from uvicorn.config import Config
from uvicorn.supervisors import multiprocess

logger = logging.getLogger("uvicorn.error")


_MAKING = Lock()


class _Process(multiprocess.Process):
    """One of them, which stops as a single server does: it answers the messages under way and lets episodes end."""

    @property
    def server(self) -> uvicorn.Server:
        """The server that it runs, made in the process itself, where the import of the app loads the data."""
        with _MAKING:  # the thread that tells the supervisor how it goes asks for it, too, while it is being made
            if self._server is None:
                module, _, _ = str(self.config.app).partition(":")
                self._server = import_module(module).Server(self.config)
            return self._server

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, in the process itself."""
        assert sockets
        super().target([bound(*sockets[0].getsockname()[:2])] if hasattr(socket, "SO_REUSEPORT") else sockets)


class Workers(multiprocess.Multiprocess):
    """The supervisor: starts the processes, replaces one that dies, and stops them all when it is told to stop."""

    def __init__(self, config: Config) -> None:
        # uvicorn names the class of its processes in three places and lets nobody choose another.
        multiprocess.Process = _Process  # type: ignore[misc]
        super().__init__(config, [bound(config.host, config.port)])

    def init_processes(self) -> None:
        """Start the processes, and tell where they listen as soon as one does."""
        super().init_processes()
        if self.processes[0].wait_until_ready(self.config.timeout_worker_healthcheck):
            port = self.sockets[0].getsockname()[1]
            logger.info("Uvicorn running on http://%s:%d (%d processes)", self.config.host, port, len(self.processes))


def reason_not_to_listen(host: str, port: int) -> str:
    """Return why nobody can listen at an address, such as a server that is there already; nothing if one can."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as tried:
        if os.name == "posix":  # where it lets an address be taken that was just left, and nothing else
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except socket.gaierror:
            return ""  # a name of the other family, or of nobody: asyncio, which listens, says so
        except OSError as error:
            return f"cannot listen on {host}:{port}: {error.strerror or error}"
    return ""


def bound(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address that others of ours may be bound to as well.

    Raises:
        OSError: the address is another's, or none of this machine.
    """
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, port))
    made.set_inheritable(True)
    return made
