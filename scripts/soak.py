"""Keep a server busy for long and see whether its memory, threads or descriptors grow, or a step fails.

Starts a server of its own, unless --url names one (which then needs room for four times the sessions, and a short idle
time). Most sessions play, some send hostile SQL, some drop their connection midway, some speak MCP and at times leave
their session open. Ends with status 1 if a step failed, or if memory grew by more than 16 MiB, threads by more than 2
or descriptors by more than 16 from the run's second fifth to its last.
"""

import argparse
import asyncio
import sys
import time
from contextlib import ExitStack

from sql_env.agent.local_server import local_server
from sql_env.agent.soak import soak

BOUNDS = {"process_resident_memory_bytes": 16 * 2**20, "sql_env_threads": 2, "process_open_fds": 16}


def main() -> None:
    """Parse the arguments, soak, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a running server (default: one of its own, on the starter set)")
    parser.add_argument("--sessions", type=int, default=64, help="sessions at once (default: 64)")
    parser.add_argument("--minutes", type=float, default=15, help="how long (default: 15)")
    options = parser.parse_args()
    with ExitStack() as stack:
        # A short idle time, so that sessions left open are reaped while the run lasts.
        room = {"SQL_ENV_MAX_SESSIONS": str(4 * options.sessions), "SQL_ENV_SESSION_TIMEOUT": "60"}
        url = options.url or stack.enter_context(local_server({"SQL_ENV_DATASET": "starter", **room}))
        began = time.monotonic()

        def report(facts: dict[str, float], steps: int) -> None:
            memory, threads, descriptors, sessions = facts.values()
            print(
                f"{time.monotonic() - began:6.0f} s  {memory / 2**20:7.1f} MiB  {threads:3.0f} threads  "
                f"{descriptors:4.0f} descriptors  {sessions:4.0f} sessions  {steps:9,} steps",
                flush=True,
            )

        seconds = 60 * options.minutes
        made = asyncio.run(soak(url, options.sessions, seconds, min(30.0, seconds / 10), report))
    for error in made.errors[:10]:
        print(f"error: {error[:300]}")
    memory, threads, descriptors = (made.growth(name) for name in BOUNDS)
    print(
        f"{made.steps:,} steps, {len(made.errors)} errors; grown by {memory / 2**20:.1f} MiB, "
        f"{threads:.0f} threads, {descriptors:.0f} descriptors"
    )
    if made.errors or any(made.growth(name) > bound for name, bound in BOUNDS.items()):
        sys.exit(1)


if __name__ == "__main__":
    main()
