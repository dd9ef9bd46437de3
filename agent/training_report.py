"""Several training runs as one result: accuracy on held-out tasks before and after, over seeds, and curves.

Reads the folders that ``scripts/measure_training.py`` fills: ``sft-SEED``, ``grpo-ARM-SEED`` and ``base-POLICY-SET``.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sql_env.agent.curve_figure import draw_curve
from sql_env.agent.intervals import t_clustered
from sql_env.agent.metrics import accuracy
from sql_env.agent.paired import compare, over_seeds
from sql_env.agent.run_folder import parsed, read_trajectories
from sql_env.agent.tables import difference, p_value, percent, table
from sql_env.agent.trajectory import Trajectory

BEFORE, AFTER = "before", "after"
ENDS = ("right", "wrong", "no answer")
BEGIN, END = "<!-- training: begin -->", "<!-- training: end -->"

Played = dict[str, dict[int, list[Trajectory]]]
"""Episodes by when they were played and by seed."""
Set = tuple[str, str]
"""A held-out set: a data set and a split."""


def seeds_of(folder: Path, arm: str) -> list[int]:
    """Return the seeds of an arm that are finished."""
    found = (re.fullmatch(rf"grpo-{arm}-(\d+)", path.name) for path in folder.iterdir())
    return sorted(int(match[1]) for match in found if match and (folder / match[0] / "training.json").is_file())


def held_out(folder: Path, arm: str, temperature: float) -> dict[Set, Played]:
    """Return what an arm's runs played of each held-out set."""
    names = {f"llm:{when} GRPO, temperature {temperature:g}": when for when in (BEFORE, AFTER)}
    played: dict[Set, Played] = {}
    for seed in seeds_of(folder, arm):
        file = folder / f"grpo-{arm}-{seed}" / "held_out.jsonl"
        for episode in parsed(file, file.read_text("utf-8")):
            if when := names.get(episode.policy):
                of_set = played.setdefault((episode.dataset, episode.split), {BEFORE: {}, AFTER: {}})
                of_set[when].setdefault(seed, []).append(episode)
    return played


def rewards(folder: Path, arm: str, name: str = "reward") -> list[list[float]]:
    """Return the curve of each of an arm's runs."""
    curves = []
    for seed in seeds_of(folder, arm):
        lines = (folder / f"grpo-{arm}-{seed}" / "metrics.jsonl").read_text("utf-8").splitlines()
        curves.append([entry[name] for entry in map(json.loads, lines) if name in entry])
    return curves


def _over(runs: Mapping[int, Sequence[Trajectory]]) -> str:
    found = over_seeds(runs)
    each = " / ".join(f"{100 * rate.value:.1f}" for rate in found.each.values())
    pooled = accuracy([episode for episodes in runs.values() for episode in episodes])
    return f"{percent(pooled.value, pooled.low, pooled.high)} ({each})"


def main_table(folder: Path, sets: Mapping[str, Set], temperature: float, arm: str = "outcome") -> list[str]:
    """Return the table of accuracies before and after GRPO.

    Intervals and p are of questions, for these models: all seeds taken together, a question's answers kept together. In
    parentheses stands each seed. The last column is the mean gain over seeds with Student's t interval of the seeds'
    gains: what another seed may bring. All gains are in points of a hundred.

    Args:
        folder: the runs'.
        sets: held-out sets, shown by their names, each a data set and a split.
        temperature: of sampling.
        arm: whose runs.
    """
    rows, found = [], held_out(folder, arm, temperature)
    for name, (dataset, split) in sets.items():
        if (dataset, split) not in found:
            continue
        played = found[dataset, split]
        pooled = {when: [one for runs in played[when].values() for one in runs] for when in played}
        tested = compare(pooled[BEFORE], pooled[AFTER])
        gained = difference(tested.difference, tested.low, tested.high)
        rows.append(
            (
                name,
                str(len(next(iter(played[AFTER].values())))),
                *(_base(folder, policy, dataset, split) for policy in ("constant", "random", "scripted")),
                _over(played[BEFORE]),
                _over(played[AFTER]),
                f"{gained}, p {p_value(tested.p_value)}",
                _gains(played),
            )
        )
    header = ("held out", "n", "constant", "random", "scripted", "after SFT", "after GRPO", "gained", "over seeds")
    return table(header, rows)


