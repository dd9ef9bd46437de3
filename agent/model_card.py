"""The model card of a training run: what was trained on what, by which command and seed, and what came of it."""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sql_env.agent.dataset_card import public
from sql_env.agent.tables import number, table

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
"""A name on the Hub, if there is no such folder."""

INTRODUCTION = (
    "A language model that answers questions about a SQLite database by exploring it, trained in SQLEnv, an "
    "[OpenEnv](https://github.com/huggingface/OpenEnv) environment. It sees a question and the names of the tables, "
    "and calls the tools describe, sample, query and answer."
)
LIMITS = (
    "It was trained on generated and curated questions in English over SQLite databases. Its statements are to be run "
    "read-only and under limits, and its answers to be checked: the accuracy above is what to expect on such "
    "questions, and no more. Intervals are 95 % and count questions with the same gold once; they hold for this one "
    "run, not for other seeds."
)


def model_card(about: Mapping[str, Any], command: str) -> str:
    """Return a README.md for a run's folder.

    Args:
        about: what ``training.json`` holds.
        command: what made the run; private places in it are left out.
    """
    recipe, settings = about["recipe"], about["settings"]
    front = [
        "---",
        *([f"base_model: {recipe['model']}"] if _is_on_hub(recipe["model"]) else []),
        "library_name: transformers",
        "pipeline_tag: text-generation",
        "language:",
        "- en",
        "tags:",
        *(f"- {tag}" for tag in ("openenv", "sql-env", "text-to-sql", "tool-use", "trl", about["method"].lower())),
        "---",
    ]
    return "\n".join(
        [
            *front,
            "",
            f"# {Path(settings['output_dir']).name}",
            "",
            INTRODUCTION,
            "",
            "## Results",
            "",
            *_results(about),
            "## How it was made",
            "",
            f"    {public(shlex.join(map(without_place, shlex.split(command))))}",
            "",
            *table(("setting", "value"), _rows(about), numbers_from=9),
            "",
            "Versions: " + ", ".join(f"{name} {version}" for name, version in about["versions"].items()) + f"; "
            f"prompt `{about['prompt']}`. `training.json` holds every setting, `metrics.jsonl` every step.",
            "",
            "## What it is for, and what not",
            "",
            LIMITS,
            "",
        ]
    )


def _is_on_hub(model: str) -> bool:
    return bool(_HUB_NAME.fullmatch(model)) and not Path(model).exists()


def without_place(word: str) -> str:
    """Return a word as all may read it: of an absolute path the last part."""
    return Path(word).name if word.startswith(("/", "~")) else word


def _results(about: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    if held_out := about.get("held_out"):
        rows = [(name, str(found["n"]), found["before"], found["after"]) for name, found in held_out.items()]
        lines += [*table(("held out", "n", "accuracy before", "accuracy after"), rows), ""]
    if rewards := about.get("rewards"):
        low_high = about.get("random", {}).get("return", (None, None, None))
        beside = f"; the random policy's on the same tasks is {number(*low_high)}" if low_high[0] is not None else ""
        first, last = (f"{rewards[name]:.3f}" for name in ("first", "last"))
        lines += [
            f"Mean return of the rollouts: {first} in the first tenth of training, {last} in the last{beside}.",
            "",
            "![Learning curve](curve.png)",
            "",
        ]
    return lines or ["Not evaluated: `scripts/evaluate.py --policy llm --model-url local` does it.", ""]


def _rows(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    recipe, settings = about["recipe"], about["settings"]
    shown = {
        "method": about["method"],
        "from": recipe["model"],
        "parameters": f"{about['parameters']:,}",
        "tasks": ", ".join(recipe["sources"]),
        "of which": ", ".join(recipe["only"]) or "all",
        "reward": recipe.get("reward"),
        "seed": settings.get("seed"),
        "steps": settings.get("max_steps"),
        "learning rate": settings.get("learning_rate"),
        "batch": settings.get("per_device_train_batch_size"),
        "gradient accumulation": settings.get("gradient_accumulation_steps"),
        "rollouts of a group": settings.get("num_generations"),
        "LoRA rank": recipe.get("lora_rank") or None,
    }
    return [(name, str(value)) for name, value in shown.items() if value not in (None, "")]


def write_card(folder: Path, about: Mapping[str, Any], command: str) -> None:
    """Write ``training.json`` and ``README.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "training.json").write_text(json.dumps(about, indent=2, default=str) + "\n", "utf-8")
    (folder / "README.md").write_text(model_card(about, command), "utf-8")
