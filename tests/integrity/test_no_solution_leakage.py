"""no_solution_leakage as non-interference: with the gold exchanged for another, every byte before the end is equal.

On every surface: observations, rewards, state, errors and logs of the WebSocket; HTTP reset, step and state; schemas,
metadata, OpenAPI, Task API, MCP, the page. A search for the gold's text would trip over golds like ``3`` and see
nothing of a hint; this sees any.
"""

import json
import re
import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from episodes import act, ask, exploration, messages, play
from fastmcp import Client
from served import Served
from websockets.sync.client import connect

from sql_env.agent.local_server import local_server
from sql_env.server.databases import write_checksums
from sql_env.server.environment import SQLEnvironment
from sql_env.server.questions import Question, QuestionSet, gold_answer
from sql_env.server.resources import Resources
from sql_env.server.tools import ToolClient

GOLD = ("gold_sql", "columns", "gold_rows", "ordered", "answer_type", "tables", "twin_group", "par")
"""What the gold decides. Hardness does too, but it is published: reset selects by it."""


def exchanged(dataset: QuestionSet) -> QuestionSet:
    """The same tasks, each with the gold of another question: of the next that has other rows."""
    questions = dataset.questions
    other = [next(o for o in questions[i + 1 :] + questions[:i] if differs(q, o)) for i, q in enumerate(questions)]
    swapped = [replace(q, **{name: getattr(o, name) for name in GOLD}) for q, o in zip(questions, other, strict=True)]
    return replace(dataset, questions=tuple(swapped))


def differs(one: Question, other: Question) -> bool:
    return one.gold_rows != other.gold_rows and one.gold_sql != other.gold_sql


def test_the_exchange_exchanges_everything(widely_served: Served) -> None:
    dataset = widely_served.questions
    for before, after in zip(dataset.questions, exchanged(dataset).questions, strict=True):
        assert before.gold_rows != after.gold_rows
        kept = {name for name in vars(before) if getattr(before, name) == getattr(after, name)}
        assert kept >= {"question_id", "db_id", "question", "split", "hardness", "source"}


@pytest.mark.timeout(300)
def test_no_solution_leakage_in_process(widely_served: Served) -> None:
    """Every question, with shaped rewards, which pay before the end."""
    dataset = widely_served.questions
    settings = replace(widely_served.settings, reward_mode="shaped")
    transcripts = []
    for served in (dataset, exchanged(dataset)):
        resources = Resources(settings, {dataset.name: served})
        env, seen = SQLEnvironment(resources), {}
        for number, question in enumerate(dataset.questions):
            tables = resources.schema(dataset.database(question)).names
            actions, form = exploration(dataset, question, tables), ("value", "sql")[number % 2]
            observations = play(env, actions, task_id=question.question_id, answer_form=form, episode_id="e")
            assert not any(observation.done for observation in observations)
            seen[question.question_id] = [o.model_dump_json() for o in observations] + [env.state.model_dump_json()]
        seen["tasks"] = [json.dumps(env.list_tasks("all")), env.get_metadata().model_dump_json()]
        transcripts.append(seen)
        resources.close()
    assert transcripts[0] == transcripts[1]


def test_the_last_observation_says_right_or_wrong_and_no_more(widely_served: Served) -> None:
    """A wrong answer's observation is made of words that do not depend on the gold, but for its published traits."""
    dataset = widely_served.questions
    resources = Resources(widely_served.settings, {dataset.name: dataset})
    env = SQLEnvironment(resources)
    for question in dataset.questions:
        env.reset(task_id=question.question_id)
        last = act(env, "ANSWER", "no such answer, certainly")
        assert dataset.by_id(dataset.twin_of(question)).twin_group == question.twin_group
        assert re.fullmatch(r"Not correct: (wrong_value|wrong_shape|unparsable)\.", last.result)
        assert (last.error, last.columns, last.rows, last.total_rows) == (None, [], [], None)
        assert last.metadata == {
            "dataset": dataset.name,
            "split": question.split,
            "task_id": question.question_id,
            "db_id": question.db_id,
            "answer_form": "value",
            "variant": 0,
            "hardness": question.hardness,
            "answer_type": question.answer_type,
            "par": question.par,
            "twin_of": dataset.twin_of(question),
            "verdict": last.result.removeprefix("Not correct: ").removesuffix("."),
            "terminated": True,
            "truncated": False,
            "components": {"execution": 0.0, "correctness": -0.1, "efficiency": 0.0},
            "outcome_return": -0.1,
        }
    resources.close()


# --- over the wire ---------------------------------------------------------------------------------------


