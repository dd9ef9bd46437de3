"""Base rates: what policies reach that know nothing, and the one that knows all; per data set, split and hardness."""

from collections.abc import Mapping, Sequence

from sql_env.agent.metrics import accuracy, breakdown, returns
from sql_env.agent.tables import points
from sql_env.agent.trajectory import Trajectory


def section(title: str, played: Mapping[str, Sequence[Trajectory]]) -> list[str]:
    """Return one data set's tables as lines of Markdown: right answers by split and by hardness, mean returns.

    Args:
        title: the heading.
        played: each policy's episodes, one for every question.
    """
    return [
        f"## {title}",
        "",
        *_table("split", played),
        "",
        *_table("hardness", played),
        "",
        *_returns(played),
        "",
    ]


def _table(name: str, played: Mapping[str, Sequence[Trajectory]]) -> list[str]:
    found = [breakdown(episodes, name) | {"all": accuracy(episodes)} for episodes in played.values()]
    lines = [f"| {name} | n | {' | '.join(played)} |", "|---|---|" + "---|" * len(played)]
    for value in found[0]:
        rates = [rates[value] for rates in found]
        counts = sorted({rate.n for rate in rates})
        lines.append(f"| {value} | {'/'.join(map(str, counts))} | {' | '.join(map(str, rates))} |")
    return lines


def _returns(played: Mapping[str, Sequence[Trajectory]]) -> list[str]:
    means = [returns(episodes)["return"] for episodes in played.values()]
    return [
        f"| | {' | '.join(played)} |",
        "|---|" + "---|" * len(played),
        f"| mean return | {' | '.join(points(mean.value, mean.low, mean.high) for mean in means)} |",
    ]
