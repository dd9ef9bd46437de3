"""Notebooks as people run them: by a kernel, from top to bottom."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

EXECUTE = """
import sys, nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=100, resources={"metadata": {"path": sys.argv[3]}}).execute()
nbformat.write(notebook, sys.argv[2])
"""


def executed(notebook: Path, folder: Path, **environ: str) -> list[dict[str, Any]]:
    """Return the outputs of every cell; in a process of its own, whose warnings are not ours."""
    out = folder / "executed.ipynb"
    run = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(notebook), str(out), str(folder)],
        capture_output=True, text=True, timeout=110, check=False,
        env={**os.environ, "JUPYTER_PLATFORM_DIRS": "1", **environ},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    cells = json.loads(out.read_text("utf-8"))["cells"]
    return [output for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]]


def text_of(outputs: list[dict[str, Any]]) -> str:
    """Return what was printed."""
    told = [output.get("text") or output.get("data", {}).get("text/markdown", "") for output in outputs]
    return "\n".join("".join(part) for part in told)
