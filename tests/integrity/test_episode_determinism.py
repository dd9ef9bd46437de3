"""episode_determinism: same task, same actions, same bytes: in another process, in another order, on another engine."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from served import Served

PLAY = """
import hashlib, json, sys
sys.path.insert(0, {here!r})
from episodes import exploration, oracle, play
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings
resources = Resources.load(Settings.from_environ())
dataset, digests = resources.default_dataset, {{}}
env = SQLEnvironment(resources)
for question in list(dataset.questions)[::{direction}]:
    tables = resources.schema(dataset.database(question)).names
    form = ("value", "sql")[len(question.question) % 2]
    actions = exploration(dataset, question, tables, seed=2)[:9] + oracle(question, form)[-2:]
    seen = play(env, actions, task_id=question.question_id, episode_id="e", answer_form=form)
    assert seen[-1].done
    text = "\\n".join(observation.model_dump_json() for observation in seen) + env.state.model_dump_json()
    digests[question.question_id] = hashlib.sha256(text.encode()).hexdigest()
resources.close()
json.dump(digests, sys.stdout)
"""


@pytest.mark.timeout(240)
def test_episode_determinism(served: Served) -> None:
    """Every question: once in file order, once backwards in a process with another hash seed, zone and locale."""
    found = []
    for direction, hash_seed, zone in ((1, "1", "UTC"), (-1, "77", "Asia/Kathmandu")):
        code = PLAY.format(here=str(Path(__file__).parent), direction=direction)
        environ = {**os.environ, **served.environ, "SQL_ENV_REWARD_MODE": "shaped"}
        environ |= {"PYTHONHASHSEED": hash_seed, "TZ": zone, "LC_ALL": "C"}
        run = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        found.append(json.loads(run.stdout))
    assert found[0] == found[1]
    assert len(found[0]) == len(served.questions.questions)
    assert len(set(found[0].values())) == len(found[0])
    assert hashlib.sha256(b"").hexdigest() not in found[0].values()
