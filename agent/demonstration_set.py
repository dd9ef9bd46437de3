"""Demonstrations as a folder: ``demonstrations.jsonl`` and the card with which the Hugging Face hub shows it."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sql_env.agent import prompts
from sql_env.agent.dataset_card import LICENSE_TEXTS, LICENSES, public, size_category
from sql_env.agent.tables import counted, percent, table

FILE = "demonstrations.jsonl"
KINDS = {
    "oracle": "describes the tables, runs the gold, answers with its result",
    "recovery": "runs into an error or a wrong statement first, reads what the environment says, and recovers",
    "mistaken": "asks for another column, another aggregate or without a condition, and answers what that gives",
    "given_up": "stops without an answer",
}
"""Kinds of demonstrations."""


def write_demonstrations(folder: Path, rows: Iterable[Mapping[str, Any]], command: str) -> dict[str, int]:
    """Write demonstrations and their card; return how many there are of each kind.

    Args:
        folder: where to.
        rows: from ``trajectories.play_demonstrations``.
        command: what made them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kinds: Counter[str] = Counter()
    right: Counter[str] = Counter()
    origins: Counter[tuple[str, str]] = Counter()
    with (folder / FILE).open("w", encoding="utf-8") as file:
        for row in rows:
            kinds[row["kind"]] += 1
            right[row["kind"]] += row["correct"]
            origins[row["dataset"], row["split"]] += 1
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    (folder / "README.md").write_text(_card(kinds, right, origins, command), "utf-8")
    return dict(kinds)


def read_demonstrations(folder: Path) -> list[dict[str, Any]]:
    """Read what ``write_demonstrations`` wrote.

    Raises:
        ValueError: the folder holds none.
    """
    file = folder / FILE
    if not file.is_file():
        raise ValueError(f"{folder} holds no {FILE}: scripts/build_demonstrations.py makes it")
    with file.open(encoding="utf-8") as lines:  # which end at line feeds alone: texts may hold other separators
        return [json.loads(line) for line in lines]


def _card(kinds: Counter[str], right: Counter[str], origins: Counter[tuple[str, str]], command: str) -> str:
    total = sum(kinds.values())
    licence = _licence(sorted({dataset for dataset, _ in origins}))
    front = [
        "---",
        f"license: {licence}",
        'pretty_name: "SQLEnv: demonstrations"',
        "language:",
        "- en",
        "task_categories:",
        "- text-generation",
        "tags:",
        *(f"- {tag}" for tag in ("openenv", "sql-env", "text-to-sql", "tool-use", "sft", "trl")),
        "size_categories:",
        f"- {size_category(total)}",
        "configs:",
        "- config_name: default",
        f"  data_files: {FILE}",
        "---",
    ]
    made = [(kind, KINDS[kind], f"{kinds[kind]:,}", percent(right[kind] / kinds[kind], None, None)) for kind in kinds]
    came = [(*origin, f"{count:,}") for origin, count in sorted(origins.items())]
    return "\n".join(
        [
            *front,
            "",
            "# SQLEnv: demonstrations",
            "",
            f"{counted(total, 'conversation')} in which a player explores a hidden SQL database with the tools "
            "describe, sample, query and answer. Every result in them is what the environment answered. They are for a "
            "warm start before reinforcement learning: `messages` and `tools` are what TRL's SFTTrainer takes. GRPO "
            f"and evaluations tell a model the same words (`{prompts.PROMPT_VERSION}`).",
            "",
            "None comes from a database that is evaluated: the splits `eval`, `test` and `compositional` are refused.",
            "",
            *table(("kind", "", "n", "right"), made, numbers_from=2),
            "",
            *table(("data set", "split", "n"), came, numbers_from=2),
            "",
            "## How they were made",
            "",
            f"    {public(command)}",
            "",
            "## Columns",
            "",
            "- `messages`: the conversation, from the system prompt to the closing words",
            "- `tools`: the tool definitions that it was told",
            "- `kind`: see above",
            "- `dataset`, `split`, `db_id`, `task_id`, `variant`: which task",
            "- `correct`, `return`: what the episode came to",
            "",
            "## Licence",
            "",
            LICENSE_TEXTS[licence],
            "",
        ]
    )


def _licence(datasets: Sequence[str]) -> str:
    """Return the licence of a mixture: the strictest one; procedural tasks are of SQLEnv's own making."""
    found = {LICENSES.get(dataset, "cc0-1.0" if dataset == "procedural" else "other") for dataset in datasets}
    return next(name for name in ("other", "cc-by-sa-4.0", "cc0-1.0") if name in found)
