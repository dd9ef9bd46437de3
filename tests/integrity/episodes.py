"""Scripted episodes: in process, over a raw WebSocket, many at once; what they gave, as the bytes that were sent."""

import json
import random
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from websockets.sync.client import ClientConnection

from sql_env.models import SQLAction, SQLObservation
from sql_env.server.environment import SQLEnvironment
from sql_env.server.questions import Question, QuestionSet, gold_answer

Action: TypeAlias = tuple[str, str]


def act(env: SQLEnvironment, kind: str, argument: str = "") -> SQLObservation:
    return env.step(SQLAction(action_type=kind, argument=argument))


def play(env: SQLEnvironment, actions: Iterable[Action], **selectors: Any) -> list[SQLObservation]:
    """Play actions in process; return all observations, the first one's too."""
    return [env.reset(**selectors), *(act(env, *action) for action in actions)]


def ask(ws: ClientConnection, message: dict[str, Any]) -> str:
    """Send a message and return the answer as it came."""
    ws.send(json.dumps(message))
    answer = ws.recv(60)
    assert isinstance(answer, str)
    return answer


def messages(actions: Iterable[Action], **selectors: Any) -> list[dict[str, Any]]:
    """The WebSocket messages of an episode."""
    steps = [{"type": "step", "data": {"action_type": kind, "argument": argument}} for kind, argument in actions]
    return [{"type": "reset", "data": {"episode_id": "e", **selectors}}, *steps]


def oracle(question: Question, answer_form: str = "value") -> list[Action]:
    """The oracle's actions, for the places where the real one is not under test."""
    answer = question.gold_sql if answer_form == "sql" else gold_answer(question.gold_rows)
    return [*(("DESCRIBE", table) for table in question.tables), ("QUERY", question.gold_sql), ("ANSWER", answer)]


def exploration(dataset: QuestionSet, question: Question, tables: Sequence[str], seed: int = 0) -> list[Action]:
    """Up to eleven actions without an answer, the gold's own statement, faults and repeats among them."""
    rng = random.Random(f"{seed} {question.question_id}")
    table = rng.choice(tables)
    other = rng.choice([q for q in dataset.questions if q.db_id == question.db_id])
    actions = [
        ("DESCRIBE", table),
        ("SAMPLE", rng.choice(tables)),
        ("QUERY", question.gold_sql),
        ("QUERY", f'SELECT * FROM "{table}"'),
        ("QUERY", other.gold_sql),
        ("QUERY", f'SELECT count(*), nope FROM "{table}"'),
        ("QUERY", "SELECT sql FROM sqlite_master"),
        ("DESCRIBE", "nosuch"),
        ("DANCE", ""),
        ("DESCRIBE", table),
        ("QUERY", question.gold_sql),
    ]
    return rng.sample(actions, rng.randint(5, len(actions)))
