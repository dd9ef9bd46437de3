"""docs/results.md: a page whose rows name the commands that make them; measured again, a row is the same or wrong."""

import re
import shlex
from collections.abc import Callable

from sql_env.agent.report import HEADER

COMMAND = re.compile(r"^\| `python scripts/evaluate\.py (?P<options>[^`|]*)` \|.*$", re.MULTILINE)


def commands(page: str) -> list[list[str]]:
    """Return the options of each row's command, in order."""
    return [shlex.split(found["options"]) for found in COMMAND.finditer(page)]


def measured(page: str, row_of: Callable[[list[str]], tuple[str, ...]], dataset: str | None = None) -> str:
    """Return the page with its rows as they are measured now.

    Args:
        page: the page.
        row_of: runs a command's options and returns the row of its summary (report.row).
        dataset: measure only the rows with ``--dataset`` of this name.
    """

    def again(found: "re.Match[str]") -> str:
        options = shlex.split(found["options"])
        if dataset is not None and options[options.index("--dataset") + 1] != dataset:
            return found[0]
        row = row_of(options)
        assert len(row) == len(HEADER)
        return f"| `python scripts/evaluate.py {found['options']}` | {' | '.join(row)} |"

    return COMMAND.sub(again, page)
