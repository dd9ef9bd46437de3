"""SQLEnv: an OpenEnv environment in which an agent explores a hidden SQL database and answers questions.

Public names resolve on first use, because importing openenv takes seconds and a kernel module hundredths.
"""

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
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


class _NoPageYet(MetaPathFinder):
    """Tells OpenEnv, while it is being imported, that there is no gradio.

    OpenEnv imports it for a page of its own, which SQLEnv does not use, and goes on where it is missing. It is more
    than half of the time and of the memory that a start takes. Whoever asks for that page afterwards gets it.
    """

    def find_spec(self, fullname: str, *_where: Any) -> None:
        """Find nothing; raise ModuleNotFoundError for that page until OpenEnv's server is imported."""
        if fullname == "openenv.core.env_server.web_interface" and not hasattr(
            sys.modules["openenv.core.env_server"], "__all__"
        ):
            raise ModuleNotFoundError(fullname, name=fullname)


sys.meta_path.insert(0, _NoPageYet())


def __getattr__(name: str) -> Any:
    """Import the module that holds a public name and return it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
