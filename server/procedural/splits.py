"""The splits: which domains and which combinations of constructs each has, and how its tasks are numbered."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from sql_env.server.procedural import domains
from sql_env.server.procedural.dials import Numbering
from sql_env.server.procedural.domain import Domain

VERSION: Final = "p1"
"""The generator's name. Whatever changes a single byte of a task needs another."""

SIZES: Final = {"train": 1_000_000_000, "eval": 1_000, "test": 1_000, "compositional": 1_000}
"""The splits, and how many tasks of each can be drawn."""

LAST_NUMBER: Final = 999_999_999
"""The last task that can be named, in any split."""

HELD_OUT_DOMAINS: Final = frozenset(
    "blood_bank canal_locks climbing_gym fish_market observatory puppet_theatre translation_bureau".split()
)
"""Domains of the split ``test``, in no other."""

HELD_OUT_COMBINATIONS: Final = {
    "aggregate": "not_category compared year parent_where beyond_one",
    "alphabetical": "category year parent_named child_count",
    "beyond_all": "category year pattern child_count",
    "both_and_only": "year parent_where has_children",
    "count_and_average": "child_count alternatives",
    "different_values": "compared bridged beyond_average",
    "everything": "year flag alternatives",
    "how_many": "year parent_where child_count",
    "how_many_different": "day bridged beyond_average",
    "how_many_parents": "year alternatives",
    "most_common": "category parent_named beyond_average",
    "names": "between parent_where no_children child_count alternatives",
    "names_with_parents": "one_of_categories compared",
    "names_with_values": "category one_of_categories year beyond_one",
    "names_without": "year no_children alternatives",
    "of_the_most": "not_category one_of_categories compared",
    "parent_with_most": "not_category compared pattern parent_where",
    "parents_with_many": "recorded pattern no_children child_count",
    "per_category": "one_of_categories has_children bridged beyond_average",
    "per_parent": "one_of_categories recorded no_children",
    "several_aggregates": "recorded compared child_count alternatives",
    "shared_values": "not_category compared no_children",
    "sorted_names": "parent_where category",
    "spread": "one_of_categories flag beyond_average alternatives",
    "the_most": "year parent_where bridged beyond_one",
    "the_top": "category one_of_categories bridged alternatives",
    "through_a_bridge": "one_of_categories compared",
}
"""Ways to ask with the constructs that each has only in the split ``compositional``; elsewhere each occurs alone."""


@cache
def all_domains() -> dict[str, Domain]:
    """Return every domain, in alphabetical order."""
    found = sorted(module.name for module in iter_modules(domains.__path__))
    return {name: import_module(f"{domains.__name__}.{name}").DOMAIN for name in found}


@cache
def numbering(split: str) -> Numbering:
    """Return how a split's tasks are numbered. ``compositional`` has nothing easy: that combines nothing."""
    names = [name for name in all_domains() if (name in HELD_OUT_DOMAINS) == (split == "test")]
    if split == "compositional":
        return Numbering(names, SIZES[split], ("hard", "medium", "hard", "extra"))
    return Numbering(names, SIZES[split])


def is_held_out(way: str, construct: str) -> bool:
    """Return whether a way to ask together with a construct is in the split ``compositional`` only."""
    return construct in HELD_OUT_COMBINATIONS.get(way, "").split()


def favour(split: str, way: str, construct: str) -> float:
    """Return how often a construct is to be drawn for a way to ask, relative to its usual share."""
    if split == "compositional":
        return 10.0 if is_held_out(way, construct) else 1.0
    return 0.0 if is_held_out(way, construct) else 1.0
