"""Settings: every knob of the server, read once from ``SQL_ENV_*`` variables into a frozen object.

Each setting carries its unit and one sentence; docs/configuration.md lists them and a test compares the two.
``PORT``, ``HOST`` and ``LOG_LEVEL`` keep the names that hosting platforms use.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_env.server.errors import DataError

PACKAGED_DATA = Path(__file__).resolve().parent.parent / "data"


def _setting(
    default: Any,
    unit: str,
    sentence: str,
    *,
    env: str = "",
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    metadata = {"unit": unit, "sentence": sentence, "env": env, "least": least, "most": most, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One value for each knob; ``Settings()`` is the documented default."""

    host: str = _setting("127.0.0.1", "address", "Address to listen on.", env="HOST")
    port: int = _setting(8000, "port", "Port to listen on; 0 takes a free one.", env="PORT", least=0, most=65_535)
    data: Path = _setting(PACKAGED_DATA, "folder", "Where databases, questions and the starter set live.")
    dataset: str = _setting(
        "",
        "names or folders",
        "Data sets to serve, separated by commas, the first by default; "
        "empty: Spider where it is installed, the starter set, and the procedural one.",
    )
    split: str = _setting("train", "name", "Split that reset draws from when it is given none.")
    max_steps: int = _setting(15, "steps", "Steps in an episode; the last that is no ANSWER truncates it.", least=1)
    reward_mode: str = _setting(
        "outcome",
        "name",
        "When rewards are paid: outcome, all at the end; shaped, besides a term for progress that sums to nothing.",
        choices=("outcome", "shaped"),
    )
    reveal: str = _setting(
        "practice",
        "name",
        "Whose answers the page at /web shows after the end: practice, all but those of the splits that measure; all; "
        "none.",
        choices=("practice", "all", "none"),
    )
    sample_rows: int = _setting(5, "rows", "Rows that SAMPLE shows.", least=1)
    result_rows: int = _setting(20, "rows", "Rows that QUERY shows.", least=1)
    result_chars: int = _setting(2000, "characters", "Length of the text of one result.", least=200)
    answer_chars: int = _setting(20000, "characters", "Longest ANSWER that is read.", least=100)
    query_vm_steps: int = _setting(
        30_000_000, "VM steps", "SQLite virtual machine steps that one statement may take.", least=1000
    )
    query_seconds: float = _setting(2.0, "CPU seconds", "Processor time that one statement may take.", least=0.01)
    query_memory: int = _setting(
        32 * 2**20, "bytes", "Memory that SQLite may add while one statement runs.", least=2**20
    )
    suite_variants: int = _setting(
        3,
        "variants",
        "Variants of the database on which a right answer in SQL has to be right as well; 0: none.",
        least=0,
    )
    inline_vm_steps: int = _setting(
        50_000, "VM steps", "Work after which a statement leaves the event loop for the worker.", least=100
    )
    queue_seconds: float = _setting(
        30.0,
        "seconds",
        "Longest wait for the worker, or for a variant, before a statement or a reset is refused as busy.",
        least=0.1,
    )
    max_message: int = _setting(
        256 * 2**10, "bytes", "Longest message on a WebSocket, and longest body of a request.", least=1024
    )
    stop_seconds: float = _setting(
        2.3, "seconds", "Longest wait for steps under way when the server is told to stop.", least=0.1
    )
    drain_seconds: float = _setting(
        0.0,
        "seconds",
        "Longest wait for running episodes to end when the server is told to stop, while it takes no new ones.",
        least=0,
    )
    log_format: str = _setting("text", "name", "How log lines are written: text or json.", choices=("text", "json"))
    log_level: str = _setting(
        "info",
        "name",
        "Lowest level of the lines that are logged.",
        env="LOG_LEVEL",
        choices=("debug", "info", "warning", "error", "critical"),
    )
    max_sessions: int = _setting(128, "sessions", "Sessions that may be open at once, in each worker process.", least=1)
    workers: int = _setting(
        1, "processes", "Worker processes on the one port; with several there is no MCP over HTTP.", least=1
    )
    session_timeout: float = _setting(1800.0, "seconds", "Idle time after which a session is closed.", least=1)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings from environment variables.

        Raises:
            DataError: a variable holds something that its setting cannot be.
        """
        values = {}
        for field in dataclasses.fields(cls):
            text = environ.get(variable(field))
            if text is not None:
                values[field.name] = _parse(field, text)
        return cls(**values)


def variable(field: "dataclasses.Field[Any]") -> str:
    """Return the name of the environment variable that sets a field."""
    return field.metadata["env"] or f"SQL_ENV_{field.name.upper()}"


def _parse(field: "dataclasses.Field[Any]", text: str) -> Any:
    kind: Callable[[str], Any] = type(field.default)
    name = type(field.default).__name__
    if not text and isinstance(field.default, Path):
        raise DataError(f"{variable(field)}='': expected a {field.metadata['unit']}")
    try:
        value = Path(text) if isinstance(field.default, Path) else kind(text)
    except ValueError:
        raise DataError(f"{variable(field)}={text!r}: expected {name} ({field.metadata['unit']})") from None
    if field.metadata["choices"] and value not in field.metadata["choices"]:
        raise DataError(f"{variable(field)}={text!r}: must be one of {', '.join(field.metadata['choices'])}")
    least, most = field.metadata["least"], field.metadata["most"]
    if least is not None and not value >= least:
        raise DataError(f"{variable(field)}={text!r}: must be at least {least:g} {field.metadata['unit']}")
    if most is not None and not value <= most:
        raise DataError(f"{variable(field)}={text!r}: must be at most {most:g} ({field.metadata['unit']})")
    return value
