"""Demonstrations: episodes that the oracle plays on databases outside the evaluated split, to be shown as examples.

The choice depends on nothing but the data set, the evaluated split and the answer form. Short episodes are preferred,
since small models' contexts have to hold them.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sql_env.agent import prompts
from sql_env.agent.conversation import Demonstration
from sql_env.agent.faults import RolloutError
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.rollout import attributed, play_episode
from sql_env.client import SQLEnvClient
from sql_env.models import SQLObservation

SPLITS = ("train", "eval", "test")
"""Where demonstrations come from: the first of these, but the evaluated one, that has other databases."""
HARDNESS = ("easy", "medium", "hard")
"""Of the first, second and third demonstration, where there is such a task; then any."""
TRIED = 6
"""Tasks of one database and hardness that are played to find a short one."""
MOST_DATABASES = 8
LOOKED_AT = 200
"""Tasks of a split whose databases are considered, evenly spread: data sets without end cannot be looked through."""
LONGEST_SHOWN = 1_200
"""Characters of results in one demonstration, beyond which another task is preferred."""


async def demonstrations(
    base_url: str, oracle: OraclePolicy, evaluated: str, k: int, dataset: str | None = None, answer_form: str = "value"
) -> list[Demonstration]:
    """Play demonstrations, each on another database where there are enough.

    Args:
        base_url: the environment's server.
        oracle: plays them.
        evaluated: the split that is to be evaluated.
        k: how many, 0 to 3.
        dataset: name or folder of the data set; None takes the server's default.
        answer_form: ``value`` or ``sql``.

    Raises:
        ValueError: there are no databases outside the evaluated split; the text says what to do.
        RolloutError: the server refused or failed.
    """
    if not 0 <= k <= len(HARDNESS):
        raise ValueError(f"0 to {len(HARDNESS)} demonstrations can be told, not {k}")
    if k == 0:
        return []
    if evaluated == "all":
        raise ValueError("every database is evaluated with the split all: choose one split, or no demonstrations")
    common: dict[str, Any] = {"answer_form": answer_form} | ({"dataset": Path(dataset).name} if dataset else {})
    client = SQLEnvClient(base_url=base_url)
    async with client:
        if await _opening(client, common | {"split": evaluated}, 0) is None:
            raise ValueError(f"this data set has no split {evaluated!r}")
        for split in SPLITS:
            there = await _databases(client, common, split) if split != evaluated else set()
            if outside := [name for name in sorted(there) if await _lacks(client, common, evaluated, name)]:
                return await _choose(client, oracle, common | {"split": split}, outside, k)
    raise ValueError(
        f"no split has databases that {evaluated} lacks, so demonstrations would show what is evaluated: "
        "evaluate another split, or without demonstrations"
    )


async def _lacks(client: SQLEnvClient, common: dict[str, Any], split: str, database: str) -> bool:
    """Tell whether no task of a split is about a database."""
    return await _opening(client, common | {"split": split, "db_id": database}, 0) is None


async def _databases(client: SQLEnvClient, common: dict[str, Any], split: str) -> set[str]:
    """Return the databases of a split, as far as a look at some tasks shows; none where there is no such split."""
    selectors = common | {"split": split}
    first = await _opening(client, selectors, 0)
    size: int = first.metadata["num_tasks"] if first is not None else 0
    looks = min(size, LOOKED_AT)
    seen = [await _opening(client, selectors, place * size // looks) for place in range(looks)]
    return {one.metadata["db_id"] for one in seen if one is not None}


async def _opening(client: SQLEnvClient, selectors: dict[str, Any], index: int) -> SQLObservation | None:
    """Return the first observation of the task at a place among those that fit; None where nothing fits at all."""
    try:
        with attributed():
            first: SQLObservation = (await client.reset(**selectors, index=index)).observation
    except RolloutError as error:
        if index == 0 and error.kind == "refused":
            return None
        raise
    return first


async def _tasks(client: SQLEnvClient, selectors: dict[str, Any], most: int) -> AsyncIterator[SQLObservation]:
    """Yield the first observation of each task that fits, at most so many."""
    index, size = 0, 1
    while index < min(size, most):
        first = await _opening(client, selectors, index)
        if first is None:
            return
        yield first
        index, size = index + 1, first.metadata["num_tasks"]


async def _choose(
    client: SQLEnvClient, oracle: OraclePolicy, selectors: dict[str, Any], databases: list[str], k: int
) -> list[Demonstration]:
    chosen: list[Demonstration] = []
    for hardness in HARDNESS[:k]:
        used = {shown.trajectory.db_id for shown in chosen}
        fresh = [name for name in databases if name not in used] or databases
        for wanted in ({"hardness": hardness}, dict[str, str]()):
            played = [
                shown
                for name in fresh[:MOST_DATABASES]
                for shown in await _play(client, oracle, selectors | wanted | {"db_id": name})
            ]
            known = [shown.trajectory.task_id for shown in chosen]
            if new := sorted((shown for shown in played if shown.trajectory.task_id not in known), key=_rank):
                chosen.append(new[0])
                break
    return chosen


async def _play(client: SQLEnvClient, oracle: OraclePolicy, selectors: dict[str, Any]) -> list[Demonstration]:
    """Let the oracle play the first tasks that fit; those that it plays right become demonstrations."""
    openings = [(first.metadata["task_id"], prompts.opening(first)) async for first in _tasks(client, selectors, TRIED)]
    found = []
    for task_id, opening in openings:
        one = {name: selectors[name] for name in ("dataset", "answer_form") if name in selectors}
        trajectory = await play_episode(client, oracle, one | {"task_id": task_id}, 0)
        if trajectory.correct:
            found.append(Demonstration(opening, trajectory))
    return found


def _rank(shown: Demonstration) -> tuple[bool, int, int, str]:
    """Order demonstrations: results that are short, few steps."""
    steps = shown.trajectory.trajectory
    size = sum(len(step.result) + len(step.argument) for step in steps)
    return (size > LONGEST_SHOWN, len(steps), size, shown.trajectory.task_id)
