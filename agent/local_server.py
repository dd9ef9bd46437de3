"""A server of our own for the length of a block: a real process, on a free port of the loopback interface."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

COMMAND = (sys.executable, "-m", "sql_env.server.app", "--host", "127.0.0.1", "--port", "0")
START_SECONDS = 60.0
_STARTED = re.compile(r"Uvicorn running on (http://\S+)")


class ServerError(RuntimeError):
    """The server did not start; the message holds what it said."""


@contextmanager
def local_server(
    environ: Mapping[str, str] | None = None, command: Sequence[str] = COMMAND, log: Path | None = None
) -> Iterator[str]:
    """Start a server, yield its base URL, and stop it; see ``server_process``."""
    with server_process(environ, command, log) as (_, base_url):
        yield base_url


@contextmanager
def server_process(
    environ: Mapping[str, str] | None = None, command: Sequence[str] = COMMAND, log: Path | None = None
) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Start a server, yield its process and its base URL, and stop it.

    Args:
        environ: environment variables to add to this process's own.
        command: what to run; it has to name its address as uvicorn does.
        log: where to keep what the server says.

    Raises:
        ServerError: it ended or was silent for a minute before it listened.
    """
    with log.open("w+") if log else tempfile.NamedTemporaryFile("w+", suffix=".log") as said:
        # The log is a file, so that nobody has to empty a pipe; the port is read from it.
        process = subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, env={**os.environ, "LOG_LEVEL": "info", **(environ or {})}
        )
        try:
            yield process, _wait(process, said.name)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: "subprocess.Popen[bytes]", log: str) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        with open(log, encoding="utf-8", errors="replace") as file:
            text = file.read()
        if started := _STARTED.search(text):
            return started[1]
        if ended:
            raise ServerError(text.strip() or f"the server ended with status {process.returncode}")
        time.sleep(0.05)
    raise ServerError(f"the server did not listen within {START_SECONDS:g} s")
