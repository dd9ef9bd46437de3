"""A run's folder as a data set: the README.md with which the Hugging Face hub shows it and ``datasets`` loads it.

The columns are declared: JSON alone would make a column whose first values are null one of nulls. What that does not
cover: where every ``argument`` in 10 MB is a bare date such as 2004-11-08, as with a policy of one constant answer, the
JSON reader of ``datasets`` takes them for points in time and loads ``2004-11-08 00:00:00``.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from sql_env.agent.metrics import COMPONENTS
from sql_env.agent.report import markdown
from sql_env.agent.tables import counted

LICENSES = {"starter": "cc0-1.0", "spider": "cc-by-sa-4.0"}
"""Each known data set's licence, as the hub names it; others are ``other``."""

LICENSE_TEXTS = {
    "cc0-1.0": "CC0 1.0. Questions and databases are SQLEnv's starter set, which is in the public domain.",
    "cc-by-sa-4.0": (
        "CC BY-SA 4.0: these episodes hold questions and rows of Spider (Yu et al., *Spider: A Large-Scale "
        "Human-Labeled Dataset for Complex and Cross-Domain Semantic Parsing and Text-to-SQL Task*, EMNLP 2018, "
        "https://yale-lily.github.io/spider), changed only in that rows are shown as results of statements. Share them "
        "under the same licence and with this attribution."
    ),
    "other": "Questions and rows are those of the data set named above; its terms hold for them.",
}

_STEP = {
    "action_type": ("string", "DESCRIBE, SAMPLE, QUERY or ANSWER"),
    "argument": ("string", "the table, the statement or the answer"),
    "result": ("string", "what the policy was shown"),
    "error": ("string", "what was wrong with the action; null if nothing was"),
    "reward": ("float64", "the step's reward"),
    "error_kind": ("string", "the class of the error"),
    "reply": ("string", "what a language model wrote; null for other policies"),
    "prompt_tokens": ("int64", "tokens that it read; null if unknown"),
    "completion_tokens": ("int64", "tokens that it wrote; null if unknown"),
    "notes": (["string"], "what else the policy recorded"),
}

_FAULT = {"source": ("string", ""), "kind": ("string", ""), "message": ("string", ""), "step": ("int64", "")}

_COLUMNS: dict[str, tuple[Any, str]] = {
    "policy": ("string", "who played"),
    "dataset": ("string", "the data set that the question is from"),
    "split": ("string", "its split"),
    "task_id": ("string", "the question's id"),
    "db_id": ("string", "its database"),
    "question": ("string", "the question"),
    "seed": ("int64", "the seed that drew the task; null where it was chosen by index"),
    "num_tasks": ("int64", "how many tasks there are to index"),
    "trajectory": ([_STEP], "the steps, each with the fields below"),
    "correct": ("bool", "whether the right answer was given"),
    "components": ({}, "the return by component"),
    "verdict": ("string", "how the answer was graded; null if none was given"),
    "truncated": ("bool", "whether the budget of steps ran out"),
    "answer_form": ("string", "value or sql"),
    "hardness": ("string", "easy, medium, hard or extra"),
    "answer_type": ("string", "integer, float, string, list or table"),
    "par": ("int64", "the oracle's number of steps"),
    "twin_of": ("string", "the first task with the same gold, often this one"),
    "official": ("bool", "Spider's official execution accuracy of an answer in SQL; null if there is none"),
    "test_suite": ("bool", "whether an answer in SQL is right on variants of the database, too; null if not tried"),
    "index": ("int64", "the task's place in the split"),
    "repeat": ("int64", "which try at the task, from 0"),
    "variant": ("int64", "the changed database that was played; null for the original"),
    "policy_seed": ("int64", "the policy's seed"),
    "prompt": ("string", "version of the prompt texts"),
    "fault": (_FAULT, "how the policy failed; null if it did not"),
    "failed_tries": ([_FAULT], "what became of earlier tries, which the server or a connection failed"),
    "return": ("float64", "the outcome return, from −0.1 to 1.0"),
    "steps": ("int64", "how many steps were taken"),
}
"""Each column of trajectories.jsonl: type and meaning. A type is a name, a list of one type, or fields by name."""


_SOMETIMES = {"test_suite": "test_suite_accuracy", "variant": "on_variants"}
"""Columns that only some runs have, and what their summary then holds."""

_LEFT_OUT = ("--base-url", "--model-url", "--out", "--concurrency")
"""Options that decide no result and may tell of private places; argparse takes what they begin with for them, too."""

_URL = re.compile(r"([A-Za-z][\w+.-]*://)(?:[^/?#\s]*@)?([^?#\s]*)[?#]?\S*")
"""A scheme, who signs in, host and path, what is asked."""


