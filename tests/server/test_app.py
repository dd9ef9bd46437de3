"""The server as a real process: addresses, entry points, data faults, one name for every file, wire faults."""

import json
import os
import subprocess
import sys
from pathlib import Path

import hostile_sql
import httpx
import pytest
from made_up import copy_starter
from websockets.sync.client import ClientConnection, connect
from wire import ask

from sql_env.agent.local_server import ServerError, local_server

UVICORN = (sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", "0")
STARTER = {"SQL_ENV_DATASET": "starter"}


@pytest.fixture
def ws(starter_server: str) -> ClientConnection:
    with connect(starter_server.replace("http", "ws") + "/ws") as connection:
        yield connection


def test_health(starter_server: str) -> None:
    response = httpx.get(f"{starter_server}/health")
    assert (response.status_code, response.json()) == (200, {"status": "healthy"})


ENTRY_POINT = (str(Path(sys.executable).with_name("server")), "--host", "127.0.0.1", "--port", "0")
STARTS = {
    "server.app:app": (*UVICORN, "server.app:app"),
    "sql_env.server.app:app": (*UVICORN, "sql_env.server.app:app"),
    "entry point": ENTRY_POINT,
}


@pytest.mark.parametrize("command", STARTS.values(), ids=STARTS)
def test_every_way_to_start(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(hostile_sql.ROOT)
    with local_server(STARTER, command) as base_url:
        assert httpx.get(f"{base_url}/health").json() == {"status": "healthy"}


def test_port_and_host_are_honoured() -> None:
    with local_server(STARTER) as base_url:
        free = base_url.rsplit(":", 1)[1]
    with local_server(
        {**STARTER, "PORT": free, "HOST": "127.0.0.1"}, (sys.executable, "-m", "sql_env.server.app")
    ) as url:
        assert url == f"http://127.0.0.1:{free}"


NAMES = """
import sys
{start}
files = {{}}
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None)
    if file and file.startswith({root!r}) and "/.venv/" not in file and name != "__main__":
        files.setdefault(file, set()).add(name)
exempt = {{{root!r} + "/server/__init__.py", {root!r} + "/agent/__init__.py"}}
twice = {{file: sorted(names) for file, names in files.items() if len(names) > 1 and file not in exempt}}
assert len(files) > 10, files
assert not twice, twice
import sql_env
from sql_env.server.environment import SQLAction
assert sql_env.SQLAction is SQLAction
"""


@pytest.mark.parametrize("module", ["server.app", "sql_env.server.app"])
def test_every_file_has_one_name(module: str) -> None:
    start = f"import importlib; importlib.import_module({module!r}); import sql_env.client, sql_env.models"
    code = NAMES.format(start=start, root=str(hostile_sql.ROOT))
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=hostile_sql.ROOT,
        env={**os.environ, **STARTER},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("fault", ["database missing", "database differs", "question differs", "nothing there"])
def test_a_data_fault_ends_the_start_with_file_and_remedy(tmp_path: Path, fault: str) -> None:
    folder = copy_starter(tmp_path)
    database = folder / "databases" / "mountain_rescue" / "mountain_rescue.sqlite"
    questions = folder / "questions" / "starter.jsonl"
    culprit = database if "database" in fault else questions
    if fault == "database missing":
        database.unlink()
    elif fault == "nothing there":
        culprit = folder / "questions" / "SHA256SUMS"
        culprit.unlink()
    else:
        culprit.write_bytes(culprit.read_bytes().replace(b"a", b"b", 1))
    with pytest.raises(ServerError) as raised, local_server({"SQL_ENV_DATASET": str(folder)}):
        pass
    said = str(raised.value)
    assert str(culprit) in said
    assert "run: python scripts/build_questions.py" in said
    assert "Traceback" not in said


def test_a_bad_setting_ends_the_start() -> None:
    with (
        pytest.raises(ServerError, match="SQL_ENV_MAX_STEPS='many'"),
        local_server({**STARTER, "SQL_ENV_MAX_STEPS": "many"}),
    ):
        pass


def test_wire_faults_keep_the_session(ws: ClientConnection) -> None:
    ask(ws, "reset", task_id="allotment_society-001")
    # JSON that is no object (`[]`, `7`) ends the session in OpenEnv 0.10 itself; docs/environment.md says so.
    for message in ("{", "", '{"type":"dance"}', "{}", '{"type":"step","data":{"action_type":5}}', '{"type":"step"}'):
        ws.send(message)
        answer = json.loads(ws.recv(30))
        assert answer["type"] == "error", message
        assert str(hostile_sql.ROOT) not in json.dumps(answer)
    assert ask(ws, "step", action_type="SAMPLE", argument="plot")["data"]["observation"]["step_count"] == 1


def test_no_text_keeps_the_end_of_an_episode_from_being_told(ws: ClientConnection) -> None:
    """Lone surrogates pass JSON, and numbers beyond all bounds pass its grammar; both once made the server fail."""
    for action, argument in (("\ud800", "x"), ("QUERY", "\ud800"), ("ANSWER", "[1e9999999999999999999]")):
        ask(ws, "reset", task_id="allotment_society-001")
        assert ask(ws, "step", action_type=action, argument=argument)["type"] == "observation"
        last = ask(ws, "step", action_type="ANSWER", argument="no")
        assert last["type"] == "observation"
        assert ask(ws, "state")["data"]["done"] is True
        assert last["data"]["reward"] == (0.0 if action == "ANSWER" else -0.1)


def test_a_wrong_selector_is_an_error_with_its_text(ws: ClientConnection, starter_server: str) -> None:
    answer = ask(ws, "reset", split="nosuch")
    assert answer["type"] == "error"
    assert "unknown split 'nosuch'" in answer["data"]["message"]
    assert ask(ws, "reset", split="test")["type"] == "observation"
    response = httpx.post(f"{starter_server}/reset", json={"split": "nosuch"})
    assert response.status_code == 422
    assert "unknown split 'nosuch'" in response.json()["detail"]


def test_hostile_statements_over_the_wire(ws: ClientConnection) -> None:
    ask(ws, "reset", task_id="allotment_society-001")
    for number, sql in enumerate(hostile_sql.OURS.values()):
        if number % 15 == 0:
            ask(ws, "reset", task_id="allotment_society-001")
        answer = ask(ws, "step", action_type="QUERY", argument=sql)
        assert answer["type"] == "observation", sql[:100]
        assert len(json.dumps(answer)) < 40_000


def test_task_api(starter_server: str) -> None:
    splits = httpx.get(f"{starter_server}/sql_env/splits").json()
    assert [split["name"] for split in splits] == ["train", "eval", "test"]
    counts = [
        httpx.post(f"{starter_server}/sql_env/num_tasks", json={"split": s}).json()["num_tasks"]
        for s in ("train", "eval", "test", "all")
    ]
    assert sum(counts[:3]) == counts[3] == 348


def test_two_sessions_do_not_see_each_other(starter_server: str) -> None:
    url = starter_server.replace("http", "ws") + "/ws"
    with connect(url) as one, connect(url) as two:
        ask(one, "reset", task_id="allotment_society-001")
        ask(two, "reset", task_id="mountain_rescue-001")
        ask(one, "step", action_type="SAMPLE", argument="plot")
        assert ask(one, "state")["data"]["step_count"] == 1
        assert ask(two, "state")["data"]["step_count"] == 0
        assert ask(two, "state")["data"]["task_id"] == "mountain_rescue-001"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_that_is_taken_ends_the_start_with_one_line(workers: str) -> None:
    """Two servers that share a port by SO_REUSEPORT would each get half of the clients."""
    with local_server({"SQL_ENV_DATASET": "starter"}) as base_url:
        environ = {**os.environ, "SQL_ENV_DATASET": "starter", "PORT": base_url.rpartition(":")[2]}
        command = (sys.executable, "-m", "sql_env.server.app", "--workers", workers)
        run = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 1
        assert run.stderr.startswith("sql_env: cannot listen on 127.0.0.1:"), run.stderr
        assert run.stderr.endswith("choose another with PORT=… or --port\n")
        assert httpx.get(f"{base_url}/health").status_code == 200


def test_a_port_that_there_is_not_is_refused() -> None:
    command = (sys.executable, "-m", "sql_env.server.app")
    for options, environ in ((("--port", "99999"), {}), ((), {"PORT": "99999"})):
        run = subprocess.run(
            (*command, *options), env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=False
        )
        assert run.returncode in (1, 2)
        assert "65535" in run.stderr
