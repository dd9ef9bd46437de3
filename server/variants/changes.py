"""The rows of a variant: a database's rows, its keys renamed, its values moved and replaced, rows left out and added.

Each step keeps what a database promises: what referred to something still does, what was decided by a code still is,
and what a gold names is still there. What constraints refuse nevertheless, writing leaves out (contents.py).
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sql_env.server.databases import SQLValue
from sql_env.server.procedural.chance import Chance
from sql_env.server.variants import values as new_values
from sql_env.server.variants.contents import Place, Row, Rows, Structure, Values, identity, in_its_form, orphans
from sql_env.server.variants.relations import Relations
from sql_env.server.variants.values import Kind


@dataclass(frozen=True, kw_only=True)
class Strength:
    """How much a variant changes.

    Attributes:
        moved: share of rows whose values change places with others'.
        replaced: share of cells that get another value of their column.
        dropped: share of rows left out.
        added: share of rows added.
        repointed: share of references that get another target.
        numbers: share of numbers that move.
        dates: share of dates that move.
        texts: share of texts that are replaced by unseen ones.
        keys: whether keys are renamed.
        at_least: rows left out and added, at least, in a table of more than three.
        small: whether tables of three rows and fewer grow too.
        models: rows that added rows are made after; few change what is most frequent. 0: any row.
    """

    moved: float = 0.0
    replaced: float = 0.0
    dropped: float = 0.0
    added: float = 0.0
    repointed: float = 0.0
    numbers: float = 0.0
    dates: float = 0.0
    texts: float = 0.0
    keys: bool = True
    at_least: int = 0
    small: bool = False
    models: int = 0


SMALL_TABLE = 3
"""Rows up to which a table is a list of kinds: none is left out or added."""


def changed(
    structure: Structure, relations: Relations, rows: Sequence[Sequence[Values]], key: str, strength: Strength
) -> Rows:
    """Return the rows of a variant; the key decides all chance in it."""
    return _Change(structure, relations, rows, key, strength).rows()


class _Change:
    """One variant in the making."""

    def __init__(
        self, structure: Structure, relations: Relations, rows: Sequence[Sequence[Values]], key: str, strength: Strength
    ) -> None:
        self._structure, self._relations, self._strength = structure, relations, strength
        self._chance = Chance(key)
        self._rows: Rows = [[Row(list(values)) for values in own] for own in rows]
        self._kinds = {
            (t, c): Kind(tuple(row[c] for row in own if row[c] is not None))
            for t, own in enumerate(rows)
            for c in range(len(structure.tables[t].columns))
        }
        self._named: dict[SQLValue, bool] = {}
        self._ends: dict[Place, list[SQLValue]] = {}
        self._owned: dict[int, dict[Place, set[Any]]] = {}
        pairs = [pair for r in structure.references for pair in zip(r.sources, r.targets, strict=True)]
        self._target = dict(reversed(pairs))
        unique = {(t, c) for t, table in enumerate(structure.tables) for c in table.unique_columns}
        self._fixed = unique | relations.composite | relations.tied  # keys that cannot be exchanged one by one
        several = {(t, c) for t, table in enumerate(structure.tables) for key in table.unique for c in key}
        self._staying = self._fixed | several  # keys that stay in their rows, or constraints would refuse many
        self._names = {
            place: Taken(kind.values)
            for place, kind in self._kinds.items()
            if kind.is_name and place not in unique and self._is_free(place)
        }
        self._ordered = [
            [(one, other) for (at, one), (_, other) in sorted(relations.at_most) if at == t] for t in range(len(rows))
        ]
        self._foreign = [
            [c for c in range(len(table.columns)) if (t, c) in relations.key_of and (t, c) not in relations.owners]
            for t, table in enumerate(structure.tables)
        ]

    def rows(self) -> Rows:
        """Carry out every step."""
        for number, reference in enumerate(self._structure.references):
            table = reference.sources[0][0]
            for place in sorted(orphans(self._structure, self._rows, number)):
                row = self._rows[table][place]
                row.orphaned = row.orphaned | {number}
        if self._strength.keys:
            self._rename_keys()
        for row in itertools.chain.from_iterable(self._rows):
            row.fallback = list(row.values)
        for table in range(len(self._rows)):
            self._change_values(table)
        self._drop_rows()
        for table in self._parents_first():
            self._add_rows(table)
        self._repoint()
        for table, own in enumerate(self._rows):
            self._chance_for("order", table).shuffle(own)
        return self._rows

    def _chance_for(self, step: str, table: int) -> Chance:
        return self._chance.fork(f"{step} {self._structure.tables[table].name}")

    def _is_named(self, value: SQLValue) -> bool:
        """Return whether a gold speaks of a value."""
        if value not in self._named:
            self._named[value] = value in self._relations.literals
        return self._named[value]

    def _free_columns(self, table: int) -> list[int]:
        return [c for bundle in self._relations.bundles[table] for c in bundle if self._is_free((table, c))]

    def _is_free(self, place: Place) -> bool:
        return place not in self._relations.key_of and place not in self._relations.tied

    # --- keys ----------------------------------------------------------------------------------------------

    def _rename_keys(self) -> None:
        for number, places in enumerate(self._relations.keys):
            mapping = self._renaming(self._chance.fork(f"keys {number}"), places)
            for table, column in places:
                for row in self._rows[table]:
                    value = row.values[column]
                    row.values[column] = in_its_form(mapping[identity(value)], value) if value is not None else None

    def _renaming(self, chance: Chance, places: Sequence[Place]) -> dict[Any, Any]:
        """Return a new name for each key: another's, of one that occurs in the same columns if a gold speaks of it."""
        where: dict[Any, list[int]] = {}
        shown: dict[Any, SQLValue] = {}
        for number, (table, column) in enumerate(places):
            for row in self._rows[table]:
                found = identity(row.values[column])
                if found is not None:
                    shown.setdefault(found, row.values[column])
                    numbers = where.setdefault(found, [])
                    if not numbers or numbers[-1] != number:
                        numbers.append(number)
        groups: dict[Any, list[Any]] = {}
        for found in sorted(where):
            protected = self._is_named(shown[found])
            groups.setdefault((found[0], tuple(where[found]) if protected else ()), []).append(found)
        mapping: dict[Any, Any] = {}
        new: set[str] = set()
        kind = Kind(tuple(shown[found] for found in sorted(where) if found[0] == "t"))
        for (form, protected_in), group in groups.items():
            for one, other in zip(group, chance.shuffled(group), strict=True):
                mapping[one] = other[1]
                if form == "t" and not protected_in and chance.happens(self._strength.texts / 3):
                    text = new_values.unseen(chance, other[1], kind)
                    if text is not None and ("t", text) == identity(text) and text not in new:
                        mapping[one] = text
                        new.add(text)
        return mapping

    # --- values --------------------------------------------------------------------------------------------

    def _change_values(self, table: int) -> None:
        own, strength = self._rows[table], self._strength
        chance = self._chance_for("values", table)
        for bundle in self._relations.bundles[table]:
            if not all(self._is_free((table, column)) for column in bundle):
                continue
            chosen = [row for row in own if chance.happens(strength.moved)]
            given = [[row.values[column] for column in bundle] for row in chosen]
            for row, cells in zip(chosen, chance.shuffled(given), strict=True):
                _put(row, bundle, cells)
        counts = {c: Counter(row.values[c] for row in own) for c in self._free_columns(table)}
        for row, column in itertools.product(own, counts):
            self._change_cell(chance, table, column, row, counts[column])
        for column in counts:
            self._rename_category(chance, table, column)

    def _change_cell(self, chance: Chance, table: int, column: int, row: Row, counts: "Counter[SQLValue]") -> None:
        """Replace a cell by another value, unless it is the last that holds what a gold names."""
        value = row.values[column]
        if counts[value] < 2 and self._is_named(value):
            return
        new = self._new_value(chance, (table, column), value)
        if new != value and self._keeps_order(table, column, row, new):
            counts[value] -= 1
            counts[new] += 1
            row.values[column] = new

    def _new_value(self, chance: Chance, place: Place, value: SQLValue) -> SQLValue:
        kind, strength = self._kinds[place], self._strength
        if place in self._names:
            is_kept = value is None or self._is_named(value) or not chance.happens(strength.texts)
            return value if is_kept else self._new_name(chance, place, value) or value
        if place in self._relations.decided or not kind.values:
            return value
        if chance.happens(strength.replaced):
            return chance.choice(kind.values)
        if value is None or self._is_named(value):
            return value
        if isinstance(value, str) and self._relations.literals.like(value) and not chance.happens(0.1):
            return value
        if kind.is_number and not kind.is_scale and chance.happens(strength.numbers):
            return self._end(chance, place) or new_values.near(chance, value, kind)
        if kind.is_date and chance.happens(strength.dates):
            return self._end(chance, place) or new_values.moved(chance, value, kind)
        if kind.is_text and not kind.repeats and isinstance(value, str) and chance.happens(strength.texts):
            return new_values.unseen(chance, value, kind) or value
        return value

    def _new_name(self, chance: Chance, place: Place, like: SQLValue) -> str | None:
        """Return a name that the column has not held yet, or None if a few tries find none."""
        for _ in range(4):
            new = new_values.unseen(chance, str(like), self._kinds[place])
            if new is not None and identity(new) not in self._names[place]:
                self._names[place].add(new)
                return new
        return None

    def _end(self, chance: Chance, place: Place) -> SQLValue:
        """Return, now and then, a value that a gold compares with, so that ``>`` and ``>=`` give different rows."""
        if place not in self._ends:
            kind, (numbers, dates) = self._kinds[place], self._relations.literals.ends
            found: list[SQLValue] = [date for date in dates if kind.is_date and kind.least <= date <= kind.greatest]
            if kind.is_number:
                whole = all(isinstance(value, int) for value in kind.values)
                within = [n for n in numbers if kind.range[0] <= n <= kind.range[1] and (n.is_integer() or not whole)]
                found = [int(n) if whole else n for n in within]
            self._ends[place] = found
        ends = self._ends[place]
        return chance.choice(ends) if ends and chance.happens(0.1) else None

    def _keeps_order(self, table: int, column: int, row: Row, new: SQLValue) -> bool:
        """Return whether a new value leaves every beginning before its end."""
        for one, other in self._ordered[table]:
            ends: list[Any] = [new if at == column else row.values[at] for at in (one, other)]
            if column in (one, other) and None not in ends and ends[0] > ends[1]:
                return False
        return True

    def _rename_category(self, chance: Chance, table: int, column: int) -> None:
        """Give a kind that no gold names an unseen name, in all rows; so what a code decides is still decided."""
        kind = self._kinds[table, column]
        if not kind.is_text or not kind.repeats or len(kind.distinct) <= SMALL_TABLE:
            return
        mapping: dict[SQLValue, SQLValue] = {}
        for value in kind.distinct:
            if not self._is_named(value) and chance.happens(self._strength.texts / 2):
                text = new_values.unseen(chance, str(value), kind)
                if text is not None and text not in mapping.values():
                    mapping[value] = text
        for row in self._rows[table]:
            row.values[column] = mapping.get(row.values[column], row.values[column])

    # --- rows left out -------------------------------------------------------------------------------------

    def _drop_rows(self) -> None:
        if not self._strength.dropped:
            return
        references = self._references()
        gone: set[int] = set()
        for table, own in enumerate(self._rows):
            chance = self._chance_for("drop", table)
            left = self._how_many(chance, own, self._strength.dropped)
            counts = [Counter(row.values[c] for row in own) for c in range(len(self._structure.tables[table].columns))]
            for row in chance.shuffled(own):
                if left > 0 and self._may_go(row, counts) and self._release(chance, table, row, references, gone):
                    gone.add(id(row))
                    left -= 1
                    for count, value in zip(counts, row.values, strict=True):
                        count[value] -= 1
            self._rows[table] = [row for row in own if id(row) not in gone]

    def _how_many(self, chance: Chance, own: Sequence[Row], share: float) -> int:
        if not own or not share or (len(own) <= SMALL_TABLE and not self._strength.small):
            return 0
        return max(int(len(own) * share + chance.random()), self._strength.at_least)

    def _may_go(self, row: Row, counts: "Sequence[Counter[SQLValue]]") -> bool:
        pairs = zip(counts, row.values, strict=True)
        return not any(count[value] < 2 and self._is_named(value) for count, value in pairs)

    def _references(self) -> "_References":
        return {
            number: _cells(self._rows, [place for place in places if place not in self._relations.owners])
            for number, places in enumerate(self._relations.keys)
        }

    def _release(self, chance: Chance, table: int, row: Row, references: "_References", gone: set[int]) -> bool:
        """Point whatever refers to a row to another one; return False where that cannot be."""
        moves: list[tuple[Row, Place, Any]] = []
        for column, value in enumerate(row.values):
            place = (table, column)
            if place not in self._relations.owners or value is None:
                continue
            cells = references[self._relations.key_of[place]].get(identity(value), [])
            alive = [(r, at) for r, at in cells if id(r) not in gone and r is not row]
            if alive and (self._is_named(value) or any(at in self._fixed for _, at in alive)):
                return False
            if self._is_extended(place, value):
                return False
            for r, at in alive:
                other = self._another(chance, table, row, gone)
                if other is None or other.values[column] is None:
                    return False
                moves.append((r, at, identity(other.values[column])))
        for r, at, key in moves:
            if key is not None and (key[0] == "n" or not isinstance(r.values[at[1]], int | float)):
                _put(r, (at[1],), [in_its_form(key[1], r.values[at[1]])], both=True)
                references[self._relations.key_of[at]].setdefault(key, []).append((r, at))
        return True

    def _another(self, chance: Chance, table: int, row: Row, gone: set[int]) -> Row | None:
        """Return another row of a table that is not left out, or None if eight tries find none."""
        for _ in range(8):
            other = chance.choice(self._rows[table])
            if other is not row and id(other) not in gone:
                return other
        return None

    def _is_extended(self, place: Place, value: SQLValue) -> bool:
        """Return whether a row of another table goes on about the same thing, as a member's about a person."""
        number = self._relations.key_of[place]
        if number not in self._owned:
            owners = [p for p in self._relations.keys[number] if p in self._relations.owners]
            self._owned[number] = {p: {identity(r.values[p[1]]) for r in self._rows[p[0]]} for p in owners}
        others = [p for p in self._owned[number] if p not in (place, self._target.get(place))]
        return any(identity(value) in self._owned[number][p] for p in others)

    # --- rows added ----------------------------------------------------------------------------------------

    def _parents_first(self) -> list[int]:
        """Return the tables, each behind those that it refers to as far as these do not refer to it in turn."""
        order: list[int] = []
        waiting = list(range(len(self._rows)))
        while waiting:
            needs = {
                t: {r.targets[0][0] for r in self._structure.references if r.sources[0][0] == t} - {t} for t in waiting
            }
            ready = [t for t in waiting if not needs[t].intersection(waiting)] or waiting[:1]
            order += ready
            waiting = [t for t in waiting if t not in ready]
        return order

    def _add_rows(self, table: int) -> None:
        chance, own = self._chance_for("add", table), self._rows[table]
        unique = sorted(self._structure.tables[table].unique_columns)
        taken = {c: Taken(row.values[c] for row in own) for c in unique}
        names = [c for c in range(len(self._structure.tables[table].columns)) if (table, c) in self._names]
        events = len(unique) < len(self._foreign[table])
        originals = [row for row in own if not row.orphaned]
        models = chance.sample(originals, self._strength.models) or originals
        for _ in range(self._how_many(chance, originals, self._strength.added)):
            source = chance.choice(models)
            row = Row(list(source.values))
            if not (events and chance.happens(0.2)):
                self._make_distinct(chance, table, row, originals)
            is_whole = all(self._renew(chance, (table, c), row, taken[c]) for c in unique)
            if is_whole and all(self._rename(chance, (table, c), row) for c in names):
                own.append(row)

    def _make_distinct(self, chance: Chance, table: int, row: Row, originals: Sequence[Row]) -> None:
        for bundle in self._relations.bundles[table]:
            if all(self._is_free((table, c)) for c in bundle) and chance.happens(0.5):
                other = chance.choice(originals)
                _put(row, bundle, [other.values[c] for c in bundle])
        for column in self._free_columns(table):
            new = self._new_value(chance, (table, column), row.values[column])
            if self._keeps_order(table, column, row, new):
                row.values[column] = new
        for column in self._foreign[table]:
            if (table, column) not in self._fixed and chance.happens(0.5):
                self._point_elsewhere(chance, (table, column), row)

    def _renew(self, chance: Chance, place: Place, row: Row, taken: "Taken") -> bool:
        """Give a unique column a value that is not taken; where it refers to others, one of theirs."""
        value = row.values[place[1]]
        key = identity(value)
        if key is None:
            return True
        new: Any = None
        if place in self._target:
            table, column = self._target[place]
            tries = [identity(chance.choice(self._rows[table]).values[column]) for _ in range(8) if self._rows[table]]
            new = next((found[1] for found in tries if found is not None and found not in taken), None)
        elif key[0] == "n":
            new = taken.fresh_number(chance)
        elif key[0] == "t":
            new = new_values.unseen(chance, key[1], self._kinds[place])
        if new is None or identity(new) in taken:
            return False
        row.values[place[1]] = in_its_form(new, value)
        taken.add(row.values[place[1]])
        return True

    def _rename(self, chance: Chance, place: Place, row: Row) -> bool:
        """Give a row a name of its own; return False where none is found."""
        value = row.values[place[1]]
        if value is not None:
            row.values[place[1]] = self._new_name(chance, place, value)
        return value is None or row.values[place[1]] is not None

    # --- references ----------------------------------------------------------------------------------------

    def _repoint(self) -> None:
        if not self._strength.repointed:
            return
        for table, own in enumerate(self._rows):
            chance = self._chance_for("repoint", table)
            columns = [c for c in self._foreign[table] if (table, c) not in self._staying]
            counts = {c: Counter(row.values[c] for row in own) for c in columns}
            for row, column in itertools.product(own, columns):
                value = row.values[column]
                if row.orphaned or (counts[column][value] < 2 and self._is_named(value)):
                    continue
                if chance.happens(self._strength.repointed):
                    counts[column][value] -= 1
                    self._point_elsewhere(chance, (table, column), row)

    def _point_elsewhere(self, chance: Chance, place: Place, row: Row) -> None:
        """Let a reference name another row: of those that it may refer to, else of those that others refer to."""
        owners = [p for p in self._relations.keys[self._relations.key_of[place]] if p in self._relations.owners]
        table, column = self._target.get(place) or (*owners, place)[0]
        value = row.values[place[1]]
        if value is not None and self._rows[table]:
            key = identity(chance.choice(self._rows[table]).values[column])
            if key is not None and (key[0] == "n" or not isinstance(value, int | float)):
                row.values[place[1]] = in_its_form(key[1], value)


