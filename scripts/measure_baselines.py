"""Measure the baselines of docs/results.md again: run each row's command and write what it gives.

    python scripts/measure_baselines.py
    python scripts/measure_baselines.py --dataset starter --check

With --check, nothing is written, and a row that differs is an error.
"""

import argparse
import difflib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from sql_env.agent.report import row
from sql_env.agent.results_page import measured

ROOT = Path(__file__).resolve().parent.parent
EVALUATE = ROOT / "scripts" / "evaluate.py"


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "results.md", help="default: docs/results.md")
    parser.add_argument("--dataset", help="measure only the rows of this data set")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a row differs")
    options = parser.parse_args()
    page = options.page.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        now = measured(page, lambda command: run(command, Path(folder)), options.dataset)
    if not options.check:
        options.page.write_text(now, "utf-8")
        return
    difference = list(difflib.unified_diff(page.splitlines(), now.splitlines(), "the page", "measured", lineterm=""))
    if difference:
        sys.exit("\n".join(difference))


def run(command: list[str], folder: Path) -> tuple[str, ...]:
    """Run one command in a folder of its own; return its row."""
    played = subprocess.run([sys.executable, str(EVALUATE), *command, "--out", str(folder), "--overwrite"], check=False)
    if played.returncode != 0:
        sys.exit(f"measure_baselines: {' '.join(command)} failed")
    return row(json.loads((folder / "summary.json").read_text("utf-8")))


if __name__ == "__main__":
    main()
