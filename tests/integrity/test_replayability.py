"""replayability: a trajectory recorded as one JSON line, played again from that line alone, gives the same episode."""

import asyncio
import io
import json
from typing import Any

import pytest
from rich.console import Console
from served import Served

from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.play import Plan, play
from sql_env.agent.policies import RandomPolicy
from sql_env.agent.transcript import Transcript
from sql_env.client import SQLEnvClient
from sql_env.models import SQLAction


async def replay(base_url: str, lines: list[dict[str, Any]], answer_form: str) -> list[str]:
    """Play the recorded actions again; return where what happened differs from what was recorded."""
    different = []
    async with SQLEnvClient(base_url=base_url) as client:
        for line in lines:
            await client.reset(dataset=line["dataset"], task_id=line["task_id"], answer_form=answer_form)
            got = []
            for step in line["trajectory"]:
                seen = (
                    await client.step(SQLAction(action_type=step["action_type"], argument=step["argument"]))
                ).observation
                got.append({"result": seen.result, "error": seen.error, "reward": seen.reward})
            wanted = [{name: step[name] for name in ("result", "error", "reward")} for step in line["trajectory"]]
            end = seen.metadata
            ended = end["verdict"], end["truncated"], end["components"], end["outcome_return"]
            if got != wanted or ended != (line["verdict"], line["truncated"], line["components"], line["return"]):
                different.append(line["task_id"])
    return different


@pytest.mark.timeout(240)
@pytest.mark.parametrize("answer_form", ["value", "sql"])
@pytest.mark.parametrize("name", ["oracle", "random"])
def test_replayability(served: Served, server: str, name: str, answer_form: str) -> None:
    policy = OraclePolicy({served.name: served.questions}) if name == "oracle" else RandomPolicy()
    plan, file = Plan(answer_form=answer_form, episodes=len(served.questions.questions)), io.StringIO()
    asyncio.run(play(server, plan, [policy], Transcript(Console(quiet=True)), file))
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert len(lines) == len(served.questions.questions)
    assert asyncio.run(replay(server, lines, answer_form)) == []
    lines[0]["trajectory"][0]["result"] += "x"
    assert asyncio.run(replay(server, lines[:2], answer_form)) == [lines[0]["task_id"]], "the comparison can fail"
