"""Replay recorded trajectories: take each one's actions again and report any difference.

Exits 1 if an observation, a reward or an end differs from what was recorded. Examples:

    python scripts/replay.py runs/random
    python scripts/replay.py out.jsonl --base-url http://localhost:8000
"""

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path

from sql_env.agent.local_server import local_server
from sql_env.agent.replay import replay_all
from sql_env.agent.run_folder import read_trajectories


def main() -> None:
    """Parse the arguments and replay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run's folder, or a file of trajectories")
    parser.add_argument("--base-url", help="replay on this server instead of a new one")
    parser.add_argument("--dataset", help="data sets that the new server offers (default: what is installed)")
    parser.add_argument("--concurrency", type=int, default=16, help="episodes at once (default: 16)")
    options = parser.parse_args()
    try:
        episodes = read_trajectories(options.run)
        with contextlib.ExitStack() as stack:
            environ = {"SQL_ENV_DATASET": options.dataset} if options.dataset else {}
            base_url = options.base_url or stack.enter_context(local_server(environ))
            different = asyncio.run(replay_all(base_url, episodes, options.concurrency))
    except (RuntimeError, ValueError, OSError) as error:
        sys.exit(f"replay: {error}")
    for difference in different:
        print(difference)
    print(f"{len(episodes) - len({d.episode for d in different})} of {len(episodes)} episodes replayed as recorded")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
