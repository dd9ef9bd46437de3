"""The settings of a run that decide its results; where it was played, and how fast, do not."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def run_settings(options: Mapping[str, Any], first: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's settings, for run.json.

    Args:
        options: the command's options.
        first: what the first observation of the split's first task tells: it stands for the data that were played.
        about: what else decides the policy's results, such as a model's settings.
    """
    said = {"answer": options["answer"]} if options.get("answer") is not None else {}
    return {
        "policy": options["policy"],
        **said,
        "dataset": first["dataset"],
        "split": options["split"],
        "answer_form": options["answer_form"],
        "episodes": options["episodes"] or "all",
        "repeats": options["repeats"],
        **_chosen(options),
        "seed": options["seed"],
        "num_tasks": first["num_tasks"],
        "first_task": first["task_id"],
        "policy_seconds": options["policy_seconds"],
        **about,
        "sql_env": _version(),
    }


def _chosen(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return which variants are played and what is asked of tasks, where it is something."""
    found: dict[str, Any] = {}
    if options["variant"] != (0,):
        found["variants"] = list(options["variant"])
    if options["only"]:
        found["only"] = dict(options["only"])
    return found


def _version() -> str:
    try:
        return version("openenv-sql-env")
    except PackageNotFoundError:
        return "0"
