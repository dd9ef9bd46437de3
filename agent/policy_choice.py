"""Policies by name, as scripts take them; or by place, as ``module:Class``."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

from sql_env.agent.policies import ConstantPolicy, HumanPolicy, Policy, RandomPolicy

NAMES = ("null", "random", "constant", "scripted", "memory", "oracle", "human")
"""Beside these there is ``llm``, a language model, which needs more than a name (agent/language_model.py)."""

Maker = Callable[[], Policy]


def maker(name: str, *, dataset: str | None = None, answer: str | None = None) -> Maker:
    """Return what makes a policy; every worker gets one of its own.

    Args:
        name: one of ``NAMES``, or ``module:Class`` of a class that takes no arguments; the module is looked for in
            the current folder, too.
        dataset: the data set whose golds the oracle and memory read, and from whose training questions ``constant``
            takes the most frequent gold.
        answer: what ``constant`` says instead.

    Raises:
        RuntimeError: there is no such policy, or it cannot be made; the message says why.
    """
    if ":" in name:
        return _from_place(name)
    if name in ("memory", "oracle"):
        from sql_env.agent.oracle import MemoryPolicy, OraclePolicy

        golds = (OraclePolicy if name == "oracle" else MemoryPolicy).for_dataset(dataset)
        return golds.again
    if name == "constant":
        from sql_env.agent.oracle import most_frequent_training_answer

        said = answer if answer is not None else most_frequent_training_answer(dataset)
        return lambda: ConstantPolicy(said)
    if name == "scripted":
        from sql_env.agent.analyst.policy import ScriptedPolicy

        return ScriptedPolicy
    simple: dict[str, Maker] = {"null": lambda: ConstantPolicy(""), "random": RandomPolicy, "human": HumanPolicy}
    if name not in simple:
        raise RuntimeError(f"unknown policy {name!r}; there are {', '.join(NAMES)}, llm, or module:Class")
    return simple[name]


def _from_place(place: str) -> Maker:
    module, _, name = place.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        made = getattr(importlib.import_module(module), name)
        policy = made()
    except Exception as error:
        raise RuntimeError(f"{place} gives no policy: {type(error).__name__}: {error}") from error
    lacking = [part for part in ("name", "reset", "act") if not hasattr(policy, part)]
    if lacking or not isinstance(policy.name, str):
        said = f"it lacks {', '.join(lacking)}" if lacking else "its name is no text"
        raise RuntimeError(f"{place} is no policy: {said} (docs/evaluation.md)")
    return cast("Maker", made)