def card(numbers: Mapping[str, Any], command: str | None = None) -> str:
    """Return a README.md for a run's folder.

    The licence follows ``dataset``: starter is CC0 1.0, spider CC BY-SA 4.0, anything else ``other``.

    Args:
        numbers: the run's summary (``report.summary``).
        command: what made the run. It is shown without options that decide no result, and URLs in it without the name
            and password of who signs in and without their query: keys may stand there.
    """
    name = f"SQLEnv: {_line(numbers.get('policy'))} on {_line(numbers.get('dataset'))}, {_line(numbers.get('split'))}"
    licence = LICENSES.get(str(numbers.get("dataset")), "other")
    parts = [
        "\n".join(["---", *_front_matter(name, licence, numbers), "---"]),
        f"# {name}",
        _introduction(numbers),
        "## Results",
        markdown(numbers).strip(),
        *_made(command),
        "## Columns",
        _columns(_typed(numbers)),
        "## Licence",
        LICENSE_TEXTS[licence],
    ]
    return "\n\n".join(parts) + "\n"


def _line(text: object) -> str:
    """Return any text as one printable line."""
    line = " ".join(str(text).split())
    return "".join(character if character.isprintable() else "?" for character in line)


def _front_matter(name: str, licence: str, numbers: Mapping[str, Any]) -> list[str]:
    return [
        f"license: {licence}",
        f"pretty_name: {json.dumps(name, ensure_ascii=False)}",
        "language:",
        "- en",
        "task_categories:",
        "- table-question-answering",
        "- text-generation",
        "tags:",
        *(f"- {tag}" for tag in ("openenv", "sql-env", "text-to-sql", "reinforcement-learning", "trajectories")),
        "size_categories:",
        f"- {size_category(numbers['n'])}",
        "configs:",
        "- config_name: default",
        "  data_files: trajectories.jsonl",
        "dataset_info:",
        "  config_name: default",
        "  features:",
        *(f"  {line}" for line in _features(_typed(numbers))),
    ]


def size_category(n: int) -> str:
    """Return the hub's name for a number of rows."""
    return next(
        (name for limit, name in ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")) if n < limit),
        "100K<n<1M",
    )


def _typed(numbers: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """Return the columns that these episodes have, with their components."""
    found = [name for name in numbers["returns"] if name != "return"] or list(COMPONENTS)
    held = {name: kind for name, kind in _COLUMNS.items() if _SOMETIMES.get(name, "n") in numbers}
    return held | {"components": (dict.fromkeys(found, ("float64", "")), _COLUMNS["components"][1])}


def _features(fields: Mapping[str, tuple[Any, str]]) -> list[str]:
    return [line for name, (kind, _) in fields.items() for line in [f"- name: {json.dumps(name)}", *_kind(kind)]]


def _kind(kind: Any) -> list[str]:
    if isinstance(kind, str):
        return [f"  dtype: {kind}"]
    if isinstance(kind, dict):
        return ["  struct:", *(f"  {line}" for line in _features(kind))]
    inner = kind[0]
    return [f"  list: {inner}"] if isinstance(inner, str) else ["  list:", *(f"  {line}" for line in _features(inner))]


def _introduction(numbers: Mapping[str, Any]) -> str:
    return (
        f"{counted(numbers['n'], 'episode')} of SQLEnv, an [OpenEnv](https://github.com/huggingface/OpenEnv) "
        "environment in which an agent answers questions about a hidden SQL database by exploring it. One line of "
        "`trajectories.jsonl` is one episode: the question, each action and what it gave, the answer and how it was "
        "graded. `datasets.load_dataset` gives them as one split, which it calls `train` whatever they were played on; "
        "SQLEnv's split is the column `split`. Golds are not among them, but right answers are: do not train on what "
        "you measure with."
    )


def _made(command: str | None) -> list[str]:
    if not command:
        return []
    return ["## How it was made", f"    {public(command)}"]


def public(command: str) -> str:
    """Return a command as all may read it: one line, without what decides no result and without secrets in URLs."""
    line = command.replace("\\\n", " ")
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return _line(shlex.join(_URL.sub(r"\1\2", word) for word in _deciding(words)))


def _deciding(words: list[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if len(name) < 3 or name == "--model" or not any(option.startswith(name) for option in _LEFT_OUT):
            yield word
        elif not equals:
            next(rest, None)


def _columns(held: Mapping[str, tuple[Any, str]]) -> str:
    lines = [f"- `{name}`: {meaning}" for name, (_, meaning) in held.items()]
    place = next(number for number, line in enumerate(lines) if line.startswith("- `trajectory`"))
    lines[place + 1 : place + 1] = [f"  - `{name}`: {meaning}" for name, (_, meaning) in _STEP.items()]
    return "\n".join(lines)
