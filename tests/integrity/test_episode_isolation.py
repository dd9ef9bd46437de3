"""episode_isolation: 64 episodes interleaved on one server give the bytes that the same 64 give alone."""

import asyncio
import itertools
import json
import random
from typing import Any

import pytest
from episodes import exploration, messages, oracle
from served import Served
from websockets.asyncio.client import ClientConnection, connect

from sql_env.server.resources import Resources

SESSIONS = 64


async def ask(ws: ClientConnection, message: dict[str, Any]) -> str:
    await ws.send(json.dumps(message))
    answer = await asyncio.wait_for(ws.recv(), 60)
    assert isinstance(answer, str)
    return answer


async def interleaved(url: str, episodes: list[list[dict[str, Any]]], rng: random.Random) -> list[list[str]]:
    """Play all episodes at once, each on a session of its own, their steps in random order, several under way."""
    sessions = [await connect(url, compression=None) for _ in episodes]
    heard: list[list[str]] = [[] for _ in episodes]
    left = list(itertools.chain.from_iterable([number] * len(e) for number, e in enumerate(episodes)))
    rng.shuffle(left)
    locks = [asyncio.Lock() for _ in episodes]
    gate = asyncio.Semaphore(16)

    async def one(number: int) -> None:
        async with gate, locks[number]:
            heard[number].append(await ask(sessions[number], episodes[number][len(heard[number])]))

    await asyncio.gather(*map(one, left))
    await asyncio.gather(*(session.close() for session in sessions))
    return heard


async def alone(url: str, episodes: list[list[dict[str, Any]]]) -> list[list[str]]:
    """Play the episodes one after another on one session."""
    async with connect(url, compression=None) as session:
        return [[await ask(session, message) for message in episode] for episode in episodes]


@pytest.mark.timeout(240)
async def test_episode_isolation(served: Served, server: str) -> None:
    """Every question, 64 at a time; the answers in both forms, some of the statements too heavy for the event loop."""
    dataset, rng = served.questions, random.Random(0)
    resources = Resources(served.settings, {dataset.name: dataset})
    episodes = []
    for number, question in enumerate(dataset.questions):
        form = ("value", "sql")[number % 2]
        tables = resources.schema(dataset.database(question)).names
        actions = exploration(dataset, question, tables, seed=3)
        if number % 8 == 0:
            joined = ", ".join(f'"{tables[0]}" a{i}' for i in range(3))
            actions[1] = ("QUERY", f"SELECT count(*) FROM (SELECT 1 FROM {joined} LIMIT 300000)")
        actions.append(oracle(question, form)[-1])
        episodes.append(messages(actions, task_id=question.question_id, answer_form=form))
    resources.close()
    rng.shuffle(episodes)
    url = server.replace("http", "ws") + "/ws"
    for start in range(0, len(episodes), SESSIONS):
        batch = episodes[start : start + SESSIONS]
        assert await interleaved(url, batch, rng) == await alone(url, batch)
