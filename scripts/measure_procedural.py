"""Measure the procedural data set: speed, constructs beside Spider's, guessable answers, samples.

Makes the first tasks of every split and writes Markdown; docs/procedural.md holds its output. Spider's column needs
Spider (docs/data.md). The milliseconds are this machine's. Examples:

    python scripts/measure_procedural.py
    python scripts/measure_procedural.py --tasks 400 --figure constructs.png
"""

import argparse
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

from sql_env.server.datasets import load_all
from sql_env.server.errors import DataError
from sql_env.server.procedural.splits import SIZES
from sql_env.server.procedural.tasks import make_task
from sql_env.server.questions import Question, QuestionSet
from sql_env.server.settings import Settings
from sql_env.server.survey import construct_shares, construct_table, guess_table, samples


def main() -> None:
    """Parse the arguments, make the tasks and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000, help="tasks of all splits together (default: 10,000)")
    parser.add_argument("--samples", type=int, default=6, help="sample questions of each hardness (default: 6)")
    parser.add_argument("--figure", type=Path, help="draw the constructs as a PNG file")
    options = parser.parse_args()
    if options.tasks < len(SIZES):
        parser.error(f"--tasks: at least {len(SIZES)}, one of each split")
    made, milliseconds = make(options.tasks // len(SIZES))
    print("\n".join(speed(milliseconds)))
    print("\n".join(["", "## Answers that can be guessed", "", *guess_table(made)]))
    sets = {"procedural, train": made["train"], **spider()}
    found = construct_shares(sets)
    counts = {name: len(questions) for name, questions in sets.items()}
    print("\n".join(["", "## Constructs", "", *construct_table(found, counts)]))
    print("\n".join(["", "## Samples", "", *samples(made["train"], options.samples)]))
    if options.figure:
        from sql_env.agent.construct_figure import draw_constructs

        draw_constructs(options.figure, found)


def make(each: int) -> tuple[dict[str, list[Question]], list[float]]:
    """Make the first tasks of every split; return their questions and how many milliseconds each took."""
    made: dict[str, list[Question]] = {}
    milliseconds = []
    for split in SIZES:
        made[split] = []
        for number in range(each):
            began = time.perf_counter()
            made[split].append(make_task(split, number).question)
            milliseconds.append(1e3 * (time.perf_counter() - began))
    return made, sorted(milliseconds)


def speed(milliseconds: list[float]) -> list[str]:
    """Return how long a task takes to be made."""
    places = {"90 %": 0.9, "99 %": 0.99}
    shown = [f"{name} within {milliseconds[int(share * len(milliseconds))]:.1f} ms" for name, share in places.items()]
    median = statistics.median(milliseconds)
    said = f"{len(milliseconds):,} tasks: {median:.1f} ms each at the median, {', '.join(shown)}, all within"
    return ["## Speed", "", f"{said} {milliseconds[-1]:.0f} ms."]


def spider() -> dict[str, list[Question]]:
    """Return Spider's questions, if they are installed."""
    try:
        (found,) = load_all(replace(Settings.from_environ(), dataset="spider")).values()
    except DataError as error:
        print(f"measure_procedural: without Spider: {error}", file=sys.stderr)
        return {}
    return {"Spider": list(found.questions)} if isinstance(found, QuestionSet) else {}


if __name__ == "__main__":
    main()
