"""A bar that shows how far a run is, on standard error; nothing where that is no terminal."""

from collections.abc import Collection, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from sql_env.agent.jobs import Job, Lost
from sql_env.agent.trajectory import Trajectory


class Progress:
    """Shows episodes done, right and lost; a context manager.

    Args:
        todo: every job of the run.
        played: those that are done already.
        quiet: show nothing.
    """

    def __init__(self, todo: Collection[Job], played: Mapping[Job, Trajectory], quiet: bool = False) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        times = (TimeElapsedColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        self._bar = Bar(*columns, *times, console=console, transient=True, disable=quiet or not console.is_terminal)
        self._done, self._lost = len(played), 0
        self._right = sum(episode.correct for episode in played.values())
        self._task = self._bar.add_task(self._said(), total=len(todo), completed=self._done)

    def tell(self, outcome: Trajectory | Lost) -> None:
        """Count an outcome."""
        if isinstance(outcome, Lost):
            self._lost += 1
        else:
            self._done += 1
            self._right += outcome.correct
        self._bar.update(self._task, completed=self._done, description=self._said())

    def _said(self) -> str:
        share = f"{100 * self._right / self._done:.0f} % right" if self._done else ""
        return share + (f", {self._lost} lost" if self._lost else "")

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
