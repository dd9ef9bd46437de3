"""Images built and containers run with the docker command, as people do it; a container goes when its block ends."""

import io
import json
import os
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from wire import until

from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.rollout import play_episode
from sql_env.agent.trajectory import Trajectory
from sql_env.client import SQLEnvClient

BASE = "python:3.12-slim-bookworm"
# The builder that every engine has; BuildKit may be missing.
ENVIRON = {**os.environ, "DOCKER_BUILDKIT": "0", "COLUMNS": "200"}


def docker(*arguments: str, timeout: float = 120) -> str:
    """Run docker and return what it printed; a failure shows what it said."""
    run = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=timeout, check=False, env=ENVIRON
    )
    assert run.returncode == 0, f"docker {' '.join(arguments)}:\n{(run.stdout + run.stderr)[-6000:]}"
    return run.stdout.strip()


def build(tree: Path, tag: str, dockerfile: str = "server/Dockerfile") -> str:
    """Build the tree as the Dockerfile's first lines say; return the tag."""
    docker("build", "--force-rm", "--tag", tag, "--file", str(tree / dockerfile), str(tree), timeout=500)
    return tag


def inspect(name: str, part: str = "") -> Any:
    """Return what the engine knows of an image or container, or one part of it (``.State.Health``)."""
    return json.loads(docker("inspect", "--format", "{{json " + (part or ".") + "}}", name))


@dataclass
class Container:
    """A running container, and the address at which it is reached."""

    name: str
    url: str

    def exec(self, *command: str, user: str | None = None) -> str:
        return docker("exec", *(("--user", user) if user else ()), self.name, *command)

    def logs(self) -> str:
        run = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=False)
        return run.stdout + run.stderr

    def wait_for_health(self, status: str, seconds: float = 60) -> None:
        """Wait until the image's own HEALTHCHECK says so."""
        until(lambda: inspect(self.name, ".State.Health.Status") == status, seconds, f"not {status}: {self.name}")


@contextmanager
def running(image: str, *options: str, port: int = 8000) -> Iterator[Container]:
    """Run the image with a published port, wait until it answers /health, and remove it."""
    name = f"sql-env-test-{uuid.uuid4().hex[:12]}"
    docker("run", "--detach", "--name", name, "--publish", f"127.0.0.1::{port}", *options, image)
    try:
        container = Container(name, "")
        until(lambda: _answers(container, port), 60, f"{image} does not answer on port {port}")
        yield container
    finally:
        docker("rm", "--force", "--volumes", name)


def _answers(container: Container, port: int) -> bool:
    assert inspect(container.name, ".State.Running"), container.logs()
    container.url = "http://" + docker("port", container.name, f"{port}/tcp").splitlines()[0]
    try:
        return httpx.get(f"{container.url}/health", timeout=2).json() == {"status": "healthy"}
    except httpx.HTTPError:
        return False


@contextmanager
def images(*tags: str) -> Iterator[None]:
    """Remove the images when the block ends, by name; what was built on the way stays the engine's cache."""
    try:
        yield
    finally:
        for tag in tags:
            subprocess.run(["docker", "image", "rm", "--force", tag], capture_output=True, check=False)


async def play_oracle(url: str, dataset: str, oracle: OraclePolicy, **selectors: Any) -> Trajectory:
    """Play one episode of the oracle's on the server at ``url``."""
    async with SQLEnvClient(base_url=url) as client:
        return await play_episode(client, oracle, {"dataset": dataset, "split": "all"} | selectors, 0)


def assert_right(played: Trajectory) -> None:
    assert (played.correct, played.episode_return) == (True, 1.0), played.to_json()
    assert not [step.error for step in played.trajectory if step.error], played.to_json()
    assert {"DESCRIBE", "QUERY", "ANSWER"} <= {step.action_type for step in played.trajectory}


def files_above_base(image: str, folder: Path) -> dict[str, bytes]:
    """Return every file of every layer above the base, those included that a later layer removes."""
    saved = folder / "image.tar"
    docker("image", "save", "--output", str(saved), image, timeout=300)
    below = len(inspect(BASE, ".RootFS.Layers"))
    assert inspect(image, ".RootFS.Layers")[:below] == inspect(BASE, ".RootFS.Layers")
    files: dict[str, bytes] = {}
    with tarfile.open(saved) as archive:
        for name in json.load(archive.extractfile("manifest.json"))[0]["Layers"][below:]:
            with tarfile.open(fileobj=io.BytesIO(archive.extractfile(name).read())) as layer:
                for member in layer:
                    data = layer.extractfile(member).read() if member.isfile() else b""
                    if not member.isdir():
                        files["/" + member.name.removeprefix("./")] = data
    saved.unlink()
    return files
