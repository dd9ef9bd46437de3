"""Measure for how long a GRPO step waits for the environment, in process and over loopback, with and without latency.

    python scripts/measure_trainer_load.py --prompts 8 --generations 8 --turns 8

Plays what a trainer plays, one rollout after the other, without a model: docs/training.md, "Past one machine".
"""

import argparse
import time
from contextlib import ExitStack, closing
from functools import partial

from sql_env.agent.local_server import local_server
from sql_env.agent.sessions import Remote, RemoteSession
from sql_env.agent.task_rows import Source, draw
from sql_env.agent.trainer_load import measure, report
from sql_env.agent.trajectories import num_tasks
from sql_env.models import SQLAction, SQLObservation
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings


class Far(RemoteSession):
    """A server that is some milliseconds away: every message waits. A simulation of a network, and so named."""

    seconds = 0.0

    def reset(self, **selectors: object) -> SQLObservation:
        """Start an episode, later."""
        time.sleep(self.seconds)
        return super().reset(**selectors)

    def step(self, action: SQLAction) -> SQLObservation:
        """Take one action, later."""
        time.sleep(self.seconds)
        return super().step(action)


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=8, help="groups in a batch (default: 8)")
    parser.add_argument("--generations", type=int, default=8, help="rollouts of a group (default: 8)")
    parser.add_argument("--turns", type=int, default=8, help="tool calls of a rollout (default: 8)")
    parser.add_argument("--latency", type=float, default=20.0, help="of the simulated network, in ms (default: 20)")
    parser.add_argument("--source", default="procedural:train:1000", help="tasks (default: procedural:train:1000)")
    options = parser.parse_args()
    loads = {}
    with ExitStack() as stack:
        resources = stack.enter_context(closing(Resources.load(Settings.from_environ())))
        here = partial(SQLEnvironment, resources)
        rows = draw([Source.parse(options.source)], partial(num_tasks, here()), 0)[: 3 * options.prompts]
        url = stack.enter_context(local_server({"SQL_ENV_MAX_SESSIONS": "1024"}))
        Far.seconds = options.latency / 1000
        places = {
            "in this process": here,
            "a server, over loopback": Remote([url]),
            f"a server, {options.latency:g} ms away (simulated)": partial(Far, url),
        }
        for number, (name, connect) in enumerate(places.items()):
            # Tasks that no other place has had: making a procedural task is part of its first reset.
            batch = rows[number * options.prompts : (number + 1) * options.prompts]
            loads[name] = measure(connect, batch, options.generations, options.turns)
    print("\n".join(report(loads)))


if __name__ == "__main__":
    main()
