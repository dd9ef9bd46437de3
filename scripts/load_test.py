"""Measure a step of SQLEnv beside OpenEnv's stock echo environments, in one run, over loopback.

Starts three servers: ours, the synchronous echo and the asynchronous echo (scripts/echo_server.py), and plays the
same number of steps on each in short turns. Then 56 honest sessions on ours alone, and beside 8 that send hostile SQL.
Read the ratios; the milliseconds are this machine's. With --sessions: only many sessions at once, and what one costs.
"""

import argparse
import asyncio
import json
import statistics
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from sql_env.agent.choices import variant
from sql_env.agent.crowd import crowd
from sql_env.agent.load import Target, measure, neighbours, table
from sql_env.agent.local_server import local_server

ECHO = (sys.executable, str(Path(__file__).with_name("echo_server.py")))


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", help="data set to serve (default: the server's)")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each server (default: 20)")
    parser.add_argument("--steps", type=int, default=200, help="steps in a turn (default: 200)")
    parser.add_argument("--seconds", type=float, default=10, help="length of the part with hostile sessions")
    parser.add_argument("--json", metavar="FILE", help="write the measurements")
    parser.add_argument("--sessions", type=int, help="measure only this: so many sessions at once, 20 steps each")
    parser.add_argument(
        "--variant", type=variant, default=0, metavar="K", help="of the data (default: 0, the original)"
    )
    options = parser.parse_args()
    if options.sessions and options.variant:
        parser.error("--sessions measures sessions, whatever they play: it takes no --variant")
    if options.sessions:
        sys.exit(_crowd(options.sessions, options.dataset))
    with ExitStack() as stack:
        environ = {"SQL_ENV_DATASET": options.dataset} if options.dataset else {}
        ours = Target("SQLEnv", stack.enter_context(local_server(environ)), episodes=True, variant=options.variant)
        sync = Target("sync echo", stack.enter_context(local_server(command=ECHO)), episodes=False)
        fast = Target(
            "async echo", stack.enter_context(local_server(command=(*ECHO, "--asynchronous"))), episodes=False
        )
        asyncio.run(measure([ours, sync, fast], options.rounds, options.steps))
        alone, beside = (replace(ours, name=name, seconds=[], by_action={}) for name in ("alone", "beside"))
        asyncio.run(neighbours(alone, 56, 0, options.seconds, think_seconds=0.1))
        attacks = asyncio.run(neighbours(beside, 56, 8, options.seconds, think_seconds=0.1))
    print("\n".join(table([ours, sync, fast], [sync, fast])))
    medians = {action: 1e3 * statistics.median(seconds) for action, seconds in sorted(ours.by_action.items())}
    print("\nSQLEnv by action, p50 ms: " + ", ".join(f"{action} {ms:.3f}" for action, ms in medians.items()))
    p99 = [1e3 * target.percentile(99) for target in (alone, beside)]
    print(
        f"\n56 sessions thinking 100 ms, p99 ms: alone {p99[0]:.2f}, beside 8 hostile ones {p99[1]:.2f} "
        f"(÷ {p99[1] / p99[0]:.2f}); p50 ms {1e3 * alone.p50:.2f} and {1e3 * beside.p50:.2f}; "
        f"{attacks} hostile statements answered"
    )
    if options.json:
        measured = {
            target.name: {"p50_ms": 1e3 * target.p50, "steps": len(target.seconds)} for target in (ours, sync, fast)
        }
        Path(options.json).write_text(json.dumps(measured | {"by_action_p50_ms": medians}, indent=2) + "\n", "utf-8")


def _crowd(sessions: int, dataset: str | None) -> int:
    """Measure many sessions at once; return 1 if a step failed."""
    environ = {"SQL_ENV_MAX_SESSIONS": str(sessions)} | ({"SQL_ENV_DATASET": dataset} if dataset else {})
    with local_server(environ) as base_url:
        made = asyncio.run(crowd(base_url, sessions, 20))
    print(f"{sessions:,} sessions: {made.summary()}")
    for error in made.errors[:10]:
        print(f"error: {error[:300]}")
    return int(bool(made.errors))


if __name__ == "__main__":
    main()
