"""Compare runs: a table of all, the first against each other one task by task, mean and spread over seeds.

A run is a folder with run.json and trajectories.jsonl. Examples:

    python scripts/compare.py runs/base runs/trained
    python scripts/compare.py runs/base runs/trained-0 runs/trained-1 runs/trained-2 --out runs/comparison

With --out, writes comparison.md, comparison.json and accuracy.png (of the first six runs) into a folder.
"""

import argparse
import json
import sys
from pathlib import Path


def main() -> None:
    """Parse the arguments, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN_DIR", help="a run's folder; the first is compared with each"
    )
    parser.add_argument(
        "--shared", action="store_true", help="compare on the tasks that two runs share, where others differ"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the comparison and a figure into this folder")
    options = parser.parse_args()
    try:
        compare(options.runs, options.shared, options.out)
    except (RuntimeError, ValueError, OSError, ImportError) as error:
        sys.exit(f"compare: {error}")


def compare(folders: list[Path], shared_only: bool, out: Path | None) -> None:
    """Compare runs, print the tables and write the files."""
    from sql_env.agent.comparison import as_json, as_markdown, compare_runs

    compared = compare_runs(folders, shared_only)
    text = as_markdown(compared)
    print(text, end="")
    if out is None:
        return
    from sql_env.agent.figures import SERIES, draw_accuracy

    out.mkdir(parents=True, exist_ok=True)
    (out / "comparison.md").write_text(text + "\n![Accuracy by hardness and answer type](accuracy.png)\n", "utf-8")
    (out / "comparison.json").write_text(json.dumps(as_json(compared), indent=2, ensure_ascii=False) + "\n", "utf-8")
    shown = list(compared.runs.items())[: len(SERIES)]
    draw_accuracy(out / "accuracy.png", {name: run.episodes for name, run in shown})


if __name__ == "__main__":
    main()
