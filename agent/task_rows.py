"""Which tasks are trained on: sources such as ``procedural:train:4000``, drawn into rows of selectors.

A row names its task completely, so every rollout of a group plays the same episode. Curated sets are small: once all of
their questions are drawn, they come again on variants of their databases (docs/variants.md), where answers differ.
"""

import random
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sql_env.agent.choices import DIALS, dial, only

HARDNESS = ("easy", "medium", "hard", "extra")
SELECTORS = ("dataset", "task_id", "split", "index", "variant", "answer_form", *DIALS)
"""Columns of a row that choose the task; the others are the trainer's."""
PROCEDURAL_DIALS = ("num_tables", "num_rows", "distractors")
"""Dials that curated data sets do not have."""
EVALUATED = ("eval", "test", "compositional", "all")
"""Splits that are evaluated, and the one that holds them: nobody trains on them."""


@dataclass(frozen=True)
class Source:
    """Some tasks of one data set.

    Attributes:
        dataset: its name.
        split: ``train``, or another that is not evaluated.
        count: how many rows.
        only: what is asked of the tasks.
    """

    dataset: str
    split: str
    count: int
    only: Mapping[str, str]

    @classmethod
    def parse(cls, text: str, dials: Iterable[str] = (), *, held_out: bool = False) -> "Source":
        """Read ``DATASET:SPLIT:COUNT``, with dials such as ``hardness=easy``.

        Args:
            text: the source.
            dials: what is asked of its tasks.
            held_out: whether it is to evaluate on: then any split will do.

        Raises:
            ValueError: it is no such text, or the split is for evaluation.
        """
        try:
            dataset, split, count = text.split(":")
            number = int(count)
        except ValueError:
            number = 0
        if number < 1:
            raise ValueError(f"a source is DATASET:SPLIT:COUNT, such as procedural:train:1000, not {text!r}")
        if split in EVALUATED and not held_out:
            raise ValueError(f"split {split} holds what is evaluated; train on another")
        try:
            wanted = only([dial(text) for text in dials])
        except ArgumentTypeError as error:
            raise ValueError(f"only: {error}") from None
        if dataset != "procedural":
            wanted = {name: value for name, value in wanted.items() if name not in PROCEDURAL_DIALS}
        return cls(dataset, split, number, wanted)

    def by_hardness(self) -> "list[Source]":
        """Return it as four sources, from easy to extra, each a quarter; itself where hardness is said already."""
        if "hardness" in self.only:
            return [self]
        counts = [self.count // 4 + (place < self.count % 4) for place in range(4)]
        parts = zip(HARDNESS, counts, strict=True)
        return [replace(self, count=count, only={**self.only, "hardness": name}) for name, count in parts]

    @property
    def selectors(self) -> dict[str, Any]:
        """Keywords for reset that its tasks share."""
        return {"dataset": self.dataset, "split": self.split, **self.only}


NumTasks = Callable[[dict[str, Any]], int]
"""Tells how many tasks fit selectors."""


def draw(sources: Sequence[Source], num_tasks: NumTasks, seed: int) -> list[dict[str, Any]]:
    """Draw rows from sources and mix them.

    Args:
        sources: what to draw from.
        num_tasks: how many tasks fit selectors.
        seed: of the draw; the same seed gives the same rows.

    Returns:
        Keywords for reset, each row with the same keys: a data set has one set of columns.
    """
    rng = random.Random(seed)
    rows = [row for source in sources for row in _rows(source, num_tasks(source.selectors), rng)]
    rng.shuffle(rows)
    return rows


def _rows(source: Source, size: int, rng: random.Random) -> list[dict[str, Any]]:
    empty: dict[str, Any] = dict.fromkeys(DIALS)
    rows: list[dict[str, Any]] = []
    variant = 0
    while len(rows) < source.count:
        places = rng.sample(range(size), min(size, source.count - len(rows)))
        rows += [{**empty, **source.selectors, "index": place, "variant": variant} for place in places]
        variant += 1
    return rows


def selectors_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords for reset that a row holds."""
    return {name: row[name] for name in SELECTORS if row.get(name) is not None}


def curriculum(rows: Sequence[dict[str, Any]], mixed: float, seed: int) -> list[dict[str, Any]]:
    """Order rows from easy to hard, with some of all levels among them from the beginning.

    Args:
        rows: rows, each of one hardness (``Source.by_hardness``).
        mixed: the share of rows that keep their place, 0 to 1: without any, what was learned first is forgotten.
        seed: which ones those are.
    """
    rng = random.Random(seed)
    kept = {place for place in range(len(rows)) if rng.random() < mixed}
    moved = iter(sorted((row for place, row in enumerate(rows) if place not in kept), key=_level))
    return [row if place in kept else next(moved) for place, row in enumerate(rows)]


def _level(row: Mapping[str, Any]) -> int:
    return min(HARDNESS.index(name.strip()) for name in str(row["hardness"] or HARDNESS[0]).split(","))
