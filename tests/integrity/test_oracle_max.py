"""oracle_max: the oracle, playing over the wire, earns exactly 1.0 on every question, in both answer forms."""

import asyncio
import io
import json

import pytest
from rich.console import Console
from served import Served

from sql_env.agent.local_server import local_server
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.play import Plan, play
from sql_env.agent.transcript import Transcript


@pytest.mark.timeout(300)
def test_oracle_max(widely_served: Served) -> None:
    oracle_max(widely_served, "value")


@pytest.mark.timeout(300)
def test_oracle_max_in_sql(served: Served) -> None:
    oracle_max(served, "sql")


def oracle_max(served: Served, answer_form: str) -> None:
    policy, file = OraclePolicy({served.name: served.questions}), io.StringIO()
    plan = Plan(answer_form=answer_form, episodes=len(served.questions.questions))
    with local_server(served.environ) as base_url:
        asyncio.run(play(base_url, plan, [policy], Transcript(Console(quiet=True)), file))
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    questions = served.questions.questions
    assert [line["task_id"] for line in lines] == [q.question_id for q in questions]
    assert [line["task_id"] for line in lines if line["return"] != 1.0] == []
    assert [line["steps"] for line in lines] == [q.par for q in questions]
