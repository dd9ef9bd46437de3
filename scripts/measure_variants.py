"""Measure variants: at which attempts they are found, how long they take, how many answers right by chance they catch.

docs/variants.md holds what this prints. Answers right by chance are made from golds: a condition dropped, > for >=, and
the like; those that are right on the original database count, and how many of them are wrong on a variant.
"""

import argparse
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from statistics import median
from time import perf_counter

from sqlglot import exp

from sql_env.server.answers import Gold
from sql_env.server.databases import Database
from sql_env.server.datasets import load_all
from sql_env.server.episode import grade_result
from sql_env.server.errors import AgentError, DataError
from sql_env.server.questions import Question, QuestionSet
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings
from sql_env.server.structure import parse
from sql_env.server.variants.mutants import MUTATIONS, mutants
from sql_env.server.variants.store import ATTEMPTS
from sql_env.server.verifier import Reason

SUITES = (1, 3, 5)
"""Numbers of variants that an answer has to be right on."""


def main() -> None:
    """Parse the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True, metavar="NAME|FOLDER", help="spider, starter or a folder")
    parser.add_argument("--variants", type=int, default=3, help="variants of each question, default: 3")
    parser.add_argument("--mutants", action="store_true", help="also answers that are right by chance")
    options = parser.parse_args()
    try:
        loaded = load_all(replace(Settings.from_environ(), dataset=options.dataset))
    except DataError as error:
        sys.exit(f"measure_variants: {error}")
    with closing(Resources(Settings(), loaded)) as resources:
        dataset = resources.default_dataset
        if not isinstance(dataset, QuestionSet):
            sys.exit(f"measure_variants: {dataset.name} has no end")
        print("\n".join(_attempts(dataset, resources, options.variants)))
        if options.mutants:
            print("\n" + "\n".join(_mutants(dataset, resources)))


def _attempts(dataset: QuestionSet, resources: Resources, n: int) -> list[str]:
    attempts: Counter[int] = Counter()
    same, times = 0, []
    for k in range(1, n + 1):
        for question in sorted(dataset.questions, key=lambda question: question.db_id):
            began = perf_counter()
            variant = resources.variants.variant_of(dataset, question, k)
            times.append(1000 * (perf_counter() - began))
            attempts[variant.attempt] += 1
            same += not variant.differs
    total = attempts.total()
    lines = [
        f"{total:,} variants: {attempts[0] / total:.1%} at the first attempt, {same / total:.1%} with the old gold"
    ]
    lines.append(f"ms a question: median {median(times):.1f}, mean {sum(times) / total:.0f}, most {max(times):.0f}")
    found = ", ".join(f"{attempt}: {attempts[attempt]}" for attempt in range(len(ATTEMPTS) + 1) if attempts[attempt])
    return [*lines, f"by attempt: {found}"]


def _mutants(dataset: QuestionSet, resources: Resources) -> list[str]:
    made: Counter[str] = Counter()
    caught: dict[str, list[int | None]] = {name: [] for name in MUTATIONS}
    for question in sorted(dataset.questions, key=lambda question: question.db_id):
        gold = parse(question.gold_sql)
        assert isinstance(gold, exp.Query)
        for name, sql in mutants(gold):
            made[name] += 1
            if _is_right(resources, question, dataset.database(question), sql):
                caught[name].append(_caught_by(dataset, resources, question, sql))
    suites = " | ".join(f"caught by {n}" for n in SUITES)
    lines = [f"| what was done | answers | right by chance | {suites} |", "|---|---|---|" + "---|" * len(SUITES)]
    for name in MUTATIONS:
        lines.append(_row(name, made[name], caught[name]))
    everything = [k for found in caught.values() for k in found]
    return [*lines, _row("all", made.total(), everything)]


def _row(name: str, made: int, caught: list[int | None]) -> str:
    counts = [sum(k is not None and k <= n for k in caught) for n in SUITES]
    return f"| {name} | {made} | {len(caught)} | {' | '.join(map(str, counts))} |"


def _caught_by(dataset: QuestionSet, resources: Resources, question: Question, sql: str) -> int | None:
    """Return the first variant on which an answer is wrong."""
    for k in range(1, SUITES[-1] + 1):
        variant = resources.variants.variant_of(dataset, question, k)
        if not _is_right(resources, variant.question, variant.database, sql):
            return k
    return None


def _is_right(resources: Resources, question: Question, database: Database, sql: str) -> bool:
    gold = Gold.of(question)
    limits = replace(resources.engine.limits, rows=len(gold.rows) + 1)
    try:
        return grade_result(resources.engine.run(database, sql, limits), gold) is Reason.CORRECT
    except AgentError:
        return False


if __name__ == "__main__":
    main()
