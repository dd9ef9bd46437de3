"""Whatever a database, a question or a visitor writes is shown as text."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from made_up import QUESTION
from playing import Player
from playwright.sync_api import expect

from sql_env.agent.local_server import local_server
from sql_env.server.databases import write_checksums

pytestmark = [pytest.mark.web, pytest.mark.timeout(180)]

EVIL = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
TABLE = f'pet "{EVIL}'
COLUMNS = (EVIL, "a, b(c", "FOREIGN KEY (x)", "line\nbreak", "")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One question, whose every part is hostile."""
    folder = tmp_path_factory.mktemp("evil") / "evil"
    path = folder / "databases" / "pets" / "pets.sqlite"
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as connection:
        columns = ", ".join(f"{quoted(name)} TEXT" for name in COLUMNS[:-1])
        connection.execute(f"CREATE TABLE {quoted(TABLE)} ({columns})")
        connection.execute(f"INSERT INTO {quoted(TABLE)} VALUES (?, ?, ?, ?)", [EVIL] * 4)
        connection.execute("CREATE TABLE plain (x)")
    question = replace(
        QUESTION,
        question=f"What is {EVIL}?",
        gold_sql=f"SELECT {quoted(EVIL)} FROM {quoted(TABLE)} WHERE '{EVIL}' <> ''",
        columns=(EVIL,),
        gold_rows=((EVIL,),),
        answer_type="string",
        tables=(TABLE,),
    )
    (folder / "questions").mkdir()
    (folder / "questions" / "evil.jsonl").write_text(question.to_json() + "\n", "utf-8")
    write_checksums(folder, ["questions/evil.jsonl", "databases/pets/pets.sqlite"])
    with local_server({"SQL_ENV_DATASET": str(folder)}) as base_url:
        yield base_url


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def no_markup(me: Player) -> None:
    assert me.page.locator("main img, main script").count() == 0


def test_names_cells_question_and_gold(visit: Callable[..., Player], server: str) -> None:
    me = visit(server)
    me.page.click("#surprise")
    expect(me.page.locator("#question")).to_have_text(f"What is {EVIL}?")
    assert me.page.locator("#tables .name").all_inner_texts() == [quoted(TABLE), "plain"]
    first = me.page.locator("#tables > li").first
    with me.a_step():
        first.get_by_role("button", name="Describe").click()
    with me.a_step():
        first.get_by_role("button", name="Sample").click()
    assert EVIL in me.last().inner_text()
    me.query(f"SELECT '{EVIL}' AS {quoted(EVIL)}")
    assert me.last().locator("th").inner_text() == EVIL
    me.query(f"SELECT {EVIL}")
    no_markup(me)
    me.answer(EVIL)
    expect(me.page.locator("#verdict")).to_have_text("✓ Correct")
    expect(me.page.locator("#revealed td").first).to_have_text(EVIL)
    no_markup(me)
    me.page.click("#other")
    expect(me.page.locator("#choose [name=db_id]")).to_contain_text("pets")


@pytest.mark.parametrize("written", ["\x00", "SELECT 1;" * 40_000, "𝕊𝔼𝕃𝔼ℂ𝕋", "') ; DROP TABLE plain --", "/*" * 500])
def test_what_a_visitor_writes(visit: Callable[..., Player], server: str, written: str) -> None:
    """It costs a step, is explained, and the episode goes on."""
    me = visit(server)
    me.page.click("#surprise")
    me.query(written)
    assert me.last().locator(".error").inner_text()
    me.query("SELECT 1")
    assert me.last().locator("td").inner_text() == "1"
