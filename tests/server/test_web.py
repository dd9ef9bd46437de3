"""The page's server side: files, what is offered, and the gold, which only an ended episode of one's own shows."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from html import escape
from typing import Any

import httpx
import pytest
from hostile_sql import ROOT
from starlette.testclient import TestClient

from sql_env.server.app import build_app
from sql_env.server.databases import Database
from sql_env.server.datasets import load_all
from sql_env.server.environment import Ended
from sql_env.server.errors import BusyError
from sql_env.server.questions import Question, gold_answer
from sql_env.server.resources import Resources
from sql_env.server.sandbox import Limits, QueryResult
from sql_env.server.settings import Settings
from sql_env.server.web.ends import Ends, is_withheld

QUESTIONS = load_all(Settings(dataset="starter"))["starter"].questions
ASSETS = ROOT / "server" / "web" / "assets"


@contextmanager
def served(**settings: Any) -> Iterator[TestClient]:
    with TestClient(build_app(Settings(dataset="starter,procedural", **settings))) as client:
        yield client


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with served() as client:
        yield client


def ask(ws: Any, kind: str, **data: Any) -> dict[str, Any]:
    ws.send_json({"type": kind, "data": data})
    return ws.receive_json()["data"]


def one_of(split: str) -> Question:
    return next(question for question in QUESTIONS if question.split == split)


# --- files -----------------------------------------------------------------------------------------------


def test_every_file_is_served_with_its_kind_and_may_be_kept(client: TestClient) -> None:
    for path in ASSETS.iterdir():
        address = "/web/" if path.name == "index.html" else f"/web/{path.name}"
        answer = client.get(address)
        assert answer.content == path.read_bytes()
        assert answer.headers["content-type"].split(";")[0] in (
            "text/html text/css text/javascript application/json image/svg+xml".split()
        )
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        again = client.get(address, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_the_page_needs_nothing_from_elsewhere() -> None:
    for path in ASSETS.iterdir():
        text = path.read_text("utf-8")
        addresses = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not addresses, path.name
    page = (ASSETS / "index.html").read_text("utf-8")
    assert not re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page), "the policy allows none of these"
    for name in re.findall(r'(?:src|href)="([\w.]+)"', page):
        assert (ASSETS / name).is_file()
    for path in ASSETS.glob("*.js"):
        for name in re.findall(r'from "\./(\S+)"', path.read_text("utf-8")):
            assert (ASSETS / name).is_file()


@pytest.mark.parametrize("name", ["nosuch.js", "..%2fpage.py", "%2e%2e/page.py", "index.html", "templates/end.html"])
def test_no_other_file_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/web/{name}").status_code == 404


def test_the_ways_to_the_page(client: TestClient) -> None:
    """Relative, so that they hold behind a prefix as well."""
    for path in ("/", "/web"):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, "web/")


# --- offers ----------------------------------------------------------------------------------------------


def test_what_is_offered_can_be_had(client: TestClient) -> None:
    """Every choice with a number has that many questions, and a reset on it works."""
    offered = client.get("/web/offers").json()
    starter, procedural = offered["datasets"]
    assert procedural["counts"] is None
    assert procedural["withheld"] == ["test", "compositional"]
    assert starter["withheld"] == ["test"]
    counted = sum(n for split in starter["counts"].values() for db in split.values() for n in db.values())
    assert counted == len(QUESTIONS)
    with client.websocket_connect("/ws") as ws:
        for split, databases in starter["counts"].items():
            for db_id, levels in databases.items():
                for hardness, number in levels.items():
                    want = {"dataset": "starter", "split": split, "db_id": db_id, "hardness": hardness}
                    assert ask(ws, "reset", **want, index=number - 1)["observation"]["question"]
                    assert "message" in ask(ws, "reset", **want, index=number)
        for split in procedural["splits"]:
            assert ask(ws, "reset", dataset="procedural", split=split, seed=1)["observation"]["question"]


# --- ends ------------------------------------------------------------------------------------------------


def test_an_end_is_shown_once_the_episode_is_over_and_not_before(client: TestClient) -> None:
    question = one_of("train")
    with client.websocket_connect("/ws") as ws:
        assert client.get("/web/ends/mine").status_code == 404
        ask(ws, "reset", task_id=question.question_id, dataset="starter", episode_id="mine")
        ask(ws, "step", action_type="QUERY", argument=question.gold_sql)
        before = client.get("/web/ends/mine")
        ask(ws, "step", action_type="ANSWER", argument="no such thing")
        shown = client.get("/web/ends/mine")
        assert shown.status_code == 200
        assert escape(question.gold_sql).replace("&#x27;", "&#39;") in shown.text.replace("&#34;", "&quot;")
        assert shown.headers["cache-control"] == "no-store"
        ask(ws, "reset", task_id=question.question_id, dataset="starter", episode_id="another")
        after = client.get("/web/ends/mine")
    assert before.status_code == after.status_code == 404
    assert before.content == after.content
    with client.websocket_connect("/ws") as ws:
        assert client.get("/web/ends/another").status_code == 404, "its session is closed"


def test_who_ran_out_of_steps_sees_the_end_too() -> None:
    with served(max_steps=1) as client, client.websocket_connect("/ws") as ws:
        ask(ws, "reset", task_id=one_of("eval").question_id, dataset="starter", episode_id="e")
        assert ask(ws, "step", action_type="QUERY", argument="SELECT 1")["done"]
        assert client.get("/web/ends/e").status_code == 200


@pytest.mark.parametrize(
    ("reveal", "shown"), [("practice", ["train", "eval"]), ("all", ["train", "eval", "test"]), ("none", [])]
)
def test_whose_gold_is_shown(reveal: str, shown: list[str]) -> None:
    with served(reveal=reveal) as client, client.websocket_connect("/ws") as ws:
        for split in ("train", "eval", "test"):
            question, is_shown = one_of(split), split in shown
            ask(ws, "reset", task_id=question.question_id, dataset="starter", episode_id="e")
            ask(ws, "step", action_type="ANSWER", argument="no such thing")
            text = client.get("/web/ends/e").text
            assert ("The answer" in text) is is_shown
            assert ("SELECT" in text) is is_shown
            if not is_shown:
                assert not any(str(cell) in text for row in question.gold_rows for cell in row if len(str(cell)) > 1)


def test_the_splits_that_measure() -> None:
    assert [split for split in ("train", "eval", "test", "compositional", "dev") if is_withheld(split, "practice")] == [
        "test",
        "compositional",
    ]


@pytest.mark.timeout(300)
async def test_the_oracle_wins_every_question_that_is_shown() -> None:
    """Over every question of the starter set, and variants, procedural tasks and answers in SQL besides."""
    with closing(Resources.load(Settings(dataset="starter,procedural", reveal="all"))) as resources:
        resources.engine.start()
        shown = Ends(resources)
        ends = [Ended("starter", 0, "value", question) for question in QUESTIONS]
        ends += [Ended("starter", 0, "sql", question) for question in QUESTIONS[::25]]
        for question in QUESTIONS[::40]:
            varied = resources.variant(resources.dataset("starter"), question, 1)
            ends.append(Ended("starter", 1, "value", varied.question))
        procedural = resources.dataset("procedural").select("train")
        ends += [Ended("procedural", 0, "value", procedural[number]) for number in range(10)]
        for ended in ends:
            text = await shown.render(ended)
            assert "<pre>Correct.</pre>" in text, ended.question.question_id
            assert text.count("<li>") == ended.question.par
        assert 'class="null">NULL<' in "".join([await shown.render(ended) for ended in ends if has_null(ended)])


async def test_an_end_is_made_once_and_none_that_failed_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty who ask for the same at once wait for one; a server that is busy says so, and the next one gets it."""
    with closing(Resources.load(Settings(dataset="starter"))) as resources:
        ended, shown, statements = Ended("starter", 0, "value", one_of("train")), Ends(resources), []
        run, failing = resources.engine.run_async, True

        async def counted(database: Database, sql: str, limits: Limits) -> QueryResult:
            statements.append(sql)
            await asyncio.sleep(0.05)
            if failing:
                raise BusyError("busy")
            return await run(database, sql, limits)

        monkeypatch.setattr(resources.engine, "run_async", counted)
        with pytest.raises(BusyError, match="cannot be shown now"):
            await shown.render(ended)
        failing = False
        gone = asyncio.create_task(shown.render(ended))
        await asyncio.sleep(0.01)
        waiting = [asyncio.create_task(shown.render(ended)) for _ in range(20)]
        gone.cancel()
        assert len(set(await asyncio.gather(*waiting))) == 1
        await shown.render(ended)
        assert len(statements) == 2


