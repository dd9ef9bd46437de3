"""The project's scripts as people run them, and Spider built by them."""

import os
import subprocess
import sys
from pathlib import Path

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
