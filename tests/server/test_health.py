"""What the container's HEALTHCHECK runs: quiet where all is well, loud where a database or the server is gone."""

import subprocess
import sys
from pathlib import Path

import pytest
from made_up import copy_starter

from sql_env.agent.local_server import local_server


def checked(port: str, dataset: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sql_env.server.health"],
        env={"PORT": port, "SQL_ENV_DATASET": dataset},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def port(starter_server: str) -> str:
    return starter_server.rsplit(":", 1)[1]


def test_a_healthy_server(port: str) -> None:
    run = checked(port, "starter")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


@pytest.mark.parametrize("fault", ["removed", "overwritten", "no list"])
def test_a_database_that_does_not_open(tmp_path: Path, fault: str) -> None:
    """The server itself goes on answering /health; that the data is gone shows here."""
    folder = copy_starter(tmp_path)
    database = folder / "databases" / "night_bakery" / "night_bakery.sqlite"
    with local_server({"SQL_ENV_DATASET": str(folder)}) as base_url:
        port = base_url.rsplit(":", 1)[1]
        assert checked(port, str(folder)).returncode == 0
        if fault == "removed":
            database.unlink()
        elif fault == "overwritten":
            database.write_bytes(b"no database at all" * 1000)
        else:
            (folder / "questions" / "SHA256SUMS").unlink()
        run = checked(port, str(folder))
    assert run.returncode == 1
    assert run.stderr.startswith("unhealthy: ")
    assert ("SHA256SUMS" if fault == "no list" else "night_bakery") in run.stderr
    assert "Traceback" not in run.stderr


def test_a_server_that_is_not_there() -> None:
    run = checked("1", "starter")
    assert run.returncode == 1
    assert run.stderr.startswith("unhealthy: ")


def test_a_server_of_another_kind(tmp_path: Path) -> None:
    files = (sys.executable, "-u", "-c", _FILES)
    with local_server({}, files) as base_url:
        run = checked(base_url.rsplit(":", 1)[1], "starter")
    assert run.returncode == 1
    assert "/health answered 404" in run.stderr


_FILES = """
import http.server
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
server.RequestHandlerClass.do_GET = lambda self: self.send_error(404)
print("Uvicorn running on http://127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
"""
