"""Made-up trajectories, one at a time and by hypothesis."""

from typing import Any

from hypothesis import strategies as st

from sql_env.agent.faults import Fault
from sql_env.agent.trajectory import Step, Trajectory

VERDICTS = ("correct", "wrong_value", "wrong_shape", "wrong_order", "unparsable", "empty", None, "unheard_of")
WORDS = st.sampled_from(["a", "b|c", "d\ne", "é 東京 🔎", "", "<b>", "`x`", "$x_1$", "\\"])


def step(action_type: str = "QUERY", error: str | None = None, **changes: Any) -> Step:
    return Step(**{"action_type": action_type, "argument": "a", "result": "r", "error": error, "reward": 0.0} | changes)


def episode(task: int | str = 0, right: bool = False, **changes: Any) -> Trajectory:
    """An episode of three steps, two of which ran: right, or wrong by its value."""
    fields = {
        "policy": "model",
        "dataset": "starter",
        "split": "test",
        "task_id": f"task-{task}",
        "db_id": "plots",
        "question": "How many?",
        "seed": None,
        "num_tasks": 9,
        "trajectory": [step("DESCRIBE"), step("QUERY"), step("ANSWER")],
        "correct": right,
        "episode_return": 1.0 if right else -0.1,
        "components": {"execution": 0.0, "correctness": 1.0 if right else -0.1, "efficiency": 0.0},
        "verdict": "correct" if right else "wrong_value",
        "hardness": "easy",
        "answer_type": "integer",
        "par": 3,
    }
    return Trajectory(**(fields | changes))


def run_of(outcomes: str, repeats: int = 1, **changes: Any) -> list[Trajectory]:
    """One episode for each letter, right for an ``x``; ``repeats`` letters in a row are tries at one task."""
    return [
        episode(place // repeats, letter == "x", repeat=place % repeats, **changes)
        for place, letter in enumerate(outcomes)
    ]


def twins(outcomes: str, of: int = 2, **changes: Any) -> list[Trajectory]:
    """One episode for each letter, right for an ``x``; ``of`` letters in a row are twins: tasks of one gold."""
    return [
        episode(place, letter == "x", twin_of=f"task-{place - place % of}", **changes)
        for place, letter in enumerate(outcomes)
    ]


def on_variants(outcomes: str, of: int = 3, **changes: Any) -> list[Trajectory]:
    """One episode for each letter, right for an ``x``; ``of`` letters in a row are one task on variants from 0 on."""
    return [episode(place // of, letter == "x", variant=place % of, **changes) for place, letter in enumerate(outcomes)]


@st.composite
def generated(draw: st.DrawFn) -> Trajectory:
    verdict = draw(st.sampled_from(VERDICTS))
    steps = st.builds(
        step,
        st.sampled_from(["DESCRIBE", "SAMPLE", "QUERY", "ANSWER"]),
        st.none() | WORDS,
        error_kind=st.none() | st.sampled_from(["ActionError", "StatementError", "x|y"]),
        prompt_tokens=st.none() | st.integers(0, 10**6),
        completion_tokens=st.none() | st.integers(0, 10**6),
    )
    fault = Fault("policy", draw(st.sampled_from(["raised", "stalled", "no_action", "new"])), "why|\nnot")
    return episode(
        draw(st.integers(0, 5)),
        verdict == "correct",
        verdict=verdict,
        truncated=verdict is None,
        trajectory=draw(st.lists(steps, max_size=5)),
        episode_return=draw(st.floats(-0.1, 1.0)),
        par=draw(st.none() | st.integers(2, 8)),
        official=draw(st.none() | st.booleans()),
        test_suite=draw(st.none() | st.booleans()),
        variant=draw(st.integers(0, 2)),
        split=draw(st.sampled_from(["train", "eval", "test", "other"])),
        hardness=draw(st.sampled_from(["easy", "medium", "hard", "extra", ""])),
        answer_type=draw(st.sampled_from(["integer", "table"])),
        db_id=draw(WORDS),
        repeat=draw(st.integers(0, 3)),
        twin_of=draw(st.sampled_from(["", "task-0", "task-1"])),
        answer_form=draw(st.sampled_from(["value", "sql"])),
        fault=draw(st.sampled_from([None, fault])) if verdict != "correct" else None,
    )


runs = st.lists(generated(), min_size=1, max_size=30)
