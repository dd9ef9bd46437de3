"""What tests share: data sets, engines and a real server, and where shared data lies."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import hostile_sql
import hypothesis
import running
from filelock import FileLock

from sql_env.agent.local_server import local_server
from sql_env.server.databases import Database, database_path, write_checksums
from sql_env.server.engine import Engine
from sql_env.server.procedural.splits import SIZES
from sql_env.server.procedural.tasks import make_task
from sql_env.server.resources import Resources
from sql_env.server.sandbox import Limits
from sql_env.server.settings import Settings

# In CI the same examples every time: a find is reproducible, a red run is about the change.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")

SHARED_SPIDER = hostile_sql.SHARED / "spider" / "spider_data"


@pytest.fixture(scope="session")
def shared_spider() -> Path:
    """The real Spider data, where it is installed."""
    if not SHARED_SPIDER.is_dir():
        pytest.skip("SKIPPED FOR LACK OF DATA: no spider/spider_data under SQL_ENV_SHARED (default ../shared)")
    return SHARED_SPIDER


@pytest.fixture(scope="session")
def spider_data(shared_spider: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the ten databases, fetched and built by the scripts."""
    return once(
        tmp_path_factory,
        "spider",
        lambda data: _expect("524  of 676 questions kept", running.install_spider(shared_spider, data)),
    )


@pytest.fixture(scope="session")
def whole_spider_data(shared_spider: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with every shared database of Spider, its own train/dev border kept."""
    return once(
        tmp_path_factory,
        "whole_spider",
        lambda data: _expect("3,902  of 4,636 questions kept", running.install_spider(shared_spider, data, "--all")),
    )


def _expect(words: str, text: str) -> None:
    assert words in text


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Make a data folder once for all of xdist's workers, as its documentation has it; return the folder."""
    base = factory.getbasetemp()
    base = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder, done = base / name / "data", base / f"{name}.done"
    with FileLock(base / f"{name}.lock"):
        if not done.exists():
            folder.parent.mkdir()
            make(folder)
            done.touch()
    return folder


HEAVY_FIRST = ("procedural/test_tasks.py", "tests/integrity/", "test_docs.py", "test_attacks.py")
"""Files that take minutes; begun last, one of them would run alone on one worker at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put them first."""
    items.sort(key=lambda item: not any(part in item.path.as_posix() for part in HEAVY_FIRST))


@pytest.fixture(scope="session")
def procedural_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds, as files, the first procedural tasks of every split, for tests that look at files."""
    folder = tmp_path_factory.mktemp("procedural") / "data"
    (folder / "questions").mkdir(parents=True)
    questions, files = [], ["questions/spider.jsonl"]
    for split in SIZES:
        for number in range(10):
            made = make_task(split, number)
            question = replace(made.question, db_id=made.question.question_id)
            questions.append(question.to_json() + "\n")
            path = database_path(folder, question.db_id)
            path.parent.mkdir(parents=True)
            path.write_bytes(made.database.image or b"")
            files.append(str(path.relative_to(folder)))
    (folder / files[0]).write_text("".join(questions), "utf-8")
    write_checksums(folder, files)
    return folder


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    engine = Engine(Limits())
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """5,000 singers and 20,000 concerts."""
    return Database("toy", hostile_sql.make_toy_database(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="session")
def resources() -> Iterator[Resources]:
    """The starter set, as a server holds it."""
    resources = Resources.load(Settings(dataset="starter"))
    yield resources
    resources.close()


@pytest.fixture(scope="session")
def starter_server() -> Iterator[str]:
    """A real server process on the starter set; yields its base URL."""
    with local_server({"SQL_ENV_DATASET": "starter"}) as base_url:
        yield base_url
