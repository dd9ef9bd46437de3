"""What a trainer asks of the environment: the seconds for which its accelerator waits in each step.

TRL's ``GRPOTrainer`` takes one rollout's reset and tool calls after the other, so a step waits for
rollouts × (reset + turns × call). This plays just that, without a model.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sql_env.agent.sessions import Connect
from sql_env.agent.tables import table
from sql_env.agent.trl_env import SQLToolEnv, close_all


@dataclass(frozen=True)
class Load:
    """What one batch took.

    Attributes:
        rollouts: how many.
        turns: tool calls of each.
        reset_ms: mean milliseconds of a reset.
        call_ms: mean milliseconds of a tool call.
        seconds: the whole batch, one after the other.
    """

    rollouts: int
    turns: int
    reset_ms: float
    call_ms: float
    seconds: float

    @property
    def computed(self) -> float:
        """Seconds by the formula: rollouts × (reset + turns × call)."""
        return self.rollouts * (self.reset_ms + self.turns * self.call_ms) / 1000


def measure(connect: Connect, rows: Sequence[dict[str, Any]], generations: int, turns: int) -> Load:
    """Play one batch as a trainer does: each row by a group of rollouts, one rollout after the other.

    Args:
        connect: makes sessions; one for each rollout, opened before the clock starts, as TRL's pool is after a step.
        rows: the batch's tasks.
        generations: rollouts of each.
        turns: tool calls of each rollout, the last one an answer.
    """
    rollouts = [row for row in rows for _ in range(generations)]
    pool = [SQLToolEnv(connect) for _ in rollouts]
    for env in pool:
        env.reset(**rows[0])
    resets = calls = 0.0
    began = time.perf_counter()
    for env, row in zip(pool, rollouts, strict=True):
        start = time.perf_counter()
        told = env.reset(**row)
        resets += time.perf_counter() - start
        start = time.perf_counter()
        _play(env, told, turns)
        calls += time.perf_counter() - start
    seconds = time.perf_counter() - began
    close_all(pool)
    count = len(rollouts)
    return Load(count, turns, 1000 * resets / count, 1000 * calls / count / turns, seconds)


def _play(env: SQLToolEnv, told: str, turns: int) -> None:
    """Describe, sample and query the tables that there are, then answer."""
    line = re.search(r"Tables: (.+)", told)
    tables = line[1].split(", ") if line else [""]
    for turn in range(turns - 1):
        name = tables[turn // 3 % len(tables)]
        (env.describe, env.sample, lambda one: env.query(f"SELECT * FROM {one}"))[turn % 3](name)  # noqa: S608
    env.answer("0")


def report(loads: dict[str, Load]) -> list[str]:
    """Return a table, a line for each place where the environment ran."""
    rows = [
        (
            name,
            str(load.rollouts),
            str(load.turns),
            f"{load.reset_ms:.2f}",
            f"{load.call_ms:.2f}",
            f"{load.seconds:.2f}",
            f"{load.computed:.2f}",
        )
        for name, load in loads.items()
    ]
    return table(("environment", "rollouts", "turns", "reset, ms", "call, ms", "seconds", "by the formula"), rows)
