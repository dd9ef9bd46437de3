"""How the image runs: played by address and by OpenEnv's client, locked down, loaded, stopped, and found unhealthy."""

import asyncio
import json
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
from containers import Container, assert_right, docker, inspect, play_oracle, running
from websockets.sync.client import connect

from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.rollout import play_episode
from sql_env.client import SQLEnvClient
from sql_env.models import SQLAction, SQLObservation

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

# The shortest that the engine takes: the image's own HEALTHCHECK, asked often.
ASKED_OFTEN = ("--health-interval=1s", "--health-retries=1", "--health-start-period=1s")
LOCKED = (
    "--read-only --user 65532:65532 --cap-drop ALL --security-opt no-new-privileges --pids-limit 256 --tmpfs /tmp"
).split()
FOREVER = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
SESSIONS = 64


async def test_both_data_sets_are_played_by_address(
    spider_image: str, starter_oracle: OraclePolicy, spider_oracle: OraclePolicy
) -> None:
    with running(spider_image) as container:
        for seed in range(5):
            assert_right(await play_oracle(container.url, "starter", starter_oracle, seed=seed))
            assert_right(await play_oracle(container.url, "spider", spider_oracle, seed=seed))


async def test_without_spider_the_starter_set_is_the_default(starter_image: str, starter_oracle: OraclePolicy) -> None:
    with running(starter_image) as container:
        async with SQLEnvClient(base_url=container.url) as client:
            played = await play_episode(client, starter_oracle, {"seed": 1}, 1)
            with pytest.raises(RuntimeError, match="spider"):
                await client.reset(dataset="spider")
    assert_right(played)
    assert played.dataset == "starter"


async def test_the_client_starts_a_container_and_removes_it(spider_image: str, spider_oracle: OraclePolicy) -> None:
    def containers() -> str:
        return docker("ps", "--all", "--quiet", "--filter", f"ancestor={spider_image}")

    assert containers() == ""
    client = await SQLEnvClient.from_docker_image(spider_image)
    try:
        assert containers() != ""
        played = await play_episode(client, spider_oracle, {"dataset": "spider", "split": "all", "index": 0}, 0)
    finally:
        await client.close()
    assert_right(played)
    assert containers() == ""


async def test_another_port(spider_image: str, spider_oracle: OraclePolicy) -> None:
    with running(spider_image, "--env", "PORT=7860", *ASKED_OFTEN, port=7860) as container:
        container.wait_for_health("healthy")
        assert_right(await play_oracle(container.url, "spider", spider_oracle, seed=7))
        with pytest.raises(AssertionError, match="refused"):
            container.exec("python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8000))")


class Interrupted:
    """The oracle, who asks for something else first and keeps what came of it."""

    name = "interrupted oracle"

    def __init__(self, oracle: OraclePolicy, statement: str) -> None:
        self._oracle, self._first, self.said = oracle, SQLAction(action_type="QUERY", argument=statement), []

    def reset(self, observation: SQLObservation, seed: int) -> None:
        self._oracle.reset(observation, seed)

    def act(self, observation: SQLObservation) -> SQLAction:
        if observation.step_count == 0:
            return self._first
        if observation.step_count == 1:
            self.said.append(observation.error)
        return self._oracle.act(observation.model_copy(update={"step_count": observation.step_count - 1}))


