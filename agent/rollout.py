"""Play episodes over the client: policy and session in, trajectory out."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from openenv.core.client_types import StepResult

from sql_env.agent.policies import Policy
from sql_env.client import SQLEnvClient
from sql_env.models import SQLAction, SQLObservation


@dataclass
class Step:
    """One action and what it gave."""

    action_type: str
    argument: str
    result: str
    error: str | None
    reward: float


@dataclass
class Trajectory:
    """One episode as it was played.

    Attributes:
        seed: the seed that drew the task; None where it was chosen by index or id.
        num_tasks: how many tasks there are to index; None unless the task was chosen by index.
        correct: whether the right answer was given.
        episode_return: the outcome return, in [−0.1, 1.0].
        components: the return by component.
        verdict: how the answer was graded; None if none was given.
        hardness: the question's hardness, as the last observation tells it.
        answer_type: what kind of gold it has.
        par: the oracle's number of steps.
        official: Spider's official execution accuracy of an answer in SQL; None if there is none.
    """

    policy: str
    dataset: str
    split: str
    task_id: str
    db_id: str
    question: str
    seed: int | None
    num_tasks: int | None
    trajectory: list[Step] = field(default_factory=list)
    correct: bool = False
    episode_return: float = 0.0
    components: dict[str, float] = field(default_factory=dict)
    verdict: str | None = None
    truncated: bool = False
    answer_form: str = "value"
    hardness: str = ""
    answer_type: str = ""
    par: int | None = None
    official: bool | None = None

    def to_json(self) -> str:
        """Return the trajectory as one line of JSON; ``steps`` counts them, ``return`` is the outcome return."""
        data = asdict(self)
        data["return"] = data.pop("episode_return")
        return json.dumps(data | {"steps": len(self.trajectory)}, ensure_ascii=False)


Watcher = Callable[[SQLAction | None, SQLObservation], None]
"""Called with each action and its observation; the action is None after the reset."""


async def play_episode(
    client: SQLEnvClient, policy: Policy, selectors: dict[str, Any], seed: int, watch: Watcher | None = None
) -> Trajectory:
    """Play one episode to its end.

    Args:
        client: a connected session.
        policy: who plays.
        selectors: keywords for reset.
        seed: for the policy's own chance.
        watch: told of everything that happens.

    Raises:
        RuntimeError: the server refused the reset or failed; the message says why.
    """
    result: StepResult[SQLObservation] = await client.reset(**selectors)
    observation = result.observation
    state = await client.state()
    origin = observation.metadata
    played = Trajectory(
        policy=policy.name,
        dataset=origin["dataset"],
        split=origin["split"],
        task_id=origin["task_id"],
        db_id=state.db_id or "",
        question=observation.question,
        seed=origin["seed"],
        num_tasks=origin.get("num_tasks"),
        answer_form=origin["answer_form"],
    )
    policy.reset(observation, seed)
    _tell(watch, None, observation)
    while not observation.done:
        action = policy.act(observation)
        observation = (await client.step(action)).observation
        reward = float(observation.reward or 0.0)
        step = Step(action.action_type, action.argument, observation.result, observation.error, reward)
        played.trajectory.append(step)
        _tell(watch, action, observation)
    return _finished(played, observation)


def _tell(watch: Watcher | None, action: SQLAction | None, observation: SQLObservation) -> None:
    if watch is not None:
        watch(action, observation)


def _finished(played: Trajectory, last: SQLObservation) -> Trajectory:
    end = last.metadata
    if "outcome_return" not in end:
        raise RuntimeError(f"the episode was lost: {last.error}")
    played.verdict, played.truncated = end["verdict"], end["truncated"]
    played.correct = played.verdict == "correct"
    played.hardness, played.answer_type, played.par = end["hardness"], end["answer_type"], end["par"]
    played.official = end.get("official_execution_accuracy")
    played.components, played.episode_return = end["components"], end["outcome_return"]
    return played
