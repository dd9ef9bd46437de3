"""One episode over the client: policy and session in, trajectory out."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from numbers import Integral
from typing import Any, Protocol

from openenv.core.client_types import StepResult
from websockets.exceptions import WebSocketException

from sql_env.agent.faults import Fault, RolloutError
from sql_env.agent.policies import Policy
from sql_env.agent.policy_thread import InPlace, Player
from sql_env.agent.trajectory import Step, Trajectory
from sql_env.client import SQLEnvClient
from sql_env.models import SQLAction, SQLObservation

FORFEIT = SQLAction(action_type="ANSWER", argument="")
"""What is answered for a policy that failed: the environment then grades the episode like any other."""

KEPT_CHARS = 100_000
"""Characters of a reply that are kept."""
SHORT, MOST_NOTES = 500, 20
"""Characters of a note, and notes of a step, that are kept. What has another type than it should is left out."""


Watcher = Callable[[SQLAction | None, SQLObservation], None]
"""Called with each action and its observation; the action is None after the reset."""


class Recording:
    """Writes a trajectory while the episode is played.

    Args:
        policy: the policy's name.
        first: the observation after the reset.
        repeat: which try at the task.
        seed: the policy's seed.
        prompt: version of the prompt texts.

    Raises:
        RolloutError: the observation lacks what every first one tells.
    """

    def __init__(
        self, policy: str, first: SQLObservation, seed: int, repeat: int = 0, prompt: str | None = None
    ) -> None:
        with attributed():
            self._begin(policy, first, seed, repeat, prompt)

    def _begin(self, policy: str, first: SQLObservation, seed: int, repeat: int, prompt: str | None) -> None:
        origin = first.metadata
        self.played = Trajectory(
            policy=policy,
            dataset=origin["dataset"],
            split=origin["split"],
            task_id=origin["task_id"],
            db_id=origin["db_id"],
            question=first.question,
            seed=origin["seed"],
            num_tasks=origin.get("num_tasks"),
            answer_form=origin["answer_form"],
            index=origin.get("index"),
            repeat=repeat,
            variant=int(origin.get("variant") or 0),
            policy_seed=seed,
            prompt=prompt,
        )

    def step(self, action: SQLAction, seen: SQLObservation) -> None:
        """Record one action and what it gave."""
        step = Step(action.action_type, action.argument, seen.result, seen.error, float(seen.reward or 0.0))
        step.error_kind = seen.metadata.get("error_kind")
        told = action.metadata
        step.reply = _text(told.get("reply"))
        step.prompt_tokens = _count(told.get("prompt_tokens"))
        step.completion_tokens = _count(told.get("completion_tokens"))
        step.notes = _notes(told.get("notes"))
        self.played.trajectory.append(step)

    def finish(self, last: SQLObservation) -> Trajectory:
        """Record the end.

        Raises:
            RolloutError: the observation is not an episode's last one.
        """
        end, played = last.metadata, self.played
        if "outcome_return" not in end:
            raise RolloutError("connection", "lost", f"the episode was lost: {last.error}")
        with attributed():
            self._end(end)
        return played

    def _end(self, end: dict[str, Any]) -> None:
        played = self.played
        played.verdict, played.truncated = end["verdict"], end["truncated"]
        played.correct = played.verdict == "correct"
        played.hardness, played.answer_type, played.par = end["hardness"], end["answer_type"], end["par"]
        played.twin_of = end.get("twin_of", "")
        played.official = end.get("official_execution_accuracy")
        played.test_suite = end.get("test_suite_accuracy")
        played.components = {name: float(value) for name, value in end["components"].items()}
        played.episode_return = float(end["outcome_return"])


def _text(told: Any) -> str | None:
    return told[:KEPT_CHARS] if isinstance(told, str) else None


def _count(told: Any) -> int | None:
    whole = isinstance(told, Integral) and not isinstance(told, bool)
    return int(told) if whole and 0 <= told < 2**53 else None


def _notes(told: Any) -> list[str]:
    notes = told[:MOST_NOTES] if isinstance(told, list | tuple) else []
    return [note[:SHORT] for note in notes if isinstance(note, str)]


def policy_seed(seed: int, task_id: str, repeat: int, variant: int = 0) -> int:
    """Return the policy's seed for one try at one task, from 0 to 2^31 − 1; independent for each of the four."""
    text = f"{seed}/{task_id}/{repeat}" + (f"/{variant}" if variant else "")
    return int.from_bytes(sha256(text.encode()).digest()[:4]) >> 1


