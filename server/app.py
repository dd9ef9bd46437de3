"""Settings to shared resources to a FastAPI app, and how it is served and stopped. Wires only."""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from types import FrameType

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from sql_env.server.environment import installed_version
from sql_env.server.errors import DataError, TaskError
from sql_env.server.guard import Guard
from sql_env.server.mcp_endpoint import McpEndpoint
from sql_env.server.protocols import LONGEST_FRAME, HttpConnection, WebSocketConnection
from sql_env.server.resources import Resources
from sql_env.server.sessions import Sessions
from sql_env.server.settings import Settings
from sql_env.server.telemetry import Telemetry, log_config
from sql_env.server.traffic import Traffic
from sql_env.server.web.page import add_page
from sql_env.server.workers import Workers, reason_not_to_listen

logger = logging.getLogger("uvicorn.error")

SPARE_SOCKETS = 32
"""WebSockets beyond the sessions that may be open, so that those who find no room are told so in OpenEnv's words."""

DESCRIPTION = """An agent explores a hidden SQL database and answers a question about it. Episodes are played over the
WebSocket `/ws`, or with MCP tools at `/mcp/stream`; `/reset` and `/step` build a fresh environment at each call, as
OpenEnv's HTTP endpoints do."""


def build_app(settings: Settings) -> FastAPI:
    """Load the data and return the app.

    OpenEnv's ``create_app`` is not used: with its web interface all visitors share one episode, and it does not hand
    out the sessions, which the MCP endpoint and the metrics need.

    Raises:
        DataError: a data set is missing or damaged.
    """
    resources = Resources.load(settings)
    telemetry = Telemetry()
    sessions = Sessions(resources, telemetry)
    # "1.0.0" is the version of OpenEnv's HTTP interface, by which `openenv validate --url` picks its profile.
    app = FastAPI(title="SQLEnv", version="1.0.0", description=DESCRIPTION, license_info={"name": "MIT"})
    app.state.resources, app.state.sessions = resources, sessions
    silence = max(2 * settings.session_timeout, settings.session_timeout + 60)
    app.state.traffic = Traffic(settings.max_message, settings.max_sessions + SPARE_SOCKETS, silence, telemetry)
    app.add_middleware(Guard, traffic=app.state.traffic)
    app.add_exception_handler(TaskError, _task_error)
    sessions.register_routes(app, os.environ.get("OPENENV_MODE", "simulation"))
    endpoint = McpEndpoint(sessions, settings, installed_version())
    app.router.routes.append(endpoint.route())
    add_page(app, resources, sessions)
    app.add_api_route("/metrics", partial(_metrics, telemetry), include_in_schema=False)
    _on_start_and_stop(app, resources, endpoint)
    return app


def _on_start_and_stop(app: FastAPI, resources: Resources, endpoint: McpEndpoint) -> None:
    running = AsyncExitStack()

    async def start() -> None:
        for name, dataset in resources.datasets.items():
            logger.info("Serving %s: %s", name, dataset.summary)
        resources.engine.start()
        await running.enter_async_context(endpoint.manager.run())

    async def stop() -> None:
        await running.aclose()
        resources.close()

    app.router.on_startup.append(start)
    app.router.on_shutdown.append(stop)


async def _metrics(telemetry: Telemetry) -> PlainTextResponse:
    return PlainTextResponse(telemetry.exposition(), media_type=CONTENT_TYPE_LATEST)


async def _task_error(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=422)


class Server(uvicorn.Server):
    """uvicorn, but a stop lets episodes end if there is time for that, and answers the messages under way."""

    _is_urgent = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; asked a second time, without waiting for episodes."""
        self._is_urgent = self.should_exit
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no episode more and wait for those that run; then no connection and no message, and close."""
        settings, traffic = app.state.resources.settings, app.state.traffic
        if settings.drain_seconds:
            await self._drain(settings.drain_seconds)
        for server in self.servers:
            server.close()
        await traffic.drain(settings.stop_seconds)
        await super().shutdown(sockets)

    async def _drain(self, seconds: float) -> None:
        """Wait for running episodes. Meanwhile ``/health`` answers 503, so that a balancer sends nobody here."""
        sessions, traffic, until = app.state.sessions, app.state.traffic, time.monotonic() + seconds
        sessions.draining = traffic.draining = True
        logger.info("Draining: %d episodes run, for %g s at most", sessions.playing, seconds)
        while not self._is_urgent:
            await traffic.let_go()
            if not sessions.playing or time.monotonic() > until:
                break
            await asyncio.sleep(0.1)


def _app_or_exit() -> FastAPI:
    try:
        return build_app(Settings.from_environ())
    except DataError as error:
        sys.exit(f"sql_env: {error}")


if __name__ != "__mp_main__":  # what a worker process takes this module for before it loads it by its name
    app = _app_or_exit()


def main(host: str | None = None, port: int | None = None) -> None:
    """Serve until interrupted; ``--host`` and ``--port`` win over the environment's HOST and PORT."""
    parser = argparse.ArgumentParser(prog="server", description="Serve SQLEnv over HTTP and WebSocket.")
    settings = Settings.from_environ()
    parser.add_argument("--host", default=host or settings.host)
    parser.add_argument("--port", type=int, default=settings.port if port is None else port)
    parser.add_argument("--workers", type=int, default=settings.workers, help="processes; SQL_ENV_WORKERS")
    options = parser.parse_args()
    settings = replace(settings, host=options.host, port=options.port)
    if not 0 <= settings.port <= 65_535:
        parser.error(f"--port {settings.port}: must be from 0 to 65535")
    if taken := reason_not_to_listen(settings.host, settings.port):
        sys.exit(f"sql_env: {taken}; choose another with PORT=… or --port")
    if options.workers > 1:
        os.environ["SQL_ENV_WORKERS"] = str(options.workers)  # for the processes, which read their settings again
        Workers(_config(settings, options.workers)).run()
        return
    # uvicorn raises the signal again once it has stopped: a stop that was asked for is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    Server(_config(settings)).run()


def _exit(_number: int, _frame: object) -> None:
    """End now: all is closed, and taking the interpreter down would add half a second to each stop."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _config(settings: Settings, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app if workers == 1 else "sql_env.server.app:app",
        workers=workers,
        timeout_worker_healthcheck=60,  # seconds; on a busy machine the imports take more than uvicorn's 5
        host=settings.host,
        port=settings.port,
        log_config=log_config(settings.log_format, settings.log_level),
        http=HttpConnection,
        ws=WebSocketConnection,
        ws_max_size=LONGEST_FRAME,
        # A few kilobytes that unpack to gigabytes are no message; observations are short.
        ws_per_message_deflate=False,
        # A trainer that computes may be silent for minutes; a peer that is gone is let go of in the end.
        ws_ping_interval=20.0,
        ws_ping_timeout=min(settings.session_timeout, 300.0),
        # Seconds, for what is left when the messages under way have been answered.
        timeout_graceful_shutdown=0.3,  # type: ignore[arg-type] # uvicorn hands it to asyncio.wait_for
    )


if __name__ == "__main__":
    main()
