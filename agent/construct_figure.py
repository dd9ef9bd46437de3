"""How often golds use each construct, set beside set, as a figure."""

from collections.abc import Mapping
from pathlib import Path

from sql_env.agent.figures import SERIES, drawing


def draw_constructs(path: Path, shares: Mapping[str, Mapping[str, float]]) -> None:
    """Draw a bar for each construct and set.

    Args:
        path: the PNG file to write.
        shares: for each set, shown by its name, the share of golds in which each construct occurs, from 0 to 1.
    """
    names = list(next(iter(shares.values())))
    height = 0.8 / len(shares)
    with drawing(path, 6.4, 0.34 * len(names) + 1.2) as figure:
        axes = figure.subplots()
        for number, (label, found) in enumerate(shares.items()):
            places = [place + (number - (len(shares) - 1) / 2) * height for place in range(len(names))]
            axes.barh(places, [100 * found[name] for name in names], height, color=SERIES[number], label=label)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of golds")
        axes.set_title("Constructs of the golds")
        axes.legend(loc="lower right")
