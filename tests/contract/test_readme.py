"""Every command of the README and the quickstart is executed, here or by a test that is named; what it says is so.

A command that no line of COMMANDS knows fails the test: whoever writes one has to say who runs it.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from documents import QUICKSTART, README, commands
from hostile_sql import ROOT
from model_servers import Analyst, model_server

from sql_env.agent.local_server import local_server, server_process

URLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
BIN = Path(sys.executable).parent
SPACE = "https://{}-{}.hf.space".format(*URLS["Space"].rsplit("/", 2)[1:])


def python(command: str, *more: str, stdin: str = "", **environ: str) -> str:
    """Run a command of the environment, with options added; return what it printed."""
    words = shlex.split(command)
    assert words[0].startswith(".venv/bin/")
    program = BIN / words[0].removeprefix(".venv/bin/")
    run = subprocess.run(
        [program, *words[1:], *more],
        cwd=ROOT, capture_output=True, text=True, timeout=110, check=False, input=stdin, env={**os.environ, **environ},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr + run.stdout
    return run.stdout


def clone(command: str) -> None:
    """A clone of this repository in place of the published one."""
    assert command == f"git clone {URLS['Repository']} && cd {URLS['Repository'].rpartition('/')[2]}"


def in_ci(command: str) -> None:
    """.ci/run runs it on every commit."""
    assert re.search(rf"\b{re.escape(command)}$", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)


def by_make_test_train(command: str) -> None:
    """`make test-train`, which .ci/run runs, needs it first."""
    target = command.removeprefix("make ")
    assert f"\ntest-train: {target} " in (ROOT / "Makefile").read_text("utf-8")


@contextmanager
def served_by(command: list[str]) -> Iterator[str]:
    environ = {"SQL_ENV_DATASET": "starter", "MAKEFLAGS": ""}
    with server_process(environ, command) as (process, url):
        yield url
        process.send_signal(signal.SIGINT)


def make_serve(command: str) -> None:
    """`make serve`, as it stands, on a free port: the page is there, and an episode can be played."""
    if not (ROOT / ".venv" / "installed").is_file():
        pytest.skip("SKIPPED: `make install` has not made .venv here")
    with served_by([*shlex.split(command.removesuffix(" PORT=8001")), "PORT=0"]) as url:
        page = httpx.get(url, follow_redirects=True)
        assert "<title>SQLEnv</title>" in page.text


def served(command: str) -> None:
    words = shlex.split(command.replace(".venv/bin/", f"{BIN}/").replace("--port 8000", "--port 0"))
    with served_by(words) as url:
        assert httpx.get(f"{url}/health").json() == {"status": "healthy"}


def curl(command: str) -> None:
    assert shutil.which("curl"), "the documents use curl"
    address = command.removeprefix("curl ")
    assert urlsplit(address).netloc in ("localhost:8000", urlsplit(SPACE).netloc)
    with local_server({"SQL_ENV_DATASET": "starter"}) as url:
        told = subprocess.run(["curl", "-sf", url + urlsplit(address).path], capture_output=True, text=True, check=True)
    assert told.stdout == '{"status":"healthy"}'


def play_in_the_space(command: str) -> None:
    assert SPACE in command
    with local_server({"SQL_ENV_DATASET": "starter"}) as url:
        assert "random: 0 of 1 correct" in python(command.replace(SPACE, url))


def play_by_hand(command: str) -> None:
    told = python(command, stdin="describe plot\nanswer 47\n", SQL_ENV_DATASET="starter")
    assert "human: 1 of 1 correct" in told


def evaluate(command: str, tmp_path: Path) -> None:
    told = python(command, "--quiet", "--out", str(tmp_path / "run"))
    assert "12 of 90 episodes right" in told


def evaluate_llm(command: str, tmp_path: Path) -> None:
    """The model's server is a simulation that always takes the same three actions."""
    with model_server(Analyst()) as model:
        command = command.replace("http://localhost:11434/v1", model.url)
        told = python(command, "--quiet", "--episodes", "2", "--out", str(tmp_path / "run"), SQL_ENV_DATASET="starter")
    assert "of 2 episodes right" in told


def elsewhere(test: str, said: str) -> Callable[[str], None]:
    """It is run by another test, whose file says so in these words."""

    def check(_command: str) -> None:
        path, _, name = test.partition("::")
        text = (ROOT / "tests" / path).read_text("utf-8")
        assert f"def {name}(" in text, test
        assert said in text, f"{test}: {said}"

    return check


