"""evaluate: one policy, one environment, one number with its interval; an evaluator that OpenEnv calls a Green Agent.

The small form for notebooks and trainers: one episode after the other, in this thread, on a client or on an environment
in process. Many episodes at once, with a folder of trajectories, are scripts/evaluate.py's (agent/rollouts.py).
"""

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from openenv.core.client_types import StepResult

from sql_env.agent.choices import DIALS
from sql_env.agent.faults import Fault, RolloutError
from sql_env.agent.jobs import jobs
from sql_env.agent.metrics import accuracy
from sql_env.agent.policies import Policy
from sql_env.agent.policy_thread import Blamed
from sql_env.agent.rollout import Recording, attributed, play_on, policy_seed
from sql_env.agent.trajectory import Trajectory
from sql_env.models import SQLAction, SQLObservation

SELECTORS = frozenset(("dataset", "split", "db_id", "answer_form", "variant", *DIALS))


class Env(Protocol):
    """A session: ``SQLEnvClient(...).sync()``, or an environment in process."""

    def reset(self, **selectors: Any) -> Any:
        """Start an episode; return the observation, or a result that holds it."""

    def step(self, action: SQLAction) -> Any:
        """Take one action; return the observation, or a result that holds it."""


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation gave.

    Attributes:
        success_rate: right answers ÷ ``n_completed``; 0.0 if nothing was completed.
        interval: its 95 % interval.
        interval_method: which: Wilson's, or a clustered one where several of the tasks are one question in other words.
        avg_reward: mean outcome return, in [−0.1, 1.0].
        avg_steps: mean number of steps.
        n_episodes: how many were begun.
        n_completed: how many came to an end; those that a policy failed are among them, as wrong ones.
        episodes: the trajectories of the completed ones, in order.
        lost: what the environment or the connection did to the others.
    """

    success_rate: float
    interval: tuple[float, float]
    interval_method: str
    avg_reward: float
    avg_steps: float
    n_episodes: int
    n_completed: int
    episodes: list[Trajectory] = field(repr=False)
    lost: list[Fault] = field(repr=False)


def evaluate(
    env: Env,
    policy: Policy,
    n_episodes: int | None = None,
    seed: int = 0,
    progress_callback: Callable[[int, int], None] | None = None,
    **selectors: Any,
) -> EvaluationResult:
    """Play episodes one after the other and sum them up.

    Args:
        env: a session; an asynchronous client has to be given as ``client.sync()``.
        policy: who plays. One that raises, or returns what is no action, loses the episode and goes on with the next.
        n_episodes: how many tasks of the split, drawn without replacement by the seed, each played once; None, or more
            than there are, plays them all.
        seed: draws the tasks and decides the policy's chance.
        progress_callback: called with the number of episodes that are done and the number of all.
        **selectors: keywords for reset: ``dataset``, ``split`` (``test`` unless said otherwise), ``db_id``,
            ``answer_form``, ``variant``, and the dials ``hardness``, ``answer_type``, ``num_tables``, ``num_rows``,
            ``distractors``.

    Raises:
        RolloutError: the selectors were refused or the server cannot be reached; the message says why.
        ValueError: ``n_episodes`` is less than 1, or missing where there are too many tasks to play them all.
        TypeError: there is no such selector, or the environment is none of SQLEnv's.
    """
    if n_episodes is not None and n_episodes < 1:
        raise ValueError(f"n_episodes must be at least 1, not {n_episodes}")
    if unknown := sorted(set(selectors) - SELECTORS):
        raise TypeError(f"evaluate() knows no {', '.join(unknown)}; selectors are {', '.join(sorted(SELECTORS))}")
    selectors = {"split": "test"} | selectors
    tasks = _observation(lambda: env.reset(**selectors, index=0)).metadata["num_tasks"]
    todo = jobs(tasks, None if n_episodes is None or n_episodes >= tasks else n_episodes, 1, seed)
    played: list[Trajectory] = []
    lost: list[Fault] = []
    for done, job in enumerate(todo, 1):
        try:
            played.append(_episode(env, policy, selectors | {"index": job.index}, seed))
        except RolloutError as error:
            lost.append(error.fault(0))
        if progress_callback is not None:
            progress_callback(done, len(todo))
    return _result(played, lost, len(todo))


def _episode(env: Env, policy: Policy, selectors: dict[str, Any], seed: int) -> Trajectory:
    first = _observation(lambda: env.reset(**selectors))
    task_seed = policy_seed(seed, first.metadata["task_id"], 0, selectors.get("variant") or 0)
    recording = Recording(policy.name, first, task_seed)
    return _at_once(play_on(_Session(env), Blamed(policy), first, recording))


class _Session:
    """An environment that is called in place, as the rollout calls a client."""

    def __init__(self, env: Env) -> None:
        self._env = env

    async def step(self, action: SQLAction) -> StepResult[SQLObservation]:
        seen = _observation(lambda: self._env.step(action))
        return StepResult(seen, seen.reward, seen.done)


def _at_once(episode: Coroutine[Any, Any, Trajectory]) -> Trajectory:
    """Run a coroutine that waits for nothing, without an event loop: a notebook has one already."""
    try:
        episode.send(None)
    except StopIteration as end:
        played: Trajectory = end.value
        return played
    raise AssertionError("an episode in place has nothing to wait for")


def _observation(ask: Callable[[], Any]) -> SQLObservation:
    given = _given(ask)
    if inspect.iscoroutine(given):
        given.close()
        raise TypeError("this client is asynchronous: give client.sync() to evaluate")
    seen = getattr(given, "observation", given)
    if not isinstance(seen, SQLObservation):
        raise TypeError(f"expected an SQLObservation from the environment, not {type(seen).__name__}")
    return seen


def _given(ask: Callable[[], Any]) -> Any:
    try:
        with attributed():
            return ask()
    except RolloutError:
        raise
    except Exception as error:
        raise RolloutError("environment", "failed", str(error) or type(error).__name__) from error


def _result(played: list[Trajectory], lost: list[Fault], begun: int) -> EvaluationResult:
    n = len(played)
    rate = accuracy(played) if played else None
    return EvaluationResult(
        success_rate=rate.value if rate else 0.0,
        interval=(rate.low, rate.high) if rate else (0.0, 1.0),
        interval_method=rate.method if rate else "nothing was completed",
        avg_reward=sum(episode.episode_return for episode in played) / max(n, 1),
        avg_steps=sum(len(episode.trajectory) for episode in played) / max(n, 1),
        n_episodes=begun,
        n_completed=n,
        episodes=played,
        lost=lost,
    )
