"""Replicas behind the balancer of scripts/deploy/, for real: clients play, one replica is killed, all are replaced."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import BASE, docker, images
from hostile_sql import ROOT

from sql_env.agent.replica_checks import measure
from sql_env.agent.replicas import Replicas, ReplicasError, compose_command

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

DEPLOY = ROOT / "scripts" / "deploy"
REPLICAS, SESSIONS, DRAIN_SECONDS = 3, 24, 30
# Debian's HAProxy, the oldest that the configuration is for: no registry of images is needed.
BALANCER = f"""
FROM {BASE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/*
USER haproxy
"""


@pytest.fixture(scope="module")
def compose() -> None:
    try:
        compose_command()
    except ReplicasError as missing:
        pytest.skip(f"SKIPPED: {missing}; as root on Debian: apt-get install --no-install-recommends docker-compose")


@pytest.fixture(scope="module")
def balancer_image(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    tag, folder = f"sql-env-test-balancer:{os.getpid()}", tmp_path_factory.mktemp("balancer")
    (folder / "Dockerfile").write_text(BALANCER, "utf-8")
    with images(tag):
        docker("build", "--force-rm", "--tag", tag, str(folder), timeout=300)
        yield tag


def checked(image: str, config: Path) -> "subprocess.CompletedProcess[str]":
    """Let HAProxy read a configuration."""
    mounted = ("--volume", f"{config}:/haproxy.cfg:ro", "--env", f"SQL_ENV_DRAIN_SECONDS={DRAIN_SECONDS}")
    command = ["docker", "run", "--rm", *mounted, image, "haproxy", "-c", "-f", "/haproxy.cfg"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_configuration_is_accepted_without_a_warning(balancer_image: str) -> None:
    run = checked(balancer_image, DEPLOY / "haproxy.cfg")
    assert run.returncode == 0, run.stderr
    assert "WARNING" not in run.stdout + run.stderr


def test_a_fault_in_the_configuration_is_found(balancer_image: str, tmp_path: Path) -> None:
    """The test above means something."""
    broken = tmp_path / "haproxy.cfg"
    broken.write_text((DEPLOY / "haproxy.cfg").read_text("utf-8").replace("balance leastconn", "balance leastcon"))
    assert checked(balancer_image, broken).returncode != 0


def test_sessions_behind_a_balancer(starter_image: str, balancer_image: str, compose: None) -> None:
    """Spread, a killed replica, a rolling update, and MCP's sessions over HTTP."""
    environ = {
        "SQL_ENV_IMAGE": starter_image,
        "BALANCER_IMAGE": balancer_image,
        "SQL_ENV_DATASET": "starter",
        "SQL_ENV_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "STOP_GRACE": f"{DRAIN_SECONDS + 10}s",
    }
    replicas = Replicas(DEPLOY, f"sqlenv-test-{os.getpid()}", environ)
    with replicas.running(REPLICAS) as base_url:
        checks = asyncio.run(measure(replicas, base_url, SESSIONS, think_seconds=0.5))
    assert {check.name: check.wrong for check in checks if check.wrong} == {}
    assert len(checks) == 5