SPIDER = "running.py::install_spider"
TRAINING = elsewhere("train/test_readme.py::test_the_commands_of_training", "commands(README)")
DOCKER = elsewhere("docker/test_readme.py::test_the_commands_of_docker", "commands(README)")
PUSH = "contract/test_push.py::test_a_space_gets_what_belongs_there_and_nothing_else"
VALIDATE = "contract/test_image_files.py::test_openenv_validate_passes_at_its_static_level"
COMMANDS: dict[str, Callable[..., None]] = {
    r"git clone .*": clone,
    r"make play": in_ci,
    r"make serve( PORT=8001)?": make_serve,
    r"make push PUSH=.*": elsewhere(PUSH, "push"),
    r"make \.venv/installed-train": by_make_test_train,
    r"docker (build|run) .*": DOCKER,
    r"curl .*/health": curl,
    r"\.venv/bin/(server|uvicorn) .*": served,
    r"\.venv/bin/openenv validate .*": elsewhere(VALIDATE, "validate"),
    r"\.venv/bin/python scripts/play\.py --policy human": play_by_hand,
    r"\.venv/bin/python scripts/play\.py --policy random --base-url .*": play_in_the_space,
    r"\.venv/bin/python scripts/evaluate\.py --policy scripted .*": evaluate,
    r"\.venv/bin/python scripts/evaluate\.py --policy llm .*": evaluate_llm,
    r"\.venv/bin/python scripts/download_spider\.py": elsewhere(SPIDER, "download_spider.py"),
    r"\.venv/bin/python scripts/build_questions\.py": elsewhere(SPIDER, "build_questions.py"),
    r"\.venv/bin/python scripts/train_(sft|grpo)\.py .*": TRAINING,
}


@pytest.mark.parametrize("command", sorted({*commands(README), *commands(QUICKSTART)}))
def test_every_command_is_executed(command: str, tmp_path: Path) -> None:
    runs = [run for pattern, run in COMMANDS.items() if re.fullmatch(pattern, command)]
    assert len(runs) == 1, f"nobody runs `{command}`"
    runs[0](command, tmp_path) if runs[0] in (evaluate, evaluate_llm) else runs[0](command)


def test_the_quick_start_is_three_commands_and_every_block_is_read() -> None:
    start = README.partition("## Quick start")[2].partition("```sh\n")[2].partition("```")[0]
    assert len(start.splitlines()) == 3
    assert set(re.findall(r"^```(\w+)", README, re.MULTILINE)) == {"sh", "text", "python", "bibtex"}
    assert len(commands(README)) > 15


@pytest.mark.parametrize("text", [README, QUICKSTART], ids=["README", "quickstart"])
def test_the_python_runs(text: str, starter_server: str) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-c", code.replace("http://localhost:8000", starter_server)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    if "# correct 1.0" in text:
        assert run.stdout.splitlines()[-1] == "correct 1.0"


def test_the_transcript_is_what_make_play_prints() -> None:
    (shown,) = re.findall(r"```text\n(╭.*?)```", README, re.DOTALL)
    told = python(".venv/bin/python scripts/play.py --policy oracle", SQL_ENV_DATASET="starter", COLUMNS="88")
    assert [line.rstrip() for line in shown.strip().splitlines()] == [
        line.rstrip() for line in told.strip().splitlines()
    ]


# --- what it says ----------------------------------------------------------------------------------------


def test_its_parts() -> None:
    for part in (
        "Quick start", "How it works", "Rewards", "Results", "Training", "Serve it", "The tree", "Documentation",
        "Elsewhere", "Citation", "Licences",
    ):  # fmt: skip
        assert f"\n## {part}\n" in README
    assert "**Teaching AI to think like a data analyst.**" in README
    for apology in ("coming soon", "work in progress", "WIP", "TODO", "not yet", "## Status"):
        assert apology.lower() not in README.lower()


def test_the_addresses_are_the_projects() -> None:
    """Repository, Space and blog stand in pyproject.toml; here they follow, and nobody else's Space is named."""
    for name in ("Repository", "Space", "Blog"):
        assert URLS[name] in README
    known = (*URLS.values(), SPACE, f"https://colab.research.google.com/github/{urlsplit(URLS['Repository']).path[1:]}")
    public = (
        "https://img.shields.io/", "https://colab.research.google.com/assets/", "https://github.com/huggingface/OpenEnv",
        "https://yale-lily.github.io/spider", "https://huggingface.co/docs/", "http://localhost:", "http://127.0.0.1:",
    )  # fmt: skip
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"]:
        for address in re.findall(r"https?://[^\s)`\"'|>}\]]+", path.read_text("utf-8")):
            if "hf.space" in address or "huggingface.co/spaces" in address or "github.com" in address:
                assert address.startswith((*known, *public)) or re.search("<you>|USER-NAME", address), (
                    f"{path.name}: {address}"
                )
    for address in re.findall(r"https?://[^\s)`\"'|>}\]]+", README):
        assert address.startswith((*known, *public)), address


def test_every_document_is_linked_and_every_picture_is_there() -> None:
    for path in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{path.name})" in README or path.name == "blog-outline.md", path.name
    for link in re.findall(r"\]\((?!https?://)([^)#]+)", README):
        assert (ROOT / link).exists(), link


def test_the_numbers_of_the_data_are_those_of_the_audit() -> None:
    data = (ROOT / "docs" / "data.md").read_text("utf-8")
    for number in ("348", "524", "676", "3,902"):
        assert number in README
        assert number in data, number


def test_the_blog_quotes_what_the_other_pages_say() -> None:
    """Every number with an interval stands in the page of the results, or in the one that is named beside it."""
    blog = (ROOT / "docs" / "blog-outline.md").read_text("utf-8")
    pages = "".join(
        (ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("results", "base_rates", "evaluation")
    )
    quoted = re.findall(r"[\d.]+ % \[[\d., ]+\]", blog)
    assert len(quoted) > 4
    for number in quoted:
        assert number in pages, number
    for name in re.findall(r"`(\w+\.md)`", blog):
        assert (ROOT / "docs" / name).is_file(), name
    for name in ("Repository", "Space"):
        assert URLS[name] in blog
