"""Serve OpenEnv's stock echo environment, synchronous as ``openenv init`` makes it or --asynchronous.

The reference for scripts/load_test.py: what the framework itself costs.
"""

import argparse
from typing import Any
from uuid import uuid4

import uvicorn
from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, ConcurrencyConfig, Observation, State


class EchoAction(Action):
    """A message."""

    message: str


class EchoObservation(Observation):
    """The message and its length."""

    echoed_message: str = ""
    message_length: int = 0


class EchoEnvironment(Environment[EchoAction, EchoObservation, State]):
    """Echoes, on a thread of the session's own."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State(episode_id=str(uuid4()), step_count=0)

    def reset(self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any) -> EchoObservation:
        """Start over."""
        self._state = State(episode_id=str(uuid4()), step_count=0)
        return EchoObservation(echoed_message="ready", done=False, reward=0.0)

    def step(self, action: EchoAction, timeout_s: float | None = None, **kwargs: Any) -> EchoObservation:
        """Echo a message."""
        self._state.step_count += 1
        length = len(action.message)
        return EchoObservation(echoed_message=action.message, message_length=length, reward=0.1 * length)

    @property
    def state(self) -> State:
        """Return the episode's id and step count."""
        return self._state


class AsyncEchoEnvironment(EchoEnvironment):
    """Echoes on the event loop."""

    async def step_async(self, action: EchoAction, timeout_s: float | None = None, **kwargs: Any) -> EchoObservation:
        """Echo a message."""
        return self.step(action)


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--asynchronous", action="store_true")
    options = parser.parse_args()
    env = AsyncEchoEnvironment if options.asynchronous else EchoEnvironment
    concurrency = ConcurrencyConfig(max_concurrent_envs=2048)
    app = create_app(env, EchoAction, EchoObservation, env_name="echo", concurrency_config=concurrency)
    uvicorn.run(app, host="127.0.0.1", port=options.port)


if __name__ == "__main__":
    main()
