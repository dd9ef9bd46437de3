"""Measure base rates: policies that know nothing, and the oracle, on every question of every data set.

Plays over a real server and writes Markdown with Wilson's 95 % intervals. docs/base_rates.md is its output:

    python scripts/base_rates.py --out docs/base_rates.md
"""

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from sql_env.agent.base_rates import section
from sql_env.agent.local_server import local_server
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.play import Plan, play
from sql_env.agent.policies import ConstantPolicy, LookupPolicy, RandomPolicy
from sql_env.agent.rollout import Trajectory
from sql_env.agent.transcript import Transcript
from sql_env.server.errors import DataError
from sql_env.server.guesses import best_constant, most_frequent_answer
from sql_env.server.questions import QuestionSet, load_all
from sql_env.server.settings import Settings

INTRODUCTION = """# Base rates

Right answers of policies that know nothing, and of the oracle, over every question, with Wilson's 95 % intervals. A
result on SQLEnv means what it means beside these. Written by `python scripts/base_rates.py --out docs/base_rates.md`.

- **null** gives a blank answer at once.
- **random** explores sensibly for a few steps and guesses a value that it saw (`RandomPolicy`; seed: the question's
  place in the file).
- **most frequent** gives the gold that most training questions share, to every question.
- **best constant** gives the one answer that is right most often on these very questions: a bound for constants.
- **constant per database** gives, for each database, the answer that is right most often on its questions here: a bound
  for what can be learned without reading a question.
- **oracle** knows the gold.
"""


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


def section_of(base_url: str, dataset: QuestionSet) -> list[str]:
    """Play every policy on one data set; return its section."""
    frequent, constant = most_frequent_answer(dataset.questions), best_constant(dataset.questions)
    policies = {
        "null": ConstantPolicy(""),
        "random": RandomPolicy(),
        "most frequent": ConstantPolicy(frequent),
        "best constant": ConstantPolicy(constant),
        "constant per database": LookupPolicy(constants_by_database(dataset)),
        "oracle": OraclePolicy({dataset.name: dataset}),
    }
    plan = Plan(dataset=dataset.name, episodes=len(dataset.questions))
    quiet = Transcript(Console(quiet=True))
    played: dict[str, list[Trajectory]] = {
        name: asyncio.run(play(base_url, plan, [policy], quiet, None)) for name, policy in policies.items()
    }
    databases = len({question.db_id for question in dataset.questions})
    title = f"{dataset.name}: {len(dataset.questions)} questions about {databases} databases"
    answers = f"Most frequent answer: `{frequent}`; best constant: `{constant}`."
    heading, *tables = section(title, played)
    return [heading, "", answers, *tables]


def constants_by_database(dataset: QuestionSet) -> dict[str, str]:
    """Return for each question the constant that is right most often on the questions about its database."""
    constants = {db_id: best_constant(dataset.select(db_id=db_id)) for db_id in {q.db_id for q in dataset.questions}}
    return {question.question_id: constants[question.db_id] for question in dataset.questions}


if __name__ == "__main__":
    main()
