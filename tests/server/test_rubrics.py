"""The reward's tree: names, sums, bounds, and that shaping changes no policy's worth."""

import dataclasses
import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import QUESTION

from sql_env.server.episode import Episode
from sql_env.server.questions import gold_answer
from sql_env.server.resources import Resources
from sql_env.server.rubrics import RewardConfig, RewardRubric
from sql_env.server.sandbox import QueryResult


def finished(resources: Resources, steps: int, answer: str | None) -> Episode:
    episode = Episode(resources.default_dataset.questions[0], max_steps=15)
    for number in range(1, steps + 1):
        episode.begin_step("SAMPLE x")
        if number == steps and answer is not None:
            episode.answered(answer, 20_000)
        episode.end_step()
    return episode


def judge(episode: Episode | None) -> tuple[float, dict[str, float]]:
    rubric = RewardRubric(RewardConfig())
    rubric.watch(episode)
    return rubric(None, None), rubric.components()


@pytest.mark.parametrize(("steps", "efficiency"), [(1, 0.0), (3, 0.0), (4, -0.2 / 12), (9, -0.1), (15, -0.2)])
def test_a_right_answer_pays_for_steps_beyond_par(resources: Resources, steps: int, efficiency: float) -> None:
    question = resources.default_dataset.questions[0]
    assert question.par == 3
    outcome, components = judge(finished(resources, steps, gold_answer(question.gold_rows)))
    assert components == {"execution": 0.0, "correctness": 1.0, "efficiency": pytest.approx(efficiency)}
    assert outcome == pytest.approx(1.0 + efficiency)


@pytest.mark.parametrize(("steps", "answer"), [(1, "no"), (1, ""), (15, "no"), (15, "")])
def test_a_wrong_answer_without_evidence_costs_a_tenth(resources: Resources, steps: int, answer: str) -> None:
    assert judge(finished(resources, steps, answer)) == (
        -0.1,
        {"execution": 0.0, "correctness": -0.1, "efficiency": 0.0},
    )


def test_no_answer_at_all_is_no_better(resources: Resources) -> None:
    assert judge(finished(resources, 15, None))[0] == -0.1


def test_before_the_end_there_is_nothing(resources: Resources) -> None:
    nothing = {"execution": 0.0, "correctness": 0.0, "efficiency": 0.0}
    assert judge(finished(resources, 5, None)) == (0.0, nothing)
    assert judge(None) == (0.0, nothing)


def test_the_configuration_is_frozen_and_holds_every_constant() -> None:
    config = RewardConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.right = 2.0  # type: ignore[misc]
    assert dataclasses.asdict(config) == {
        "right": 1.0,
        "wrong": -0.1,
        "execution": 0.3,
        "efficiency": -0.2,
        "potential": 0.3,
    }


def test_names_of_the_tree() -> None:
    outcome, shaped = RewardRubric(RewardConfig()), RewardRubric(RewardConfig(), "shaped")
    assert [name for name, _ in outcome.named_rubrics()] == ["execution", "correctness", "efficiency"]
    assert [name for name, _ in shaped.named_rubrics()] == ["execution", "correctness", "efficiency", "shaping"]


# --- shaping ---------------------------------------------------------------------------------------------

RESULTS = [
    QueryResult(("n",), ((n,),), 1, True, frozenset({("pet", "n")}) if reads else frozenset(), 0)
    for n, reads in itertools.product(range(4), (True, False))
]
ACTIONS = (
    st.tuples(st.just("describe"), st.sampled_from(["pet", "owner", "visit"]))
    | st.tuples(st.just("query"), st.sampled_from(RESULTS))
    | st.just(("fault", None))
)
ENDS = st.tuples(st.just("answer"), st.sampled_from(["3", "4", ""]))


def apply(episode: Episode, action: tuple[str, Any]) -> None:
    kind, what = action
    episode.begin_step(kind)
    if kind == "describe":
        episode.saw_table(what)
    elif kind == "query":
        episode.saw_result(what)
    elif kind == "answer":
        episode.answered(what, 100)
    episode.end_step()


def rewards(mode: str, actions: list[tuple[str, Any]], max_steps: int = 8) -> tuple[list[float], float, Episode]:
    """Each step's reward, the outcome return, and the episode."""
    episode, rubric, paid = Episode(QUESTION, max_steps), RewardRubric(RewardConfig(), mode), []
    rubric.watch(episode)
    for action in actions:
        if episode.done:
            break
        apply(episode, action)
        paid.append(rubric(None, None))
        if episode.done:
            assert sum(rubric.components().values()) == pytest.approx(paid[-1])
    return paid, rubric.score(episode), episode


@given(st.lists(ACTIONS, max_size=9), ENDS)
def test_shaping_sums_to_nothing(actions: list[tuple[str, Any]], end: tuple[str, str]) -> None:
    """At every end, by answer or by the budget, the rewards sum to the outcome return; each lies in [−1, 1]."""
    for mode in ("outcome", "shaped"):
        paid, outcome, episode = rewards(mode, [*actions, end])
        assert episode.done
        assert sum(paid) == pytest.approx(outcome, abs=1e-9)
        assert all(-1.0 <= reward <= 1.0 for reward in paid)
        if mode == "outcome":
            assert set(paid[:-1]) <= {0.0}


@given(st.lists(ACTIONS, max_size=4), st.lists(ACTIONS, max_size=3), st.lists(ACTIONS, max_size=3), ENDS, ENDS)
def test_shaping_changes_no_preference(
    before: list[Any], one: list[Any], two: list[Any], end_one: Any, end_two: Any
) -> None:
    """From any state on, the difference between two ways to go on is the same in both modes (Ng et al. 1999)."""
    differences = []
    for mode in ("outcome", "shaped"):
        to_go = [sum(rewards(mode, [*before, *way])[0][len(before) :]) for way in ([*one, end_one], [*two, end_two])]
        differences.append(to_go[0] - to_go[1])
    assert differences[0] == pytest.approx(differences[1], abs=1e-9)


@given(st.lists(ACTIONS, max_size=7))
def test_the_potential_pays_for_discoveries_alone(actions: list[tuple[str, Any]]) -> None:
    paid, _, _ = rewards("shaped", actions)
    seen: set[Any] = set()
    for (kind, what), reward in zip(actions, paid, strict=True):
        new = kind != "fault" and what not in seen and (kind == "describe" or bool(what.reads))
        assert reward == (pytest.approx(0.3 / 2 ** (len(seen) + 1)) if new else 0.0)
        seen |= {what} if new else set()


@given(st.lists(ACTIONS, min_size=1, max_size=7), st.integers())
def test_the_potential_knows_no_gold(actions: list[tuple[str, Any]], seed: int) -> None:
    rng = random.Random(seed)
    other = dataclasses.replace(QUESTION, gold_rows=((rng.random(),),), tables=("visit",), gold_sql="x", par=9)
    paid = []
    for question in (QUESTION, other):
        episode, rubric = Episode(question, 8), RewardRubric(RewardConfig(), "shaped")
        rubric.watch(episode)
        paid.append([apply(episode, action) or rubric(None, None) for action in actions])
    assert paid[0] == paid[1]
