"""The reward's tree: names, sums, bounds."""

import pytest

from sql_env.server.environment import Resources
from sql_env.server.episode import Episode
from sql_env.server.questions import gold_answer
from sql_env.server.rubrics import OutcomeRubric, RewardConfig


def finished(resources: Resources, steps: int, answer: str | None) -> Episode:
    episode = Episode(resources.default_dataset.questions[0], max_steps=15)
    for number in range(1, steps + 1):
        episode.begin_step("SAMPLE x")
        if number == steps and answer is not None:
            episode.answered(answer, 20_000)
        episode.end_step()
    return episode


def judge(episode: Episode | None) -> tuple[float, dict[str, float]]:
    rubric = OutcomeRubric(RewardConfig())
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
