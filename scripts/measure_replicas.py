"""Measure replicas behind a balancer with real containers: spread, a killed replica, a rolling update, MCP's sessions.

    python scripts/measure_replicas.py --image sql-env:latest

Starts scripts/deploy/compose.yaml under a name of its own, with free ports of the loopback interface, plays episodes of
the starter set through the balancer, and removes it all. Needs a Docker engine and Compose. Ends with status 1 if
something does not hold.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from pathlib import Path

from sql_env.agent.replica_checks import measure
from sql_env.agent.replicas import Replicas

FOLDER = Path(__file__).resolve().parent / "deploy"


def main() -> None:
    """Parse the arguments, measure, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", default="sql-env:latest", help="the server's (default: sql-env:latest)")
    parser.add_argument("--balancer", default="haproxy:lts", help="the balancer's image (default: haproxy:lts)")
    parser.add_argument("--replicas", type=int, default=3, help="how many, at least 3 (default: 3)")
    parser.add_argument("--sessions", type=int, default=96, help="clients at once (default: 96)")
    parser.add_argument("--think", type=float, default=1.0, help="their pause before a step, in s (default: 1.0)")
    parser.add_argument("--drain", type=int, default=60, help="SQL_ENV_DRAIN_SECONDS (default: 60)")
    parser.add_argument("--json", metavar="FILE", help="write the measurements")
    options = parser.parse_args()
    if options.replicas < 3:
        parser.error("--replicas: at least 3, of which one is killed while another drains")
    environ = {
        "SQL_ENV_IMAGE": options.image,
        "BALANCER_IMAGE": options.balancer,
        "REPLICAS": str(options.replicas),
        "SQL_ENV_DATASET": "starter",
        "SQL_ENV_DRAIN_SECONDS": str(options.drain),
        "STOP_GRACE": f"{options.drain + 10}s",
        "SQL_ENV_MAX_SESSIONS": str(options.sessions + 64),
    }
    replicas = Replicas(FOLDER, f"sqlenv-measured-{os.getpid()}", environ)
    with replicas.running(options.replicas) as base_url:
        checks = asyncio.run(measure(replicas, base_url, options.sessions, options.think))
    for check in checks:
        print(f"{'holds' if not check.wrong else 'FAILS'}  {check.name}")
        for name, value in check.figures.items():
            print(f"         {name.replace('_', ' ')}: {value}")
        for why in check.wrong:
            print(f"       ! {why}")
    if options.json:
        measured = {
            "replicas": options.replicas,
            "sessions": options.sessions,
            "cpus": os.cpu_count(),
            "machine": platform.machine(),
            "checks": {
                check.name: {"holds": not check.wrong, "wrong": check.wrong, **check.figures} for check in checks
            },
        }
        Path(options.json).write_text(json.dumps(measured, indent=2) + "\n", "utf-8")
    sys.exit(any(check.wrong for check in checks))


if __name__ == "__main__":
    main()
