"""Episodes played on the page, as people play them, against a real server."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from hostile_sql import ROOT
from playing import Player
from playwright.sync_api import expect

from sql_env.agent.local_server import COMMAND, local_server, server_process
from sql_env.server.questions import QuestionSet, load

pytestmark = [pytest.mark.web, pytest.mark.timeout(180)]

Visit = Callable[..., Player]


@pytest.fixture(scope="session")
def golds() -> QuestionSet:
    return load("starter", ROOT / "data" / "starter")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with local_server({"SQL_ENV_DATASET": "starter,procedural"}) as base_url:
        yield base_url


def test_a_whole_episode_by_clicking(visit: Visit, server: str, golds: QuestionSet, shots: Path) -> None:
    me = visit(server)
    me.page.screenshot(path=shots / "start.png")
    me.choose(dataset="starter", split="train", db_id="choir_archive", hardness="medium")
    question = golds.by_id(me.task())
    assert (question.db_id, question.split, question.hardness) == ("choir_archive", "train", "medium")
    expect(me.page.locator("#question")).to_have_text(question.question)
    expect(me.page.locator("#left")).to_have_text("15 steps left")
    assert me.page.locator(".columns").count() == 0, "columns are hidden at first"
    for table in question.tables:
        me.describe(table)
    expect(me.page.locator("#known")).to_have_text(
        f"{len(question.tables)} of {me.page.locator('#tables > li').count()} tables described"
    )
    me.sample(question.tables[0])
    assert me.last().locator("tbody tr").count() == 5
    me.query("SELECT nmae FROM concert")
    expect(me.last().locator(".error")).to_contain_text("no such column: nmae")
    me.query(question.gold_sql)
    cells = me.last().locator("tbody td").all_inner_texts()
    assert len(cells) == sum(map(len, question.gold_rows))
    expect(me.page.locator("#left")).to_have_text(f"{15 - len(question.tables) - 3} steps left")
    me.page.screenshot(path=shots / "middle.png", full_page=True)
    me.page.click("#take")
    me.page.get_by_role("button", name="Answer and end").click()
    expect(me.page.locator("#verdict")).to_have_text("✓ Correct")
    efficiency = -0.2 * 2 / (15 - question.par)
    for text in (f"+{1 + efficiency:.2f}", f"−{-efficiency:.2f}", "correctness", "execution", "efficiency"):
        expect(me.page.locator("#chart")).to_contain_text(text)
    expect(me.page.locator("#revealed .sql").first).to_have_text(question.gold_sql)
    assert me.page.locator("#revealed ol > li").count() == question.par
    me.page.screenshot(path=shots / "won.png", full_page=True)
    me.page.click("#again")
    expect(me.page.locator("#steps > li")).to_have_count(0)
    assert me.task() == question.question_id
    me.answer("certainly not this")
    expect(me.page.locator("#verdict")).to_have_text("✗ Not correct")
    me.page.screenshot(path=shots / "lost.png", full_page=True)
    me.page.click("#next")
    expect(me.page.locator("#end")).to_be_hidden()
    question = golds.by_id(me.task())
    assert (question.db_id, question.split, question.hardness) == ("choir_archive", "train", "medium"), "chosen once"


def test_a_whole_episode_by_keyboard(visit: Visit, server: str, golds: QuestionSet) -> None:
    """Tab, Enter, arrows and Ctrl+Enter, from the first moment to the next question."""
    me = visit(server)
    keys = me.page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(80):
            keys.press("Tab")
            if me.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                outline = me.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"{selector}: where the focus is has to be seen"
                return
        raise AssertionError(f"{selector} is not reached by Tab")

    tab_to("#choose [name=dataset]")
    tab_to("#choose [name=db_id]")
    keys.press("ArrowDown")
    tab_to("#choose button")
    keys.press("Enter")
    expect(me.page.locator("#episode")).to_be_visible()
    question = golds.by_id(me.task())
    tab_to("#tables button")
    with me.a_step():
        keys.press("Enter")
    assert me.page.locator(".columns").first.is_visible()
    tab_to("#sql")
    keys.type(question.gold_sql)
    with me.a_step():
        keys.press("Control+Enter")
    assert me.page.input_value("#sql") == question.gold_sql, "it stays, to be changed"
    tab_to("#take")
    keys.press("Enter")
    assert me.page.evaluate("document.activeElement.id") == "said"
    keys.press("Control+Enter")
    expect(me.page.locator("#verdict")).to_have_text("✓ Correct")
    assert me.page.evaluate("document.activeElement.id") == "verdict", "a screen reader says how it ended"
    tab_to("#next")
    keys.press("Enter")
    expect(me.page.locator("#end")).to_be_hidden()


def test_the_editor_shows_what_is_written(visit: Visit, server: str) -> None:
    me = visit(server)
    me.page.click("#surprise")
    sql = "SELECT count(*), 'it''s <b>', \"a b\", 3.5 -- why?\nFROM x /* open"
    me.page.fill("#sql", sql)
    assert me.page.evaluate("document.getElementById('painted').textContent") == sql + "\n"
    kinds = me.page.eval_on_selector_all("#painted span", "all => all.map(one => [one.className, one.textContent])")
    for token in (
        ["t-key", "SELECT"],
        ["t-call", "count"],
        ["t-string", "'it''s <b>'"],
        ["t-name", '"a b"'],
        ["t-num", "3.5"],
    ):
        assert token in kinds
    for area in ("#sql", "#painted"):  # one above the other, letter over letter
        assert me.page.evaluate("s => getComputedStyle(document.querySelector(s)).fontSize", area) == "14.4px"
    boxes = [me.page.locator(area).bounding_box() for area in ("#sql", "#painted")]
    assert boxes[0] == boxes[1]


def test_the_editor_wraps_where_the_caret_does(visit: Visit, server: str) -> None:
    """With scroll bars that take space, however long the statement is; and an empty field has none."""
    me = visit(server)
    me.page.click("#surprise")
    expect(me.page.locator("#episode")).to_be_visible()
    for lines in (1, 5, 8, 60):
        me.page.fill("#sql", "SELECT a_rather_long_name, and_another_one, and_a_third_one_that_wraps FROM x\n" * lines)
        heights, widths = (
            me.page.evaluate(f"['sql', 'painted'].map(id => document.getElementById(id).{what})")
            for what in ("scrollHeight", "clientWidth")
        )
        assert widths[0] == widths[1], lines
        assert heights[0] == heights[1], lines
    for area in ("sql", "said"):
        me.page.fill(f"#{area}", "")
        assert me.page.evaluate("a => a.scrollHeight <= a.clientHeight", me.page.query_selector(f"#{area}")), area


def test_cells_are_shown_as_the_server_wrote_them(visit: Visit, server: str) -> None:
    """4.0 is a REAL, 4 an INTEGER, and an agent sees which."""
    me = visit(server)
    me.page.click("#surprise")
    me.query("SELECT 4.0 AS a, 4 AS b, 1e21 AS c, '4.0' AS d, NULL AS e, -0.5 AS f, 9007199254740993 AS g")
    shown = me.last().locator("td")
    assert shown.all_inner_texts() == ["4.0", "4", "1e+21", "4.0", "NULL", "-0.5", "9007199254740993"]
    me.query("SELECT 4.5 AS a")
    me.page.fill("#said", "what I had written")
    me.page.click("#take")
    assert me.page.input_value("#said") == "4.5"
    me.page.keyboard.press("Control+z")
    assert me.page.input_value("#said") == "what I had written"


# --- in haste ----------------------------------------------------------------------------------------------

SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"  # until its limit


def test_double_clicks_cost_one_step(visit: Visit, server: str) -> None:
    me = visit(server)
    me.page.dblclick("#surprise")
    expect(me.page.locator("#left")).to_have_text("15 steps left")
    me.page.locator("#tables button").first.dblclick()
    me.page.fill("#sql", SLOW)
    me.page.get_by_role("button", name="Run").dblclick()
    expect(me.page.locator("#working")).to_have_text("QUERY is running …")
    me.page.locator("#tables button").first.click()
    expect(me.page.locator("#working")).to_contain_text("query stopped after", timeout=15_000)
    used = me.page.locator("#steps > li").count()
    assert used <= 3, "a second click that comes after the answer is a step; one that comes before is none"
    expect(me.page.locator("#left")).to_have_text(f"{15 - used} steps left")
    expect(me.page.locator("#banner")).to_be_hidden()


def test_leaving_while_a_step_runs(visit: Visit, server: str, golds: QuestionSet) -> None:
    """What comes late, an answer or the end of the old connection, does nothing to the next episode."""
    me = visit(server)
    me.choose(dataset="starter")
    me.page.fill("#sql", SLOW)
    me.page.get_by_role("button", name="Run").click()
    me.page.get_by_role("button", name="Leave this episode").click()
    expect(me.page.locator("#start")).to_be_visible()
    me.choose(dataset="starter")
    me.page.wait_for_timeout(3000)
    expect(me.page.locator("#banner")).to_be_hidden()
    expect(me.page.locator("#steps > li")).to_have_count(0)
    me.win(golds.by_id(me.task()))


def test_whoever_writes_on_meanwhile_is_not_disturbed(visit: Visit, server: str) -> None:
    me = visit(server)
    me.page.click("#surprise")
    me.page.fill("#sql", SLOW)
    with me.a_step():
        me.page.keyboard.press("Control+Enter")
        me.page.click("#said")
        me.page.keyboard.type("abc")
    me.page.keyboard.type("def")
    me.page.keyboard.press("Enter")
    me.page.keyboard.type("a second row")
    assert me.page.input_value("#said") == "abcdef\na second row", "Enter begins a row; Ctrl+Enter answers"
    expect(me.page.locator("#left")).to_have_text("14 steps left")


def test_the_address_of_a_question(visit: Visit, server: str, golds: QuestionSet) -> None:
    """It names variant and answer form too, and works in a page that is open."""
    me = visit(server)
    me.page.evaluate("location.hash = '#play?dataset=starter&task_id=choir_archive-024&variant=1&answer_form=sql'")
    expect(me.page.locator("#asks")).to_contain_text("SELECT")
    address = me.page.locator("#origin a").get_attribute("href")
    assert address == "#play?dataset=starter&task_id=choir_archive-024&variant=1&answer_form=sql"
    me.query("SELECT 1")
    me.page.evaluate("location.hash = '#play?dataset=starter&task_id=choir_archive-001'")
    expect(me.page.locator("#banner")).to_contain_text("Leave this episode first")
    me.answer(golds.by_id("choir_archive-024").gold_sql)
    me.page.click("#again")
    expect(me.page.locator("#asks")).to_contain_text("SELECT")
    assert me.page.locator("#origin a").get_attribute("href") == address
    me.page.evaluate("location.hash = '#play?dataset=starter&task_id=nosuch'")
    expect(me.page.locator("#banner")).to_contain_text("unknown task_id 'nosuch'")


def test_an_answer_that_cannot_be_fetched_can_be_asked_for_again(visit: Visit, server: str) -> None:
    me = visit(server)
    me.choose(dataset="starter")
    me.page.route("**/ends/*", lambda route: route.fulfill(status=503, body="busy"))
    me.answer("certainly not this")
    expect(me.page.locator("#revealing")).to_have_text("The answer could not be fetched.")
    me.page.unroute("**/ends/*")
    me.page.click("#retry")
    expect(me.page.locator("#revealed")).to_contain_text("How the oracle gets there")
    expect(me.page.locator("#revealing")).to_be_empty()


def test_a_described_table_stays_in_sight(visit: Visit, server: str) -> None:
    me = visit(server, "phone")
    me.choose(dataset="starter", db_id="choir_archive")
    me.describe("concert")
    expect(me.table("concert").locator(".columns")).to_be_in_viewport()
    me.sample("concert")
    expect(me.last()).to_be_in_viewport()


def test_two_visitors_at_once(visit: Visit, server: str, golds: QuestionSet) -> None:
    one, other = visit(server), visit(server)
    one.choose(dataset="starter", db_id="ferry_line")
    other.choose(dataset="starter", db_id="choir_archive")
    one.describe("vessel")
    other.query("SELECT count(*) FROM singer")
    one.query("SELECT count(*) FROM singer")
    expect(one.last().locator(".error")).to_contain_text("no such table")
    assert other.last().locator(".error").count() == 0
    expect(other.page.locator("#left")).to_have_text("14 steps left")
    one.win(golds.by_id(one.task()))
    other.win(golds.by_id(other.task()))


def test_an_answer_in_sql(visit: Visit, server: str, golds: QuestionSet) -> None:
    me = visit(server)
    me.choose(dataset="starter", answer_form="sql")
    question = golds.by_id(me.task())
    me.query(question.gold_sql)
    expect(me.page.locator("#take")).to_be_hidden()
    me.answer(question.gold_sql)
    expect(me.page.locator("#verdict")).to_have_text("✓ Correct")
    me.page.click("#again")
    expect(me.page.locator("#asks")).to_contain_text("SELECT")
    assert me.task() == question.question_id


def test_a_procedural_question(visit: Visit, server: str) -> None:
    me = visit(server)
    me.choose(dataset="procedural", hardness="easy")
    assert me.task().startswith("p1-train-")
    me.describe(me.page.locator("#tables .name").first.inner_text())
    me.answer("certainly not this")
    expect(me.page.locator("#revealed")).to_contain_text("How the oracle gets there")


def test_the_answers_of_test_questions_are_not_shown(visit: Visit, server: str, golds: QuestionSet) -> None:
    me = visit(server)
    me.choose(dataset="starter", split="test")
    question = golds.by_id(me.task())
    me.answer("certainly not this")
    expect(me.page.locator("#revealed")).to_contain_text("agents are measured on it")
    assert question.gold_sql not in me.page.content()


def test_blank_input_costs_nothing(visit: Visit, server: str) -> None:
    me = visit(server)
    me.page.click("#surprise")
    for button, told in (("Run", "Write a SELECT statement first"), ("Answer and end", "Write an answer first")):
        me.page.get_by_role("button", name=button).click()
        expect(me.page.locator("#banner")).to_contain_text(told)
    expect(me.page.locator("#left")).to_have_text("15 steps left")


def test_out_of_steps(visit: Visit) -> None:
    with local_server({"SQL_ENV_DATASET": "starter", "SQL_ENV_MAX_STEPS": "3", "SQL_ENV_REWARD_MODE": "shaped"}) as url:
        me = visit(url)
        me.page.click("#surprise")
        me.sample(me.page.locator("#tables .name").first.inner_text())
        me.query("SELECT 1")
        expect(me.page.locator("#left")).to_have_text("1 step left: answer now")
        me.query("SELECT 2")
        expect(me.page.locator("#verdict")).to_have_text("✗ Out of steps")
        expect(me.page.locator("#steps")).to_contain_text("Reward +"), "shaped rewards are shown step by step"
        me.page.click("#other")
        expect(me.page.locator("#start")).to_be_visible()


def test_a_full_server_says_so(visit: Visit) -> None:
    with local_server({"SQL_ENV_DATASET": "starter", "SQL_ENV_MAX_SESSIONS": "1"}) as url:
        first, second = visit(url), visit(url)
        first.page.click("#surprise")
        expect(first.page.locator("#episode")).to_be_visible()
        second.page.click("#surprise")
        expect(second.page.locator("#banner")).to_contain_text("All sessions of this server are taken")
        first.page.get_by_role("button", name="Leave this episode").click()
        first.page.wait_for_timeout(300)
        second.page.click("#surprise")
        expect(second.page.locator("#episode")).to_be_visible()


def test_an_idle_session_is_explained(visit: Visit) -> None:
    with local_server({"SQL_ENV_DATASET": "starter", "SQL_ENV_SESSION_TIMEOUT": "1"}) as url:
        me = visit(url)
        me.page.click("#surprise")
        me.page.fill("#sql", "SELECT 1")
        deadline = time.monotonic() + 90
        while "sql_env_sessions_open 0.0" not in httpx.get(f"{url}/metrics").text:
            assert time.monotonic() < deadline
            me.page.wait_for_timeout(500)
        me.page.get_by_role("button", name="Run").click()
        expect(me.page.locator("#banner")).to_contain_text(re.compile("closed this episode|connection .* was lost"))
        me.page.get_by_role("button", name="Start another question").click()
        expect(me.page.locator("#left")).to_have_text("15 steps left")


def test_a_lost_connection_is_explained_and_nothing_written_is_lost(visit: Visit) -> None:
    with server_process({"SQL_ENV_DATASET": "starter"}) as (process, url):
        me = visit(url)
        me.page.click("#surprise")
        me.query("SELECT 1")
        me.page.fill("#sql", "SELECT 'a long thought'")
        process.kill()
        process.wait()
        expect(me.page.locator("#banner")).to_contain_text("The connection to the server was lost. The episode is gone")
        assert me.page.input_value("#sql") == "SELECT 'a long thought'"
        assert me.page.get_by_role("button", name="Run").is_disabled()
        me.page.get_by_role("button", name="Start another question").click()
        expect(me.page.locator("#banner")).to_contain_text("cannot be reached")
    port = url.rpartition(":")[2]
    with server_process({"SQL_ENV_DATASET": "starter"}, [*COMMAND[:-1], port]):
        me.page.get_by_role("button", name="Start another question").first.click()
        expect(me.page.locator("#left")).to_have_text("15 steps left")
        me.query("SELECT 2")


def test_the_picture_of_the_readme(visit: Visit, server: str, golds: QuestionSet, shots: Path) -> None:
    """docs/figures/page.png is a copy of what this leaves behind."""
    me = visit(server)
    me.page.set_viewport_size({"width": 1280, "height": 1000})
    me.page.goto("about:blank")
    me.page.goto(f"{server}/web/#play?dataset=starter&task_id=choir_archive-024")
    question = golds.by_id("choir_archive-024")
    me.describe("work")
    me.query("SELECT title, year_written FROM work WHERE sung_in = 'French' ORDER BY year_written")
    me.query(question.gold_sql)
    me.win(question)
    expect(me.page.locator("#revealed ol")).to_be_visible()
    me.page.evaluate("window.scrollTo(0, 0)")
    me.page.screenshot(path=shots / "readme.png")


# --- looks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["desktop", "tablet", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_fits_the_screen(
    visit: Visit, server: str, golds: QuestionSet, shots: Path, size: str, scheme: str
) -> None:
    """Nothing runs over the right edge, and a thumb finds every button."""
    me = visit(server, size, scheme)

    def look(state: str) -> None:
        wide = me.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, state
        small = me.page.eval_on_selector_all(
            "button, select, summary",
            "all => all.map(one => one.getBoundingClientRect().height).filter(h => h && h < 20)",
        )
        assert small == [], state
        me.page.screenshot(path=shots / f"{size}-{scheme}-{state}.png", full_page=True)

    look("start")
    me.choose(dataset="starter", db_id="choir_archive")
    for name in me.page.locator("#tables .name").all_inner_texts()[:3]:
        me.describe(name)
    me.query("SELECT * FROM concert, singer, work LIMIT 20")
    me.query(f"SELECT 'a rather long text without an end, {'x' * 200}' AS " + "long_name" * 8)
    look("middle")
    me.win(golds.by_id(me.task()))
    expect(me.page.locator("#revealed ol")).to_be_visible()
    look("won")
    me.page.click("nav a[href='#watch']")
    look("watch")
    me.page.click("nav a[href='#connect']")
    expect(me.page.locator(".address").first).to_have_text(server)
    look("connect")


@pytest.mark.parametrize("part", range(2))
def test_every_eighth_question_fits_a_phone(visit: Visit, server: str, golds: QuestionSet, part: int) -> None:
    """From its address to its end; the others differ in words only."""
    me = visit(server, "phone")
    for question in golds.questions[part * 8 :: 16]:
        me.page.goto("about:blank")
        me.page.goto(f"{server}/web/#play?dataset=starter&task_id={question.question_id}")
        expect(me.page.locator("#question")).to_have_text(question.question)
        me.answer("certainly not this")
        expect(me.page.locator("#revealed")).not_to_be_empty()
        right = me.page.evaluate("document.documentElement.scrollWidth")
        assert right <= 360, question.question_id


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(visit: Visit, server: str, scheme: str) -> None:
    """WCAG 2.2 AA: a contrast of 4.5 for every colour of text on every ground that it lies on."""
    me = visit(server, "desktop", scheme)
    names = "ground card code ink quiet accent on-accent focus field good bad bad-ground describe sample query answer"
    found = me.page.evaluate(
        """names => Object.fromEntries(names.map(name => {
            const probe = document.createElement("i");
            document.body.append(probe);
            probe.style.color = `var(--${name})`;
            return [name, getComputedStyle(probe).color.match(/[0-9.]+/g).map(Number)];
        }))""",
        names.split(),
    )
    for text in "ink quiet accent good bad describe sample query answer".split():
        for ground in ("ground", "card", "code"):
            assert contrast(found[text], found[ground]) >= 4.5, (text, ground)
    for text, ground in (("on-accent", "accent"), ("bad", "bad-ground")):
        assert contrast(found[text], found[ground]) >= 4.5, (text, ground)
    for mark in ("focus", "field"):
        assert contrast(found[mark], found["card"]) >= 3, mark


def contrast(one: list[float], other: list[float]) -> float:
    """The contrast of two colours, as WCAG 2.2 defines it."""

    def luminance(colour: list[float]) -> float:
        parts = [c / 255 for c in colour[:3]]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_in_a_frame_of_another_site(visit: Visit, server: str, tmp_path: Path, browser: object) -> None:
    """As a Space shows it: the page plays inside a frame of the hub."""
    (tmp_path / "hub.html").write_text(f'<iframe src="{server}/web" width="1200" height="800"></iframe>', "utf-8")
    command = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as hub:
        try:
            port = re.search(r"port (\d+)", hub.stdout.readline())[1]
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{port}/hub.html")
            frame = page.frame_locator("iframe")
            frame.locator("#surprise").click()
            expect(frame.locator("#left")).to_have_text("15 steps left")
            page.close()
        finally:
            hub.terminate()