def test_probes_that_only_want_the_head(client: TestClient) -> None:
    for path in ("/", "/web/", "/web/style.css"):
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


def has_null(ended: Ended) -> bool:
    return any(cell is None for row in ended.question.gold_rows for cell in row)


async def test_hostile_text_is_shown_as_text(resources: Resources) -> None:
    evil = "<img src=x onerror=alert(1)>\"'&{{ 7*7 }}"
    question = replace(one_of("train"), columns=(evil,), gold_rows=((evil,), (None,), (3,)), ordered=False)
    text = await Ends(resources).render(Ended("starter", 0, "value", question))
    assert "<img" not in text
    assert "49" not in text
    assert escape(evil).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in text
    assert gold_answer([(3,)]) == "3"


def test_nothing_of_an_end_goes_over_the_websocket(client: TestClient) -> None:
    """The page fetches it over HTTP; the messages of an episode are as they are without the page."""
    question = next(q for q in QUESTIONS if q.split == "train" and isinstance(q.gold_rows[0][0], str))
    with client.websocket_connect("/ws") as ws:
        ask(ws, "reset", task_id=question.question_id, dataset="starter", episode_id="e")
        last = ask(ws, "step", action_type="ANSWER", argument="no such thing")
        client.get("/web/ends/e")
        state = ask(ws, "state")
    assert str(question.gold_rows[0][0]) not in str(last) + str(state)


def test_ids_that_name_nothing(client: TestClient) -> None:
    for name in ("x" * 5000, "%00", "%F0%9F%98%80", "a%2Fb"):
        assert client.get(f"/web/ends/{name}").status_code == 404


def test_a_real_server_serves_the_page(starter_server: str) -> None:
    page = httpx.get(f"{starter_server}/", follow_redirects=True)
    assert page.url.path == "/web/"
    assert '<script type="module" src="main.js">' in page.text
