"""replayability: a trajectory recorded as one JSON line, played again from that line alone, gives the same episode."""

import asyncio
import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console
from served import Served

from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.play import Plan, play
from sql_env.agent.policies import RandomPolicy
from sql_env.agent.replay import END, ORIGIN, SEEN, replay_all
from sql_env.agent.trajectory import Trajectory
from sql_env.agent.transcript import Transcript


@pytest.mark.timeout(240)
@pytest.mark.parametrize("answer_form", ["value", "sql"])
@pytest.mark.parametrize("name", ["oracle", "random"])
def test_replayability(served: Served, server: str, name: str, answer_form: str) -> None:
    policy = OraclePolicy({served.name: served.questions}) if name == "oracle" else RandomPolicy()
    plan, file = Plan(answer_form=answer_form, episodes=len(served.questions.questions)), io.StringIO()
    asyncio.run(play(server, plan, [policy], Transcript(Console(quiet=True)), file))
    recorded = [Trajectory.from_json(line) for line in file.getvalue().splitlines()]
    assert len(recorded) == len(served.questions.questions)
    assert asyncio.run(replay_all(server, recorded)) == []


TOLD = [name for name in ORIGIN if name != "variant"]
"""What the first observation tells besides what reset was told to play."""


def spoiled(recorded: Trajectory) -> Iterator[tuple[str, Trajectory]]:
    """Yield the trajectory with one thing changed, and where; each thing that a replay compares, and only once."""
    for name in SEEN:
        for number, step in enumerate(recorded.trajectory):
            steps = list(recorded.trajectory)
            steps[number] = replace(step, **{name: f"not {getattr(step, name)}"})
            yield f"step {number + 1}: {name}", replace(recorded, trajectory=steps)
    for name in (*TOLD, *END):
        yield f"end: {name}" if name in END else name, replace(recorded, **{name: f"not {getattr(recorded, name)}"})


def test_the_comparison_can_fail(server: str, served: Served) -> None:
    """Everything that is compared is changed once; a step is added, another is taken, the end is missing."""
    file = io.StringIO()
    oracle = OraclePolicy({served.name: served.questions})
    asyncio.run(play(server, Plan(), [oracle], Transcript(Console(quiet=True)), file))
    recorded = Trajectory.from_json(file.getvalue())
    recorded.index = None
    cases = list(spoiled(recorded))
    found = asyncio.run(replay_all(server, [case for _, case in cases]))
    assert [(difference.episode, difference.where) for difference in found] == [
        (number, where) for number, (where, _) in enumerate(cases)
    ]
    assert len(cases) == len(SEEN) * len(recorded.trajectory) + len(TOLD) + len(END)
    first, *rest = recorded.trajectory
    longer = replace(recorded, trajectory=[first, first, *rest])
    other = replace(recorded, trajectory=[replace(first, argument="nosuch"), *rest])
    unfinished = replace(recorded, trajectory=[first])
    after = replace(recorded, trajectory=[*recorded.trajectory, first])
    found = asyncio.run(replay_all(server, [longer, other, unfinished, after]))
    assert {difference.episode for difference in found} == {0, 1, 2, 3}
    found = asyncio.run(replay_all(server, [recorded, replace(recorded, index=0), replace(recorded, index=0)]))
    assert [(difference.episode, difference.where) for difference in found] == [(2, "repeat")]
    with pytest.raises(ValueError, match="at least 1"):
        asyncio.run(replay_all(server, [recorded], concurrency=0))
