"""What the operator sees: counters that count, log lines that name sessions and episodes, and nothing of a gold."""

import json
import logging
import logging.config
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from wire import TASK_ID, ask

from sql_env.agent.local_server import local_server
from sql_env.server.databases import read_checksums
from sql_env.server.errors import LimitError
from sql_env.server.resources import Resources
from sql_env.server.telemetry import PlainFormatter, Telemetry, log_config

STARTER = {"SQL_ENV_DATASET": "starter"}
GOLD = "47"
LIMIT = 'sql_env_step_faults_total{kind="LimitError"}'


def counted(base_url: str) -> dict[str, float]:
    response = httpx.get(f"{base_url}/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_counters_count(tmp_path: Path) -> None:
    with local_server(STARTER) as base_url:
        with connect(base_url.replace("http", "ws") + "/ws") as ws:
            for answer in (GOLD, "46"):
                ask(ws, "reset", task_id=TASK_ID)
                ask(ws, "step", action_type="QUERY", argument="SELECT 1")
                ask(ws, "step", action_type="QUERY", argument="SELECT nosuch")
                ask(ws, "step", action_type="QUERY", argument="DROP TABLE plot")
                ask(ws, "step", action_type="DANCE", argument="")
                ask(ws, "step", action_type="ANSWER", argument=answer)
                ask(ws, "step", action_type="ANSWER", argument=answer)  # after the end: no step
            ask(ws, "reset", task_id=TASK_ID)
            for _ in range(15):
                ask(ws, "step", action_type="SAMPLE", argument="plot")
            ws.send("[]")
            ws.recv()
            ask(ws, "reset", task_id=TASK_ID)
            slow = "SELECT median(a.area_m2 * b.area_m2 * c.area_m2 * d.area_m2) FROM plot a, plot b, plot c, plot d"
            ask(ws, "step", action_type="QUERY", argument=slow)
            during = counted(base_url)
        after = counted(base_url)
    expected = {
        'sql_env_episodes_started_total{dataset="starter"}': 4,
        'sql_env_episodes_ended_total{dataset="starter",outcome="correct"}': 1,
        'sql_env_episodes_ended_total{dataset="starter",outcome="wrong"}': 1,
        'sql_env_episodes_ended_total{dataset="starter",outcome="truncated"}': 1,
        'sql_env_step_seconds_count{action="QUERY"}': 7,
        'sql_env_step_seconds_count{action="SAMPLE"}': 15,
        'sql_env_step_seconds_count{action="ANSWER"}': 2,
        'sql_env_step_seconds_count{action="unknown"}': 2,
        'sql_env_step_faults_total{kind="StatementError"}': 2,
        'sql_env_step_faults_total{kind="ForbiddenError"}': 2,
        'sql_env_step_faults_total{kind="ActionError"}': 2,
        'sql_env_messages_refused_total{reason="malformed"}': 1,
        "sql_env_sessions_total": 1,
        "sql_env_sessions_open": 1,
        "sql_env_sessions_limit": 128,
        "sql_env_sessions_refused_total": 0,
    }
    assert {name: during.get(name) for name in expected} == expected
    assert during.get(LIMIT.replace("Limit", "TimeLimit"), during.get(LIMIT)) == 1
    assert after["sql_env_sessions_open"] == 0
    assert after["process_open_fds"] > 0


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_names_sessions_and_episodes_and_no_gold(tmp_path: Path, form: str) -> None:
    """Nor a question, a statement or an answer: what a person may have typed is nobody's but theirs."""
    log = tmp_path / "server.log"
    with local_server({**STARTER, "SQL_ENV_LOG_FORMAT": form}, log=log) as base_url:
        with connect(base_url.replace("http", "ws") + "/ws") as ws:
            question = ask(ws, "reset", task_id=TASK_ID, episode_id="my-episode")["data"]["observation"]["question"]
            ask(ws, "step", action_type="QUERY", argument="SELECT count(*) AS secret_name FROM plot")
            ask(ws, "step", action_type="ANSWER", argument="some answer of mine")
        httpx.get(f"{base_url}/health")
    text = log.read_text("utf-8")
    for hidden in (question, "secret_name", "some answer of mine", "has_shed", "gold", "SELECT"):
        assert hidden not in text
    if form == "json":
        lines = [json.loads(line) for line in text.splitlines()]
        events = {line["message"]: line for line in lines if line["name"] == "sql_env.sessions"}
        assert list(events) == ["session opened", "episode started", "episode ended", "session closed"]
        assert len({line["session"] for line in events.values()}) == 1
        started, ended = events["episode started"], events["episode ended"]
        assert {ended["episode"], started["episode"]} == {"my-episode"}
        assert {ended["task"], started["task"]} == {TASK_ID}
        assert (ended["outcome"], ended["steps"], ended["dataset"]) == ("wrong", 2, "starter")
    else:
        assert "INFO episode started dataset=starter session=" in text
        assert "outcome=wrong" in text


def test_a_line_from_a_stranger_stays_one_line(tmp_path: Path) -> None:
    """An episode's id is the client's text: no line breaks of it forge a log line."""
    log = tmp_path / "server.log"
    forged = "x\n2026-01-01 00:00:00,000 INFO session opened session=forged\r\x1b[31m"
    with local_server(STARTER, log=log) as base_url, connect(base_url.replace("http", "ws") + "/ws") as ws:
        assert ask(ws, "reset", task_id=TASK_ID, episode_id=forged)["type"] == "observation"
    lines = log.read_bytes().split(b"\n")
    assert not [line for line in lines if line.startswith(b"2026-01-01 00:00:00")]
    assert b"\x1b" not in log.read_bytes()


def test_kinds_of_limits_are_told_apart(resources: Resources) -> None:
    telemetry = Telemetry()
    telemetry.step_taken("QUERY", 0.1, LimitError("x"))
    assert b'sql_env_step_faults_total{kind="LimitError"} 1.0' in telemetry.exposition()


def test_gauges_are_asked_at_each_reading() -> None:
    telemetry, values = Telemetry(), iter((1.0, 2.0))
    value: Callable[[], float] = lambda: next(values)  # noqa: E731
    telemetry.watch("thing", "A thing.", value)
    assert b"sql_env_thing 1.0" in telemetry.exposition()
    assert b"sql_env_thing 2.0" in telemetry.exposition()


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_configuration_is_one_that_logging_takes(form: str) -> None:
    before = logging.getLogger("sql_env").handlers[:], logging.getLogger("sql_env").propagate, logging.root.level
    root = logging.root.handlers[:]
    try:
        logging.config.dictConfig(log_config(form, "info"))
        (handler,) = logging.getLogger("sql_env").handlers
        record = logging.makeLogRecord({"msg": "it", "levelname": "INFO", "fields": {"a": 1}})
        line = handler.format(record)
        assert ("a=1" in line) if form == "text" else (json.loads(line)["a"] == 1)
    finally:
        logging.getLogger("sql_env").handlers, logging.getLogger("sql_env").propagate = before[:2]
        logging.root.setLevel(before[2])
        logging.root.handlers = root


def test_a_record_without_fields_is_a_line_too() -> None:
    assert PlainFormatter("%(message)s").format(logging.makeLogRecord({"msg": "plain"})) == "plain"


def test_checksums_are_not_what_is_logged(starter_server: str) -> None:
    """The metrics page holds no task id, no database's name, no digest."""
    text = httpx.get(f"{starter_server}/metrics").text
    assert TASK_ID not in text
    assert "allotment_society" not in text
    assert not any(digest in text for digest in read_checksums(CHECKSUMS).values())


CHECKSUMS = Path(__file__).resolve().parents[2] / "data" / "starter" / "questions" / "SHA256SUMS"


def test_what_libraries_say_of_a_strangers_request_forges_no_line(tmp_path: Path) -> None:
    """The MCP SDK logs requests that are none, whole: statements, answers, line breaks and all."""
    for form in ("text", "json"):
        log = tmp_path / f"{form}.log"
        forged = "x\n2026-01-01 00:00:00,000 INFO episode ended outcome=correct session=forged"
        with local_server({**STARTER, "SQL_ENV_LOG_FORMAT": form}, log=log) as base_url:
            headers = {"accept": "application/json, text/event-stream"}
            for method in ("initialize", "tools/call", "nosuch"):
                params = {
                    "capabilities": {"experimental": {forged: "MY-SECRET-ANSWER"}},
                    "name": forged,
                    "x": "y" * 50_000,
                }
                body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                httpx.post(f"{base_url}/mcp/stream", json=body, headers=headers)
        text = log.read_text("utf-8")
        assert not [line for line in text.splitlines() if line.startswith("2026-01-01 00:00")]
        assert "MY-SECRET-ANSWER" not in text
        assert len(text) < 20_000


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_message_is_one_line_of_bounded_length_and_a_traceback_stands_in(form: str) -> None:
    made = log_config(form, "info")["formatters"]["line"]
    formatter = made["()"](made["format"])
    try:
        raise ValueError("x\n2026-01-01 00:00:00,000 INFO forged")
    except ValueError:
        record = logging.makeLogRecord(
            {"msg": "a\nb\x1b" + "c" * 5000, "exc_info": sys.exc_info(), "levelname": "ERROR"}
        )
    line = formatter.format(record)
    assert "a\\nb\\x1b" in line.replace("\\\\", "\\")
    assert len(line) < 4000
    assert not [part for part in line.splitlines()[1:] if not part.startswith("    ")]
