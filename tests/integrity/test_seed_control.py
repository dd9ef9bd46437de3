"""seed_control: a seed draws the same task everywhere, from all tasks that fit, and touches nobody else's chance."""

import json
import os
import random
import subprocess
import sys

from served import Served

from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources

DRAW = """
import json, sys
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings
resources = Resources.load(Settings.from_environ())
env = SQLEnvironment(resources)
seeds = [env.reset(seed=seed, split=split).model_dump_json() for split in ("train", "all") for seed in range(400)]
json.dump(seeds, sys.stdout)
resources.close()
"""


def test_a_seed_draws_the_same_task_in_every_process(served: Served) -> None:
    drawn = []
    for number in ("0", "4242"):
        environ = {**os.environ, **served.environ, "PYTHONHASHSEED": number, "TZ": f"UTC+{number[0]}", "LANG": "C"}
        run = subprocess.run([sys.executable, "-c", DRAW], env=environ, capture_output=True, text=True, check=True)
        drawn.append(json.loads(run.stdout))
    assert drawn[0] == drawn[1]


def test_every_task_can_be_drawn_and_no_other(served: Served) -> None:
    resources = Resources(served.settings, {served.name: served.questions})
    env = SQLEnvironment(resources)
    for split in (*served.questions.splits, "all"):
        wanted = {question.question_id for question in served.questions.select(split)}
        drawn = {env.reset(seed=seed, split=split).metadata["task_id"] for seed in range(12 * len(wanted))}
        assert drawn == wanted
    resources.close()


def test_the_global_generator_is_left_alone(served: Served) -> None:
    resources = Resources(served.settings, {served.name: served.questions})
    env = SQLEnvironment(resources)
    random.seed(7)
    before = random.getstate()
    drawn = env.reset(seed=3).metadata["task_id"]
    assert random.getstate() == before
    random.seed(8)
    assert env.reset(seed=3).metadata["task_id"] == drawn
    resources.close()


def test_without_a_seed_one_is_drawn_and_told_and_draws_the_same_again(served: Served) -> None:
    resources = Resources(served.settings, {served.name: served.questions})
    env = SQLEnvironment(resources)
    seen = [env.reset().metadata for _ in range(30)]
    assert len({metadata["seed"] for metadata in seen}) == 30
    for metadata in seen:
        assert env.reset(seed=metadata["seed"]).metadata == metadata
    resources.close()