class Taken:
    """The keys that a unique column holds."""

    def __init__(self, held: Iterable[SQLValue]) -> None:
        self._keys = {identity(value) for value in held}
        numbers = [key[1] for key in self._keys if key is not None and key[0] == "n"]
        self._low, self._high = min(numbers, default=0), max(numbers, default=0)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def add(self, value: SQLValue) -> None:
        """Note that a value is held too."""
        self._keys.add(identity(value))

    def fresh_number(self, chance: Chance) -> int:
        """Return a number that is not held: one left out between the others, or one beyond them."""
        for _ in range(3):
            new = self._low + chance.below(min(self._high - self._low + 1, 2**40))
            if ("n", new) not in self._keys:
                return new
        self._high += 1 + chance.below(3)
        return self._high


_References = dict[int, dict[Any, list[tuple[Row, Place]]]]


def _cells(rows: Rows, places: Sequence[Place]) -> dict[Any, list[tuple[Row, Place]]]:
    """Return where each key stands."""
    found: dict[Any, list[tuple[Row, Place]]] = {}
    for table, column in places:
        for row in rows[table]:
            key = identity(row.values[column])
            if key is not None:
                found.setdefault(key, []).append((row, (table, column)))
    return found


def _put(row: Row, columns: Sequence[int], cells: Sequence[SQLValue], *, both: bool = False) -> None:
    for column, cell in zip(columns, cells, strict=True):
        row.values[column] = cell
        if both and row.fallback is not None:
            row.fallback[column] = cell
