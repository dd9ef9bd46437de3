"""Measure base rates: policies that know nothing, and the oracle, on every question of every data set.

Plays over a real server and writes Markdown with 95 % intervals. docs/base_rates.md is its output:

    python scripts/base_rates.py --out docs/base_rates.md
"""

import argparse
import asyncio
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sql_env.agent.base_rates import section
from sql_env.agent.local_server import local_server
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.policies import ConstantPolicy, LookupPolicy, RandomPolicy
from sql_env.agent.policy_choice import Maker
from sql_env.agent.rollouts import Setup, collect, jobs
from sql_env.agent.trajectory import Trajectory
from sql_env.server.datasets import load_all
from sql_env.server.errors import DataError
from sql_env.server.guesses import best_constant, most_frequent_answer
from sql_env.server.questions import Question, QuestionSet, TaskSet
from sql_env.server.settings import Settings

INTRODUCTION = """# Base rates

Right answers of policies that know nothing, and of the oracle, over every question, with 95 % intervals in which
questions with the same gold count once ([evaluation](evaluation.md)). Of the procedural data set, which has no end, the
first 250 tasks of each split are played. A result on SQLEnv means what it means beside these. Written by
`python scripts/base_rates.py --out docs/base_rates.md`.

- **null** gives a blank answer at once.
- **random** explores sensibly for a few steps and guesses a value that it saw (`RandomPolicy`, seed 0).
- **most frequent** gives the gold that most training questions share, to every question.
- **best constant** gives the one answer that is right most often on these very questions: a bound for constants.
- **constant per database** gives, for each database (procedural: each domain), the answer that is right most often on
  its questions here: a bound for what can be learned without reading a question.
- **oracle** knows the gold.
"""

FIRST = 250
"""Tasks of each split that are played where there is no end of them."""


def main() -> None:
    """Parse the arguments, play and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", help="data sets to play, by name or folder, with commas (default: all installed)")
    parser.add_argument("--out", type=Path, help="write here instead of to standard output")
    options = parser.parse_args()
    try:
        settings = Settings.from_environ()
        environ = {"SQL_ENV_DATASET": options.dataset} if options.dataset else {}
        datasets = load_all(replace(settings, dataset=options.dataset or settings.dataset))
        with local_server(environ) as base_url:
            lines = [line for dataset in datasets.values() for line in section_of(base_url, dataset)]
    except (DataError, RuntimeError, OSError) as error:
        sys.exit(f"base_rates: {error}")
    text = "\n".join([INTRODUCTION, *lines]).rstrip() + "\n"
    if options.out:
        options.out.write_text(text, "utf-8")
    else:
        print(text, end="")


def section_of(base_url: str, dataset: TaskSet) -> list[str]:
    """Play every policy on one data set; return its section."""
    questions = questions_of(dataset)
    frequent, constant = most_frequent_answer(questions), best_constant(questions)
    by_database = constants_by_database(questions)
    policies: dict[str, Maker] = {
        "null": lambda: ConstantPolicy(""),
        "random": RandomPolicy,
        "most frequent": lambda: ConstantPolicy(frequent),
        "best constant": lambda: ConstantPolicy(constant),
        "constant per database": lambda: LookupPolicy(by_database),
        "oracle": lambda: OraclePolicy({dataset.name: dataset}),
    }
    played = {name: asyncio.run(episodes(base_url, dataset, make)) for name, make in policies.items()}
    databases = len({dataset.database(question).key for question in questions})
    title = f"{dataset.name}: {len(questions)} questions about {databases} databases"
    answers = f"Most frequent answer: `{frequent}`; best constant: `{constant}`."
    heading, *tables = section(title, played)
    return [heading, "", answers, *tables]


def questions_of(dataset: TaskSet) -> list[Question]:
    """Return what is played of a data set: all of it, or the first of each split of one without end."""
    if isinstance(dataset, QuestionSet):
        return list(dataset.questions)
    return [dataset.select(split)[number] for split in dataset.splits for number in range(FIRST)]


async def episodes(base_url: str, dataset: TaskSet, make_policy: Maker) -> list[Trajectory]:
    """Play every question once, as scripts/evaluate.py does with seed 0."""
    found: list[Trajectory] = []
    for split in dataset.splits if dataset.endless else ("all",):
        count = FIRST if dataset.endless else len(dataset.select(split))
        setup = Setup(base_url=base_url, selectors={"dataset": dataset.name, "split": split}, make_policy=make_policy)
        played, lost = await collect(setup, jobs(count, None, 1, setup.seed))
        if lost:
            raise RuntimeError(f"{len(lost)} episodes were lost: {lost[0].faults[-1].message}")
        found += played
    return found


def constants_by_database(questions: Sequence[Question]) -> dict[str, str]:
    """Return for each question the constant that is right most often on the questions about its database."""
    groups: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        groups[question.db_id].append(question)
    constants = {db_id: best_constant(group) for db_id, group in groups.items()}
    return {question.question_id: constants[question.db_id] for question in questions}


if __name__ == "__main__":
    main()
