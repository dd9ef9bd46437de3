"""Settings to shared resources to a FastAPI app. Wires only."""

import argparse
import logging
import os
import sys
from dataclasses import replace
from functools import partial

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.types import ConcurrencyConfig

from sql_env.models import SQLAction, SQLObservation, SQLState
from sql_env.server.environment import NAME, SQLEnvironment
from sql_env.server.errors import DataError, TaskError
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings

logger = logging.getLogger("uvicorn.error")


def build_app(settings: Settings) -> FastAPI:
    """Load the data and return the app.

    Raises:
        DataError: a data set is missing or damaged.
    """
    resources = Resources.load(settings)
    app = create_app(
        partial(SQLEnvironment, resources),
        SQLAction,
        SQLObservation,
        env_name=NAME,
        concurrency_config=ConcurrencyConfig(
            max_concurrent_envs=settings.max_sessions, session_timeout=settings.session_timeout
        ),
        state_cls=SQLState,
    )
    app.state.resources = resources
    app.add_exception_handler(TaskError, _task_error)
    app.router.on_startup.append(partial(_announce, resources))
    app.router.on_startup.append(resources.engine.start)
    app.router.on_shutdown.append(resources.close)
    return app


def _announce(resources: Resources) -> None:
    for name, dataset in resources.datasets.items():
        logger.info("Serving %s: %d questions, %d databases", name, len(dataset.questions), len(dataset.databases))


async def _task_error(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=422)


def _app_or_exit() -> FastAPI:
    try:
        return build_app(Settings.from_environ())
    except DataError as error:
        sys.exit(f"sql_env: {error}")


app = _app_or_exit()


def main(host: str | None = None, port: int | None = None) -> None:
    """Serve until interrupted; ``--host`` and ``--port`` win over the environment's HOST and PORT."""
    parser = argparse.ArgumentParser(prog="server", description="Serve SQLEnv over HTTP and WebSocket.")
    settings = Settings.from_environ()
    parser.add_argument("--host", default=host or settings.host)
    parser.add_argument("--port", type=int, default=settings.port if port is None else port)
    options = parser.parse_args()
    settings = replace(settings, host=options.host, port=options.port)
    uvicorn.run(app, host=settings.host, port=settings.port, log_level=os.environ.get("LOG_LEVEL", "info"))


if __name__ == "__main__":
    main()
