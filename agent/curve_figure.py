"""The learning curve as a figure: runs of several seeds beside what the random policy reaches on the same tasks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sql_env.agent.figures import GREY, SERIES, drawing

Curve = Sequence[float]
Band = tuple[float, float, float]
"""A mean and its interval."""


def draw_curve(
    path: Path,
    arms: Mapping[str, Sequence[Curve]],
    random: Band | None = None,
    *,
    of: str = "mean return of a batch's rollouts",
    title: str = "Learning curve",
    smooth: int = 5,
) -> None:
    """Draw a line for each seed and a thick one for their mean.

    Args:
        path: the PNG file to write.
        arms: for each arm, shown by its name, the curve of each seed; curves of one arm have one length.
        random: what the random policy reaches, with its interval.
        of: what is shown.
        title: the title.
        smooth: steps over which each point is averaged, up to and with its own.

    Raises:
        ValueError: there is nothing to draw, or more arms than colours.
    """
    if not arms or not all(runs and all(runs) for runs in arms.values()) or len(arms) > len(SERIES):
        raise ValueError(f"a curve needs 1 to {len(SERIES)} arms, each with a run")
    with drawing(path, 6.4, 3.6) as figure:
        axes = figure.subplots()
        for (name, runs), colour in zip(arms.items(), SERIES, strict=False):
            smoothed = [_averaged(run, smooth) for run in runs]
            steps = range(1, min(map(len, smoothed)) + 1)
            if len(runs) > 1:
                for run in smoothed:
                    axes.plot(steps, run[: len(steps)], color=colour, linewidth=0.7, alpha=0.45)
            middle = [sum(values) / len(values) for values in zip(*smoothed, strict=False)]
            seeds = f" ({len(runs)} seeds)" if len(runs) > 1 else ""
            axes.plot(steps, middle, color=colour, linewidth=2, label=f"{name}{seeds}")
        if random is not None:
            value, low, high = random
            axes.axhspan(low, high, color=GREY, alpha=0.18, linewidth=0)
            axes.axhline(value, color=GREY, linewidth=1.2, linestyle="--", label="random policy, 95 % interval")
        axes.set_xlabel("batches of rollouts")
        axes.set_ylabel(of)
        axes.set_title(title)
        axes.legend(loc="best")


def _averaged(curve: Curve, width: int) -> list[float]:
    """Return each point averaged with those before it."""
    parts = [curve[max(0, place + 1 - width) : place + 1] for place in range(len(curve))]
    return [sum(part) / len(part) for part in parts]
