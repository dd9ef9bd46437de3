"""Recorded episodes on the page: those that it carries, and files of a visitor's own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hostile_sql import ROOT
from playing import Player
from playwright.sync_api import expect
from running import run

from sql_env.agent.local_server import local_server

pytestmark = [pytest.mark.web, pytest.mark.timeout(180)]

CARRIED = json.loads((ROOT / "server" / "web" / "assets" / "replays.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with local_server({"SQL_ENV_DATASET": "starter"}) as base_url:
        yield base_url


@pytest.fixture
def me(visit: Callable[..., Player], server: str) -> Player:
    me = visit(server)
    me.page.click("nav a[href='#watch']")
    me.page.locator("#pick [name=task] option").first.wait_for(state="attached")
    return me


def shown(me: Player, side: str) -> list[str]:
    return me.page.locator(f"#{side}-side ol > li").all_inner_texts()


def test_every_carried_episode_is_shown_to_its_end(me: Player, shots: Path) -> None:
    tasks = list(dict.fromkeys(one["task_id"] for one in CARRIED))
    assert len(tasks) >= 4
    for number, task in enumerate(tasks):
        me.page.select_option("#pick [name=task]", index=number)
        left, right = [one for one in CARRIED if one["task_id"] == task][:2]
        expect(me.page.locator("#watch-question")).to_have_text(left["question"])
        assert shown(me, "left") == shown(me, "right") == []
        most = max(len(one["trajectory"]) for one in (left, right))
        for at in range(1, most + 1):
            me.page.click("#forward")
            for side, one in (("left", left), ("right", right)):
                steps = shown(me, side)
                assert len(steps) == min(at, len(one["trajectory"]))
                step = one["trajectory"][len(steps) - 1]
                assert steps[-1].startswith(step["action_type"])
                told = (step["error"] or step["result"]).splitlines()
                assert not told or told[0] in steps[-1]
                ended = me.page.locator(f"#{side}-side .verdict")
                assert ended.count() == (at >= len(one["trajectory"]))
        assert me.page.locator("#forward").is_disabled()
        for side, one in (("left", left), ("right", right)):
            expect(me.page.locator(f"#{side}-side .verdict")).to_contain_text("Correct" if one["correct"] else "✗")
        if number == 0:
            me.page.screenshot(path=shots / "watch.png", full_page=True)


def test_it_plays_by_itself_and_by_keyboard(me: Player) -> None:
    me.page.click("#run")
    expect(me.page.locator("#run")).to_have_text("Pause")
    expect(me.page.locator("#left-side ol > li")).to_have_count(2, timeout=10_000)
    me.page.click("#run")
    me.page.locator("#at").focus()
    me.page.keyboard.press("Home")
    expect(me.page.locator("#left-side ol > li")).to_have_count(0)
    me.page.keyboard.press("End")
    expect(me.page.locator("#left-side .verdict")).to_be_visible()


def test_a_file_of_ones_own(me: Player, tmp_path: Path) -> None:
    for policy in ("oracle", "random"):
        played = run("evaluate.py", "--policy", policy, "--dataset", "starter", "--split", "train", "--episodes", "3",
                     "--quiet", "--out", str(tmp_path / policy))  # fmt: skip
        assert played.returncode == 0, played.stderr
    files = [str(tmp_path / policy / "trajectories.jsonl") for policy in ("oracle", "random")]
    me.page.set_input_files("#pick [name=files]", files)
    expect(me.page.locator("#left-side h3")).to_have_text("oracle")
    expect(me.page.locator("#right-side h3")).to_have_text("random")
    me.page.locator("#at").focus()
    me.page.keyboard.press("End")
    expect(me.page.locator("#left-side .verdict")).to_have_text("✓ Correct")


@pytest.mark.parametrize("text", ["", "no JSON\n", '{"a": 1}\n', "[1, 2]", '[{"task_id": "x", "trajectory": [{}]}]'])
def test_a_file_that_holds_none_is_refused(me: Player, tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.jsonl").write_text(text, "utf-8")
    before = me.page.locator("#pick [name=task] option").count()
    me.page.set_input_files("#pick [name=files]", str(tmp_path / "bad.jsonl"))
    expect(me.page.locator("#banner")).to_contain_text("bad.jsonl holds no trajectories")
    assert me.page.locator("#pick [name=task] option").count() == before


def test_a_hostile_recording_is_text(me: Player, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    one = json.loads(json.dumps(CARRIED[0]))
    one |= {"policy": evil, "question": evil, "task_id": evil, "db_id": evil}
    one["trajectory"] = [{**step, "argument": evil, "result": evil} for step in one["trajectory"]]
    (tmp_path / "evil.jsonl").write_text(json.dumps(one), "utf-8")
    me.page.set_input_files("#pick [name=files]", str(tmp_path / "evil.jsonl"))
    expect(me.page.locator("#watch-question")).to_have_text(evil)
    me.page.locator("#at").focus()
    me.page.keyboard.press("End")
    assert me.page.locator("main img").count() == 0
