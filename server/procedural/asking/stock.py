"""All ways to ask, with the answers and the hardness that each can have, and how often it is drawn."""

from dataclasses import dataclass
from typing import Final

from sql_env.server.procedural.asking import groups, lists, nested, numbers, tables, things
from sql_env.server.procedural.asking.common import Asking


@dataclass(frozen=True)
class Way:
    """A way to ask.

    Attributes:
        ask: makes the question.
        answers: types of answers that it can have.
        weight: how often it is drawn.
        hardness: what its statements can be.
    """

    ask: Asking
    answers: frozenset[str]
    weight: float
    hardness: frozenset[str]

    @property
    def name(self) -> str:
        """Its name."""
        return self.ask.__name__


def _way(ask: Asking, answers: str, weight: float, hardness: str = "easy medium hard extra") -> Way:
    return Way(ask, frozenset(answers.split()), weight, frozenset(hardness.split()))


WAYS: Final = (
    _way(numbers.how_many, "integer", 5),
    _way(numbers.how_many_different, "integer", 3),
    _way(numbers.how_many_parents, "integer", 2),
    _way(numbers.aggregate, "integer float", 4),
    _way(numbers.spread, "integer float", 1),
    _way(things.value_of_named, "integer float string table", 3, "easy medium"),
    _way(things.value_of_parent, "integer float string", 3, "medium"),
    _way(things.everything, "table", 0.7),
    _way(things.the_most, "string table", 4, "medium hard extra"),
    _way(things.most_common, "string", 3, "hard extra"),
    _way(lists.names, "list string", 4),
    _way(lists.sorted_names, "list table", 2),
    _way(lists.the_top, "list table", 3, "medium hard extra"),
    _way(lists.different_values, "list", 3),
    _way(lists.alphabetical, "list", 1, "medium hard extra"),
    _way(tables.names_with_values, "table", 4, "medium hard extra"),
    _way(tables.names_with_parents, "table", 7, "medium hard extra"),
    _way(tables.several_aggregates, "table", 3, "medium hard extra"),
    _way(tables.count_and_average, "table", 1.5, "medium hard extra"),
    _way(groups.per_category, "table", 4, "medium hard extra"),
    _way(groups.shared_values, "list string", 2),
    _way(groups.per_parent, "table", 5, "medium hard extra"),
    _way(groups.parents_with_many, "list string", 4, "medium hard extra"),
    _way(groups.parent_with_most, "string table", 3, "extra"),
    _way(nested.beyond_named, "integer list string", 2, "hard"),
    _way(nested.beyond_all, "integer list string", 2, "hard"),
    _way(nested.of_the_most, "integer float list string", 6, "hard extra"),
    _way(nested.both_and_only, "list string", 9, "hard extra"),
    _way(nested.names_without, "list string", 9, "hard extra"),
    _way(nested.through_a_bridge, "list string", 16, "hard extra"),
)
"""The order matters: it decides tasks."""
