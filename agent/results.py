"""What a run leaves in its folder beside its trajectories: numbers, tables, figures and a card."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sql_env.agent.dataset_card import card
from sql_env.agent.figures import draw_accuracy, draw_failures, draw_steps
from sql_env.agent.report import markdown, summary
from sql_env.agent.run_folder import PICTURES
from sql_env.agent.trajectory import Trajectory


def write_results(path: Path, episodes: Sequence[Trajectory], settings: dict[str, Any], command: str) -> str:
    """Write ``summary.json``, ``summary.md``, three figures and ``README.md`` into a run's folder.

    Args:
        path: the folder.
        episodes: the run's.
        settings: the run's; they stand in the summary.
        command: what made the run, for the card.

    Returns:
        The tables, as Markdown.

    Raises:
        ValueError: there are no episodes.
    """
    if not episodes:
        raise ValueError("no episode came to an end, so there is nothing to sum up (lost.jsonl says why)")
    numbers = summary(episodes, settings | {"policy": _name(episodes[0].policy, settings)})
    if prices := settings.get("prices"):
        numbers["usage"]["cost_usd"] = _cost(numbers["usage"], prices)
    text = markdown(numbers)
    pictures = "".join(f"\n![{title}]({name})\n" for name, title in PICTURES.items())
    (path / "summary.json").write_text(json.dumps(numbers, indent=2, ensure_ascii=False) + "\n", "utf-8")
    (path / "summary.md").write_text(text + pictures, "utf-8")
    (path / "README.md").write_text(card(numbers, command), "utf-8")
    draw_accuracy(path / "accuracy.png", {numbers["policy"]: episodes})
    draw_steps(path / "steps.png", episodes)
    draw_failures(path / "failures.png", episodes)
    return text


def _name(policy: str, settings: Mapping[str, Any]) -> str:
    return f"{policy}, {settings['shots']}-shot" if "shots" in settings else policy


def _cost(usage: Mapping[str, Any], prices: Sequence[float]) -> float | None:
    """Return what a run cost in US dollars, at prices for a million tokens of each kind; None if none were counted."""
    from sql_env.agent.endpoint import cost

    read, written = usage["prompt_tokens"], usage["completion_tokens"]
    if read is None or written is None:
        return None
    return round(cost(read["total"], written["total"], *prices), 6)