async def play_episode(
    client: SQLEnvClient, policy: Policy, selectors: dict[str, Any], seed: int, watch: Watcher | None = None
) -> Trajectory:
    """Play one episode to its end; what the policy raises propagates.

    Args:
        client: a connected session.
        policy: who plays.
        selectors: keywords for reset.
        seed: for the policy's own chance.
        watch: told of everything that happens.

    Raises:
        RolloutError: the server refused the reset, failed or went away; the message says why.
    """
    with attributed():
        first = (await client.reset(**selectors)).observation
    return await play_on(client, InPlace(policy), first, Recording(policy.name, first, seed), watch)


class Session(Protocol):
    """Where an episode runs."""

    async def step(self, action: SQLAction) -> StepResult[SQLObservation]:
        """Take one action."""


async def play_on(
    session: Session, player: Player, first: SQLObservation, recording: Recording, watch: Watcher | None = None
) -> Trajectory:
    """Play an episode from its reset to its end. A policy that fails forfeits it: a blank answer is given in its name.

    The policy gets copies of the observations: nothing that it does to them changes what is recorded.

    Raises:
        RolloutError: the server failed or went away, or the policy lacks something that it depends on.
    """
    played, seen, budget = recording.played, first, first.budget_remaining
    _tell(watch, None, first)
    try:
        await player.reset(first.model_copy(deep=True), played.policy_seed or 0)
        while not seen.done:
            action = await player.act(seen.model_copy(deep=True))
            if len(played.trajectory) >= budget:
                raise RolloutError("environment", "failed", f"the episode goes on beyond its budget of {budget} steps")
            seen = await _step(session, action, recording, watch)
    except RolloutError as error:
        if error.source != "policy":
            raise
        return await forfeit(session, recording, error.fault(len(played.trajectory)), watch)
    return recording.finish(seen)


async def forfeit(session: Session, recording: Recording, fault: Fault, watch: Watcher | None = None) -> Trajectory:
    """Give a blank answer in the name of a policy that failed, and record why.

    Raises:
        RolloutError: the server failed or went away; its ``forfeited`` is the fault.
    """
    recording.played.fault = fault
    try:
        return recording.finish(await _step(session, FORFEIT, recording, watch))
    except RolloutError as error:
        error.forfeited = fault
        raise


async def _step(session: Session, action: SQLAction, recording: Recording, watch: Watcher | None) -> SQLObservation:
    with attributed():
        seen: SQLObservation = (await session.step(action)).observation
    recording.step(action, seen)
    _tell(watch, action, seen)
    return seen


@contextmanager
def attributed(doing: str = "the server went away") -> Iterator[None]:
    """Turn what the client raises into a RolloutError of the environment or of the connection.

    Args:
        doing: what to say of a connection that fails.
    """
    try:
        yield
    except RolloutError:
        raise
    except (OSError, EOFError, WebSocketException) as error:
        said = str(error) or type(error).__name__
        raise RolloutError("connection", "server", f"{doing}: {said}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"the server answered what is no SQLEnv observation ({type(error).__name__}: {str(error)[:200]})"
        raise RolloutError("environment", "failed", said) from error
    except RuntimeError as error:
        kind, said = _kind(str(error)), _SERVER_ERROR.sub(r"\1", str(error))
        raise RolloutError("environment", kind, said) from error


_SERVER_ERROR = re.compile(r"^Server error: (.*) \(code: \w+\)$", re.DOTALL)
"""How OpenEnv's client words what the server said."""


def _kind(said: str) -> str:
    """Return ``full`` (no place for a session), ``refused`` (a selector names nothing) or ``failed``."""
    if "CAPACITY_REACHED" in said or "the server is full" in said:
        return "full"
    return "failed" if "the server failed" in said else "refused"


def _tell(watch: Watcher | None, action: SQLAction | None, observation: SQLObservation) -> None:
    if watch is not None:
        watch(action, observation)
