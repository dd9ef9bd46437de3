"""The data sets on which every law is tested: each question of the starter set and, where it is shared, of Spider."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from served import Served

from sql_env.agent.local_server import local_server
from sql_env.server.questions import load
from sql_env.server.settings import PACKAGED_DATA


def _served(request: pytest.FixtureRequest) -> Served:
    fixture = {
        "spider": "spider_data",
        "whole_spider": "whole_spider_data",
        "procedural": "procedural_data",  # as files, in Spider's place
    }.get(request.param)
    name = "spider" if fixture else "starter"
    data = request.getfixturevalue(fixture) if fixture else PACKAGED_DATA
    return Served(name, data, load(name, data if fixture else data / "starter"))


@pytest.fixture(scope="session", params=["starter", "procedural", "spider"])
def served(request: pytest.FixtureRequest) -> Served:
    """The starter set; procedural tasks; Spider's ten databases."""
    return _served(request)


@pytest.fixture(scope="session", params=["starter", "spider"])
def curated(request: pytest.FixtureRequest) -> Served:
    """Without the few procedural tasks: for what shows only in hundreds (tests/server/procedural looks at 10,000)."""
    return _served(request)


@pytest.fixture(scope="session", params=["starter", "procedural", "spider", "whole_spider"])
def widely_served(request: pytest.FixtureRequest) -> Served:
    """Besides, every shared database of Spider."""
    return _served(request)


@pytest.fixture(scope="session")
def server(served: Served) -> Iterator[str]:
    """A real server process on the data set; yields its base URL."""
    with local_server(served.environ) as base_url:
        yield base_url
