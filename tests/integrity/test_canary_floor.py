"""canary_floor: per data set, no degenerate policy's mean return exceeds doing nothing's 0.0."""

import random
import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from canaries import CANARIES, Canary
from episodes import Action, act, oracle, play
from served import Served

from sql_env.server.answers import Gold
from sql_env.server.databases import sha256
from sql_env.server.environment import EPISODE_OVER, SQLEnvironment
from sql_env.server.formatting import quoted_if_needed
from sql_env.server.questions import Question, gold_answer
from sql_env.server.resources import Resources
from sql_env.server.rubrics import RewardConfig
from sql_env.server.verifier import Reason, grade


@pytest.fixture(scope="module")
def resources(served: Served) -> Iterator[Resources]:
    """Rewards are shaped, so that a farmer of single steps would be seen as well."""
    resources = Resources(replace(served.settings, reward_mode="shaped"), {served.name: served.questions})
    yield resources
    resources.close()


def actions_of(canary: Canary, resources: Resources, question: Question, form: str) -> list[Action]:
    schema = resources.schema(resources.default_dataset.database(question))
    return canary([*map(quoted_if_needed, schema.names)], random.Random(question.question_id), form)


@pytest.mark.parametrize("form", ["value", "sql"])
@pytest.mark.parametrize("name", CANARIES)
def test_canary_floor(resources: Resources, name: str, form: str) -> None:
    env, returns = SQLEnvironment(resources), {}
    for question in resources.default_dataset.questions:
        actions = actions_of(CANARIES[name], resources, question, form)
        seen = play(env, actions, task_id=question.question_id, answer_form=form)
        assert seen[-1].done
        rewards = [observation.reward or 0.0 for observation in seen]
        returns[question] = sum(rewards)
        end = next(number for number, observation in enumerate(seen) if observation.done)
        assert rewards[end + 1 :] == [0.0] * (len(seen) - end - 1)
        assert returns[question] == pytest.approx(seen[end].metadata["outcome_return"], abs=1e-9)
    floors_hold(returns)


def floors_hold(returns: dict[Question, float]) -> None:
    """Neither over the data set nor over one of its splits, if it has more than a few, is the mean above 0.0."""
    assert statistics.mean(returns.values()) <= 0.0
    for split in {question.split for question in returns}:
        values = [value for question, value in returns.items() if question.split == split]
        assert statistics.mean(values) <= 0.0 or len(values) <= 10, split


def test_doing_nothing_counts_nothing(resources: Resources) -> None:
    env = SQLEnvironment(resources)
    for question in resources.default_dataset.questions:
        assert env.reset(task_id=question.question_id).reward is None


def test_step_after_done(resources: Resources) -> None:
    """The right answer, given after the end, is worth nothing and changes nothing."""
    env = SQLEnvironment(resources)
    for question in resources.default_dataset.questions:
        first = play(env, [("ANSWER", "no such answer")], task_id=question.question_id)[-1]
        state = env.state
        for action in oracle(question):
            late = act(env, *action)
            assert (late.error, late.done, late.reward, late.result) == (EPISODE_OVER, True, 0.0, "")
            assert "outcome_return" not in late.metadata
        assert (first.reward, env.state) == (-0.1, state)


def test_no_constant_pays(curated: Served) -> None:
    """Every gold of the data set, given as the answer to every question: right so seldom that the misses cost more."""
    config, questions = RewardConfig(), curated.questions.questions
    most_common = Counter(gold_answer(question.gold_rows) for question in questions).most_common(300)
    for answer in {"0", "1", "2", "3", "NULL", "[]", "true", '""', *(answer for answer, _ in most_common)}:
        right = {q: grade(answer, Gold.of(q)) is Reason.CORRECT for q in questions}
        floors_hold({question: config.right if right[question] else config.wrong for question in questions})


def test_mutation_changes_no_file(resources: Resources, served: Served) -> None:
    paths = {resources.default_dataset.database(q).path for q in resources.default_dataset.questions}
    before = {path: (sha256(path), sorted(path.parent.iterdir())) for path in paths}
    env = SQLEnvironment(resources)
    for question in resources.default_dataset.questions:
        actions = actions_of(CANARIES["mutation"], resources, question, "value")
        seen = play(env, actions, task_id=question.question_id)
        assert all(observation.error for observation in seen[1:-1])
    assert {path: (sha256(path), sorted(Path(path).parent.iterdir())) for path in paths} == before
