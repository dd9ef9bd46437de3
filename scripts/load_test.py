"""Measure a step of SQLEnv beside OpenEnv's stock echo environments, in one run, over loopback.

Starts three servers: ours, the synchronous echo and the asynchronous echo (scripts/echo_server.py), and plays the
same number of steps on each in short turns. Read the ratios; the milliseconds are this machine's.
"""

import argparse
import asyncio
import json
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path

from sql_env.agent.load import Target, measure, table
from sql_env.agent.local_server import local_server

ECHO = (sys.executable, str(Path(__file__).with_name("echo_server.py")))


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", help="data set to serve (default: the server's)")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each server (default: 20)")
    parser.add_argument("--steps", type=int, default=200, help="steps in a turn (default: 200)")
    parser.add_argument("--json", metavar="FILE", help="write the measurements")
    options = parser.parse_args()
    with ExitStack() as stack:
        environ = {"SQL_ENV_DATASET": options.dataset} if options.dataset else {}
        ours = Target("SQLEnv", stack.enter_context(local_server(environ)), episodes=True)
        sync = Target("sync echo", stack.enter_context(local_server(command=ECHO)), episodes=False)
        fast = Target(
            "async echo", stack.enter_context(local_server(command=(*ECHO, "--asynchronous"))), episodes=False
        )
        asyncio.run(measure([ours, sync, fast], options.rounds, options.steps))
    print("\n".join(table([ours, sync, fast], [sync, fast])))
    medians = {action: 1e3 * statistics.median(seconds) for action, seconds in sorted(ours.by_action.items())}
    print("\nSQLEnv by action, p50 ms: " + ", ".join(f"{action} {ms:.3f}" for action, ms in medians.items()))
    if options.json:
        measured = {
            target.name: {"p50_ms": 1e3 * target.p50, "steps": len(target.seconds)} for target in (ours, sync, fast)
        }
        Path(options.json).write_text(json.dumps(measured | {"by_action_p50_ms": medians}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
