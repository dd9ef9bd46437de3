"""Sessions in the calling thread: on a server, over a WebSocket, or in process, where the environment is one itself.

Trainers, demonstrations and evaluations of a model in this process take any factory of sessions: ``Remote``, or for
instance ``functools.partial(SQLEnvironment, resources)``. Many episodes at once on a server are agent/rollouts.py's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sql_env.agent.policies import Policy
from sql_env.agent.rollout import Recording, attributed
from sql_env.agent.trajectory import Trajectory
from sql_env.client import SQLEnvClient
from sql_env.models import SQLAction, SQLObservation


class Session(Protocol):
    """Where episodes run; ``SQLEnvironment`` is one."""

    def reset(self, **selectors: Any) -> SQLObservation:
        """Start an episode."""

    def step(self, action: SQLAction) -> SQLObservation:
        """Take one action."""

    def close(self) -> None:
        """End the session."""


Connect = Callable[[], Session]


class RemoteSession:
    """A session on a server, over a WebSocket that no keepalive closes while a trainer computes.

    Args:
        base_url: the server.
        message_seconds: how long it may take for one answer.
    """

    def __init__(self, base_url: str, message_seconds: float = 60.0) -> None:
        client = SQLEnvClient(
            base_url=base_url, message_timeout_s=message_seconds, websocket_ping_interval_s=None
        )  # the server's own pings are answered by the client's thread
        self._client = client.sync()
        self._base_url = base_url

    def reset(self, **selectors: Any) -> SQLObservation:
        """Start an episode, on a connection that is opened when it is needed.

        Raises:
            RolloutError: the server cannot be reached, has no place, or refuses the selectors.
        """
        with attributed(f"no server answers at {self._base_url}"):
            observation: SQLObservation = self._client.reset(**selectors).observation
            return observation

    def step(self, action: SQLAction) -> SQLObservation:
        """Take one action.

        Raises:
            RolloutError: the server failed or went away.
        """
        with attributed():
            observation: SQLObservation = self._client.step(action).observation
            return observation

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


@dataclass
class Remote:
    """Connects to servers in turn; pickles, as AsyncGRPOTrainer wants it.

    Attributes:
        urls: one or several servers; sessions are spread over them.
        message_seconds: how long a server may take for one answer.
    """

    urls: Sequence[str]
    message_seconds: float = 60.0
    _turn: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.urls:
            raise ValueError("no server: urls is empty")

    def __call__(self) -> RemoteSession:
        """Return a session on the next server."""
        url = self.urls[self._turn % len(self.urls)]
        self._turn += 1
        return RemoteSession(url, self.message_seconds)


def play(session: Session, policy: Policy, selectors: dict[str, Any], seed: int) -> Trajectory:
    """Play one episode in the calling thread; what the policy raises propagates.

    Args:
        session: where.
        policy: who plays.
        selectors: keywords for reset.
        seed: for the policy's own chance.

    Raises:
        RolloutError: the server refused the reset, failed or went away.
    """
    seen = session.reset(**selectors)
    recording = Recording(policy.name, seen, seed)
    policy.reset(seen, seed)
    while not seen.done:
        action = policy.act(seen)
        seen = session.step(action)
        recording.step(action, seen)
    return recording.finish(seen)