def _gains(played: Played) -> str:
    gains = [accuracy(played[AFTER][seed]).value - accuracy(played[BEFORE][seed]).value for seed in played[AFTER]]
    low, high = t_clustered([(gain, 1) for gain in gains]) or (None, None)
    return difference(sum(gains) / len(gains), low, high)


def _base(folder: Path, policy: str, dataset: str, split: str) -> str:
    path = folder / f"base-{policy}-{dataset}-{split}"
    if not path.is_dir():
        return "–"
    return f"{100 * accuracy(read_trajectories(path)).value:.1f} %"


def returns_line(folder: Path, arm: str = "outcome") -> str:
    """Return a sentence on the mean return of training rollouts, in the first and the last tenth of the batches."""
    curves = rewards(folder, arm)
    tenth = max(1, len(curves[0]) // 10)
    first, last = (_told([sum(part) / tenth for part in parts]) for parts in (
        [curve[:tenth] for curve in curves], [curve[-tenth:] for curve in curves],
    ))  # fmt: skip
    return f"Mean return of training rollouts: {first} in the first tenth of the batches, {last} in the last."


def _told(means: Sequence[float]) -> str:
    return f"{sum(means) / len(means):+.2f} ({' / '.join(f'{mean:+.2f}' for mean in means)})"


def ends_table(folder: Path, sets: Mapping[str, Set], temperatures: Sequence[float], arm: str = "outcome") -> list[str]:
    """Return a table of how episodes end before and after GRPO, all seeds taken together."""
    rows = []
    for temperature in temperatures:
        found = held_out(folder, arm, temperature)
        for name, one in sets.items():
            for when in (BEFORE, AFTER):
                episodes = [episode for runs in found[one][when].values() for episode in runs]
                ends = [_end(episode) for episode in episodes]
                shares = [f"{100 * ends.count(end) / len(ends):.1f} %" for end in ENDS]
                rows.append((name, f"{temperature:g}", f"{when} GRPO", str(len(ends)), *shares))
    return table(("held out", "temperature", "when", "n", *ENDS), rows)


def _end(episode: Trajectory) -> str:
    if episode.verdict in (None, "empty"):
        return ENDS[2]
    return ENDS[0] if episode.correct else ENDS[1]


def ablation_table(folder: Path, arms: Sequence[str], sets: Mapping[str, Set], temperature: float) -> list[str]:
    """Return a table of what each reward led to, from the same warm starts and with the same budget."""
    rows = []
    for arm in arms:
        seeds = seeds_of(folder, arm)
        if not seeds:
            continue
        found = held_out(folder, arm, temperature)
        cells = [_over(found[one][AFTER]) for one in sets.values()]
        right = [curve[-max(1, len(curve) // 10) :] for curve in rewards(folder, arm, "episodes/accuracy")]
        last = sum(map(sum, right)) / sum(map(len, right))
        rows.append((arm, str(len(seeds)), f"{100 * last:.1f} %", *cells))
    return table(("reward", "seeds", "right in the last tenth of training", *sets), rows)


def figures(folder: Path, arms: Sequence[str], out: Path) -> None:
    """Draw the learning curve, and the ablation's where there are several arms."""
    random = next(
        (
            json.loads((folder / f"grpo-{arms[0]}-{seed}" / "training.json").read_text("utf-8"))["random"]["return"]
            for seed in seeds_of(folder, arms[0])
        ),
        None,
    )
    draw_curve(out / "training_curve.png", {"outcome reward": rewards(folder, arms[0])}, random, smooth=7)
    found = {arm: rewards(folder, arm, "episodes/accuracy") for arm in arms if seeds_of(folder, arm)}
    if len(found) > 1:
        of = "share of right rollouts"
        draw_curve(out / "training_ablation.png", found, of=of, title="The same budget, other rewards", smooth=11)


def costs(folder: Path) -> dict[str, float]:
    """Return the seconds that a run took, evaluations among them, by kind of run: the mean over runs."""
    found: dict[str, list[float]] = {}
    for path in folder.glob("*/training.json"):
        seconds = json.loads(path.read_text("utf-8")).get("seconds")
        if seconds is not None:
            found.setdefault(path.parent.name.split("-")[0], []).append(seconds)
    return {kind: sum(seconds) / len(seconds) for kind, seconds in found.items()}


def replaced(page: str, section: str) -> str:
    """Return a page with what stands between the marks replaced.

    Raises:
        ValueError: it has no marks.
    """
    if BEGIN not in page or END not in page:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{section}\n{END}{rest.partition(END)[2]}"
