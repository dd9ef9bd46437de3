"""Composing worlds: entities that hang together, with rows; how many, and beside what distractors, is asked for."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

from sql_env.server.databases import SQLValue
from sql_env.server.procedural.chance import Chance
from sql_env.server.procedural.distractors import extra_columns, spare_tables
from sql_env.server.procedural.domain import Attribute, Domain, Entity, Link
from sql_env.server.procedural.values import make_values, sql_type
from sql_env.server.procedural.world import Column, Reference, Style, Table, World

ROWS: Final = {
    "small": {"few": (4, 7), "some": (10, 18), "many": (24, 45)},
    "medium": {"few": (5, 10), "some": (20, 40), "many": (70, 140)},
    "large": {"few": (7, 12), "some": (45, 80), "many": (200, 380)},
}
"""Rows of a table, least and most, for each size of a world and kind of entity."""

DISTRACTORS: Final = ("none", "some", "many")
_SPARE_TABLES: Final = {"none": 0, "some": 1, "many": 2}
_ATTRIBUTES: Final = {"none": 4, "some": 5, "many": 99}
"""Attributes of an entity at most."""


def compose(chance: Chance, domain: Domain, tables: int, size: str, distractors: str) -> World:
    """Compose a world.

    Args:
        chance: decides it.
        domain: whose entities.
        tables: how many tables it has, spare ones included, 1 to 8.
        size: a key of ``ROWS``.
        distractors: one of ``DISTRACTORS``.
    """
    style = Style.drawn(chance)
    spare = min(_SPARE_TABLES[distractors], max(0, tables - 2) // 2 + (tables > 2))
    entities = _connected(chance, domain, tables - spare)
    made: dict[str, Table] = {}
    for entity in _parents_first(entities):
        made[entity.name] = _table(chance.fork(entity.name), style, entity, made, size, distractors)
    originals = [made[entity.name] for entity in entities]
    spares = spare_tables(chance.fork("spare"), style, originals, spare)
    return World(domain, style, tuple(originals), tuple(spares))


def _connected(chance: Chance, domain: Domain, count: int) -> list[Entity]:
    """Return entities that hang together, the first with a label, bridges only with what they join."""
    by_name = {entity.name: entity for entity in domain.entities}
    chosen = [chance.choice([entity for entity in domain.entities if entity.label and entity.rows != "few"])]
    while len(chosen) < count:
        names = {entity.name for entity in chosen}
        left = [e for e in domain.entities if e.name not in names]
        near = [e for e in left if names & _links(e) or any(e.name in _links(other) for other in chosen)]
        whole = [e for e in near if _is_at_home(e, names, count - len(chosen))] or near or left
        entity = chance.choice(whole)
        missing = [] if entity.label else sorted(_links(entity) - names - {entity.name})
        chosen += [entity, *(by_name[name] for name in missing)][: count - len(chosen)]
    return chosen


def _links(entity: Entity) -> set[str]:
    return {link.to for link in entity.links}


def _is_at_home(entity: Entity, names: set[str], room: int) -> bool:
    """Return whether an entity without a label gets all that it links to."""
    return entity.label is not None or len(_links(entity) - names) < room


def _parents_first(entities: Sequence[Entity]) -> list[Entity]:
    left, done = list(entities), list[Entity]()
    while left:
        waiting = {entity.name for entity in left}
        ready = next((e for e in left if not (_links(e) - {e.name}) & waiting), left[0])
        left.remove(ready)
        done.append(ready)
    return done


def _table(chance: Chance, style: Style, entity: Entity, made: dict[str, Table], size: str, distractors: str) -> Table:
    low, high = ROWS[size][entity.rows]
    count = chance.between(low, high)
    columns: list[Column] = []
    if entity.label is not None:
        columns.append(_column(chance, style, entity.label, count))
        count = len(columns[0].values)
    columns += [_column(chance, style, attribute, count) for attribute in _attributes(chance, entity, distractors)]
    taken = {column.name for column in columns}
    key = None if _is_keyless(chance, entity) else _key(chance, style, entity, count, taken)
    name = style.name(_plural(entity) if style.plural else entity.name)
    table = Table(name, entity, key, columns)
    for link in entity.links:
        target = table if link.to == entity.name else made.get(link.to)
        if target is not None and target.key is not None:
            values = _own_parents(chance, link, target) if target is table else _parents(chance, link, target, count)
            name = style.name(style.reference.format(link.role))
            name = style.name(f"{link.role}_id") if name in taken or (key and name == key.name) else name
            column = Column(name, target.key.type, values)
            table.references.append(Reference(link, column, target))
    if key is None:
        _repeat_rows(chance, table)
    if distractors == "many" or (distractors == "some" and chance.happens(0.4)):
        table.extras = extra_columns(chance, style, table.count)
    return table


def _plural(entity: Entity) -> str:
    plain = unicodedata.normalize("NFKD", entity.many).encode("ascii", "ignore").decode()
    return re.sub(r"\W+", "_", plain)


def _column(chance: Chance, style: Style, attribute: Attribute, count: int) -> Column:
    values = make_values(chance.fork(attribute.column), attribute, count, style.flags)
    return Column(style.name(attribute.column), sql_type(attribute, style.flags), values, attribute)


def _attributes(chance: Chance, entity: Entity, distractors: str) -> list[Attribute]:
    """Return some attributes, in the entity's order, the first one always among them."""
    most = _ATTRIBUTES[distractors]
    if len(entity.attributes) <= most:
        return list(entity.attributes)
    kept = {0, *chance.sample(range(1, len(entity.attributes)), most - 1)}
    return [attribute for place, attribute in enumerate(entity.attributes) if place in kept]


