"""SQLEnv: an OpenEnv environment in which an agent explores a hidden SQL database and answers questions.

Public names resolve on first use, because importing openenv takes seconds and a kernel module hundredths.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sql_env.agent.evaluation import EvaluationResult, evaluate
    from sql_env.client import SqlEnv, SQLEnvClient
    from sql_env.models import SQLAction, SQLObservation, SQLState

__all__ = ["EvaluationResult", "SQLAction", "SQLEnvClient", "SQLObservation", "SQLState", "SqlEnv", "evaluate"]

_HOME = {
    "EvaluationResult": "sql_env.agent.evaluation",
    "SQLAction": "sql_env.models",
    "SQLEnvClient": "sql_env.client",
    "SQLObservation": "sql_env.models",
    "SQLState": "sql_env.models",
    "SqlEnv": "sql_env.client",
    "evaluate": "sql_env.agent.evaluation",
}


def __getattr__(name: str) -> Any:
    """Import the module that holds a public name and return it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
