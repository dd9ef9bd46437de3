"""Make the recorded episodes that the page at /web replays, from runs of scripts/evaluate.py on the same tasks.

    python scripts/build_replays.py "trained=runs/grpo-eval" "random=runs/random" --out server/web/assets/replays.json

The first tasks that all runs have are taken, whatever became of them. Splits that measure agents are refused: the page
would publish their answers.
"""

import argparse
import json
import sys
from pathlib import Path

from sql_env.agent.recordings import recordings
from sql_env.agent.run_folder import RunFolderError, read_trajectories
from sql_env.server.web.ends import MEASURING

PAGE = Path(__file__).resolve().parent.parent / "server" / "web" / "assets" / "replays.json"


def main() -> None:
    """Parse the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER", help="a policy's name on the page, and its run")
    parser.add_argument("--tasks", type=int, default=6, help="how many tasks (default: 6)")
    parser.add_argument("--out", type=Path, default=PAGE, help="file to write (default: the page's own)")
    options = parser.parse_args()
    try:
        named = {name: read_trajectories(Path(path)) for name, _, path in (run.partition("=") for run in options.runs)}
        shown = recordings(named, options.tasks)
    except (ValueError, RunFolderError) as error:
        sys.exit(f"build_replays: {error}")
    if measuring := sorted({one["split"] for one in shown}.intersection(MEASURING)):
        sys.exit(f"build_replays: agents are measured on split {measuring[0]}; play train or eval instead")
    options.out.write_text(json.dumps(shown, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
    print(f"{len(shown)} episodes in {options.out}")


if __name__ == "__main__":
    main()