def write_exchanged(served: Served, folder: Path) -> Path:
    """Write the data set with its golds exchanged, under the same name, for a server to load."""
    source = served.questions.databases[served.questions.questions[0].db_id].path.parents[2]
    target = folder / source.name
    (target / "questions").mkdir(parents=True)
    shutil.copytree(source / "databases", target / "databases")
    lines = "".join(question.to_json() + "\n" for question in exchanged(served.questions).questions)
    (target / "questions" / "exchanged.jsonl").write_text(lines, "utf-8")
    files = [str(path.relative_to(target)) for path in sorted(target.glob("databases/*/*.sqlite"))]
    write_checksums(target, ["questions/exchanged.jsonl", *files])
    return target.parent if served.name == "starter" else target


def surfaces(client: httpx.Client, served: Served) -> dict[str, object]:
    """Everything that a client can ask a server, but for sessions."""
    texts: dict[str, object] = {
        path: client.get(path).text
        for path in (
            "/health",
            "/schema",
            "/metadata",
            "/openapi.json",
            "/web/",
            "/web/offers",
            "/state",
            "/sql_env/splits",
            "/list_environments",
        )
    }
    for split in (*served.questions.splits, "all", "nosuch"):
        for call in ("tasks", "num_tasks"):
            texts[f"{call} {split}"] = client.post(f"/sql_env/{call}", json={"split": split}).text
    n = len(served.questions.questions)
    for index in (*range(0, n, 7), n, -1):
        texts[f"task {index}"] = client.post("/sql_env/task", json={"split": "all", "index": index}).text
    texts["range"] = client.post("/sql_env/task_range", json={"split": "all", "start": 1, "stop": n}).text
    for question in served.questions.questions[::5]:
        body = {"task_id": question.question_id, "episode_id": "e"}
        texts[f"reset {question.question_id}"] = client.post("/reset", json=body).text
    step = {"action": {"action_type": "QUERY", "argument": "SELECT 1"}}
    texts["step"] = client.post("/step", json=step).text
    for method in ("tools/list", "openenv/session/create", "nosuch"):
        answer = client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}).json()
        texts[f"mcp {method}"] = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", json.dumps(answer))
    texts["metrics"] = re.findall(r"^sql_env_(?!step_seconds)\S+ .*$", client.get("/metrics").text, re.MULTILINE)
    for bad in ({"task_id": "nosuch"}, {"split": "nosuch"}, {"db_id": "x"}, {"answer_form": "x"}, {"index": 10**6}):
        texts[f"bad {bad}"] = client.post("/reset", json=bad).text
    return texts


@pytest.mark.timeout(300)
def test_no_solution_leakage(served: Served, tmp_path: Path) -> None:
    data = write_exchanged(served, tmp_path)
    dataset = served.questions
    resources = Resources(served.settings, {dataset.name: dataset})
    with ExitStack() as stack:
        logs = [tmp_path / "one.log", tmp_path / "two.log"]
        environs = [served.environ, served.environ | {"SQL_ENV_DATA": str(data)}]
        urls = [stack.enter_context(local_server(e, log=log)) for e, log in zip(environs, logs, strict=True)]
        clients = [stack.enter_context(httpx.Client(base_url=url, timeout=60)) for url in urls]
        assert surfaces(clients[0], served) == surfaces(clients[1], served)
        one, two = (stack.enter_context(connect(url.replace("http", "ws") + "/ws")) for url in urls)
        ended = 0
        for number, question in enumerate(dataset.questions):
            tables = resources.schema(dataset.database(question)).names
            actions = exploration(dataset, question, tables, seed=1)
            form = ("value", "sql")[number % 2]
            for message in messages(actions, task_id=question.question_id, answer_form=form):
                assert ask(one, message) == ask(two, message), message
                assert ask(one, {"type": "state"}) == ask(two, {"type": "state"})
            shown = [client.get("/web/ends/e") for client in clients]
            assert (shown[0].status_code, shown[0].content) == (404, shown[1].content), "only an end is shown"
            for bad in ({"type": "nosuch"}, {"type": "reset", "data": {"task_id": "?"}}, {"type": "step", "data": {}}):
                assert ask(one, bad) == ask(two, bad)
            end = messages([("ANSWER", gold_answer(question.gold_rows))], task_id=question.question_id)
            ask(one, end[0]), ask(two, end[0])
            ended += ask(one, end[1]) != ask(two, end[1])
        assert ended == len(dataset.questions), "the two servers do have other golds"
    resources.close()
    assert scrubbed(logs[0]) == scrubbed(logs[1])


def scrubbed(log: Path) -> str:
    """A server's log without what differs from process to process."""
    changing = re.compile(r"127\.0\.0\.1:\d+|process \[\d+\]|^[\d-]+ [\d:,]+", re.MULTILINE)
    text = changing.sub("…", log.read_text("utf-8"))
    text = re.sub(r"outcome=\w+", "outcome", text)  # an episode's end is told to the operator too
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", text)


