"""A Docker engine, clean trees without and with Spider, and the image of each. Without an engine, every test fails."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import hostile_sql
import trees
from containers import build, images

from sql_env.agent.oracle import OraclePolicy
from sql_env.server.questions import load

LOCAL_ENGINE = hostile_sql.SHARED / "docker" / "local-engine"


def _engine_answers() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """An engine that answers: the shared one where there is one, else the machine's own."""
    answered = _engine_answers()
    if LOCAL_ENGINE.is_file():
        start = subprocess.run([LOCAL_ENGINE, "start"], capture_output=True, text=True, timeout=400, check=False)
        if start.returncode != 0:
            pytest.fail(f"docker/local-engine start failed (it needs root): {start.stderr[-2000:]}", pytrace=False)
    elif not answered:
        pytest.fail(
            "no Docker engine answers `docker info`: start Docker, or name a folder that has docker/local-engine in "
            "SQL_ENV_SHARED",
            pytrace=False,
        )
    yield
    if LOCAL_ENGINE.is_file() and not answered:
        subprocess.run([LOCAL_ENGINE, "stop"], check=True, timeout=60)


@pytest.fixture(scope="session")
def starter_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean tree: the starter set only."""
    return trees.export(tmp_path_factory.mktemp("starter") / "sql_env")


@pytest.fixture(scope="session")
def spider_tree(spider_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean tree in which Spider was fetched."""
    return trees.add_spider(trees.export(tmp_path_factory.mktemp("with_spider") / "sql_env"), spider_data)


def _image(tree: Path, name: str) -> Iterator[str]:
    tag = f"sql-env-test-{os.getpid()}:{name}"
    with images(tag):
        yield build(tree, tag)


@pytest.fixture(scope="session")
def starter_image(engine: None, starter_tree: Path) -> Iterator[str]:
    """The image of the starter set."""
    yield from _image(starter_tree, "starter")


@pytest.fixture(scope="session")
def spider_image(engine: None, spider_tree: Path) -> Iterator[str]:
    """The image with Spider's ten databases inside."""
    yield from _image(spider_tree, "spider")


@pytest.fixture(scope="session")
def starter_oracle() -> OraclePolicy:
    return OraclePolicy.for_dataset("starter")


@pytest.fixture(scope="session")
def spider_oracle(spider_data: Path) -> OraclePolicy:
    return OraclePolicy({"spider": load("spider", spider_data)})
