"""Measure how fast a server answers, and what load does to it.

    python scripts/load_test.py
        the bench: promises of speed, each a ratio to OpenEnv's echo environment in the same run, pass or FAIL
    python scripts/load_test.py --sessions 64 --steps 200 [--url http://…]
        one workload: so many sessions at once on a server of its own, or on any other

Read the ratios; milliseconds are this machine's. A workload ends with status 1 if a step went wrong.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sql_env.agent.choices import variant
from sql_env.agent.facts import CPU, FACTS, MEMORY, SESSIONS, THREADS, WORKERS, read_metrics
from sql_env.agent.load import ACTIONS, Measured, Workload, drive
from sql_env.agent.load_bench import bench, machine
from sql_env.agent.local_server import local_server
from sql_env.agent.tables import table
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings

ECHO = (sys.executable, str(Path(__file__).with_name("echo_server.py")))


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the measurements")
    one = parser.add_argument_group("one workload")
    one.add_argument("--sessions", type=_positive, help="sessions that play at once; without it, the bench")
    one.add_argument("--url", help="the server (default: one of its own)")
    one.add_argument("--steps", type=_positive, default=200, help="of each session (default: 200)")
    one.add_argument("--seconds", type=float, help="how long to play, instead of --steps")
    one.add_argument("--think", type=float, default=0.0, help="mean seconds before each step (default: 0)")
    one.add_argument("--ramp", type=float, default=0.0, help="seconds over which sessions begin (default: 0)")
    one.add_argument("--hostile", type=int, default=0, help="sessions besides that send hostile SQL (default: 0)")
    one.add_argument("--mix", type=_mix, default={}, help="weights, such as DESCRIBE=1,SAMPLE=1,QUERY=3,ANSWER=0.2")
    one.add_argument("--dataset", help="data set to play (default: the server's)")
    one.add_argument("--variant", type=variant, default=0, metavar="K", help="of the data (default: 0, the original)")
    one.add_argument("--seed", type=int, default=0, help="makes the same workload again (default: 0)")
    more = parser.add_argument_group("the bench")
    more.add_argument("--rounds", type=_positive, default=6, help="turns of each server (default: 6)")
    more.add_argument("--figure", metavar="FILE", type=Path, help="write a figure (PNG)")
    options = parser.parse_args()
    if options.sessions is None:
        _bench(options)
    elif options.figure:
        parser.error("--figure draws the bench: it takes no --sessions")
    else:
        sys.exit(_one(options))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _mix(text: str) -> dict[str, float]:
    """Parse weights of actions."""
    mix = {}
    for part in text.split(","):
        action, _, weight = part.partition("=")
        if action not in ACTIONS or not weight.replace(".", "", 1).isdigit():
            raise argparse.ArgumentTypeError(f"{part!r} is no weight of {', '.join(ACTIONS)}, such as QUERY=2")
        mix[action] = float(weight)
    if not sum(mix.values()):
        raise argparse.ArgumentTypeError("one weight at least must be above 0")
    return mix


def _bench(options: argparse.Namespace) -> None:
    with closing(Resources.load(Settings.from_environ())) as resources:
        made = bench(ECHO, partial(SQLEnvironment, resources), rounds=options.rounds)
    print("\n".join(made.lines()))
    if options.json:
        options.json.write_text(json.dumps(machine() | made.to_json(), indent=2) + "\n", "utf-8")
    if options.figure:
        from sql_env.agent.load_figure import save_figure

        save_figure(made, options.figure)


def _one(options: argparse.Namespace) -> int:
    """Measure one workload; return 1 if a step went wrong."""
    selectors = {"split": "all"}
    selectors |= {name: value for name in ("dataset", "variant") if (value := getattr(options, name))}
    workload = Workload(
        **{
            name: getattr(options, name)
            for name in ("sessions", "steps", "seconds", "think", "ramp", "hostile", "seed")
        },
        selectors=selectors,
        **({"mix": options.mix} if options.mix else {}),
    )
    with _server(options) as base_url:
        before = asyncio.run(read_metrics(base_url))
        made = asyncio.run(drive(base_url, workload))
        after = asyncio.run(read_metrics(base_url))
    print("\n".join(_lines(made)))
    server = {name: after[name] for name in (*FACTS, CPU) if name in after}
    if after.get(WORKERS, 1) > 1:
        print("\nserver: several processes, whose figures /metrics does not add up")
        server = {}
    elif server:
        cpu = server[CPU] = after[CPU] - before[CPU]
        a_step = 1e6 * cpu / max(len(made.steps), 1)
        print(
            f"\nserver: {server[MEMORY] / 2**20:.1f} MiB, {server[THREADS]:.0f} threads, "
            f"{server[SESSIONS]:.0f} sessions left; {cpu:.2f} s of CPU, {a_step:.0f} µs a step"
        )
    if options.json:
        options.json.write_text(json.dumps(_data(made, server), indent=2) + "\n", "utf-8")
    return int(bool(made.errors))


@contextmanager
def _server(options: argparse.Namespace) -> Iterator[str]:
    if options.url:
        yield options.url
        return
    room = {"SQL_ENV_MAX_SESSIONS": str(max(128, options.sessions + options.hostile))}
    with local_server(room | ({"SQL_ENV_DATASET": options.dataset} if options.dataset else {})) as base_url:
        yield base_url


def _lines(made: Measured) -> list[str]:
    rows = [
        (action, f"{len(made.seconds[action]):,}", *(f"{1e3 * made.percentile(p, action):.3f}" for p in (50, 95, 99)))
        for action in sorted(made.seconds)
    ]
    rows.append(("all steps", f"{len(made.steps):,}", *(f"{1e3 * made.percentile(p):.3f}" for p in (50, 95, 99))))
    errors = [f"{count:,} × {kind}" for kind, count in made.errors.most_common()]
    return [
        *table(("", "number", "p50, ms", "p95, ms", "p99, ms"), rows),
        "",
        f"{made.rate:,.0f} steps/s over {made.elapsed:.1f} s; {made.hostile:,} hostile statements answered; "
        f"{made.errors.total():,} errors",
        *(f"error: {error}" for error in errors),
    ]


def _data(made: Measured, server: dict[str, float]) -> dict[str, Any]:
    return {
        "steps": len(made.steps),
        "steps_per_second": made.rate,
        "elapsed": made.elapsed,
        "seconds": {f"p{p}": made.percentile(p) for p in (50, 95, 99)},
        "errors": dict(made.errors),
        "hostile": made.hostile,
        "server": server,
    }


if __name__ == "__main__":
    main()
