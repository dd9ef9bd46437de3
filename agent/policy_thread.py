"""Who plays: a policy called in place, or on a thread of its own with a limit on its time.

On a thread, a policy that raises, is silent for too long or returns what is no action becomes a RolloutError, and
nobody else waits for it. Nothing can stop a thread: a policy that was silent for too long is left to itself, and
another one takes its place.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Protocol, TypeVar

from sql_env.agent.faults import RolloutError, clean
from sql_env.agent.policies import Policy
from sql_env.models import SQLAction, SQLObservation

LONGEST_MESSAGE = 4_000_000
"""Bytes of an action, as JSON, that are sent. A server answers a message that is too long for it with an error, and
cuts the connection only beyond some 8 MB; that must not pass for its fault."""
NAME_CHARS = 200

Result = TypeVar("Result")


class Player(Protocol):
    """A policy as the rollout calls it; it raises RolloutError where the policy fails."""

    name: str

    async def reset(self, observation: SQLObservation, seed: int) -> None:
        """Begin an episode."""

    async def act(self, observation: SQLObservation) -> SQLAction:
        """Return the next action."""


class InPlace:
    """Calls a policy on the event loop, without a limit; what it raises propagates."""

    def __init__(self, policy: Policy) -> None:
        self.name = policy.name
        self._policy = policy

    async def reset(self, observation: SQLObservation, seed: int) -> None:
        """Begin an episode."""
        self._policy.reset(observation, seed)

    async def act(self, observation: SQLObservation) -> SQLAction:
        """Return the next action."""
        return self._policy.act(observation)


class Blamed(InPlace):
    """Calls a policy in place, without a limit; what it raises becomes a RolloutError."""

    async def reset(self, observation: SQLObservation, seed: int) -> None:
        """Begin an episode."""
        with blamed():
            self._policy.reset(observation, seed)

    async def act(self, observation: SQLObservation) -> SQLAction:
        """Return the next action."""
        with blamed():
            action = self._policy.act(observation)
        return checked(action)


class PolicyThread:
    """Calls a policy on a thread of its own.

    Args:
        make: makes the policy, and another one after a silence.
        seconds: how long it may take for one action; None for no limit.
    """

    def __init__(self, make: Callable[[], Policy], seconds: float | None = None) -> None:
        self._make = make
        self._seconds = seconds
        self._policy: Policy | None = None
        policy = self._begin()
        self.name = clean(str(policy.name))[:NAME_CHARS]

    def _begin(self) -> Policy:
        """Make a policy and its thread.

        Raises:
            RolloutError: it cannot be made.
        """
        with blamed():
            self._policy = self._make()
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=_work, args=(self._jobs,), name="policy", daemon=True).start()
        return self._policy

    async def reset(self, observation: SQLObservation, seed: int) -> None:
        """Begin an episode.

        Raises:
            RolloutError: the policy failed.
        """
        policy = self._begin() if self._policy is None else self._policy
        await self._call(lambda: policy.reset(observation, seed))

    async def act(self, observation: SQLObservation) -> SQLAction:
        """Return the next action.

        Raises:
            RolloutError: the policy failed.
        """
        policy = self._policy
        assert policy is not None, "reset comes first"
        return checked(await self._call(lambda: policy.act(observation)))

    def close(self) -> None:
        """End the thread."""
        self._jobs.put(None)

    async def _call(self, function: Callable[[], Result]) -> Result:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()

        def tell(result: Result | None, error: RolloutError | None) -> None:
            if not answer.done():
                answer.set_exception(error) if error is not None else answer.set_result(result)  # type: ignore[arg-type]

        def job() -> None:
            result, error = None, None
            try:
                result = function()
            except BaseException as raised:  # noqa: BLE001 — whatever a policy raises is recorded as its own fault
                error = failure(raised)
            with suppress(RuntimeError):  # nobody waits any more, the loop is closed
                loop.call_soon_threadsafe(tell, result, error)

        self._jobs.put(job)
        await asyncio.wait([answer], timeout=self._seconds)
        if not answer.done():
            answer.cancel()
            self.close()
            self._policy = None
            raise RolloutError("policy", "stalled", f"no action within {self._seconds:g} s")
        return answer.result()


def _work(jobs: "SimpleQueue[Callable[[], None] | None]") -> None:
    while (job := jobs.get()) is not None:
        job()


@contextmanager
def blamed() -> Iterator[None]:
    """Turn what a policy raises into a RolloutError."""
    try:
        yield
    except Exception as raised:
        raise failure(raised) from raised


def failure(raised: BaseException) -> RolloutError:
    """Attribute what a policy raised: to a connection of its, or to itself."""
    said = type(raised).__name__
    with suppress(BaseException):  # a policy's own exception may fail to say what it is
        said = f"{said}: {raised}"
    if isinstance(raised, ConnectionError):
        return RolloutError("connection", "endpoint", said)
    return RolloutError("policy", "raised", said)


def checked(action: object) -> SQLAction:
    """Return what a policy returned, as a plain action that is its own.

    Raises:
        RolloutError: it is no action, or too long to be sent.
    """
    if not isinstance(action, SQLAction):
        raise RolloutError("policy", "no_action", f"act returned {type(action).__name__}, not an SQLAction")
    with blamed():
        kind, argument, metadata = action.action_type, action.argument, action.metadata
    if not (isinstance(kind, str) and isinstance(argument, str) and isinstance(metadata, dict)):
        raise RolloutError("policy", "no_action", "the action's type and argument must be text, its metadata a dict")
    if len(json.dumps([kind, argument])) > LONGEST_MESSAGE:
        raise RolloutError("policy", "no_action", f"the action is longer than {LONGEST_MESSAGE:,} bytes")
    return SQLAction(action_type=kind, argument=argument, metadata=metadata)