async def test_locked_down(spider_image: str, spider_oracle: OraclePolicy) -> None:
    """Read-only, as a user that the image does not know, without any capability; a statement goes to the worker."""
    policy = Interrupted(spider_oracle, FOREVER)
    with running(spider_image, *LOCKED, *ASKED_OFTEN) as container:
        assert container.exec("id", "-u") == "65532"
        with pytest.raises(AssertionError, match="Read-only file system"):
            container.exec("touch", "/app/env/planted", user="root")
        assert "CapEff:\t0000000000000000" in container.exec("cat", "/proc/1/status")
        assert "NoNewPrivs:\t1" in container.exec("cat", "/proc/1/status")
        container.wait_for_health("healthy")
        # Not `docker top`: the machine's own ps cuts long command lines where COLUMNS says so.
        assert "sql_env.server.worker" in container.exec("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        played = await play_oracle(container.url, "spider", policy, seed=3)
        assert "Traceback" not in container.logs()
    assert policy.said[0] is not None
    assert policy.said[0].startswith("query stopped after")
    assert (played.correct, played.trajectory[-1].error) == (True, None)


def limit_of_memory(container: Container) -> int:
    look = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    return int(container.exec("sh", "-c", look))


def peak_of_memory(container: Container) -> int:
    look = "cat /sys/fs/cgroup/memory.peak 2>/dev/null || cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes"
    return int(container.exec("sh", "-c", look))


async def test_64_sessions_at_once(
    spider_image: str, spider_oracle: OraclePolicy, capsys: pytest.CaptureFixture[str]
) -> None:
    everybody = asyncio.Barrier(SESSIONS)

    async def session(url: str, number: int) -> None:
        async with SQLEnvClient(base_url=url, message_timeout_s=120) as client:
            for episode in range(3):
                await everybody.wait()
                oracle = OraclePolicy(spider_oracle._datasets)
                selectors = {"dataset": "spider", "split": "all", "seed": 1000 * episode + number}
                assert_right(await play_episode(client, oracle, selectors, 0))

    with running(spider_image, "--cpus", "2", "--memory", "1g", "--memory-swap", "1g") as container:
        assert limit_of_memory(container) == 1 << 30
        await asyncio.gather(*(session(container.url, number) for number in range(SESSIONS)))
        peak = peak_of_memory(container)
        state = inspect(container.name, ".State")
        assert (state["Running"], state["OOMKilled"]) == (True, False)
        assert "Traceback" not in container.logs()
    with capsys.disabled():
        sys.stdout.write(
            f"\n{SESSIONS} sessions at once: peak memory {peak / 1e6:.0f} MB of {(1 << 30) / 1e6:.0f} MB\n"
        )


def stopped(container: Container) -> tuple[float, int]:
    """Return how many seconds `docker stop` took, and the exit status."""
    started = time.monotonic()
    docker("stop", "--time", "20", container.name)
    return time.monotonic() - started, inspect(container.name, ".State.ExitCode")


@pytest.mark.parametrize("sessions", ["none", "idle", "busy"])
def test_stop(starter_image: str, sessions: str) -> None:
    with running(starter_image) as container, ExitStack() as stack:
        address = container.url.replace("http", "ws") + "/ws"
        for _ in range(0 if sessions == "none" else 8):
            ws = stack.enter_context(connect(address))
            ws.send(json.dumps({"type": "reset", "data": {"seed": 7}}))
            assert json.loads(ws.recv(30))["type"] == "observation"
            if sessions == "busy":
                ws.send(json.dumps({"type": "step", "data": {"action_type": "QUERY", "argument": FOREVER}}))
        seconds, status = stopped(container)
        said = container.logs()
    assert seconds < 3
    assert status == 0
    assert "Application shutdown complete" in said
    # OpenEnv's own loop tells a session that it was stopped in a step, and finds it closed.
    assert sessions == "busy" or "Traceback" not in said


@pytest.mark.parametrize("dataset", ["starter", "spider"])
def test_a_removed_database_is_unhealthy(spider_image: str, dataset: str) -> None:
    places = {"starter": ("data/starter/databases", "night_bakery"), "spider": ("data/databases", "pets_1")}
    folder, name = places[dataset]
    with running(spider_image, *ASKED_OFTEN) as container:
        container.wait_for_health("healthy")
        container.exec("rm", f"/app/env/{folder}/{name}/{name}.sqlite", user="root")
        container.wait_for_health("unhealthy")
        assert name in inspect(container.name, ".State.Health.Log")[-1]["Output"]


def test_a_stopped_server_is_unhealthy(starter_image: str) -> None:
    """A process that is there and does not answer."""
    with running(starter_image, *ASKED_OFTEN, "--health-timeout=5s") as container:
        container.wait_for_health("healthy")
        docker("kill", "--signal", "STOP", container.name)
        container.wait_for_health("unhealthy")
        docker("kill", "--signal", "CONT", container.name)
        container.wait_for_health("healthy")


def test_a_bad_setting_ends_the_container_with_its_reason(starter_image: str) -> None:
    run = subprocess.run(
        ["docker", "run", "--rm", "--env", "SQL_ENV_MAX_STEPS=many", starter_image],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert "SQL_ENV_MAX_STEPS='many'" in run.stderr
    assert "Traceback" not in run.stderr
