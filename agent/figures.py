"""A run, or several, as figures: PNG files whose bytes the same episodes repeat.

Colours are Okabe and Ito's, which colour-blind readers tell apart. No state of matplotlib is touched or read: neither a
user's style nor pyplot's list of figures.
"""

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from sql_env.agent.failures import CAUSES, failures
from sql_env.agent.metrics import Rate, accuracy, breakdown, median, steps
from sql_env.agent.tables import counted
from sql_env.agent.trajectory import Trajectory

try:
    from matplotlib import style
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
except ModuleNotFoundError as error:  # pragma: no cover
    raise ModuleNotFoundError(
        "figures need matplotlib: pip install 'openenv-sql-env[eval]'", name=error.name
    ) from error

BLUE, ORANGE, GREEN, PINK, SKY, VERMILION = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILION)
INK, GREY, PALE = "#222222", "#6B6B6B", "#E4E4E4"
MARKERS = "osD^vP"
BUDGET = 15
"""Steps of an episode."""

_SHORT, _LONG = 24, 44
"""Characters of a name: in a legend of two columns, and at most."""

Place = tuple[int, float]
"""Steps and return."""

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.parse_math": False,
    "text.color": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.dpi": 200,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
}


@contextmanager
def drawing(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure in this module's style, and save it."""
    with style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure = Figure(figsize=(width, height))
        yield figure
        figure.savefig(path, format="png", metadata={"Software": None})


def draw_accuracy(path: Path, runs: Mapping[str, Sequence[Trajectory]]) -> None:
    """Draw accuracy by hardness and by answer type, each group with its 95 % interval and n.

    Args:
        path: the PNG file to write.
        runs: each run's name and its episodes; up to six.

    Raises:
        ValueError: there are no runs, more than six, or one has no episodes.
    """
    if not 1 <= len(runs) <= len(SERIES):
        raise ValueError(f"a figure holds 1 to {len(SERIES)} runs, not {len(runs)}")
    panels = {
        name: {run: breakdown(episodes, name) for run, episodes in runs.items()} for name in ("hardness", "answer_type")
    }
    sizes = [max(1, len({value for rates in panel.values() for value in rates})) for panel in panels.values()]
    with drawing(path, 8.2, 3.1 + 0.2 * (len(runs) > 1) * math.ceil(len(runs) / _columns(runs))) as figure:
        axes = figure.subplots(1, 2, sharey=True, width_ratios=sizes)
        for axis, (name, panel) in zip(axes, panels.items(), strict=True):
            _panel(axis, name.replace("_", " "), panel)
        axes[0].set_ylabel("accuracy")
        _headline(figure, runs)


def _headline(figure: Figure, runs: Mapping[str, Sequence[Trajectory]]) -> None:
    """Say whose accuracy it is: a title for one run, a legend for several."""
    names = _distinct(list(runs))
    told = [f"{name}: {accuracy(runs[run])}, n = {len(runs[run])}" for name, run in zip(names, runs, strict=True)]
    if len(told) == 1:
        _title(figure, told[0])
        return
    handles = figure.axes[0].get_legend_handles_labels()[0]
    figure.legend(handles, told, loc="outside upper left", ncols=_columns(runs), handletextpad=0.4, columnspacing=1.6)


def _columns(names: Iterable[str]) -> int:
    """Return how many columns a legend may have: one if a name is long."""
    return 2 if all(_width(_one_line(name)) <= _SHORT for name in names) else 1


def _title(figure: Figure, text: str, room: float = 0.98) -> None:
    """Write a title from the figure's left edge, smaller if it would be wider than ``room`` of the figure."""
    for size in (10.5, 9.5, 8.5, 7.5, 6.5):
        title = figure.suptitle(text, x=0.01, ha="left", fontsize=size, fontweight="bold")
        if title.get_window_extent().width <= room * figure.bbox.width:
            return


def _who(episodes: Sequence[Trajectory]) -> str:
    return _short(episodes[0].policy) if episodes else "nobody"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _width(text: str) -> int:
    """Return how wide a text is: Chinese and its like count twice."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _short(text: str, most: int = _LONG) -> str:
    """Return a text on one line, its middle left out if it is too wide: names often differ at their end."""
    line = _one_line(text)
    if _width(line) <= most:
        return line
    cut = len(line) - 1
    while _width(line[: (cut + 1) // 2]) + _width(line[len(line) - cut // 2 :]) > most - 1:
        cut -= 1
    return f"{line[: (cut + 1) // 2]}…{line[len(line) - cut // 2 :]}"


def _distinct(names: Sequence[str]) -> list[str]:
    """Return short names; those that became the same are numbered."""
    short = [_short(name) for name in names]
    return [
        name if short.count(name) == 1 else f"{_short(name, _LONG - 4)} ({short[: place + 1].count(name)})"
        for place, name in enumerate(short)
    ]


def _panel(axis: Axes, title: str, panel: Mapping[str, Mapping[str, Rate]]) -> None:
    """Draw one breakdown: a point and its interval for each group and run."""
    longest = max(panel.values(), key=len)
    values = [*longest, *sorted({value for rates in panel.values() for value in rates} - set(longest))]
    for place, rates in enumerate(panel.values()):
        shift = 0.0 if len(panel) == 1 else 0.6 * (place / (len(panel) - 1) - 0.5)
        places = [values.index(value) + shift for value in rates]
        _points(axis, places, list(rates.values()), place)
    counts = {value: {rates[value].n for rates in panel.values() if value in rates} for value in values}
    labels = [f"{_short(value, 12)}\nn = {_from_to(counts[value])}" for value in values]
    axis.set_xticks(range(len(values)), labels, fontsize=8)
    axis.set_xlim(-0.6, len(values) - 0.4)
    axis.set_ylim(-0.03, 1.03)
    axis.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axis.set_title(f"by {title}", fontweight="normal")


def _from_to(counts: set[int]) -> str:
    return "–".join(map(str, sorted({min(counts), max(counts)})))


def _points(axis: Axes, places: Sequence[float], rates: Sequence[Rate], series: int) -> None:
    shares = [rate.value for rate in rates]
    # A share may lie a rounding beyond the end of its interval.
    spread = [
        [max(0.0, rate.value - rate.low) for rate in rates],
        [max(0.0, rate.high - rate.value) for rate in rates],
    ]
    axis.errorbar(
        places,
        shares,
        yerr=spread,
        fmt=MARKERS[series],
        color=SERIES[series],
        markersize=6,
        markeredgecolor="white",
        markeredgewidth=0.8,
        elinewidth=1.8,
        capsize=0,
        label=str(series),
    )


def draw_steps(path: Path, episodes: Sequence[Trajectory]) -> None:
    """Draw steps against return; the area of a disc is the number of episodes.

    Right episodes of as many steps share a disc at their mean return; the others share one where their returns agree to
    0.1. A band marks what no episode earns, a line the median par.

    Args:
        path: the PNG file to write.
        episodes: one run's.
    """
    right, wrong = _right_places(episodes), _wrong_places(episodes)
    largest = max([*right.values(), *wrong.values()], default=1)
    with drawing(path, 6.6, 3.9) as figure:
        axis = figure.subplots()
        for places, colour, name in ((right, BLUE, "right"), (wrong, VERMILION, "not right")):
            _discs(axis, places, largest, colour, f"{name}, n = {places.total()}")
        _marks(axis, episodes)
        _title(figure, f"{_who(episodes)}\nsteps and return, n = {len(episodes)}", room=0.75)
        axis.set_xlabel("steps taken")
        axis.set_ylabel("return")
        _legend(figure, largest)


def _right_places(episodes: Sequence[Trajectory]) -> Counter[Place]:
    earned: dict[int, list[float]] = {}
    for episode in episodes:
        if episode.correct:
            earned.setdefault(steps(episode), []).append(episode.episode_return)
    return Counter({(taken, math.fsum(found) / len(found)): len(found) for taken, found in earned.items()})


def _wrong_places(episodes: Sequence[Trajectory]) -> Counter[Place]:
    return Counter((steps(episode), round(episode.episode_return, 1)) for episode in episodes if not episode.correct)


def _discs(axis: Axes, places: Counter[Place], largest: int, colour: str, name: str) -> None:
    ordered = sorted(places, key=lambda place: (-places[place], place))
    axis.scatter(
        [taken for taken, _ in ordered],
        [earned for _, earned in ordered],
        s=[_area(places[place], largest) for place in ordered],
        color=colour,
        alpha=0.75,
        edgecolors="white",
        linewidths=0.7,
        label=name,
        zorder=3,
    )


def _area(count: int, largest: int) -> float:
    return 14 + 440 * count / max(largest, 20)


def _marks(axis: Axes, episodes: Sequence[Trajectory]) -> None:
    longest = max(BUDGET, *(steps(episode) for episode in episodes))
    axis.set_xlim(0, longest + 0.9)
    axis.set_xticks(range(1, longest + 1))
    axis.set_ylim(-0.22, 1.18)
    axis.set_yticks([-0.1, 0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axis.axhspan(0.2, 0.8, color="#F4F4F4", zorder=0, linewidth=0)
    axis.text(
        longest + 0.8,
        0.5,
        "right answers earn 0.8 or more,\nothers 0.2 or less",
        color=GREY,
        ha="right",
        va="center",
        fontsize=8,
    )
    par = median(episodes, lambda episode: episode.par)
    if par is not None:
        axis.axvline(par.value, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axis.text(par.value + 0.15, 1.16, f"median par: {par.value:g}", color=GREY, fontsize=8, va="top")


def _legend(figure: Figure, largest: int) -> None:
    """Explain colours and areas, to the right of the axes."""
    axis = figure.axes[0]
    handles, names = axis.get_legend_handles_labels()
    kept = [(handle, name) for handle, name in zip(handles, names, strict=True) if not name.endswith("n = 0")]
    sizes = sorted({1, max(1, largest // 4), largest})
    areas = [axis.scatter([], [], s=_area(size, largest), color=GREY, alpha=0.6, linewidths=0) for size in sizes]
    told = [counted(size, "episode") for size in sizes]
    first = figure.legend([handle for handle, _ in kept], [name for _, name in kept], loc="outside right upper")
    for handle in first.legend_handles:
        if handle is not None:
            handle.set(sizes=[45])
    figure.legend(areas, told, loc="outside right lower", labelspacing=1.6, handletextpad=1.2, borderpad=1)


def draw_failures(path: Path, episodes: Sequence[Trajectory]) -> None:
    """Draw how often each cause of failure occurred, as bars with counts and shares of all episodes.

    Args:
        path: the PNG file to write.
        episodes: one run's.
    """
    counts = failures(episodes)
    total = sum(counts.values())
    with drawing(path, 6.6, 1.3 + 0.34 * len(counts)) as figure:
        axis = figure.subplots()
        _title(figure, f"{_who(episodes)}\n{total} of {counted(len(episodes), 'episode')} failed")
        if not counts:
            axis.axis("off")
            axis.text(0, 0.5, f"Every answer was right, n = {len(episodes)}.", transform=axis.transAxes, va="center")
            return
        names = [CAUSES[name] for name in counts]
        axis.barh(names, list(counts.values()), color=VERMILION, height=0.62)
        for place, count in enumerate(counts.values()):
            axis.annotate(
                f"{count}  ({100 * count / len(episodes):.0f} %)",
                (count, place),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        axis.invert_yaxis()
        axis.grid(False)
        axis.set_xlim(0, 1.22 * max(counts.values()))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_xlabel("episodes")
        axis.spines["left"].set_visible(False)
