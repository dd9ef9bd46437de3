"""Base rates: what policies reach that know nothing, and the one that knows all; per data set, split and hardness."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from sql_env.agent.metrics import Rate
from sql_env.agent.rollout import Trajectory

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
        chosen = {
            policy: [episode.correct for episode in episodes if value in ("all", key(episode))]
            for policy, episodes in played.items()
        }
        counts = {len(outcomes) for outcomes in chosen.values()}
        rates = " | ".join(str(Rate.of(outcomes)) for outcomes in chosen.values())
        lines.append(f"| {value} | {'/'.join(map(str, sorted(counts)))} | {rates} |")
    return lines


def _returns(played: Mapping[str, Sequence[Trajectory]]) -> list[str]:
    means = [statistics.mean(episode.episode_return for episode in episodes) for episodes in played.values()]
    return [
        f"| | {' | '.join(played)} |",
        "|---|" + "---|" * len(played),
        f"| mean return | {' | '.join(f'{mean:+.3f}' for mean in means)} |",
    ]
