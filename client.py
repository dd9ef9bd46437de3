"""SQLEnvClient: plays episodes on a server over a WebSocket, typed, asynchronous or ``.sync()``."""

from typing import Any

from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from websockets.exceptions import ConnectionClosed

from sql_env.models import SQLAction, SQLObservation, SQLState


class SQLEnvClient(EnvClient[SQLAction, SQLObservation, SQLState]):
    """One session on an SQLEnv server.

    ::

        with SQLEnvClient(base_url="http://localhost:8000").sync() as env:
            result = env.reset(seed=7)
            result = env.step(SQLAction(action_type="DESCRIBE", argument="singer"))
            print(result.observation.result)

    ``reset`` takes ``seed``, ``dataset``, ``split``, ``index``, ``task_id``, ``db_id``, ``hardness`` and
    ``answer_form``. A selector that names nothing raises RuntimeError with the server's message. A connection that was
    lost is made anew by the next ``reset``. A trainer that is silent for long should pass
    ``websocket_ping_interval_s=None``.
    """

    async def _reset_async(self, **kwargs: Any) -> StepResult[SQLObservation]:
        """Begin an episode; once more, on a new connection, if a server that stops closed this one at that moment."""
        try:
            return await super()._reset_async(**kwargs)
        except ConnectionClosed:
            return await super()._reset_async(**kwargs)

    def _step_payload(self, action: SQLAction) -> dict[str, Any]:
        return {"action_type": action.action_type, "argument": action.argument}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[SQLObservation]:
        fields = {
            name: value
            for name, value in payload.get("observation", {}).items()
            if name in SQLObservation.model_fields  # a newer server may send more
        }
        done, reward = payload.get("done", False), payload.get("reward")
        observation = SQLObservation(**fields | {"done": done, "reward": reward})
        result = StepResult(observation, reward, done)
        result.metadata = observation.metadata  # openenv-core 0.3 has no such parameter
        return result

    def _parse_state(self, payload: dict[str, Any]) -> SQLState:
        return SQLState(**{name: value for name, value in payload.items() if name in SQLState.model_fields})


SqlEnv = SQLEnvClient
"""The name under which OpenEnv's AutoEnv looks for the client."""
