"""The README's docker commands, as they stand but for the tag and the port outside."""

import shlex
import subprocess
from pathlib import Path

import httpx
import pytest
from containers import docker, images
from documents import README, commands
from wire import until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


def test_the_commands_of_docker(engine: None, starter_image: str, starter_tree: Path) -> None:
    """Build, run, and the page and /health at the address that the README names."""
    build, run = [command for command in commands(README) if command.startswith("docker ")]
    tag = starter_image.replace(":starter", ":readme")
    with images(tag):
        assert "sql-env:latest" in build
        words = shlex.split(build.replace("sql-env:latest", tag))
        subprocess.run(words, cwd=starter_tree, check=True, capture_output=True, timeout=500)
        words = shlex.split(run.replace("sql-env:latest", tag).replace("-p 8000:", "-p 127.0.0.1:0:"))
        name = docker(*words[1:2], "--detach", "--rm", *words[2:]).strip()
        try:
            url = "http://" + docker("port", name, "8000/tcp").splitlines()[0]
            until(lambda: _is_healthy(url), 60, "no answer from the container")
            assert "<title>SQLEnv</title>" in httpx.get(url, follow_redirects=True).text
        finally:
            docker("stop", name)


def _is_healthy(url: str) -> bool:
    try:
        return bool(httpx.get(f"{url}/health").json() == {"status": "healthy"})
    except httpx.TransportError:
        return False
