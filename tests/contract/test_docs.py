"""The documents say what the code does: worked episodes, tables and figures, recomputed."""

import json
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hostile_sql import ROOT
from running import run_here

from sql_env.agent.local_server import local_server
from sql_env.agent.report import row as row_of_summary
from sql_env.agent.results_page import commands, measured
from sql_env.models import SQLAction
from sql_env.server.agreement import measure, table
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings


def document(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


EPISODES = re.findall(
    r"^### (.+?): (\S+)\n(.*?)^Return (\S+): execution (\S+), correctness (\S+), efficiency (\S+)\.$",
    document("rewards.md"),
    re.MULTILINE | re.DOTALL,
)
STEP = re.compile(r"^\| `(\w+) (.*?)`(?: × (\d+))? \| (\S+) \| (\S+) \|$", re.MULTILINE)


def test_there_are_worked_episodes_and_every_line_of_them_is_read() -> None:
    assert len(EPISODES) == document("rewards.md").count("\n### ") == 7
    steps = sum(len(STEP.findall(body)) for _, _, body, *_ in EPISODES)
    assert steps == document("rewards.md").count("\n| `")


@pytest.mark.parametrize("mode", ["outcome", "shaped"])
@pytest.mark.parametrize("episode", EPISODES, ids=[title for title, *_ in EPISODES])
def test_worked_episode(resources: Resources, mode: str, episode: tuple[str, ...]) -> None:
    title, task_id, body, total, *components = episode
    env = SQLEnvironment(Resources(replace(resources.settings, reward_mode=mode), resources.datasets))
    env.reset(task_id=task_id, answer_form="sql" if "in SQL" in title else "value")
    paid = 0.0
    for action, argument, times, outcome, shaped in STEP.findall(body):
        for _ in range(int(times or 1)):
            seen = env.step(SQLAction(action_type=action, argument=argument))
            assert round(seen.reward, 4) == float(outcome if mode == "outcome" else shaped), argument
            paid += seen.reward
    assert seen.done
    assert round(paid, 4) == round(seen.metadata["outcome_return"], 4) == float(total)
    got = [round(seen.metadata["components"][name], 4) for name in ("execution", "correctness", "efficiency")]
    assert got == [float(number) for number in components]


def test_the_example_of_mcp_runs(starter_server: str) -> None:
    """And what hosts are told is JSON that names the endpoint."""
    text = document("mcp.md")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    code = example.replace("http://localhost:8000", starter_server)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("Question: ")
    assert "Not correct: " in run.stdout
    for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
        assert "http://localhost:8000/mcp/stream" in json.dumps(json.loads(block))


def test_the_commands_of_mcp_are_answered(starter_server: str) -> None:
    """The two curl commands of docs/mcp.md, their JSON as it stands there."""
    create, call = re.findall(r"-d '(\{.*?\})'$", document("mcp.md"), re.MULTILINE)
    made = httpx.post(f"{starter_server}/mcp", json=json.loads(create)).json()
    body = call.replace("…", made["result"]["session_id"])
    told = httpx.post(f"{starter_server}/mcp", json=json.loads(body)).json()["result"]
    assert told["content"][0]["text"].startswith("Question: ")


def test_every_metric_is_documented(starter_server: str) -> None:
    text, shown = document("operations.md"), httpx.get(f"{starter_server}/metrics").text
    for name, kind in re.findall(r"^# TYPE (sql_env_\w+) (\w+)$", shown, re.MULTILINE):
        assert f"`{name}" in text, f"{name}, a {kind}"


def test_every_link_to_a_file_leads_there() -> None:
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        links = re.findall(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
        for link in links:
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_every_line_about_deployment_says_whether_it_is_tested_and_by_which_test() -> None:
    text = document("deployment.md")
    for name, test in re.findall(r"`(\w+/test_\w+\.py)::(\w+)`", text):
        assert f"def {test}(" in (ROOT / "tests" / name).read_text("utf-8"), f"{name}::{test}"
    rows = [line for line in text.partition("## Size")[0].splitlines() if line.startswith("| ")]
    rows += [line for line in text.partition("## When it goes wrong")[2].splitlines() if line.startswith("| ")]
    rows = [
        row for row in rows if row not in ("| what | how | |", "| step | what to do | |", "| symptom | cause | fix |")
    ]
    assert len(rows) > 35
    for row in rows:
        tested, left = "**tested here**" in row.lower(), "**for you to verify**" in row.lower()
        assert tested != left, row
        assert tested == ("::test_" in row), row


def test_the_table_of_agreement_is_what_is_measured() -> None:
    with closing(Resources.load(Settings(dataset="starter"))) as resources:
        lines = table(measure(resources.default_dataset, resources))
    assert "\n".join(lines) in document("grading.md")


def test_the_table_of_agreement_on_spider_is_what_is_measured(spider_data: Path) -> None:
    with closing(Resources.load(Settings(data=spider_data, dataset="spider"))) as resources:
        lines = table(measure(resources.default_dataset, resources))
    assert "\n".join(lines) in document("grading.md")


def section(text: str, name: str) -> str:
    found = re.search(rf"^## {name}: .*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[0].rstrip()


def test_the_base_rates_are_what_is_measured() -> None:
    played = run_here("base_rates.py", "--dataset", "starter")
    assert played.returncode == 0, played.stderr
    assert section(played.stdout, "starter") == section(document("base_rates.md"), "starter")
    assert played.stdout.partition("## ")[0] == document("base_rates.md").partition("## ")[0]


def test_the_base_rates_on_spider_are_what_is_measured(spider_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQL_ENV_DATA", str(spider_data))
    played = run_here("base_rates.py", "--dataset", "spider")
    assert played.returncode == 0, played.stderr
    assert section(played.stdout, "spider") == section(document("base_rates.md"), "spider")


def rows_measured_again(base_url: str, dataset: str, folder: Path) -> str:
    def row_of(command: list[str]) -> tuple[str, ...]:
        where = ("--base-url", base_url, "--out", str(folder), "--overwrite")
        played = run_here("evaluate.py", *command, *where)
        assert played.returncode == 0, played.stderr
        return row_of_summary(json.loads((folder / "summary.json").read_text("utf-8")))

    assert len([command for command in commands(document("results.md")) if dataset in command]) == 12
    return measured(document("results.md"), row_of, dataset)


def test_the_results_are_what_their_commands_give(starter_server: str, tmp_path: Path) -> None:
    assert rows_measured_again(starter_server, "starter", tmp_path) == document("results.md")


def test_the_results_on_spider_are_what_their_commands_give(
    spider_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQL_ENV_DATA", str(spider_data))
    with local_server({"SQL_ENV_DATASET": "spider"}) as base_url:
        assert rows_measured_again(base_url, "spider", tmp_path) == document("results.md")


def test_the_readme_says_what_the_results_say() -> None:
    rows = {
        tuple(row.split(" | ")[1:4]): row for row in document("results.md").splitlines() if "answer-form" not in row
    }
    readme = (ROOT / "README.md").read_text("utf-8")
    for dataset in ("spider", "starter"):
        n, accuracy = rows["scripted", dataset, "test"].split(" | ")[4:6]
        assert accuracy in readme
        assert f"(n = {n})" in readme


PYTHON = re.findall(r"```python\n(.*?)```", document("evaluation.md"), re.DOTALL)


def test_the_policy_of_evaluation_plays(starter_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = document("evaluation.md")
    (tmp_path / "curious.py").write_text(PYTHON[0])
    monkeypatch.chdir(tmp_path)
    (command,) = re.findall(r"^    python scripts/(evaluate\.py --policy curious:Curious .*)$", text, re.MULTILINE)
    script, *options = command.split()
    played = run_here(script, *options, "--base-url", starter_server)
    assert played.returncode == 0, played.stderr
    assert "of 60 episodes right" in played.stdout.splitlines()[0]
    assert (tmp_path / "runs" / "curious_Curious-starter-eval-0" / "summary.json").is_file()


def test_the_example_of_evaluate_runs(starter_server: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(PYTHON[1].replace("http://localhost:8000", starter_server), {})
    rate, rest = capsys.readouterr().out.split(" ", 1)
    assert float(rate) == 0.0
    assert rest.endswith(" 20\n")


def test_every_option_of_evaluate_is_documented() -> None:
    text = document("evaluation.md") + document("language_models.md")
    for option in set(re.findall(r"--[a-z-]+", run_here("evaluate.py", "--help").stdout)) - {"--help"}:
        assert f"`{option}" in text or f", {option}" in text, option


def test_no_page_holds_a_place_that_was_to_be_filled() -> None:
    for path in (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"):
        left = re.findall(r"(?m)^[A-Z]{4,}$|\b(?:TODO|TBD|FIXME|XXX)\b", path.read_text("utf-8"))
        assert not left, (path.name, left)
