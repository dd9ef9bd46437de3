"""Compute and simulate what a number of rollouts an hour needs: docs/scaling.md, "Capacity".

    python scripts/simulate_capacity.py --rollouts 1000 10000 1000000
    python scripts/simulate_capacity.py --measure

Costs are those measured by scripts/load_test.py on the machine of docs/scaling.md; give your own. The queueing is
simulated (agent/capacity.py); SQLite, the network and the model are not.
"""

import argparse
import statistics
import time
from contextlib import closing

from sql_env.agent.capacity import Costs, Demand, plan, simulate
from sql_env.agent.tables import table
from sql_env.server.engine import is_light
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings


def main() -> None:
    """Parse the arguments and compute."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    number, costs = parser.add_argument, Costs()
    number("--measure", action="store_true", help="only run all golds, and print the share that goes to the worker")
    number("--rollouts", type=float, nargs="+", default=[1_000, 10_000, 1_000_000], help="an hour, one line each")
    number("--turns", type=int, default=9, help="steps of a rollout, its reset counted as one (default: 9)")
    number("--think", type=float, default=2.0, help="seconds of the model between steps (default: 2)")
    number("--group", type=int, default=64, help="rollouts that begin at once (default: 64)")
    number("--step", type=float, default=1e6 * costs.step, help=f"µs of the loop a step ({1e6 * costs.step:g})")
    number(
        "--heavy-share", type=_share, default=costs.heavy_share, help=f"steps for the worker ({costs.heavy_share:g})"
    )
    number("--heavy", type=float, default=costs.heavy, help=f"mean seconds of one in the worker ({costs.heavy:g})")
    number("--busy", type=_share, default=0.5, help="how busy a replica may be (default: 0.5)")
    number("--replicas", type=int, help="how many (default: as many as keep them less busy than that)")
    number("--price", type=float, default=0.04, help="of a core for an hour, to have a figure (default: 0.04)")
    number("--seconds", type=float, default=120, help="simulated seconds (default: 120)")
    options = parser.parse_args()
    if options.measure:
        print("\n".join(_measured()))
        return
    costs = Costs(step=options.step / 1e6, heavy_share=options.heavy_share, heavy=options.heavy)
    header = (
        "rollouts an hour",
        "steps/s",
        "sessions at once",
        "cores busy: loops + workers",
        "replicas",
        "memory, GiB",
        "p50, ms",
        "p99, ms",
        "worst, ms",
        "most sessions on one",
        f"price an hour, at {options.price:g} a core",
    )
    print("\n".join(table(header, [_row(options, costs, rollouts) for rollouts in options.rollouts], numbers_from=0)))


def _row(options: argparse.Namespace, costs: Costs, rollouts: float) -> tuple[str, ...]:
    demand = Demand(rollouts, options.turns, options.think, options.group)
    needed = plan(demand, costs, options.busy)
    replicas = options.replicas or needed.replicas
    # A rare demand needs a longer look before a few hundred batches are seen.
    seconds = max(options.seconds, 3600 / rollouts * options.group * 300)
    seen = simulate(demand, costs, replicas, seconds)
    return (
        f"{rollouts:,.0f}",
        f"{demand.steps:,.1f}",
        f"{demand.sessions:,.0f}",
        f"{needed.loops:.3f} + {needed.workers:.3f}",
        f"{replicas}",
        f"{needed.memory / 2**30:.1f}",
        *(f"{1e3 * value:,.1f}" for value in (seen.p50, seen.p99, seen.worst)),
        f"{seen.most:,}",
        f"{2 * replicas * options.price:,.2f}",
    )


def _measured() -> list[str]:
    """Run every gold of the data sets in files as a server would, and return a line for each data set."""
    settings = Settings.from_environ()
    rows = []
    with closing(Resources.load(settings)) as resources:
        for dataset in resources.datasets.values():
            if dataset.endless:
                continue
            questions, heavy = dataset.select(), []
            for question in questions:
                began = time.perf_counter()
                result = resources.engine.run(dataset.database(question), question.gold_sql)
                if result.vm_steps > settings.inline_vm_steps or not is_light(question.gold_sql):
                    heavy.append(time.perf_counter() - began)
            mean = f"{statistics.mean(heavy):.3f}" if heavy else "–"
            share = f"{len(heavy) / len(questions):.4f}"
            rows.append((dataset.name, f"{len(questions):,}", f"{len(heavy)}", share, mean))
    return table(("data set", "golds", "of them for the worker", "share", "mean seconds of one"), rows)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("must be from 0 to 1")
    return share


if __name__ == "__main__":
    main()
