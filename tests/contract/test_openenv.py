"""What OpenEnv's own tools make of this environment: validate on a running server, AutoEnv, card, an older client."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trees
from hostile_sql import ROOT
from openenv.auto import AutoEnv
from openenv.discovery.producer import build_catalog

from sql_env.agent.local_server import local_server
from sql_env.client import SQLEnvClient
from sql_env.server.tools import ALL_TOOLS

OPENENV = str(Path(sys.executable).with_name("openenv"))
LEGACY = ROOT / ".cache" / "openenv-core-0.3.0"


@pytest.mark.parametrize("mode", ["simulation", "production"])
def test_validate_passes_on_a_running_server(mode: str) -> None:
    """And in production mode the endpoints that control episodes are absent, WebSocket and MCP are there."""
    with local_server({"SQL_ENV_DATASET": "starter", "OPENENV_MODE": mode}) as base_url:
        run = subprocess.run([OPENENV, "validate", "--url", base_url, "--json"], capture_output=True, text=True)
        report = json.loads(run.stdout)
        assert run.returncode == 0, report
        assert report["passed"] is True
        assert report["mode"] == mode
        assert report["summary"]["failed_criteria"] == []
        assert report["standard_profile"] == "openenv-http/1.x"
        controls = [httpx.post(f"{base_url}/reset", json={}).status_code, httpx.get(f"{base_url}/state").status_code]
        assert controls == ([200, 200] if mode == "simulation" else [404, 404])
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        assert len(httpx.post(f"{base_url}/mcp", json=body).json()["result"]["tools"]) == 5
        with SQLEnvClient(base_url=base_url).sync() as env:
            assert env.reset(seed=7).observation.question


def test_autoenv_finds_the_client(starter_server: str, tmp_path: Path) -> None:
    for name in ("sql", "sql_env", "sql-env"):
        assert AutoEnv.get_env_class(name) is SQLEnvClient
    info = AutoEnv.get_env_info("sql")
    assert info["package"] == "openenv-sql-env"
    client = AutoEnv.from_env("sql", base_url=starter_server)
    assert isinstance(client, SQLEnvClient)


def test_the_environment_card(tmp_path: Path) -> None:
    """As OpenEnv's catalogue makes it of a repository that holds this environment, in envs/ as it expects."""
    repository = tmp_path / "repository"
    trees.export(repository / "envs" / "sql_env")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], cwd=repository, check=True, capture_output=True)
    snapshot = build_catalog(
        repository, repository_uri="https://github.com/somebody/somewhere.git", publisher="example.com"
    )
    assert snapshot.complete
    assert snapshot.issues == []
    (entry,) = snapshot.entries
    assert (entry.display_name, entry.data.license) == ("sql_env", "MIT")
    assert entry.capabilities == [tool.name for tool in ALL_TOOLS]
    assert 2 <= len(entry.representative_queries) <= 5
    assert {"sql", "text-to-sql"} <= set(entry.tags)
    assert entry.data.framework_requirement is not None
    assert entry.data.framework_requirement.startswith("openenv")


@pytest.fixture
def legacy(tmp_path: Path) -> dict[str, str]:
    """The environment of a program on openenv-core 0.3.0, OpenEnv's name until 2026; make test fetches it."""
    if not (LEGACY / "openenv").is_dir():
        pytest.skip(f"SKIPPED FOR LACK OF A PACKAGE: no openenv-core 0.3.0 in {LEGACY.relative_to(ROOT)} (make test)")
    # Our package under its name, without the present openenv.
    package = tmp_path / "sql_env"
    package.mkdir()
    for name in ("__init__.py", "client.py", "models.py"):
        shutil.copy(ROOT / name, package)
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(LEGACY), str(tmp_path)))}


LEGACY_EPISODE = """
import sys
import openenv
assert "openenv-core-0.3.0" in list(openenv.__path__)[0], openenv.__path__
from sql_env.client import SQLEnvClient
from sql_env.models import SQLAction
with SQLEnvClient(base_url=sys.argv[1]).sync() as env:
    result = env.reset(task_id="allotment_society-001")
    assert result.observation.question and result.reward is None and not result.done
    result = env.step(SQLAction(action_type="QUERY", argument="SELECT count(*) FROM plot WHERE has_shed = 1"))
    assert "47" in result.observation.result
    result = env.step(SQLAction(action_type="ANSWER", argument="47"))
    assert result.done and result.reward > 0.8, result
    print(result.observation.metadata["verdict"], env.state().task_id)
"""


def test_a_client_on_openenv_core_0_3_plays_an_episode(starter_server: str, legacy: dict[str, str]) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LEGACY_EPISODE, starter_server], env=legacy, capture_output=True, text=True, cwd="/"
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["correct", "allotment_society-001"]
