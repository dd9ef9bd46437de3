"""A trained model on tasks that it was not trained on, played in this process: many episodes as one batch.

What the model is told and how its replies are read is what ``scripts/evaluate.py --policy llm`` does; a reply without a
tool call ends the episode, as it ends a rollout in training.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from sql_env.agent.language_model import LanguageModelPolicy
from sql_env.agent.local_model import LocalModel
from sql_env.agent.rollout import policy_seed
from sql_env.agent.sessions import Connect, Session, play
from sql_env.agent.task_rows import selectors_of
from sql_env.agent.trajectory import Trajectory


def evaluate_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    connect: Connect,
    rows: Sequence[dict[str, Any]],
    *,
    temperature: float = 0.0,
    max_tokens: int = 256,
    batch: int = 32,
    seed: int = 0,
    name: str = "model",
) -> list[Trajectory]:
    """Play each row once; return the episodes, in the rows' order.

    Args:
        model: the model; it is in training mode afterwards if it was before.
        tokenizer: its tokenizer.
        connect: makes sessions, one for each episode that runs at once.
        rows: keywords for reset.
        temperature: of sampling; 0 takes the likeliest token.
        max_tokens: tokens of one reply.
        batch: episodes at once.
        seed: of the sampling.
        name: what to call the model.

    Raises:
        RolloutError: the server refused a row, failed or went away.
    """
    training = model.training
    local = LocalModel(model, tokenizer, name, temperature=temperature, max_tokens=max_tokens, batch=batch)
    free: SimpleQueue[Session] = SimpleQueue()
    sessions = [connect() for _ in range(min(batch, len(rows)))]
    for session in sessions:
        free.put(session)

    def one(place: int) -> Trajectory:
        session, policy = free.get(), LanguageModelPolicy(local, stops=True)
        try:
            return play(session, policy, selectors_of(rows[place]), policy_seed(seed, str(place), 0))
        finally:
            free.put(session)

    try:
        with ThreadPoolExecutor(len(sessions)) as threads:
            return list(threads.map(one, range(len(rows))))
    finally:
        local.close()
        for session in sessions:
            session.close()
        model.train(training)
