"""A run in numbers and tables.

``summary`` is JSON whose keys come in one order and whose floats are rounded: the same run gives the same bytes.
Every number stands beside how many it comes from and its 95 % interval.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sql_env.agent import rounded
from sql_env.agent.failures import CAUSES, cause, failures
from sql_env.agent.grouping import by_case, by_question, by_task
from sql_env.agent.metrics import (
    BREAKDOWNS,
    Rate,
    accuracy,
    beyond_par,
    breakdown,
    completion_tokens,
    invalid_actions,
    mean,
    median,
    official_accuracy,
    pass_at_k,
    prompt_tokens,
    rate_of,
    returns,
    steps,
)
from sql_env.agent.robust import on_variants, suite_accuracy
from sql_env.agent.tables import NONE, cell, counted, number, percent, points, table
from sql_env.agent.trajectory import Trajectory
from sql_env.agent.variants_table import numbers_of, played_on, variants_table

HEADER = ("policy", "data set", "split", "n", "accuracy", "mean return", "steps", "invalid actions")

_RESULTS = ("accuracy", "n", "interval", "interval_method", "right", "tasks", "clusters", "tries", "bounds")
_MORE = (
    *("official_accuracy", "test_suite_accuracy", "on_variants", "returns", "steps", "invalid_actions", "failures"),
    *("breakdown", "pass_at_k", "usage"),
)
_RATES = {"official_accuracy": "official execution accuracy", "test_suite_accuracy": "test-suite accuracy"}
_SAID = ("policy", "dataset", "split", "answer_form", "prompt")


def summary(trajectories: Sequence[Trajectory], about: Mapping[str, object]) -> dict[str, Any]:
    """Return a run in numbers, as JSON.

    Args:
        trajectories: its episodes, of one policy, in any order.
        about: what else to say of the run, as JSON: policy, dataset, split, seed, prompt. It stands after the accuracy;
            policy, dataset, split, answer_form and prompt are read from the episodes where it lacks them. ``missing``
            is how many episodes were lost.

    Returns:
        ``accuracy`` (from 0 to 1), ``n`` (episodes), ``interval`` ([low, high]), ``interval_method``, ``right``,
        ``tasks``, ``clusters`` (tasks, twins counted once), ``tries`` ([fewest, most] at a task), ``bounds`` where
        episodes are missing ([lowest, highest] accuracy that they could have led to), ``about``'s entries, and
        ``official_accuracy``, ``test_suite_accuracy`` where the server told of one, ``on_variants`` where variants were
        played, ``returns``, ``steps``, ``invalid_actions``, ``failures``, ``breakdown``, ``pass_at_k``, ``usage``.

    Raises:
        ValueError: there are no episodes, they are of several policies, or ``about`` names one of the results.
    """
    episodes = list(trajectories)
    _check(episodes, about)
    rate, tries = accuracy(episodes), [len(group) for group in by_case(episodes).values()]
    headline = {"accuracy": rounded.rounded(rate.value), "n": rate.n} | rounded.interval(rate)
    return {
        **headline,
        "right": rate.right,
        "tasks": len(by_task(episodes)),
        "clusters": len(by_question(episodes)),
        "tries": [min(tries), max(tries)],
        **_bounds(rate, about.get("missing")),
        **(_said(episodes) | dict(about)),
        "official_accuracy": rounded.rate(official_accuracy(episodes)),
        **_suite(episodes),
        **({"on_variants": numbers_of(changed)} if (changed := on_variants(episodes)) else {}),
        "returns": {name: rounded.mean(found) for name, found in returns(episodes).items()},
        "steps": _steps(episodes),
        "invalid_actions": _invalid(episodes),
        "failures": _failures(episodes),
        "breakdown": {
            name: {value: rounded.rate(found) for value, found in breakdown(episodes, name).items()}
            for name in BREAKDOWNS
        },
        "pass_at_k": {str(k): rounded.mean(found) for k, found in pass_at_k(episodes).items()},
        "usage": {
            "prompt_tokens": _tokens(episodes, prompt_tokens),
            "completion_tokens": _tokens(episodes, completion_tokens),
        },
    }


def _suite(episodes: Sequence[Trajectory]) -> dict[str, Any]:
    """Return the test-suite accuracy where the server told of one, if only that nothing was tried."""
    told = any(episode.test_suite is not None for episode in episodes)
    return {"test_suite_accuracy": rounded.rate(suite_accuracy(episodes))} if told else {}


def _check(episodes: Sequence[Trajectory], about: Mapping[str, object]) -> None:
    if not episodes:
        raise ValueError("the run has no episodes: there is nothing to sum up")
    policies = sorted({episode.policy for episode in episodes})
    if len(policies) > 1:
        raise ValueError(f"these episodes are of several policies ({', '.join(policies)}): sum up each by itself")
    taken = sorted(set(about) & {*_RESULTS, *_MORE})
    if taken:
        raise ValueError(f"these names are those of results, not of settings: {', '.join(taken)}")


def _bounds(rate: Rate, missing: object) -> dict[str, list[float]]:
    """Return what accuracy would be if the missing episodes had all been wrong, and if they had all been right."""
    if not isinstance(missing, int) or missing <= 0:
        return {}
    asked = rate.n + missing
    return {"bounds": [rounded.rounded(rate.right / asked), rounded.rounded((rate.right + missing) / asked)]}


def _said(episodes: Sequence[Trajectory]) -> dict[str, object]:
    """Return what the episodes say of their run; several values are joined."""
    found = {name: {getattr(episode, name) for episode in episodes} for name in _SAID}
    return {
        name: values.pop() if len(values) == 1 else ", ".join(sorted(map(str, values)))
        for name, values in found.items()
    }


def _steps(episodes: Sequence[Trajectory]) -> dict[str, Any]:
    return {
        "mean": rounded.mean(mean(episodes, steps)),
        "beyond_par": {
            "mean": rounded.mean(mean(episodes, beyond_par)),
            "median": rounded.mean(median(episodes, beyond_par)),
        },
    }


def _invalid(episodes: Sequence[Trajectory]) -> dict[str, Any] | None:
    found = invalid_actions(episodes)
    if found is None:
        return None
    return (
        {"share": rounded.rounded(found.share.value), "count": found.count, "n": found.share.n}
        | rounded.interval(found.share)
        | {"by_kind": found.by_kind}
    )


def _failures(episodes: Sequence[Trajectory]) -> dict[str, Any]:
    """Count causes, each as a share of all episodes."""
    counts = failures(episodes)
    causes = {}
    for name, count in counts.items():
        found = rate_of(episodes, lambda episode, name=name: cause(episode) == name)  # type: ignore[misc]
        causes[name] = {"count": count, "share": rounded.rounded(found.value), "n": found.n} | rounded.interval(found)
    return {"count": sum(counts.values()), "n": len(episodes), "causes": causes}


def _tokens(episodes: Sequence[Trajectory], count: Callable[[Trajectory], int | None]) -> dict[str, Any] | None:
    found = mean(episodes, count)
    total = sum(count(episode) or 0 for episode in episodes)
    return {"total": total, "per_episode": rounded.mean(found)} if found else None


def row(numbers: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a run as a row under ``HEADER``, from its summary."""
    return (
        *(
            cell(numbers.get(name)) if numbers.get(name) is not None else NONE
            for name in ("policy", "dataset", "split")
        ),
        f"{numbers['n']:,}",
        percent(numbers["accuracy"], *numbers["interval"]),
        _written(numbers["returns"]["return"], points),
        _written(numbers["steps"]["mean"], number),
        _share(numbers["invalid_actions"]),
    )


