"""Runs in their folders beside each other: a table of all, the first against each other, seeds of one policy.

The first run is what the others are compared with, task by task. Runs whose settings differ in nothing but the seed are
one policy's, and are averaged if they played the same tasks.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sql_env.agent.intervals import holm
from sql_env.agent.paired import MCNEMAR, Paired, Seeds, compare, over_seeds, same_tasks
from sql_env.agent.report import HEADER, row, said_missing, summary
from sql_env.agent.run_folder import read_settings, read_trajectories
from sql_env.agent.tables import NONE, cell, counted, difference, p_value, percent, table
from sql_env.agent.trajectory import Trajectory
from sql_env.agent.variants_table import reached


@dataclass(frozen=True)
class Run:
    """A run as its folder holds it.

    Attributes:
        name: the folder's name.
        settings: what run.json says.
        episodes: its trajectories.
        numbers: their summary.
    """

    name: str
    settings: dict[str, Any]
    episodes: list[Trajectory]
    numbers: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Read a run's folder.

        Raises:
            RuntimeError: it is none; the message says why.
            ValueError: it holds episodes of several policies.
        """
        settings, episodes = read_settings(folder), read_trajectories(folder)
        asked = {"split": settings["split"]} if "split" in settings else {}
        lost = _missing(folder, settings, len(episodes))
        return cls(
            folder.resolve().name, settings, episodes, summary(episodes, asked | ({"missing": lost} if lost else {}))
        )


