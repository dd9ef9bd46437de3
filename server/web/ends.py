"""What a visitor is shown of an episode that is over: the gold, and the oracle's way, played again and rendered here.

Never before the end, and never of a split that measures agents, unless the setting ``reveal`` says so: a server on the
open internet would publish its benchmark. Nothing of it goes over the WebSocket on which episodes are played.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sql_env.models import SQLAction, SQLObservation
from sql_env.server.environment import Ended, SQLEnvironment
from sql_env.server.errors import BusyError
from sql_env.server.formatting import json_value
from sql_env.server.questions import oracle_way
from sql_env.server.recent import Recent
from sql_env.server.resources import Resources

MEASURING: Final = ("test", "compositional")
"""Splits on which agents are measured."""

REMEMBERED: Final = 64
"""Ends that are remembered, each some kilobytes."""

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def is_withheld(split: str, reveal: str) -> bool:
    """Return whether golds of a split are kept from visitors.

    Args:
        split: the split.
        reveal: the setting: ``practice`` keeps those of the measuring splits, ``none`` all, ``all`` none.
    """
    return reveal == "none" or (reveal == "practice" and split in MEASURING)


@dataclass(frozen=True)
class _Shown:
    """One step of the oracle's."""

    action: str
    argument: str
    observation: SQLObservation


class Ends:
    """Shows ended episodes, each made once and one at a time: a stranger may ask often, and the oracle runs statements.

    Args:
        resources: what all sessions share.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._recent: Recent[Ended, str] = Recent(REMEMBERED)
        self._making: dict[Ended, asyncio.Task[str]] = {}
        self._turn = asyncio.Semaphore(1)

    async def render(self, ended: Ended) -> str:
        """Return what is shown of an ended episode, as HTML.

        Raises:
            BusyError: the oracle could not be played now.
        """
        known = self._recent.get(ended)
        if known is not None:
            return known
        if ended not in self._making:
            task = self._making[ended] = asyncio.create_task(self._in_turn(ended))
            task.add_done_callback(partial(self._made, ended))
        # Whoever goes away leaves it to the others that wait for the same.
        return await asyncio.shield(self._making[ended])

    async def _in_turn(self, ended: Ended) -> str:
        async with self._turn:
            return await self._rendered(ended)

    def _made(self, ended: Ended, task: "asyncio.Task[str]") -> None:
        del self._making[ended]
        if not task.cancelled() and task.exception() is None:
            self._recent.put(ended, task.result())

    async def _rendered(self, ended: Ended) -> str:
        question, reveal = ended.question, self._resources.settings.reveal
        if is_withheld(question.split, reveal):
            return _render("withheld.html", split=question.split, reveal=reveal)
        # A budget below the oracle's, which only an operator can set, ends its episode as anyone's.
        way = oracle_way(question, ended.answer_form)[: self._resources.settings.max_steps]
        steps = [_Shown(*did, seen) for did, seen in zip(way, await self._played(ended, way), strict=True)]
        if any(step.observation.error for step in steps):
            raise BusyError("the answer cannot be shown now: the server is busy")
        rows = [[json_value(cell) for cell in row] for row in question.gold_rows]
        return _render("end.html", question=question, rows=rows, steps=steps)

    async def _played(self, ended: Ended, way: list[tuple[str, str]]) -> list[SQLObservation]:
        """Play the oracle's way in an episode of its own, which nobody counts."""
        environment = SQLEnvironment(self._resources)
        await environment.reset_async(
            dataset=ended.dataset,
            task_id=ended.question.question_id,
            variant=ended.variant,
            answer_form=ended.answer_form,
        )
        return [await environment.step_async(SQLAction(action_type=action, argument=text)) for action, text in way]


def _render(template: str, **values: Any) -> str:
    return _TEMPLATES.get_template(template).render(**values)
