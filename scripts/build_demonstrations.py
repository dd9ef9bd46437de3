"""Play demonstrations for SFT and write them as a data set with a card.

    python scripts/build_demonstrations.py --source procedural:train:8000 --source starter:train:200 --out runs/demos
    python scripts/build_demonstrations.py --source spider:train:2000 --stumbles 0.5 --out runs/demos

A source is DATASET:SPLIT:COUNT; a curated set whose questions are used up goes on with variants of its databases.
Plays in this process, unless --base-url names a server; golds have to be installed here. docs/training.md explains it.
"""

import argparse
import shlex
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from sql_env.agent.choices import ONLY
from sql_env.agent.demonstration_set import write_demonstrations
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.sessions import RemoteSession
from sql_env.agent.task_rows import Source
from sql_env.agent.trajectories import Skill, play_demonstrations
from sql_env.server.environment import SQLEnvironment
from sql_env.server.errors import TaskError
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings


def main() -> None:
    """Parse the arguments and play."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", action="append", required=True, metavar="DATASET:SPLIT:COUNT", help="tasks; repeat")
    parser.add_argument("--only", action="append", default=[], metavar="NAME=VALUES", help=ONLY)
    parser.add_argument("--answer-form", choices=["value", "sql"], default="value", help="what an ANSWER holds")
    parser.add_argument("--mistaken", type=_chance, default=0.0, help="chance of a wrong statement (default: 0)")
    parser.add_argument("--gives-up", type=_chance, default=0.0, help="chance of no answer (default: 0)")
    parser.add_argument("--stumbles", type=_chance, default=0.3, help="chance of an error and recovery (default: 0.3)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw and of what goes wrong (default: 0)")
    parser.add_argument("--base-url", help="play on this SQLEnv server")
    parser.add_argument("--out", type=Path, required=True, help="the data set's folder")
    options = parser.parse_args()
    try:
        sources = [Source.parse(text, options.only) for text in options.source]
        skill = Skill(mistaken=options.mistaken, gives_up=options.gives_up, stumbles=options.stumbles)
        command = shlex.join(["python", "scripts/build_demonstrations.py", *sys.argv[1:]])
        with ExitStack() as stack:
            if options.base_url:
                session, oracle = stack.enter_context(closing(RemoteSession(options.base_url))), None
            else:
                resources = stack.enter_context(closing(Resources.load(Settings.from_environ())))
                session, oracle = SQLEnvironment(resources), OraclePolicy(resources.datasets)
            rows = play_demonstrations(session, sources, skill, options.seed, options.answer_form, oracle)
            kinds = write_demonstrations(options.out, rows, command)
    except (RuntimeError, ValueError, OSError, TaskError) as error:
        sys.exit(f"build_demonstrations: {error}")
    print(
        f"{sum(kinds.values()):,} demonstrations in {options.out}:",
        ", ".join(f"{n:,} {kind}" for kind, n in kinds.items()),
    )


def _chance(text: str) -> float:
    chance = float(text)
    if not 0 <= chance <= 1:
        raise argparse.ArgumentTypeError("from 0 to 1")
    return chance


if __name__ == "__main__":
    main()