def _missing(folder: Path, settings: Mapping[str, Any], n: int) -> int:
    """Return how many episodes a run lacks: what its summary says of these episodes, else what its settings ask for."""
    try:
        told = json.loads((folder / "summary.json").read_text("utf-8"))
        if told["n"] == n and isinstance(told["missing"], int):
            return max(0, told["missing"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    asked = [settings.get("episodes"), settings.get("num_tasks")]
    tasks = [number for number in asked if isinstance(number, int)]
    repeats, variants = settings.get("repeats", 1), settings.get("variants", [0])
    known = tasks and isinstance(repeats, int) and isinstance(variants, list)
    return max(0, min(tasks) * repeats * len(variants) - n) if known else 0


@dataclass(frozen=True)
class Comparison:
    """Several runs beside each other.

    Attributes:
        runs: in the order given, each under a name of its own.
        pairs: the first run against each other one, by the other's name.
        adjusted: their p-values adjusted for their number (Holm 1979).
        seeds: runs that differ in nothing but the seed, by the names of the runs, joined.
        drawn_apart: such runs that are not averaged since each seed drew other tasks, by their names, joined.
    """

    runs: dict[str, Run]
    pairs: dict[str, Paired]
    adjusted: dict[str, float]
    seeds: dict[str, Seeds]
    drawn_apart: list[str] = field(default_factory=list)


def compare_runs(folders: Sequence[Path], shared_only: bool = False) -> Comparison:
    """Read runs and compare them.

    Args:
        folders: the runs' folders, at least two.
        shared_only: compare on the tasks that two runs share, instead of refusing runs of different tasks.

    Raises:
        RuntimeError: a folder holds no run.
        ValueError: there are not two runs, or they cannot be compared; the message says why.
    """
    if len(folders) < 2:
        raise ValueError("a comparison needs at least two runs")
    runs = _named([Run.read(folder) for folder in folders])
    first, *others = runs
    pairs = {other: _pair(first, other, runs, shared_only) for other in others}
    adjusted = holm([pair.p_value for pair in pairs.values()])
    return Comparison(runs, pairs, dict(zip(pairs, adjusted, strict=True)), *_seeds(runs))


def _named(runs: Sequence[Run]) -> dict[str, Run]:
    """Return the runs by name; a name that was taken gets a number."""
    named: dict[str, Run] = {}
    for run in runs:
        name, number = run.name, 2
        while name in named:
            name, number = f"{run.name} ({number})", number + 1
        named[name] = run
    return named


def _pair(first: str, other: str, runs: Mapping[str, Run], shared_only: bool) -> Paired:
    try:
        return compare(runs[first].episodes, runs[other].episodes, shared_only)
    except ValueError as error:
        remedy = "" if shared_only or "share no task" in str(error) else "; --shared compares on those in both"
        raise ValueError(f"{first} and {other}: {error}{remedy}") from None


def _seeds(runs: Mapping[str, Run]) -> tuple[dict[str, Seeds], list[str]]:
    """Average the runs that differ in nothing but the seed; return the groups that played different tasks beside.

    A group in which two have the same seed is left out.
    """
    alike: dict[str, dict[str, Run]] = {}
    for name, run in runs.items():
        if isinstance(run.settings.get("seed"), int):
            rest = {key: value for key, value in run.settings.items() if key != "seed"}
            alike.setdefault(json.dumps(rest, sort_keys=True), {})[name] = run
    found, drawn_apart = {}, []
    for group in alike.values():
        episodes = {int(run.settings["seed"]): run.episodes for run in group.values()}
        if not len(episodes) == len(group) > 1:
            continue
        if same_tasks(episodes.values()):
            found[", ".join(group)] = over_seeds(episodes)
        else:
            drawn_apart.append(", ".join(group))
    return found, drawn_apart


def as_json(compared: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON: each run's settings and numbers, pairs, seeds."""
    pairs = {name: asdict(pair) | {"p_holm": compared.adjusted[name]} for name, pair in compared.pairs.items()}
    return {
        "runs": {name: {"settings": run.settings} | run.numbers for name, run in compared.runs.items()},
        "first": next(iter(compared.runs)),
        "against": _rounded(pairs),
        "seeds": _rounded({name: asdict(seeds) for name, seeds in compared.seeds.items()}),
        "drawn_apart": compared.drawn_apart,
    }


def _rounded(value: Any) -> Any:
    """Round floats to six digits that count: a p-value may be small."""
    if isinstance(value, dict):
        return {str(key): _rounded(inner) for key, inner in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


def as_markdown(compared: Comparison) -> str:
    """Return a comparison as Markdown tables."""
    parts = [
        table(("run", *HEADER), ((cell(name), *row(run.numbers)) for name, run in compared.runs.items()), 4),
        _methods(compared),
        *([_on_variants(compared)] if _varied(compared) else []),
        _against(compared),
        *([_over_seeds(compared)] if compared.seeds else []),
        *([_drawn_apart(compared)] if compared.drawn_apart else []),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _methods(compared: Comparison) -> list[str]:
    methods = dict.fromkeys(run.numbers["interval_method"] for run in compared.runs.values())
    told = {name: said_missing(run.numbers) for name, run in compared.runs.items()}
    missing = [f"**{cell(name)}: {text}**" for name, text in told.items() if text]
    return [line for text in (f"Intervals of accuracy: {'; '.join(methods)}.", *missing) for line in ("", text)][1:]


def _varied(compared: Comparison) -> dict[str, dict[str, Any]]:
    """Return what the runs reached on variants; those that played none are left out."""
    return {name: run.numbers["on_variants"] for name, run in compared.runs.items() if "on_variants" in run.numbers}


def _on_variants(compared: Comparison) -> list[str]:
    rows = [
        (cell(name), *(reached(numbers[part]) for part in ("original", "together", "robust")))
        for name, numbers in _varied(compared).items()
    ]
    note = "Robust: right on the original and on every variant. Below, a task on each of them is a task by itself."
    return [*table(("run", "the original", "variants", "robust"), rows), "", note]


def _against(compared: Comparison) -> list[str]:
    first = next(iter(compared.runs))
    several = len(compared.pairs) > 1
    header = (f"against {cell(first)}", "tasks", "difference", "better", "worse", "p")
    rows = [_pair_row(name, pair, compared.adjusted[name], several) for name, pair in compared.pairs.items()]
    tests = "; ".join(dict.fromkeys(f"{pair.test}, two-sided" for pair in compared.pairs.values()))
    methods = "; ".join(dict.fromkeys(pair.method for pair in compared.pairs.values()))
    note = f"Difference in points of accuracy, {methods}. Better, worse: tasks. p: {tests}"
    note += f"; p (Holm): adjusted for {len(rows)} comparisons. " if several else ". "
    note += _trust(compared)
    left_out = {name: pair.left_out for name, pair in compared.pairs.items() if pair.left_out}
    told = [f"Left out, as only one of the two played them: {_counts(left_out)}."] if left_out else []
    return [*table((*header, "p (Holm)") if several else header, rows), "", note, *told]


def _trust(compared: Comparison) -> str:
    exact = any(pair.test == MCNEMAR for pair in compared.pairs.values())
    where = "The exact test is conservative; where it" if exact else "Where the test"
    return f"{where} and the interval disagree, the test counts."


def _counts(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{counted(count, 'task')} ({cell(name)})" for name, count in left_out.items())


def _pair_row(name: str, pair: Paired, adjusted: float, several: bool) -> tuple[str, ...]:
    apart = difference(pair.difference, pair.low, pair.high)
    counts = (f"{pair.n:,}", apart, str(pair.only_second), str(pair.only_first), p_value(pair.p_value))
    return (cell(name), *counts, p_value(adjusted)) if several else (cell(name), *counts)


def _over_seeds(compared: Comparison) -> list[str]:
    rows = [
        (
            cell(names),
            str(seeds.n),
            percent(seeds.mean, seeds.low, seeds.high),
            NONE if seeds.sd is None else f"{100 * seeds.sd:.1f}",
            ", ".join(f"{seed}: {rate}" for seed, rate in seeds.each.items()),
        )
        for names, seeds in compared.seeds.items()
    ]
    methods = "; ".join(dict.fromkeys(seeds.method for seeds in compared.seeds.values()))
    note = (
        "Runs that differ in nothing but the seed, each on the same tasks. The interval of the mean says what another "
        f"seed may give on them: {methods}."
    )
    return [*table(("runs", "seeds", "mean accuracy", "sd, points", "each seed"), rows), "", note]


def _drawn_apart(compared: Comparison) -> list[str]:
    groups = "; ".join(map(cell, compared.drawn_apart))
    return [f"Not averaged over seeds, since each seed drew other tasks: {groups}."]