# --- MCP -------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
async def test_no_solution_leakage_through_tools(served: Served) -> None:
    """The tools of every question, in process: text and what is beside it, before the end."""
    dataset, transcripts = served.questions, []
    for golds in (dataset, exchanged(dataset)):
        resources = Resources(served.settings, {dataset.name: golds})
        env, seen = SQLEnvironment(resources), {}
        tools = ToolClient(env)
        for question in dataset.questions:
            env.reset(task_id=question.question_id, episode_id="e")
            calls = [("task", {})]
            for kind, argument in exploration(dataset, question, resources.schema(dataset.database(question)).names):
                name = kind.lower()
                calls.append((name, {"sql" if name == "query" else "table": argument}))
            seen[question.question_id] = [await tools.call_tool(*call) for call in calls]
            assert not env.state.done
        seen["tools"] = await tools.list_tools()
        transcripts.append(json.dumps(seen))
        resources.close()
    assert transcripts[0] == transcripts[1]


@pytest.mark.timeout(300)
async def test_no_solution_leakage_over_mcp(served: Served, tmp_path: Path) -> None:
    """Stock clients on both servers. ``task`` draws, so what they were given both is compared."""
    data = write_exchanged(served, tmp_path)
    drawn: list[dict[str, str]] = []
    for environ in (served.environ, served.environ | {"SQL_ENV_DATA": str(data)}):
        with local_server(environ) as base_url:
            async with Client(f"{base_url}/mcp/stream") as client:
                told = {"tools": repr(await client.list_tools())}
                for _ in range(80):
                    task = await client.call_tool("task")
                    table = task.content[0].text.split("Tables: ")[1].split(",")[0].split("\n")[0].strip()
                    calls = [
                        ("describe", {"table": table}),
                        ("sample", {"table": table}),
                        ("query", {"sql": "SELECT 1"}),
                    ]
                    results = [task, *[await client.call_tool(*call, raise_on_error=False) for call in calls]]
                    task_id = task.meta["metadata"].pop("task_id")
                    task.meta["metadata"].pop("seed")
                    told[task_id] = repr([(r.content[0].text, r.meta, r.is_error) for r in results])
                    await client.call_tool("answer", {"answer": "no answer of mine"})
        drawn.append(told)
    both = drawn[0].keys() & drawn[1].keys()
    assert len(both) > 3
    assert {name: drawn[0][name] for name in both} == {name: drawn[1][name] for name in both}


# --- SQL and the question files --------------------------------------------------------------------------

READERS = (
    "SELECT readfile('{path}')",
    "SELECT * FROM csv('{path}')",
    "SELECT * FROM fsdir('{path}')",
    "ATTACH '{path}' AS q",
    "ATTACH 'file:{path}?mode=ro' AS q",
    "SELECT * FROM '{path}'",
    'SELECT * FROM "{path}"',
    "SELECT * FROM zipfile('{path}')",
    "SELECT load_extension('{path}')",
    "SELECT edit('', 'cat {path}')",
    "SELECT writefile('{path}', '')",
    "VACUUM INTO '{path}.copy'",
    "CREATE VIRTUAL TABLE t USING csv(filename='{path}')",
    "PRAGMA data_store_directory='{path}'",
    "SELECT * FROM pragma_database_list",
    "SELECT file FROM dbstat",
)


def test_no_statement_reads_the_question_files(served: Served) -> None:
    """For every database, in both answer forms: an error, without a path, and no trace of a file's content."""
    dataset = served.questions
    resources = Resources(served.settings, {dataset.name: dataset})
    env = SQLEnvironment(resources)
    folder = dataset.databases[dataset.questions[0].db_id].path.parents[2] / "questions"
    files = sorted(folder.iterdir())
    for question in {q.db_id: q for q in dataset.questions}.values():
        for sql in READERS:
            for path in files[:2]:
                statement = sql.format(path=path)
                for kind, form in (("QUERY", "value"), ("ANSWER", "sql")):
                    env.reset(task_id=question.question_id, answer_form=form)
                    seen = act(env, kind, statement)
                    assert seen.error, statement
                    assert str(folder) not in seen.error.replace(str(path), "")
                    assert (seen.columns, seen.rows) == ([], [])
    assert sorted(folder.iterdir()) == files
    resources.close()


def test_a_fault_of_ours_logs_no_gold(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = served.questions
    resources = Resources(served.settings, {dataset.name: dataset})
    env = SQLEnvironment(resources)
    monkeypatch.setattr("sql_env.server.environment.SQLEnvironment._finish", lambda *_: 1 / 0)
    question = next(q for q in dataset.questions if q.answer_type == "table")
    env.reset(task_id=question.question_id)
    with pytest.raises(RuntimeError, match="the server failed"):
        act(env, "QUERY", "SELECT 1")
    assert "ZeroDivisionError" in caplog.text
    assert question.gold_sql not in caplog.text
    assert repr(question.gold_rows[0]) not in caplog.text
    resources.close()
