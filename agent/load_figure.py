"""The bench as a figure: steps a second and latency by the number of sessions, beside the echo environments."""

from pathlib import Path

from sql_env.agent.figures import BLUE, GREY, INK, MARKERS, ORANGE, drawing
from sql_env.agent.load_bench import Bench


def save_figure(bench: Bench, path: Path) -> None:
    """Write the figure as a PNG file."""
    with drawing(path, 8.0, 3.4) as figure:
        rate, latency = figure.subplots(1, 2)
        for served, colour, marker in zip(bench.served, (BLUE, GREY, ORANGE), MARKERS, strict=False):
            sessions = sorted(served.measured)
            made = [served.measured[number] for number in sessions]
            line = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.4, "label": served.name}
            rate.plot(sessions, [one.rate for one in made], **line)
            latency.plot(sessions, [1e3 * one.percentile(50) for one in made], **line)
            latency.plot(
                sessions, [1e3 * one.percentile(99) for one in made], **line | {"linestyle": ":", "label": None}
            )
        rate.set(title="Steps a second", xlabel="sessions at once", xscale="log", ylim=(0, None))
        latency.set(title="Milliseconds of a step", xlabel="sessions at once", xscale="log", yscale="log")
        latency.text(0.02, 0.95, "line: median · dotted: 99th percentile", transform=latency.transAxes, color=INK)
        latency.yaxis.set_major_formatter("{x:g}")
        for axes in (rate, latency):
            axes.set_xticks(sessions, [str(number) for number in sessions])
            axes.minorticks_off()
        rate.legend(frameon=False)
