"""Ten thousand tasks, made once for all tests that look at them."""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from looks import Look, look

from sql_env.server.procedural.splits import SIZES

TASKS = 10_000
"""How many are looked at, the splits sharing them equally."""


@pytest.fixture(scope="session")
def looks() -> dict[str, list[Look]]:
    """Return what is seen of the first tasks of every split."""
    each = TASKS // len(SIZES)
    with ProcessPoolExecutor(2, get_context("spawn")) as workers:
        seen = list(workers.map(look, [(split, n) for split in SIZES for n in range(each)], chunksize=100))
    return {split: [one for one in seen if one.question.split == split] for split in SIZES}


@pytest.fixture(scope="session")
def everything(looks: dict[str, list[Look]]) -> list[Look]:
    """Return all of them in one list."""
    return [one for seen in looks.values() for one in seen]
