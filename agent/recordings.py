"""Recorded episodes for the page at ``/web``: the same tasks as several policies played them, models' replies aside."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sql_env.agent.trajectory import Trajectory


def recordings(runs: Mapping[str, Sequence[Trajectory]], count: int) -> list[dict[str, Any]]:
    """Return the first tasks that all runs have, by task and then by run.

    They are the first ones in the order of the tasks, whatever became of them: nobody picks those that look good.

    Args:
        runs: each policy's name on the page and its episodes.
        count: how many tasks.

    Raises:
        ValueError: the runs have fewer tasks in common.
    """
    played = {name: {_key(one): one for one in reversed(episodes)} for name, episodes in runs.items()}
    first = next(iter(runs.values()))
    shared = list(dict.fromkeys(_key(one) for one in first if all(_key(one) in has for has in played.values())))
    if len(shared) < count:
        raise ValueError(f"the runs have {len(shared)} tasks in common, not {count}")
    return [_shown(name, played[name][key]) for key in shared[:count] for name in runs]


def _key(one: Trajectory) -> tuple[str, str, int]:
    return one.dataset, one.task_id, one.variant


def _shown(name: str, one: Trajectory) -> dict[str, Any]:
    steps = [replace(step, reply=None, prompt_tokens=None, completion_tokens=None, notes=[]) for step in one.trajectory]
    data: dict[str, Any] = json.loads(replace(one, policy=name, trajectory=steps).to_json())
    return data
