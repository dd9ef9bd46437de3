"""A language model made ready for a run: its endpoint is asked once, its demonstrations are played."""

from dataclasses import dataclass
from typing import Any

from sql_env.agent.demonstrations import demonstrations
from sql_env.agent.endpoint import ChatClient, Endpoint
from sql_env.agent.language_model import LanguageModelPolicy
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.policy_choice import Maker


@dataclass(frozen=True)
class ReadyModel:
    """A language model that can play.

    Attributes:
        make: makes a policy; all of them share the endpoint's client.
        about: what decides its results, for run.json, as far as the endpoint shows it.
        found: what the endpoint told, in one line.
    """

    make: Maker
    about: dict[str, Any]
    found: str


async def ready(
    endpoint: Endpoint, base_url: str, dataset: str | None, split: str, answer_form: str = "value", shots: int = 0
) -> ReadyModel:
    """Ask the endpoint whether it answers, and play the demonstrations.

    Args:
        endpoint: the model, and how it is asked.
        base_url: the environment's server.
        dataset: name or folder of the data set; None takes the server's default.
        split: the split that is to be evaluated.
        answer_form: ``value`` or ``sql``.
        shots: how many demonstrations, 0 to 3; their golds have to be installed here.

    Raises:
        ConnectionError: the endpoint cannot be reached or does not serve the model; the text says what to do.
        RuntimeError: it refuses a plain request; or the golds are missing here.
        ValueError: there are no databases outside the evaluated split.
    """
    client = ChatClient(endpoint)
    found = client.check()
    oracle = OraclePolicy.for_dataset(dataset) if shots else OraclePolicy({})
    shown = await demonstrations(base_url, oracle, split, shots, dataset, answer_form)
    about = {
        "model": endpoint.model,
        "tools": client.dialect.tools,
        "refused": sorted(client.dialect.without) + ([] if client.dialect.system else ["system messages"]),
        "temperature": endpoint.temperature,
        "top_p": endpoint.top_p,
        "max_tokens": endpoint.max_tokens,
        "context": client.context,
        "shots": shots,
        "demonstrations": [one.trajectory.task_id for one in shown],
        "prompt": LanguageModelPolicy.prompt,
    }
    return ReadyModel(lambda: LanguageModelPolicy(client, shown), about, found)
