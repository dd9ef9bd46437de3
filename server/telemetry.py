"""What the operator sees: counters for Prometheus, and a log line for each thing that happens to a session.

Both carry ids, names of actions, counts and outcomes; never a question's text, a statement, an answer or a gold.
"""

import json
import logging
import re
import threading
from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from pythonjsonlogger.json import JsonFormatter

from sql_env.server.errors import AgentError

logger = logging.getLogger("sql_env.sessions")

disable_created_metrics()  # type: ignore[no-untyped-call] # they double every counter and serve nobody here

_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_PLAIN = "%(asctime)s %(levelname)s %(message)s"
_STRUCTURED = "%(asctime)s %(levelname)s %(name)s %(message)s"


class Telemetry:
    """The counters of one server, in a registry of their own, and its log."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.watch("threads", "Threads of the process.", threading.active_count)
        self._sessions = self._counter("sessions", "Sessions opened.")
        self._refused = self._counter("sessions_refused", "Sessions refused because the server was full.")
        self._started = self._counter("episodes_started", "Episodes started.", "dataset")
        self._ended = self._counter("episodes_ended", "Episodes that ended, by outcome.", "dataset", "outcome")
        self._faults = self._counter("step_faults", "Steps that could not be carried out, by kind of error.", "kind")
        self._messages = self._counter("messages_refused", "Messages refused before any session saw them.", "reason")
        self._steps = Histogram(
            "sql_env_step_seconds",
            "Time from a step's message to its observation.",
            ["action"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._by_action: dict[str, Histogram] = {}

    def _counter(self, name: str, sentence: str, *labels: str) -> Counter:
        return Counter(f"sql_env_{name}", sentence, labels, registry=self.registry)

    def watch(self, name: str, sentence: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is asked for at each reading."""
        Gauge(f"sql_env_{name}", sentence, registry=self.registry).set_function(value)

    def exposition(self) -> bytes:
        """Return every counter in Prometheus' text format."""
        return generate_latest(self.registry)

    # --- what happens --------------------------------------------------------------------------------------

    def session_opened(self, session: str) -> None:
        """Count and log a session that was opened."""
        self._sessions.inc()
        _log("session opened", session=session)

    def session_closed(self, session: str) -> None:
        """Log the end of a session."""
        _log("session closed", session=session)

    def session_refused(self) -> None:
        """Count and log a session for which there was no room."""
        self._refused.inc()
        logger.warning("session refused: the server is full")

    def episode_started(self, dataset: str, **ids: str | None) -> None:
        """Count and log an episode that began."""
        self._started.labels(dataset).inc()
        _log("episode started", dataset=dataset, **ids)

    def step_taken(self, action: str, seconds: float, fault: AgentError | None) -> None:
        """Count a step; ``fault`` is why it could not be carried out."""
        if action not in self._by_action:
            self._by_action[action] = self._steps.labels(action)
        self._by_action[action].observe(seconds)
        if fault is not None:
            self._faults.labels(type(fault).__name__).inc()

    def episode_ended(self, dataset: str, outcome: str, **facts: Any) -> None:
        """Count and log an episode that ended: ``correct``, ``wrong`` or ``truncated``."""
        self._ended.labels(dataset, outcome).inc()
        _log("episode ended", dataset=dataset, outcome=outcome, **facts)

    def message_refused(self, reason: str) -> None:
        """Count a message that was refused."""
        self._messages.labels(reason).inc()


def _log(message: str, **fields: Any) -> None:
    logger.info(message, extra={"fields": fields})


# --- how it is written -------------------------------------------------------------------------------------


class PlainFormatter(logging.Formatter):
    """A line for people: the message, then its fields as name=value."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line, whatever the message holds."""
        record.message = _one_line(record.message)
        fields = getattr(record, "fields", {})
        return " ".join([super().formatMessage(record), *(f"{name}={_shown(value)}" for name, value in fields.items())])

    def formatException(self, ei: Any) -> str:
        """Return a traceback that cannot be taken for lines of the log."""
        return "\n".join(f"    {line}" for line in super().formatException(ei)[:20_000].splitlines())


def _one_line(text: str) -> str:
    """Write a message in one line of bounded length: libraries put what a client sent into theirs."""
    cut = text if len(text) <= 1_000 else f"{text[:1_000]}… ({len(text):,} characters)"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def _shown(value: Any) -> str:
    """Write a field's value; what a client chose may hold line breaks, which must not look like lines of ours."""
    text = str(value)
    return text if text.isascii() and text.isprintable() and " " not in text else json.dumps(text)


class StructuredFormatter(JsonFormatter):
    """A line for programs: one JSON object, the message's fields beside it."""

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Put a record's fields at the top level."""
        super().add_fields(log_data, record, message_dict)
        log_data["message"] = _one_line(str(log_data.get("message", "")))
        log_data.update(log_data.pop("fields", {}))


class _NoStrangersWords(logging.Filter):
    """Drops what libraries say of messages that are none: they quote them, and nothing is wrong here."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be kept."""
        if record.msg == "Invalid UTF-8 sequence received from client.":  # uvicorn's, with a traceback; it closes
            return False
        return record.levelno >= logging.ERROR or not _MCP.search(record.pathname)


_MCP = re.compile(r"[/\\](?:mcp|fastmcp)[/\\](?:server|shared)[/\\]")


def log_config(form: str, level: str) -> dict[str, Any]:
    """Return the logging configuration, as ``logging.config.dictConfig`` takes it.

    Args:
        form: ``text`` or ``json``.
        level: lowest level of the server's own and uvicorn's lines; of all others, warnings.
    """
    formatter = {"text": (PlainFormatter, _PLAIN), "json": (StructuredFormatter, _STRUCTURED)}[form]
    named = {"level": level.upper(), "handlers": ["stderr"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter[0], "format": formatter[1]}},
        "filters": {"ours": {"()": _NoStrangersWords}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["ours"]}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {name: dict(named) for name in ("sql_env", "uvicorn", "uvicorn.error", "uvicorn.access")},
    }
