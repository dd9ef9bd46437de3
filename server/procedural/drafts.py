"""A question in the making: its world, what it has used, and the other readings that its words allow."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlglot import exp

from sql_env.server.databases import SQLValue
from sql_env.server.procedural.chance import Chance
from sql_env.server.procedural.domain import Attribute, Entity, Number
from sql_env.server.procedural.world import Column, Reference, Table, World

A = TypeVar("A", bound=Attribute)
T = TypeVar("T")


class MisfitError(Exception):
    """This world has nothing to ask in this way; another draft is made."""


class Draft:
    """What the parts of a question share while it is put together.

    Attributes:
        chance: decides it.
        world: what it is about.
        tags: the constructs it is made of.
        readings: pairs of nodes, of which the second, in the place of the first, gives the statement another reading.
        richness: how much is asked of its conditions, from 0 to 3.
        spelled_dates: whether dates are written with the month's name.
        favour: how often a construct is to be drawn, relative to its usual share.

    A question is ambiguous, and dropped, if another reading gives other rows.
    """

    def __init__(
        self, chance: Chance, world: World, richness: int, favour: Callable[[str], float] = lambda _: 1.0
    ) -> None:
        self.chance = chance
        self.richness = richness
        self.favour = favour
        self.spelled_dates = chance.happens(0.6)
        self.world = world
        self.tags: list[str] = []
        self.readings: list[tuple[exp.Expr, exp.Expr]] = []
        self._used: set[Column] = set()

    def checkpoint(self) -> Callable[[], None]:
        """Return what takes back every tag and reading that is added from now on."""
        growing: list[list[Any]] = [self.tags, self.readings]
        sizes = list(map(len, growing))

        def restore() -> None:
            for added, size in zip(growing, sizes, strict=True):
                del added[size:]

        return restore

    def pick(self, table: Table, kind: type[A], *, total: bool = False, whole: bool = False) -> tuple[Column, A]:
        """Return a column of a table that no part has used yet, and what it tells.

        Args:
            table: the table.
            kind: of which kind of attribute.
            total: only quantities that can be added up.
            whole: only columns without NULLs.

        Raises:
            MisfitError: there is none.
        """
        fitting = [
            (column, column.attribute)
            for column in table.columns
            if isinstance(column.attribute, kind)
            and column not in self._used
            and not (total and not (isinstance(column.attribute, Number) and column.attribute.total))
            and not (whole and None in column.values)
            and len(set(column.known)) > 1
        ]
        column, attribute = self.one_of(fitting)
        return self.use(column), attribute

    def use(self, column: Column) -> Column:
        """Note that a column is used."""
        self._used.add(column)
        return column

    def one_of(self, items: Sequence[T]) -> T:
        """Return one of some items.

        Raises:
            MisfitError: there is none.
        """
        if not items:
            raise MisfitError
        return self.chance.choice(items)

    def table(self, *, labelled: bool = True, references: int = 0) -> Table:
        """Return a table to ask about.

        Args:
            labelled: whether it has to have a label.
            references: how many foreign keys it is to have; fewer if none has so many.
        """
        fitting = [table for table in self.world.tables if table.label or not labelled]
        most = min(references, max((len(table.references) for table in fitting), default=0))
        return self.one_of([table for table in fitting if len(table.references) >= most])

    def child_of(self, parent: Table) -> tuple[Table, Reference]:
        """Return a table that refers to another, and how."""
        found = [(t, r) for t in self.world.tables for r in t.references if r.target is parent and parent.key]
        return self.one_of(found)

    def parent_of(self, child: Table) -> Reference:
        """Return a reference of a table that no part has used yet."""
        reference = self.one_of([r for r in child.references if r.column not in self._used])
        self.use(reference.column)
        return reference

    def say(self, *texts: str) -> str:
        """Return one of several ways to say the same."""
        return self.chance.choice(texts)


def attribute_of(column: Column) -> Attribute:
    """Return what a column tells."""
    if column.attribute is None:
        raise TypeError(column.name)
    return column.attribute


def label_of(table: Table) -> Column:
    """Return a table's label.

    Raises:
        MisfitError: it has none.
    """
    if table.label is None:
        raise MisfitError
    return table.label


def unique_label(draft: Draft, table: Table) -> SQLValue:
    """Return the label of a row that shares it with no other."""
    counts = Counter(label_of(table).values)
    return draft.one_of([value for value, count in counts.items() if count == 1])


def named(entity: Entity, value: SQLValue) -> str:
    """Return how people name one thing: "the ferry Tern", "Ingrid Halvorsen"."""
    return str(value) if entity.person else f"the {entity.one} {value!s}"
