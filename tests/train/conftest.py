"""What the training tests share: sessions in this process, a tiny model made on the spot."""

import os
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "0")

from sql_env.agent.sessions import Connect
from sql_env.agent.task_rows import Source, draw
from sql_env.agent.trajectories import Skill, num_tasks, play_demonstrations
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings

# Without torch these files cannot even be imported. `make test` leaves them out by their mark, once they are imported;
# `make test-train`, which installs torch, fails where nothing is collected.
if find_spec("trl") is None:
    collect_ignore_glob = ["test_*.py"]

EASY = ("hardness=easy", "answer_type=integer,float,string", "num_tables=1")


@pytest.fixture(scope="session")
def resources() -> Iterator[Resources]:
    with closing(Resources.load(Settings.from_environ({}))) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def connect(resources: Resources) -> Connect:
    return partial(SQLEnvironment, resources)


@pytest.fixture(scope="session")
def rows(connect: Connect) -> list[dict[str, object]]:
    """Tasks to train on: procedural and curated ones, the latter with variants."""
    session = connect()
    sources = [Source.parse("procedural:train:12", EASY), Source.parse("starter:train:60", EASY)]
    return draw(sources, lambda selectors: num_tasks(session, selectors), 0)


@pytest.fixture(scope="session")
def demonstrations(connect: Connect) -> list[dict[str, object]]:
    sources = [Source.parse("procedural:train:60", EASY), Source.parse("starter:train:60")]
    return list(play_demonstrations(connect(), sources, Skill(mistaken=0.2, gives_up=0.2, stumbles=0.5), 0))


@pytest.fixture(scope="session")
def tiny(demonstrations: list[dict[str, object]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a very small model from random weights, and its tokenizer."""
    from sql_env.agent import prompts
    from sql_env.agent.tiny_model import Size, make_model, make_tokenizer

    size, folder = Size(hidden=32, layers=2, heads=2, vocabulary=600), tmp_path_factory.mktemp("tiny")
    tools = prompts.tool_definitions("value")
    tokenizer = make_tokenizer([row["messages"] for row in demonstrations], tools, size)
    make_model(tokenizer, size, 0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
