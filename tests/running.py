"""The project's scripts as people run them, and Spider built by them."""

import contextlib
import io
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from hostile_sql import ROOT

SCRIPTS = ROOT / "scripts"


def run(script: str, *arguments: str, timeout: float = 300, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a script of scripts/ and return what it printed."""
    return subprocess.run(
        [sys.executable, str(SCRIPTS / script), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "COLUMNS": "100", **environ},
        stdin=subprocess.DEVNULL,
    )


class Played(NamedTuple):
    """What a script gave."""

    returncode: int
    stdout: str
    stderr: str


def run_here(script: str, *arguments: str) -> Played:
    """Run a script in this process, because importing OpenEnv takes seconds; return what it printed."""
    code: object = 0
    with (
        mock.patch.object(sys, "argv", [f"scripts/{script}", *arguments]),
        mock.patch.object(sys, "path", list(sys.path)),
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        try:
            runpy.run_path(str(SCRIPTS / script), run_name="__main__")
        except SystemExit as end:
            code = end.code
    told = err.getvalue() + (code if isinstance(code, str) else "")
    return Played(code if isinstance(code, int) else int(code is not None), out.getvalue(), told)


def install_spider(shared: Path, data: Path, *options: str) -> str:
    """Fetch and build Spider into an empty data folder, with the scripts; return what the builder printed."""
    cache = data / ".cache"
    (data / "questions").mkdir(parents=True)
    for name in ("db_list.json", "spider.sha256"):
        (data / "questions" / name).write_bytes((ROOT / "data" / "questions" / name).read_bytes())
    places = ("--cache-dir", str(cache), *options)
    fetched = run("download_spider.py", "--from", str(shared), "--data-dir", str(data), *places)
    assert fetched.returncode == 0, fetched.stderr
    built = run("build_questions.py", *places, SQL_ENV_DATA=str(data))
    assert built.returncode == 0, built.stderr
    return built.stdout
