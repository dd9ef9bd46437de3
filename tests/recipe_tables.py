"""The tables of docs/training.md that give each setting of scripts/configs its values, and a reason beside them."""

from typing import Any

import yaml
from hostile_sql import ROOT

CONFIGS = ROOT / "scripts" / "configs"
SHORT = {"tiny": "tiny", "qwen3_0.6b_t4": "T4", "qwen3_1.7b_l4": "L4", "qwen3_1.7b_node": "node"}
SAID_ELSEWHERE = ("model", "sources", "only", "use_cpu", "held_out")
"""Settings that say what is trained on what, and no more."""


def settings(method: str) -> dict[str, str]:
    """Return what the recipes for a method say, ``tiny 1, T4 and L4 2``, for each setting."""
    found: dict[str, dict[str, list[str]]] = {}
    for recipe, short in SHORT.items():
        path = CONFIGS / f"{recipe}_{method}.yaml"
        for name, value in (yaml.safe_load(path.read_text("utf-8")) if path.is_file() else {}).items():
            if name not in SAID_ELSEWHERE:
                found.setdefault(name, {}).setdefault(_written(value), []).append(short)
    return {
        name: "; ".join(f"{', '.join(who)}: {value}" for value, who in values.items()) for name, values in found.items()
    }


def _written(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_written(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_written, value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def reasons(page: str) -> dict[str, dict[str, tuple[str, str]]]:
    """Return for each method what the page says: setting → values and reason."""
    tables: dict[str, dict[str, tuple[str, str]]] = {}
    for method in ("sft", "grpo"):
        _, _, rest = page.partition(f"| {method.upper()} setting | values | reason |\n|---|---|---|\n")
        lines = rest.split("\n\n")[0].splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
        tables[method] = {name.strip("` "): (values, reason) for name, values, reason in rows}
    return tables
