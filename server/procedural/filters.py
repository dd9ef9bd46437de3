"""Conditions: each puts one into a query's WHERE and returns the words for it.

A filter raises MisfitError where the table has nothing for it. Where words leave something open (whether "between"
includes its ends, whether what is not recorded counts as "not oak"), the other reading is noted in the draft.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from sqlglot import exp

from sql_env.server.databases import SQLValue
from sql_env.server.procedural.domain import Both, Category, Codes, Day, Entity, Flag, Label, Number, Year
from sql_env.server.procedural.drafts import Draft, MisfitError, attribute_of, label_of, named, unique_label
from sql_env.server.procedural.phrases import (
    MONTHS,
    Clause,
    amount,
    article,
    being,
    day_text,
    forms,
    having,
    whose,
)
from sql_env.server.procedural.queries import (
    Query,
    Source,
    both_of,
    compare,
    literal,
    missing,
    one_of,
    scalar,
)
from sql_env.server.procedural.values import digits
from sql_env.server.procedural.world import Column

Filter: TypeAlias = Callable[[Draft, Query, Source], Clause]


# --- on the thing's own attributes -----------------------------------------------------------------------


def category(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by one option of a category."""
    column, attribute = draft.pick(source.table, Category)
    value = draft.chance.choice(column.known)
    query.where.append(compare("=", query.column(source, column), literal(value)))
    return _category_clause(source.table.entity, attribute, str(value))