def _ends(found: Mapping[str, Any]) -> tuple[float | None, float | None]:
    low, high = found["interval"] or (None, None)
    return low, high


def _written(found: Mapping[str, Any] | None, form: Callable[[float, float | None, float | None], str]) -> str:
    return form(found["value"], *_ends(found)) if found else NONE


def _share(found: Mapping[str, Any] | None) -> str:
    return percent(found["share"], *_ends(found)) if found else NONE


def markdown(numbers: Mapping[str, Any]) -> str:
    """Return a summary as Markdown to read: a headline, then tables."""
    parts = [
        _headline(numbers),
        table(HEADER, [row(numbers)], 3),
        *([variants_table(numbers["on_variants"])] if "on_variants" in numbers else []),
        table(("", "n", "mean"), _means(numbers)),
        *(_breakdown(name, found) for name, found in numbers["breakdown"].items()),
        *([_passes(numbers["pass_at_k"])] if len(numbers["pass_at_k"]) > 1 else []),
        _causes(numbers),
        *([_kinds(numbers["invalid_actions"]["by_kind"])] if (numbers["invalid_actions"] or {}).get("by_kind") else []),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _headline(numbers: Mapping[str, Any]) -> list[str]:
    rate = percent(numbers["accuracy"], *numbers["interval"])
    tries = numbers["tries"]
    tried = "" if tries == [1, 1] else f", {'–'.join(str(end) for end in sorted(set(tries)))} tries each"
    twins = "" if numbers["clusters"] == numbers["tasks"] else f", {numbers['clusters']:,} with twins counted once"
    right = f"{numbers['right']:,} of {counted(numbers['n'], 'episode')} right"
    on = f", {played_on(numbers['on_variants'])}" if "on_variants" in numbers else ""
    told = f"{right} ({counted(numbers['tasks'], 'task')}{twins}{tried}{on})"
    missing = said_missing(numbers)
    return [
        f"**{cell(numbers.get('policy'))}**: {rate}, {told}.",
        *(["", f"**{missing}**"] if missing else []),
        "",
        f"Interval: {numbers['interval_method']}.",
    ]


def said_missing(numbers: Mapping[str, Any]) -> str:
    """Return a sentence on the episodes that a run lacks and what they could change, from its summary; else nothing."""
    if "bounds" not in numbers:
        return ""
    missing, (low, high) = numbers["missing"], numbers["bounds"]
    lost = f"{missing:,} of {counted(numbers['n'] + missing, 'episode')} {'is' if missing == 1 else 'are'} missing"
    between = f"accuracy lies between {100 * low:.1f} % and {100 * high:.1f} %"
    return f"{lost}: {between}, whatever {'it' if missing == 1 else 'they'} would have been."


def _means(numbers: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    steps_taken = numbers["steps"]
    found: list[tuple[str, Mapping[str, Any] | None, Callable[[float, float | None, float | None], str]]] = [
        *((name, value, points) for name, value in numbers["returns"].items()),
        ("steps", steps_taken["mean"], number),
        ("steps beyond par, right episodes", steps_taken["beyond_par"]["mean"], number),
        ("the same, median", steps_taken["beyond_par"]["median"], number),
        *(
            (name.replace("_", " "), (value or {}).get("per_episode"), number)
            for name, value in numbers["usage"].items()
        ),
    ]
    rows = [(cell(name), f"{value['n']:,}", _written(value, form)) for name, value, form in found if value]
    for name in ("official_accuracy", "test_suite_accuracy"):
        if found_rate := numbers.get(name):
            rate = percent(found_rate["accuracy"], *_ends(found_rate))
            rows.append((_RATES[name], f"{found_rate['n']:,}", rate))
    return rows


def _breakdown(name: str, found: Mapping[str, Any]) -> list[str]:
    rows = [
        (cell(value), f"{part['n']:,}", f"{part['right']:,}", percent(part["accuracy"], *_ends(part)))
        for value, part in found.items()
    ]
    return table((name.replace("_", " "), "n", "right", "accuracy"), rows)


def _passes(found: Mapping[str, Any]) -> list[str]:
    return table(
        ("k", "tasks", "pass@k"),
        ((k, f"{part['n']:,}", percent(part["value"], *_ends(part))) for k, part in found.items()),
    )


def _causes(numbers: Mapping[str, Any]) -> list[str]:
    found = numbers["failures"]
    if not found["count"]:
        return [f"No failure among {counted(found['n'], 'episode')}."]
    rows = [(CAUSES[name], f"{part['count']:,}", _share(part)) for name, part in found["causes"].items()]
    low, high = (1 - end for end in reversed(numbers["interval"]))
    total = ("all failures", f"{found['count']:,}", percent(found["count"] / found["n"], low, high))
    return table(("failure", "episodes", "share of all"), [*rows, total])


def _kinds(found: Mapping[str, int]) -> list[str]:
    return table(("invalid actions", "count"), ((cell(kind), f"{count:,}") for kind, count in found.items()))
