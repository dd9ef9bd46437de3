"""Replicas of the server behind a balancer, as scripts/deploy/compose.yaml sets them up, run with real containers."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from sql_env.agent.facts import parse_metrics

SERVICE, BALANCER = "sqlenv", "balancer"
START_SECONDS = 90.0
_METRICS = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/metrics').read().decode())"


class ReplicasError(RuntimeError):
    """A command failed, or the replicas did not come up; the message says which and what was said."""


def compose_command() -> tuple[str, ...]:
    """Return how Compose is called here: ``docker compose``, or ``docker-compose`` of 1.29 or newer.

    Raises:
        ReplicasError: neither is installed.
    """
    plugin = ("docker", "compose")
    if subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0:
        return plugin
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    raise ReplicasError("Docker Compose is not installed: neither `docker compose` nor `docker-compose` answers")


def execute(command: Sequence[str], environ: Mapping[str, str] | None = None, seconds: float = 900) -> str:
    """Run a command and return what it printed.

    Raises:
        ReplicasError: it failed.
    """
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, check=False, env={**os.environ, **(environ or {})}
    )
    if run.returncode != 0:
        raise ReplicasError(f"{' '.join(command)}:\n{(run.stdout + run.stderr)[-3000:]}")
    return run.stdout


def until(holds: Callable[[], bool], seconds: float, complaint: str) -> float:
    """Wait until something holds; return for how many seconds.

    Raises:
        ReplicasError: it does not after so many seconds.
    """
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise ReplicasError(complaint)
        time.sleep(0.1)
    return time.monotonic() - began


@dataclass
class Replicas:
    """One Compose set.

    Attributes:
        folder: where compose.yaml, haproxy.cfg and roll.sh are.
        project: its name; several can run at once.
        environ: values for the variables of compose.yaml.
    """

    folder: Path
    project: str
    environ: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._compose = compose_command()
        free = {"BALANCER_PORT": "0", "STATISTICS_PORT": "0"}
        self._environ = {**free, **self.environ, "COMPOSE_PROJECT_NAME": self.project, "COMPOSE_IGNORE_ORPHANS": "1"}

    @property
    def drain_seconds(self) -> float:
        """How long a replica waits for its episodes when it is told to stop."""
        return float(self._environ.get("SQL_ENV_DRAIN_SECONDS", 300))

    def compose(self, *arguments: str) -> str:
        """Run Compose on the set."""
        return execute([*self._compose, "--file", str(self.folder / "compose.yaml"), *arguments], self._environ)

    @contextmanager
    def running(self, count: int) -> Iterator[str]:
        """Start so many replicas and the balancer, yield the balancer's address, and remove all of it."""
        try:
            self.compose("up", "--detach", "--scale", f"{SERVICE}={count}")
            self.wait(count)
            yield self.base_url
        finally:
            # Nobody plays any more: what still runs need not be waited for.
            for name in self.containers() + self.containers(BALANCER):
                subprocess.run(["docker", "kill", name], capture_output=True, check=False)
            self.compose("down", "--volumes", "--timeout", "1")

    def wait(self, count: int) -> float:
        """Wait until the balancer has so many replicas that are well; return for how many seconds."""
        return until(lambda: self.up() == count, START_SECONDS, f"the balancer has {self.up()} replicas, not {count}")

    def containers(self, service: str = SERVICE) -> list[str]:
        """Return the ids of a service's running containers, the oldest first."""
        labels = (f"project={self.project}", f"service={service}")
        filters = [part for label in labels for part in ("--filter", f"label=com.docker.compose.{label}")]
        return execute(["docker", "ps", "--quiet", "--no-trunc", *filters]).split()[::-1]

    def _address(self, port: int) -> str:
        return "http://" + execute(["docker", "port", self.containers(BALANCER)[0], f"{port}/tcp"]).split()[0]

    @property
    def base_url(self) -> str:
        """The balancer's address."""
        return self._address(8000)

    def up(self) -> int:
        """Return how many replicas the balancer sends sessions to; 0 if it does not answer."""
        try:
            text = httpx.get(f"{self._address(8404)}/metrics", timeout=10).text
        except (httpx.HTTPError, ReplicasError, IndexError):
            return 0
        # Before its first check a server counts as up.
        line = r'^haproxy_server_{}\{{proxy="replicas",server="(\w+)",state="{}"\}} 1$'
        states = (("status", "UP"), ("check_status", "L7OK"))
        found = [set(re.findall(line.format(*state), text, re.MULTILINE)) for state in states]
        return len(found[0] & found[1])

    def metric(self, container: str, name: str) -> float:
        """Return one of a replica's metrics, read inside its container as nothing outside reaches it."""
        return parse_metrics(execute(["docker", "exec", container, "python", "-c", _METRICS]))[name]

    def kill(self, container: str) -> None:
        """Kill a replica as a machine dies: no signal that it could answer."""
        execute(["docker", "kill", container])

    def stop(self, container: str) -> float:
        """Tell a replica to stop, wait until it has, and return for how many seconds."""
        began = time.monotonic()
        execute(["docker", "stop", container])
        return time.monotonic() - began

    def roll(self) -> float:
        """Replace the replicas one by one, with roll.sh; return how many seconds it took."""
        began = time.monotonic()
        execute(["sh", str(self.folder / "roll.sh")], {**self._environ, "COMPOSE": " ".join(self._compose)})
        return time.monotonic() - began

    def episodes(self, container: str) -> tuple[set[str], set[str]]:
        """Return the ids of the episodes that a replica's log has: of those that began, of those that still run."""
        said = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=False).stderr
        begun = set(re.findall(r"episode started .*?episode=(\S+)", said))
        return begun, begun - set(re.findall(r"episode ended .*?episode=(\S+)", said))