def not_category(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter out one option of a category."""
    column, attribute = draft.pick(source.table, Category)
    value = draft.chance.choice(column.known)
    unequal = compare("<>", query.column(source, column), literal(value))
    query.where.append(unequal)
    if None in column.values:
        draft.readings.append((unequal, one_of(unequal.copy(), missing(query.column(source, column)))))
    if attribute.of:
        bare = f"not {attribute.of.replace('{}', str(value))}"
        return Clause(being(source.table.entity, bare), bare)
    said = f"{article(attribute.noun)} other than {_quoted(value)}"
    ending = whose(source.table.entity, attribute.noun, f"not {_quoted(value)}")
    return Clause(having(source.table.entity, said), f"with {said}", ending)


def one_of_categories(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by two options of a category, with IN or OR."""
    column, attribute = draft.pick(source.table, Category)
    options = list(dict.fromkeys(column.known))
    if len(options) < 3:
        raise MisfitError
    first, second = draft.chance.sample(options, 2)
    if draft.chance.happens(0.5):
        values = [literal(first), literal(second)]
        query.where.append(exp.In(this=query.column(source, column), expressions=values))
    else:
        tests = [compare("=", query.column(source, column), literal(value)) for value in (first, second)]
        query.where.append(one_of(tests[0], tests[1]))
    if attribute.of:
        before = attribute.of[: attribute.of.index("{}")].split()
        again = f"{before[-1]} " if before and before[-1] in ("a", "an", "the") else ""
        bare = attribute.of.replace("{}", f"{first!s} or {again}{second!s}")
        return Clause(being(source.table.entity, bare), bare)
    said = f'the {attribute.noun} "{first!s}" or "{second!s}"'
    ending = whose(source.table.entity, attribute.noun, f"{_quoted(first)} or {_quoted(second)}")
    return Clause(having(source.table.entity, said), f"with {said}", ending)


def _category_clause(entity: Entity, attribute: Category, value: str) -> Clause:
    if attribute.of:
        bare = attribute.of.replace("{}", value)
        return Clause(being(entity, bare), bare)
    said = f'the {attribute.noun} "{value}"'
    return Clause(having(entity, said), f"with {said}", whose(entity, attribute.noun, _quoted(value)))


def _quoted(value: SQLValue) -> str:
    return f'"{value!s}"'


def compared(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by a quantity above or below a threshold."""
    column, attribute = draft.pick(source.table, Number)
    operator = draft.chance.weighted((">", "<", ">=", "<="), (5, 4, 2, 1))
    value = threshold(draft, column)
    query.where.append(compare(operator, query.column(source, column), literal(value)))
    return number_clause(draft, source.table.entity, attribute, operator, value)


_THAN: Final = {">": "more than", "<": "less than", ">=": "at least", "<=": "at most"}


def number_clause(draft: Draft, entity: Entity, attribute: Number, operator: str, value: SQLValue) -> Clause:
    """Say that a quantity is above or below a value."""
    said = amount(value, attribute)
    if attribute.adjectives and operator in "<>":
        bare = f"{attribute.adjectives[operator == '<']} than {said}"
        return Clause(being(entity, bare), bare)
    if attribute.counted:
        if value in (0, 1):
            raise MisfitError  # "more than 1 seats"
        than = "fewer than" if operator == "<" else _THAN[operator]
        thing = f"{than} {said} {attribute.counted}"
        return Clause(having(entity, thing), f"with {thing}")
    than = draft.say(_THAN[operator], {">": "over", "<": "under"}.get(operator, _THAN[operator]))
    thing = f"{article(attribute.noun)} of {than} {said}"
    side = {">": "above", "<": "below"}.get(operator, _THAN[operator])
    ending = whose(entity, attribute.noun, f"{side} {said}")
    return Clause(having(entity, thing), f"with {thing}", ending)


def threshold(draft: Draft, column: Column) -> SQLValue:
    """Return a value somewhere in the middle of a column's, a round one if there is room."""
    known = sorted(value for value in column.known if isinstance(value, int | float))
    value = known[int((0.15 + 0.7 * draft.chance.random()) * len(known))]
    if draft.chance.happens(0.75):
        rounded = _round(value, known[-1] - known[0])
        value = rounded if known[0] < rounded < known[-1] else value
    attribute = attribute_of(column)
    places = digits(attribute) if isinstance(attribute, Number) else 0
    return round(value, places) if places else round(value)


def _round(value: float, span: float) -> float:
    step = 1.0
    while step * 10 < span / 2:
        step *= 10
    while step > span / 2:
        step /= 10
    return round(value / step) * step


def between(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by a quantity between two bounds."""
    column, attribute = draft.pick(source.table, Number)
    low, high = sorted((threshold(draft, column), threshold(draft, column)), key=repr_number)
    if low == high:
        raise MisfitError
    node = query.column(source, column)
    inclusive = exp.Between(this=node, low=literal(low), high=literal(high))
    query.where.append(inclusive)
    said = f"between {amount(low, _unitless(attribute))} and {amount(high, attribute)}"
    if draft.chance.happens(0.35):
        said += " inclusive"
    else:
        strict = [compare(">", node.copy(), literal(low)), compare("<", node.copy(), literal(high))]
        draft.readings.append((inclusive, both_of(strict)))
    if attribute.counted:
        thing = f"{said.removesuffix(' inclusive')} {attribute.counted}"
        thing += " (inclusive)" if said.endswith("inclusive") else ""
        return Clause(having(source.table.entity, thing), f"with {thing}")
    thing = f"{article(attribute.noun)} {said}"
    ending = whose(source.table.entity, attribute.noun, said)
    return Clause(having(source.table.entity, thing), f"with {thing}", ending)


def repr_number(value: SQLValue) -> float:
    """Return a number as one."""
    if not isinstance(value, int | float):
        raise TypeError(value)
    return float(value)


def _unitless(attribute: Number) -> Number:
    return Number(column=attribute.column, noun=attribute.noun, low=attribute.low, high=attribute.high)


def year(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by a year."""
    column, attribute = draft.pick(source.table, Year)
    node = query.column(source, column)
    years = sorted(value for value in column.known if isinstance(value, int))
    first, second = sorted(years[int((0.1 + 0.8 * draft.chance.random()) * len(years))] for _ in range(2))
    kind = draft.chance.weighted(("<", ">", ">=", "=", "range"), (4, 4, 2, 2, 3))
    if kind == "range":
        if first == second:
            raise MisfitError
        query.where.append(exp.Between(this=node, low=literal(first), high=literal(second)))
        return _happened(attribute.did, f"between {first} and {second} inclusive")
    query.where.append(compare(kind, node, literal(second)))
    when = {"<": "before", ">": "after", ">=": "in or after", "=": "in"}[kind]
    return _happened(attribute.did, f"{when} {second}")


def _happened(did: Both, when: str) -> Clause:
    one, many = forms(did)
    bare = f"{many.removeprefix('were ')} {when}" if many.startswith("were ") else ""
    return Clause((f"{one} {when}", f"{many} {when}"), bare)


def day(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by a date: before or after one, in a year, in a month, between two."""
    column, attribute = draft.pick(source.table, Day)
    days = sorted(str(value) for value in column.known)
    first, second = sorted(days[int((0.1 + 0.8 * draft.chance.random()) * len(days))] for _ in range(2))
    kind = draft.chance.weighted(("<", ">", "year", "month", "range"), (4, 4, 4, 2, 2))
    node = query.column(source, column)
    if kind == "range":
        return _between_days(draft, query, node, attribute, first, second)
    if kind in "<>":
        query.where.append(compare(kind, node, literal(second)))
        return _happened(
            attribute.did, f"{'before' if kind == '<' else 'after'} {day_text(second, spelled=draft.spelled_dates)}"
        )
    length, form = (4, "%Y") if kind == "year" else (7, "%Y-%m")
    part = second[:length]
    if draft.chance.happens(0.5):
        query.where.append(exp.Like(this=node, expression=literal(f"{part}%")))
    else:
        formatted = exp.Anonymous(this="STRFTIME", expressions=[literal(form), node])
        query.where.append(compare("=", formatted, literal(part)))
    said = part if kind == "year" else f"{MONTHS[int(part[5:]) - 1]} {part[:4]}"
    return _happened(attribute.did, f"in {said}")


def _between_days(draft: Draft, query: Query, node: exp.Column, attribute: Day, first: str, second: str) -> Clause:
    if first == second:
        raise MisfitError
    inclusive = exp.Between(this=node, low=literal(first), high=literal(second))
    query.where.append(inclusive)
    strict = [compare(">", node.copy(), literal(first)), compare("<", node.copy(), literal(second))]
    draft.readings.append((inclusive, both_of(strict)))
    ends = " and ".join(day_text(text, spelled=draft.spelled_dates) for text in (first, second))
    return _happened(attribute.did, f"between {ends}")


def flag(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by yes or no."""
    column, attribute = draft.pick(source.table, Flag, whole=True)
    wanted = draft.chance.happens(0.65)
    value = draft.world.style.flags[wanted]
    query.where.append(compare("=", query.column(source, column), literal(value)))
    return Clause(forms(attribute.yes if wanted else attribute.no))


def recorded(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by whether something is recorded."""
    gaps = [c for c in source.table.columns if c.attribute and None in c.values and not isinstance(c.attribute, Flag)]
    column = draft.use(draft.one_of(gaps))
    noun = attribute_of(column).noun
    if draft.chance.happens(0.6):
        query.where.append(missing(query.column(source, column)))
        said = f"no recorded {noun}"
        return Clause((f"has {said}", f"have {said}"), f"with {said}", whose(source.table.entity, noun, "not recorded"))
    query.where.append(missing(query.column(source, column), negated=True))
    said = f"a recorded {noun}"
    return Clause((f"has {said}", f"have {said}"), f"with {said}", whose(source.table.entity, noun, "recorded"))


def pattern(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by what a label begins with or contains."""
    column = label_of(source.table)
    attribute = attribute_of(column)
    words = str(draft.chance.choice(column.values)).split()
    is_code = isinstance(attribute, Label) and isinstance(attribute.names, Codes)
    kind = "starts" if is_code else draft.chance.choice(("starts", "contains", "ends"))
    if kind == "starts":
        piece = words[0] if is_code or len(words) > 1 else ""
        size = draft.chance.between(len(piece) - 2, len(piece) - 1) if is_code else draft.chance.between(1, 2)
        piece = piece if piece and not is_code and draft.chance.happens(0.4) else words[0][:size]
        like, glob, verb = f"{piece}%", f"{piece}*", "start"
    elif kind == "ends":
        piece = words[-1][-draft.chance.between(1, 3) :]
        like, glob, verb = f"%{piece}", f"*{piece}", "end"
    else:
        piece = draft.chance.choice(words)
        like, glob, verb = f"%{piece}%", f"*{piece}*", "contain"
    if not piece.replace("-", "").isalnum():
        raise MisfitError
    draft.use(column)
    node = query.column(source, column)
    test = exp.Like(this=node, expression=literal(like))
    query.where.append(test)
    draft.readings.append((test, exp.Glob(this=node.copy(), expression=literal(glob))))
    piece = _quoted(piece) if verb == "contain" else f"with {_quoted(piece)}"
    thing = f"{article(attribute.noun)} {verb}ing {piece}"
    ending = f"whose {attribute.noun} {verb}s {piece}"
    return Clause((f"has {thing}", f"have {thing}"), f"with {thing}", ending, named=True)


def beyond_average(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by a quantity above or below the average of all."""
    column, attribute = draft.pick(source.table, Number, whole=True)
    inner = Query(source.table)
    inner.select.append(exp.Avg(this=inner.column(inner.main, column)))
    more = draft.chance.happens(0.5)
    query.where.append(compare("><"[not more], query.column(source, column), scalar(inner.build())))
    many = source.table.entity.many
    return _beyond(
        source.table.entity,
        attribute,
        more,
        f"the average of all {many}",
        f"the average {attribute.noun} of all {many}",
    )


def beyond_one(draft: Draft, query: Query, source: Source) -> Clause:
    """Filter by a quantity above or below that of a named thing."""
    column, attribute = draft.pick(source.table, Number, whole=True)
    name = unique_label(draft, source.table)
    inner = Query(source.table)
    inner.select.append(inner.column(inner.main, column))
    inner.where.append(compare("=", inner.column(inner.main, label_of(source.table)), literal(name)))
    more = draft.chance.happens(0.5)
    query.where.append(compare("><"[not more], query.column(source, column), scalar(inner.build())))
    one = named(source.table.entity, name)
    return _beyond(source.table.entity, attribute, more, one, f"that of {one}")


def _beyond(entity: Entity, attribute: Number, more: bool, than: str, side: str) -> Clause:
    if attribute.adjectives:
        bare = f"{attribute.adjectives[not more]} than {than}"
        return Clause(being(entity, bare), bare)
    if attribute.counted:
        thing = f"{'more' if more else 'fewer'} {attribute.counted} than {than}"
    else:
        thing = f"{article(attribute.noun)} {'above' if more else 'below'} {side}"
    return Clause(having(entity, thing), f"with {thing}")


# --- choosing --------------------------------------------------------------------------------------------

OWN: Final[Sequence[tuple[Filter, float]]] = (
    (category, 5),
    (not_category, 1),
    (one_of_categories, 1),
    (compared, 5),
    (between, 1.5),
    (year, 3),
    (day, 3),
    (flag, 3),
    (recorded, 1),
    (pattern, 1.5),
)
"""Filters on the thing's own attributes, and how often each is tried."""


def drawn(draft: Draft, query: Query, source: Source, stock: Sequence[tuple[Filter, float]]) -> Clause:
    """Apply one filter of a stock.

    Raises:
        MisfitError: none fits after some tries.
    """
    weights = [weight * draft.favour(item.__name__) for item, weight in stock]
    for _ in range(6 if any(weights) else 0):
        chosen = draft.chance.weighted([item for item, _ in stock], weights)
        undo = (query.checkpoint(), draft.checkpoint())
        try:
            clause = chosen(draft, query, source)
        except MisfitError:
            for restore in undo:
                restore()
            continue
        draft.tags.append(chosen.__name__)
        return clause
    raise MisfitError


def own(draft: Draft, query: Query, source: Source) -> Clause:
    """Apply a filter on the thing's own attributes."""
    return drawn(draft, query, source, OWN)
