"""Which rows a question is about: values, quotes, numbers and dates in it → the conditions of a SELECT."""

from collections.abc import Callable
from dataclasses import replace

from sql_env.agent.analyst.mentions import Mention, find_mentions
from sql_env.agent.analyst.query_draft import Draft, text
from sql_env.agent.analyst.question_reading import Cue, Reading, name_words
from sql_env.agent.analyst.schema_reading import Column, Notebook, bare


class Filters:
    """A draft of a question, and the filters of it: on values, quotes, numbers and dates."""

    def __init__(self, reading: Reading, notebook: Notebook) -> None:
        self._notebook = notebook
        self._mentions = find_mentions(reading, notebook)
        named = {place for m in self._mentions if m.column for place in range(m.first, m.last)}
        kept = [cue for cue in reading.cues if cue.kind != "count" or not named & set(range(cue.first, cue.last))]
        self._reading = replace(reading, cues=tuple(kept))
        self._draft = Draft()
        self._roles: dict[Mention, list[Cue]] = {}
        self._taken: set[Mention] = set()

    def filter(self) -> None:
        """Write every filter that the question states into the draft."""
        self._filter_values()
        self._filter_numbers()

    def _filter_values(self) -> None:
        by_column: dict[Column, list[str]] = {}
        for mention in self._mentions:
            if mention.column and mention.value is not None:
                by_column.setdefault(mention.column, []).append(mention.value)
                self._taken.add(mention)
        for column, values in by_column.items():
            texts = [text(value) for value in dict.fromkeys(values)]
            if len(texts) > 1 and self._reading.has("both"):
                self._draft.having = f"COUNT(DISTINCT {column.sql}) = {len(texts)}"
            self._where(column, f"= {texts[0]}" if len(texts) == 1 else f"IN ({', '.join(texts)})")
        for mention in self._mentions:
            named = [m for m in self._mentions if m.value is not None and m.column == mention.column]
            if any(-2 <= m.first - mention.last <= 3 or 0 <= mention.first - m.last <= 0 for m in named):
                self._taken.add(mention)
        self._filter_quotes()

    def _filter_quotes(self) -> None:
        for quote in self._reading.all("quote"):
            if any(m.value is not None and m.first < quote.last and quote.first < m.last for m in self._mentions):
                continue
            before = self._before(quote.first, 8, lambda column: not column.is_number)
            if before is not None and before.column is not None:
                kinds = [cue.kind for cue in self._reading.cues if cue.first <= quote.first <= cue.last + 1]
                ends = ("" if "prefix" in kinds else "%", "" if "suffix" in kinds else "%")
                self._where(before.column, f"LIKE {text(ends[0] + quote.value + ends[1])}")
                self._take_filter(before, quote.first)

    def _filter_numbers(self) -> None:
        for cue in self._reading.cues:
            if cue.kind in ("between", "compare", "number"):
                self._filter_number(cue)
            elif cue.kind == "beside":
                self._filter_beside(cue)
            elif cue.kind in ("date", "month"):
                self._filter_date(cue.value)

    def _filter_number(self, cue: Cue) -> None:
        if cue.kind == "between":
            test = f"BETWEEN {cue.number[0]} AND {cue.number[1]}"
        else:
            test = f"{cue.value or '='} {cue.number[0]}"
        if cue.kind == "number" and (self._inside_value(cue) or not cue.number[0][0].isdigit()):
            return
        is_year = len(cue.number[0]) == 4 and cue.number[0][:2] in ("19", "20")
        mention = self._compared(cue)
        if is_year and cue.kind != "between" and not (mention and mention.column and _is_year(mention.column)):
            self._filter_year(test, cue)
        elif mention is not None and mention.column is None and cue.kind == "number":
            self._filter_key(mention, test)
        elif mention is not None and mention.column is None:
            self._draft.having = f"COUNT(*) {test}"
            self._draft.need(mention.table)
            self._taken.add(mention)
        elif mention is not None and mention.column is not None and mention.column.is_number:
            self._where(mention.column, test)
            self._take_filter(mention, cue.first)

    def _filter_key(self, mention: Mention, test: str) -> None:
        """Of a table, a number is the key: crew member 37."""
        if (key := self._notebook.tables[mention.table].key) is not None and key.is_number:
            self._where(key, test)
            self._taken.add(mention)

    def _compared(self, cue: Cue) -> Mention | None:
        """Return what a number is compared with: a number's column before it, or a column or table after it."""
        plain = cue.kind == "number"
        over = [m for m in self._mentions if m.column and m.first < cue.last and cue.first < m.last]
        if over:
            return over[0]
        before = self._before(cue.first, 2 if plain else 5, lambda column: column.is_number)
        after = next((m for m in self._mentions if 0 <= m.first - cue.last <= 1 and m.value is None), None)
        if plain:
            named = [m for m in self._mentions if m.column is None and 0 <= cue.first - m.last <= 1]
            return before or (after if after and after.column else None) or (named[-1] if named else None)
        return after if after is not None and (after.column is None or before is None) else before

    def _filter_year(self, test: str, cue: Cue) -> None:
        known = [column for column in self._nearby() if _is_year(column)]
        if known:
            self._where(known[0], test)
        elif cue.value in ("", "="):
            self._filter_date(cue.number[0])

    def _filter_date(self, prefix: str) -> None:
        columns = [column for column in self._nearby() if column in self._notebook.dates]
        said = [m.column for m in self._mentions if m.column in columns]
        for column in (said or columns)[:1]:
            if column is not None:
                self._where(column, f"LIKE {text(prefix + '%')}")

    def _filter_beside(self, cue: Cue) -> None:
        after = next((m for m in self._mentions if m.column and 0 <= m.first - cue.last <= 1), None)
        over = next((m for m in self._mentions if m.column and m.first < cue.last and cue.first < m.last), None)
        mention = after or over or self._before(cue.first, 5, lambda column: column.is_number)
        if mention is not None and mention.column is not None:
            column = mention.column
            self._where(column, f"{cue.value} (SELECT AVG({column.name}) FROM {column.table})")  # noqa: S608 — run in a sandbox
            self._take_filter(mention, cue.first)

    def _before(self, place: int, reach: int, fits: Callable[[Column], bool]) -> Mention | None:
        near = [m for m in self._mentions if 0 <= place - m.last <= reach and m.column and m.value is None]
        near = [m for m in near if m.column is not None and fits(m.column)]
        return near[-1] if near else None

    def _take_filter(self, mention: Mention, place: int) -> None:
        """A column that is only compared is not shown, unless it was asked for."""
        turned = any(cue.kind == "turn" and cue.first <= mention.first for cue in self._reading.cues)
        if turned or place - mention.last <= 2:
            self._taken.add(mention)

    def _inside_value(self, cue: Cue) -> bool:
        return any(m.value is not None and m.first < cue.last and cue.first < m.last for m in self._mentions)

    def _nearby(self) -> list[Column]:
        """Return the columns of mentioned tables, then the others."""
        mentioned = [m.table for m in self._mentions]
        return sorted(self._notebook.columns, key=lambda c: c.table not in mentioned)

    def _where(self, column: Column, test: str) -> None:
        self._draft.where.append(f"{column.sql} {test}")
        self._draft.need(column.table)


def _is_year(column: Column) -> bool:
    return "year" in name_words(bare(column.name))
