"""notebooks/train_grpo.ipynb, run from top to bottom as on Colab: a fresh environment without SQLEnv, an empty folder.

What is simulated: there is no network, so ``git clone`` is a copy of the tracked files, and what the installed packages
depend on comes from this environment's site-packages. The rest is real: pip builds and installs the copy, the kernel
is the fresh environment's, the notebook starts a real server, trains a tiny model on it and evaluates that.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from hostile_sql import ROOT

pytestmark = [pytest.mark.train, pytest.mark.timeout(1500)]

NOTEBOOK = ROOT / "notebooks" / "train_grpo.ipynb"
EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], 4)
try:
    NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": sys.argv[3]}}).execute()
finally:
    nbformat.write(notebook, sys.argv[2])
"""
# The part of the recipe's family that is learned in minutes: averages, highest and lowest values, and look-ups. A
# quarter of the demonstrations gives up, which is what GRPO takes away first. At temperature 1 a model that has learned
# for so short a time says too much by chance. 48 tasks come five times each.
FAMILY = "--only hardness=easy answer_type=float num_tables=1"
SFT = "--sources procedural:train:4000 --gives_up 0.25 --mistaken 0 --stumbles 0.1 --max_steps 250"
HOT = "--temperature 0.7 --num_iterations 1 --max_steps 30"
QUICK = {
    "SQL_ENV_RECIPE": "tiny",
    "SQL_ENV_SFT_OPTIONS": f"{FAMILY} {SFT}",
    "SQL_ENV_GRPO_OPTIONS": f"{FAMILY} --sources procedural:train:48 {HOT}",
    "SQL_ENV_HELD_OUT": "10",
}


@pytest.fixture(scope="module")
def colab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A fresh environment with everything but SQLEnv: its interpreter, and what the environment variables are."""
    home = tmp_path_factory.mktemp("colab")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "env")], check=True)
    python = home / "env" / "bin" / "python"
    packages = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    # A folder named in a .pth file is searched, but its own .pth files are not read: the editable SQLEnv stays unseen.
    (Path(packages) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    missing = subprocess.run([str(python), "-c", "import trl, sql_env"], capture_output=True, text=True, check=False)
    assert "No module named 'sql_env'" in missing.stderr, missing.stderr
    tools = home / "bin"
    tools.mkdir()
    listed = f'"{_git()}" ls-files -z --cached --others --exclude-standard'
    copied = f'(cd "{ROOT}" && {listed} | tar -c --null -T -) | tar -x'
    clone = f'#!/bin/sh\nfor last; do :; done\nmkdir "$last" && cd "$last" && {copied}\n'
    (tools / "git").write_text(clone, "utf-8")
    (tools / "git").chmod(0o755)
    offline = {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "0",
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    pip = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    path = {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SQL_ENV_", "PYTHON"))}
    return python, environ | offline | pip | path | QUICK


def _git() -> str:
    found = subprocess.run(["/bin/sh", "-c", "command -v git"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def outputs_of(path: Path) -> tuple[str, list[Any]]:
    """Return the text that the cells printed, and the pictures they show."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    outputs = [output for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]]
    text = "".join("".join(output.get("text", "")) for output in outputs if output.get("name") == "stdout")
    return text, [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def test_run_all_on_a_fresh_machine_trains_a_model(colab: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    python, environ = colab
    here, out = tmp_path / "content", tmp_path / "executed.ipynb"
    here.mkdir()
    command = [str(python), "-c", EXECUTE, str(NOTEBOOK), str(out), str(here)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environ, timeout=1400)
    assert run.returncode == 0, run.stderr[-4000:]
    assert (here / "sql-env" / "pyproject.toml").is_file(), "it was fetched"
    text, pictures = outputs_of(out)
    assert len(pictures) == 1
    assert re.search(r"DESCRIBE \w+\nTable \w+, \d+ rows", text)
    metrics = [json.loads(line) for line in (here / "runs" / "grpo" / "metrics.jsonl").read_text("utf-8").splitlines()]
    curve = [entry["reward"] for entry in metrics if "reward" in entry]
    assert len(curve) == 30
    # Six steps go once through the 48 tasks: the first and the last six played the same ones.
    first, last = sum(curve[:6]) / 6, sum(curve[-6:]) / 6
    print(f"mean return of rollouts: {first:+.3f} in the first pass, {last:+.3f} in the last")  # noqa: T201
    assert last > first + 0.1, f"the reward did not rise: {curve}"
    random = re.search(r"the random policy's mean return is ([+-]\d\.\d+) \[[^,]+, ([+-]\d\.\d+)\]", text)
    assert random
    assert last > float(random[2]), "beyond the random policy's interval"
    assert "right before GRPO: " in text
    assert "right after GRPO:  " in text
