"""An episode as something to read: question, each action, its result, reward by component, return.

A transcript holds no time, port or episode id, so the same episode gives the same bytes.
"""

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from sql_env.agent.trajectory import Trajectory
from sql_env.models import SQLAction, SQLObservation

_STYLES = {"DESCRIBE": "cyan", "SAMPLE": "blue", "QUERY": "magenta", "ANSWER": "yellow"}
_SHOWN_CHARS = 2000
_INDENT = 5
_UNBROKEN = 12
"""Cells of at most so many characters are not broken over lines where there is room."""


class Transcript:
    """Prints an episode while it is played; give ``watch`` to ``play_episode``.

    Args:
        console: where to print.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def watch(self, action: SQLAction | None, observation: SQLObservation) -> None:
        """Print the question, or one action and what it gave."""
        if action is None:
            self._console.print(_opening(observation))
            return
        self._console.print(_heading(action, observation.step_count))
        width = self._console.width - _INDENT
        self._console.print(Padding(_outcome(action, observation, width), (0, 0, 1, _INDENT)))

    def finish(self, played: Trajectory) -> None:
        """Print how the episode ended and what it earned."""
        self._console.print(_closing(played))


def _opening(observation: SQLObservation) -> RenderableType:
    origin = observation.metadata
    subtitle = f"{origin['dataset']} · {origin['task_id']} · split {origin['split']}"
    subtitle += f" · variant {origin['variant']}" if origin.get("variant") else ""
    tables = Text(observation.schema_info, style="dim")
    body = Group(Text(observation.question, style="bold"), Text(), tables)
    return Panel(body, title="Question", subtitle=subtitle, title_align="left", subtitle_align="right", box=box.ROUNDED)


def _heading(action: SQLAction, number: int) -> RenderableType:
    heading = Text(f"{number:>2}.  ")
    heading.append(action.action_type, style=f"bold {_STYLES.get(action.action_type, 'red')}")
    if action.action_type == "QUERY":
        sql = Syntax(
            action.argument[:_SHOWN_CHARS], "sql", theme="ansi_light", background_color="default", word_wrap=True
        )
        return Group(heading, Padding(sql, (0, 0, 0, 5)))
    return heading.append(f"  {action.argument[:_SHOWN_CHARS]}", style="default")


def _outcome(action: SQLAction, observation: SQLObservation, width: int) -> RenderableType:
    if observation.error is not None:
        return Text(f"✗ {observation.error}", style="red")
    if action.action_type in ("SAMPLE", "QUERY"):
        return _result(observation, width)
    if action.action_type == "ANSWER":
        right = observation.result.startswith("Correct")
        return Text(f"{'✓' if right else '✗'} {observation.result}", style="bold green" if right else "bold red")
    return Text(observation.result)


def _result(observation: SQLObservation, width: int) -> RenderableType:
    count = observation.result.rpartition("\n")[2]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for name, least in zip(observation.columns, _least_widths(observation, width), strict=True):
        table.add_column(Text(name), overflow="fold", min_width=least)
    for row in observation.rows:
        table.add_row(*(_cell(cell) for cell in row))
    return Group(table, Text(count, style="dim"))


def _least_widths(observation: SQLObservation, width: int) -> list[int]:
    """Return widths at which short cells are not broken over lines, if there is room for that."""
    columns = range(len(observation.columns))
    widest = [max((len(str(row[number])) for row in observation.rows), default=1) for number in columns]
    least = [min(cells, _UNBROKEN) for cells in widest]
    return least if sum(least) + 2 * len(least) <= width else [1] * len(least)


def _cell(cell: object) -> Text:
    return Text("NULL", style="dim italic") if cell is None else Text(str(cell))


def _closing(played: Trajectory) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    for name, value in played.components.items():
        if name == "shaping":
            continue  # the last step's share of a sum that is nothing
        table.add_row(name, f"{value:+.2f}", style="dim" if value == 0 else "")
    table.add_row("return", f"{played.episode_return:+.2f}", style="bold")
    if played.answer_form == "sql":
        accuracy = {None: "unknown", True: "1", False: "0"}[played.official]
        table.add_row("official execution accuracy", accuracy, style="dim")
        suite = {None: "unknown", True: "1", False: "0"}[played.test_suite]
        table.add_row("test-suite accuracy", suite, style="dim")
    how = {None: "no answer within the step budget", "correct": "correct"}.get(
        played.verdict, f"wrong ({played.verdict})"
    )
    colour = "green" if played.correct else "red"
    title = f"{played.policy}: {how} after {len(played.trajectory)} steps"
    return Panel(table, title=title, title_align="left", border_style=colour, box=box.ROUNDED, expand=False)