def _is_keyless(chance: Chance, entity: Entity) -> bool:
    return entity.label is None and chance.happens(0.3)


def _key(chance: Chance, style: Style, entity: Entity, count: int, taken: set[str]) -> Column:
    start = chance.choice((1, 1, 1, 101, 1001))
    values: list[SQLValue] = list(range(start, start + count))
    if chance.happens(0.4):  # some were deleted
        values = [*sorted(chance.sample(range(start, start + count + count // 3 + 1), count))]
    name = style.name(style.own_key.format(entity.name))
    return Column(style.name("row_id") if name in taken else name, "INTEGER", values)


def _parents(chance: Chance, link: Link, target: Table, count: int) -> list[SQLValue]:
    """Return a parent for each row: some are popular, some have no children, some rows have no parent."""
    keys = target.key.values if target.key else ()
    weights = [0.0 if chance.happens(0.15) else 0.2 + chance.random() for _ in keys]
    weights[chance.below(len(weights))] += 1.5
    draw = _weighted_draw(chance, keys, weights)
    nulls = link.nulls
    return [None if nulls and chance.random() < nulls else draw() for _ in range(count)]


def _weighted_draw(chance: Chance, items: Sequence[SQLValue], weights: Sequence[float]) -> Callable[[], SQLValue]:
    """Return a draw in constant time, from 200 places shared out by weight."""
    total = sum(weights)
    places = [
        item for item, weight in zip(items, weights, strict=True) for _ in range(int(200 * weight / total + 0.99))
    ]
    return lambda: chance.choice(places)


def _own_parents(chance: Chance, link: Link, table: Table) -> list[SQLValue]:
    """Return a parent from the earlier rows of the same table, so that nothing is its own ancestor."""
    keys = table.key.values if table.key else ()
    heads = max(1, len(keys) // 4)
    nulls = max(link.nulls, 0.1)
    return [
        None if row == 0 or chance.random() < nulls else keys[chance.below(min(row, heads))] for row in range(len(keys))
    ]


def _repeat_rows(chance: Chance, table: Table) -> None:
    """Enter a few rows of a table without a key twice."""
    again = chance.sample(range(table.count), chance.between(0, 3))
    for column in (*table.columns, *(reference.column for reference in table.references)):
        column.values += [column.values[row] for row in again]
