"""Play episodes over a real WebSocket and print them.

Starts a server of its own unless --base-url names one. Without --seed, each question is played once in file
order; with it, every episode's task is drawn from a seed. Examples:

    python scripts/play.py
    python scripts/play.py --policy human --dataset starter
    python scripts/play.py --dataset spider --policy oracle --episodes 676 --json out.jsonl
    python scripts/play.py --dataset procedural --only hardness=hard,extra --only num_tables=1-3
"""

import argparse
import asyncio
import contextlib
import sys
from typing import TextIO

from rich.console import Console

from sql_env.agent.choices import ONLY, dial, only, variant
from sql_env.agent.local_server import local_server
from sql_env.agent.play import Plan, play, summary
from sql_env.agent.policies import Policy
from sql_env.agent.policy_choice import NAMES, maker
from sql_env.agent.transcript import Transcript


def main() -> None:
    """Parse the arguments and play."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", help="data set to play, by name or folder (default: the server's)")
    parser.add_argument("--policy", action="append", choices=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--episodes", type=_positive, default=1, help="episodes for each policy (default: 1)")
    parser.add_argument("--seed", type=int, help="draw tasks from this seed on, instead of file order")
    parser.add_argument("--split", help="train, eval, test, another, or all (default: all; train with --seed)")
    parser.add_argument("--answer-form", choices=["value", "sql"], help="what an ANSWER holds (default: value)")
    parser.add_argument(
        "--variant", type=variant, default=0, metavar="K", help="of the data (default: 0, the original)"
    )
    parser.add_argument("--only", type=dial, action="append", default=[], metavar="NAME=VALUES", help=ONLY)
    parser.add_argument("--base-url", help="play on this server instead of a new one")
    parser.add_argument("--json", metavar="FILE", help="write one trajectory a line")
    parser.add_argument("--quiet", action="store_true", help="print only the closing line")
    options = parser.parse_args()
    plan = Plan(
        dataset=options.dataset,
        split=options.split,
        answer_form=options.answer_form,
        episodes=options.episodes,
        seed=options.seed,
        variant=options.variant,
        only=only(options.only),
    )
    try:
        with contextlib.ExitStack() as stack:
            environ = {"SQL_ENV_DATASET": options.dataset} if options.dataset else {}
            base_url = options.base_url or stack.enter_context(local_server(environ))
            file = stack.enter_context(open(options.json, "w", encoding="utf-8")) if options.json else None
            policies = [maker(name, dataset=options.dataset)() for name in options.policy or ("oracle", "random")]
            run(base_url, plan, policies, file, options.quiet)
    except (EOFError, KeyboardInterrupt):
        sys.exit("\nplay: stopped before the episode ended")
    except (RuntimeError, OSError) as error:
        sys.exit(f"play: {error}")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 episode")
    return number


def run(base_url: str, plan: Plan, policies: list[Policy], file: TextIO | None, quiet: bool) -> None:
    """Play every policy's episodes, print the transcript and a closing line."""
    console = Console(highlight=False, quiet=quiet)
    played = asyncio.run(play(base_url, plan, policies, Transcript(console), file))
    Console(highlight=False, soft_wrap=True).print(summary(played))


if __name__ == "__main__":
    main()
