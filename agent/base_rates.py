"""Base rates: what policies reach that know nothing, and the one that knows all; per data set, split and hardness."""

from collections.abc import Callable, Mapping, Sequence

from sql_env.agent.metrics import accuracy, returns
from sql_env.agent.tables import points
from sql_env.agent.trajectory import Trajectory

SPLITS = ("train", "eval", "test")
HARDNESS = ("easy", "medium", "hard", "extra")


def section(title: str, played: Mapping[str, Sequence[Trajectory]]) -> list[str]:
    """Return one data set's tables as lines of Markdown: right answers by split and by hardness, mean returns.

    Args:
        title: the heading.
        played: each policy's episodes, one for every question.
    """
    return [
        f"## {title}",
        "",
        *_table("split", played, lambda episode: episode.split, SPLITS),
        "",
        *_table("hardness", played, lambda episode: episode.hardness, HARDNESS),
        "",
        *_returns(played),
        "",
    ]


def _table(
    name: str, played: Mapping[str, Sequence[Trajectory]], key: Callable[[Trajectory], str], order: Sequence[str]
) -> list[str]:
    everything = [episode for episodes in played.values() for episode in episodes]
    values = [value for value in order if value in {key(episode) for episode in everything}]
    lines = [f"| {name} | n | {' | '.join(played)} |", "|---|---|" + "---|" * len(played)]
    for value in (*values, "all"):
        chosen = [[episode for episode in episodes if value in ("all", key(episode))] for episodes in played.values()]
        counts = {len(episodes) for episodes in chosen}
        rates = " | ".join(str(accuracy(episodes)) for episodes in chosen)
        lines.append(f"| {value} | {'/'.join(map(str, sorted(counts)))} | {rates} |")
    return lines


def _returns(played: Mapping[str, Sequence[Trajectory]]) -> list[str]:
    means = [returns(episodes)["return"] for episodes in played.values()]
    return [
        f"| | {' | '.join(played)} |",
        "|---|" + "---|" * len(played),
        f"| mean return | {' | '.join(points(mean.value, mean.low, mean.high) for mean in means)} |",
    ]
