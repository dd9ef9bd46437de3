"""Episodes of a real language model behind a real server: ``transformers serve`` and a tiny Qwen3 made on the spot.

Nothing is simulated here: the server renders the chat template, samples, parses tool calls and counts tokens. The model
is no good, which is the point: with random weights it writes rubbish, and rubbish must be counted, not crash.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hostile_sql import ROOT
from running import SCRIPTS, run

from sql_env.agent.demonstrations import demonstrations
from sql_env.agent.endpoint import ChatClient, Endpoint
from sql_env.agent.language_model import CUT, NOTHING_READ, LanguageModelPolicy
from sql_env.agent.local_server import server_process
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.policy_thread import PolicyThread
from sql_env.agent.rollout import Recording, play_on
from sql_env.agent.trajectory import Trajectory
from sql_env.client import SQLEnvClient

pytestmark = [pytest.mark.train, pytest.mark.timeout(600)]

RIGHT = '<tool_call>\n{"name": "answer", "arguments": {"answer": "47"}}\n</tool_call>'
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "0",
}


@contextmanager
def serving(folder: Path, *reply: str) -> Iterator[str]:
    """Make a model in a folder and serve it; yield the endpoint's URL."""
    made = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "train" / "tiny_model.py"), str(folder), *reply],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **OFFLINE},
        timeout=300,
    )
    assert made.returncode == 0, made.stderr
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    where = ["--host", "127.0.0.1", "--port", "0", "--device", "cpu"]
    with server_process(OFFLINE, [*command, *where], folder / "serve.log") as (_, url):
        yield f"{url}/v1"


@pytest.fixture(scope="module")
def untaught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A model with random weights: its URL and its name."""
    folder = tmp_path_factory.mktemp("tiny")
    with serving(folder) as url:
        yield url, str(folder)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A model that has learned to call one tool with one answer."""
    folder = tmp_path_factory.mktemp("taught")
    with serving(folder, RIGHT) as url:
        yield url, str(folder)


async def play(server: str, endpoint: Endpoint, task_ids: list[str], shots: int = 0) -> list[Trajectory]:
    """Play the tasks one after another, as an evaluation does."""
    oracle = OraclePolicy.for_dataset("starter")
    shown = await demonstrations(server, oracle, "test", shots, "starter")
    chat = ChatClient(endpoint)
    player = PolicyThread(lambda: LanguageModelPolicy(chat, shown), seconds=120)
    client, played = SQLEnvClient(base_url=server), []
    try:
        async with client:
            for number, task_id in enumerate(task_ids):
                first = (await client.reset(task_id=task_id)).observation
                played.append(await play_on(client, player, first, Recording(player.name, first, number)))
    finally:
        player.close()
        chat.close()
    return played


TASKS = [f"allotment_society-{number:03}" for number in (1, 2, 3)]


@pytest.mark.parametrize("mode", ["auto", "text"])
def test_rubbish_is_counted_and_every_episode_ends(starter_server: str, untaught: tuple[str, str], mode: str) -> None:
    url, model = untaught
    endpoint = Endpoint(model=model, base_url=url, mode=mode, max_tokens=16, temperature=1.0, context=3_000)
    played = asyncio.run(play(starter_server, endpoint, TASKS))
    for episode in played:
        assert episode.fault is None
        assert episode.truncated
        assert not episode.correct
        assert len(episode.trajectory) == 15
        for step in episode.trajectory:
            assert step.action_type == "UNREADABLE"
            assert step.error_kind == "ActionError"
            assert NOTHING_READ in step.notes
            assert step.prompt_tokens is not None
            assert step.prompt_tokens > 100
            assert step.completion_tokens in range(1, 17)
            assert (CUT in step.notes) == (step.completion_tokens == 16)
        grown = [step.prompt_tokens or 0 for step in episode.trajectory]
        assert grown == sorted(grown)
        assert grown[-1] <= 3_000 - 16
    assert len({episode.trajectory[0].reply for episode in played}) == len(played), "seeds differ"


def test_the_same_seed_gives_the_same_episode(starter_server: str, untaught: tuple[str, str]) -> None:
    url, model = untaught
    endpoint = Endpoint(model=model, base_url=url, max_tokens=8, temperature=1.0)
    first, second = (asyncio.run(play(starter_server, endpoint, TASKS[:1])) for _ in range(2))
    assert first == second


def test_native_tool_calls_arrive_and_are_right(starter_server: str, taught: tuple[str, str]) -> None:
    """Through the server's own parser; with demonstrations its template renders tool calls and their results."""
    url, model = taught
    endpoint = Endpoint(model=model, base_url=url, mode="tools", max_tokens=64)
    (episode,) = asyncio.run(play(starter_server, endpoint, TASKS[:1]))
    assert episode.correct
    assert [step.reply for step in episode.trajectory] == [
        '<tool_call>\n{"name": "answer", "arguments": "{\\"answer\\": \\"47\\"}"}\n</tool_call>'
    ]
    (shown,) = asyncio.run(play(starter_server, endpoint, TASKS[:1], shots=1))
    assert shown.fault is None
    assert (shown.trajectory[0].prompt_tokens or 0) > (episode.trajectory[0].prompt_tokens or 0) + 200


def test_check_finds_the_server_and_names_what_is_wrong(untaught: tuple[str, str]) -> None:
    url, model = untaught
    chat = ChatClient(Endpoint(model=model, base_url=url))
    assert "native tool calls, context of 8,192 tokens" in chat.check()
    chat.close()
    other = ChatClient(Endpoint(model="another", base_url=url))
    with pytest.raises(RuntimeError, match="Server is pinned to"):
        other.check()
    other.close()


@pytest.mark.skipif(not (SCRIPTS / "evaluate.py").is_file(), reason="there is no scripts/evaluate.py")
def test_the_script_evaluates_it(starter_server: str, taught: tuple[str, str], tmp_path: Path) -> None:
    url, model = taught
    where = ("--base-url", starter_server, "--dataset", "starter", "--model", model, "--model-url", url)
    how = ("--policy", "llm", "--episodes", "4", "--max-tokens", "64", "--concurrency", "2", "--quiet")
    played = run("evaluate.py", *where, *how, "--out", str(tmp_path / "run"))
    assert played.returncode == 0, played.stderr
    (file,) = (tmp_path / "run").glob("trajectories*.jsonl")
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert len(lines) == 4
    assert all(line["trajectory"][-1]["argument"] == "47" for line in lines)
