"""A question that was read, and a database as far as it is known → SQL statements to try, the best one first.

Each mention of a column or table gets a role (shown, counted, grouped by, ordered by, compared …) from the turn of
phrase next to it, and the roles together make one SELECT.
"""

from collections.abc import Iterator
from dataclasses import replace

from sql_env.agent.analyst.mentions import Mention
from sql_env.agent.analyst.query_draft import Draft, label
from sql_env.agent.analyst.query_filters import Filters
from sql_env.agent.analyst.question_reading import Cue, Reading, name_words, stem
from sql_env.agent.analyst.schema_reading import Column, Notebook, bare

_CHAIN = frozenset("and or the its their a as well also along his her".split())
_REACH = 3


def statements(reading: Reading, notebook: Notebook) -> list[str]:
    """Return statements to try, the one that says most first, then ones with a filter less, then a plain one."""
    draft = Writer(reading, notebook).write()
    drafts = [draft, *_relaxed(draft)]
    return list(dict.fromkeys(sql for draft in drafts if (sql := draft.sql(notebook))))


def _relaxed(draft: Draft) -> Iterator[Draft]:
    for left_out in range(len(draft.where) - 1, -1, -1):
        yield replace(draft, where=draft.where[:left_out] + draft.where[left_out + 1 :])
    yield replace(draft, where=[], having="")
    yield Draft(shown=["COUNT(*)"], tables=draft.tables[:1])


class Writer(Filters):
    """Makes one draft of a question; see ``write``."""

    def write(self) -> Draft:
        """Return the draft."""
        if not self._notebook.tables:
            return self._draft
        self.filter()
        self._give_roles()
        counted = self._counted()
        self._aggregate()
        self._show(counted)
        self._leave_out()
        self._rank(counted)
        self._finish()
        return self._draft

    def _give_roles(self) -> None:
        """Note for each mention the cues that govern it: just before it, or over it."""
        previous: Mention | None = None
        for mention in self._mentions:
            start = previous.last if previous else 0
            cues = [
                cue
                for cue in self._reading.cues
                if (start <= cue.first and 0 <= mention.first - cue.last <= _REACH)
                or (cue.first < mention.last and mention.first < cue.last)
            ]
            if not cues and previous is not None and self._chained(previous, mention):
                cues = [cue for cue in self._roles[previous] if cue.kind != "agg" or _is_number(mention)]
            self._roles[mention] = cues
            previous = mention

    def _chained(self, one: Mention, other: Mention) -> bool:
        between = self._reading.words[one.last : other.first]
        same = self._reading.words[one.first].sentence == self._reading.words[other.first].sentence
        return same and all(word.text in _CHAIN for word in between)

    def _role(self, mention: Mention, kind: str) -> Cue | None:
        return next((cue for cue in self._roles[mention] if cue.kind == kind), None)

    def _with_role(self, kind: str) -> list[tuple[Mention, Cue]]:
        pairs = [(m, self._role(m, kind)) for m in self._mentions if m not in self._taken]
        return [(mention, cue) for mention, cue in pairs if cue is not None]

    def _counted(self) -> list[str]:
        """Return the expressions that count, if the question counts."""
        counted = self._with_role("count")
        if not self._reading.has("count"):
            return []
        if not counted:
            return ["COUNT(*)"]
        mention, cue = counted[0]
        if self._role(mention, "top"):
            return []
        self._taken.add(mention)
        if not self._is_filtered(mention):
            self._draft.need(mention.table)
        different = any(c.kind == "distinct" and cue.first <= c.first <= mention.last for c in self._reading.cues)
        if mention.column and mention.column.is_number and not different and not mention.column.is_key:
            return [f"SUM({mention.column.sql})"] if mention.last - mention.first > 1 else ["COUNT(*)"]
        column = mention.column or self._reference(mention.table)
        return [f"COUNT(DISTINCT {column.sql})"] if different and column else ["COUNT(*)"]

    def _is_filtered(self, mention: Mention) -> bool:
        """Return whether filters already need a table that the same words may mean: cars, of several tables of cars."""
        said = {stem(word.text) for word in self._reading.words[mention.first : mention.last]}
        return any(said & set(map(stem, name_words(bare(table)))) for table in self._draft.tables)

    def _reference(self, table: str) -> Column | None:
        return self._notebook.tables[table].key

    def _aggregate(self) -> None:
        found = self._with_role("agg")
        loose = [cue for cue in self._reading.all("agg") if all(cue is not used for _, used in found)]
        for mention, _ in found:
            if mention.column is not None and self._role(mention, "each") is None:
                for cue in self._roles[mention]:
                    if cue.kind == "agg":
                        self._draft.shown.append(self._rounded(f"{cue.value}({mention.column.sql})"))
                self._draft.need(mention.table)
                self._taken.add(mention)
        for cue in loose if not self._draft.shown else ():
            self._aggregate_before(cue)

    def _aggregate_before(self, cue: Cue) -> None:
        before = [m for m in self._mentions if m.last <= cue.first and m.column and m.column.is_number]
        before = [m for m in before if m.value is None and m.column and not m.column.is_key]
        if before and before[-1].column is not None:
            self._draft.shown.append(self._rounded(f"{cue.value}({before[-1].column.sql})"))
            self._draft.need(before[-1].table)
            self._taken.add(before[-1])

    def _rounded(self, expression: str) -> str:
        places = [cue.number[0] if cue.number else cue.value for cue in self._reading.all("round")]
        return f"ROUND({expression}, {places[0]})" if places else expression

    def _show(self, counted: list[str]) -> None:
        draft = self._draft
        grouped = [self._columns_of(mention) for mention, _ in self._with_role("each")]
        self._taken.update(mention for mention, _ in self._with_role("each"))
        keys = [column for columns in grouped for column in columns]
        summed = bool(counted or draft.shown)
        asks_number = summed and (not self._reading.words or self._opens_with_number())
        plain = [] if asks_number and not self._fragments() else self._plain()
        if summed and (keys or plain):
            draft.group = [column.sql for column in keys or plain]
        draft.shown = [column.sql for column in (plain or keys)] + draft.shown
        draft.shown += [] if any(shown.startswith(("SUM", "AVG")) for shown in draft.shown) else counted
        for column in [*keys, *plain]:
            draft.need(column.table)

    def _opens_with_number(self) -> bool:
        return any(cue.kind in ("count", "agg") and cue.first <= 4 for cue in self._reading.cues)

    def _fragments(self) -> list[Mention]:
        """Return the columns named after the first sentence: there a question says what it wants to see."""
        words = self._reading.words
        cues = [cue for cue in self._reading.cues if cue.kind in ("never", "aside") and cue.first < len(words)]
        other = {0, *(words[cue.first].sentence for cue in cues)}
        return [m for m in self._free() if m.column and m.value is None and words[m.first].sentence not in other]

    def _free(self) -> list[Mention]:
        return [m for m in self._mentions if m not in self._taken and not self._bound(m)]

    def _bound(self, mention: Mention) -> bool:
        return any(cue.kind in ("top", "sort", "never") for cue in self._roles[mention])

    def _plain(self) -> list[Column]:
        """Return the columns that a question wants to see."""
        if fragments := self._fragments():
            return [m.column for m in fragments if m.column]
        turns = [cue.first for cue in self._reading.cues if cue.kind == "turn" and cue.first > 1]
        shown = [m for m in self._free() if m.column and not any(turn < m.first for turn in turns)]
        if shown:
            return [m.column for m in shown if m.column]
        subjects = [m for m in self._mentions if m.column is None and m not in self._taken]
        if subjects and not self._draft.shown and not self._reading.has("count"):
            return self._columns_of(subjects[0])
        return []

    def _columns_of(self, mention: Mention) -> list[Column]:
        return [mention.column] if mention.column else label(self._notebook.tables[mention.table])

    def _leave_out(self) -> None:
        for cue in self._reading.all("never"):
            governed = [m for m, used in self._with_role("never") if used is cue]
            later = [m for m in self._mentions if m.first >= cue.last and m.column is None and m not in self._taken]
            for mention in governed or later[:1]:
                self._taken.add(mention)
                self._leave_out_one(mention)

    def _leave_out_one(self, mention: Mention) -> None:
        shown = {column.table for column in self._notebook.columns if column.sql in self._draft.shown}
        if mention.column is None or (shown and mention.column.table not in shown):
            self._without(mention.table)
        elif mention.column in self._notebook.flags:
            self._where(mention.column, "= 0")
        elif mention.column in self._notebook.dates:
            self._where(mention.column, "IS NULL")

    def _without(self, table: str) -> None:
        """Keep the rows that no row of a table refers to."""
        mains = [name for name in self._draft.tables if name != table] or [
            link.target for link in self._notebook.links if link.table == table and link.target != table
        ]
        for link in self._notebook.links:
            if link.table == table and link.target in mains:
                source, target = link.columns[0], f"{link.target}.{link.target_columns[0]}"
                inner = f"SELECT {source} FROM {table} WHERE {source} IS NOT NULL"  # noqa: S608 — run in a sandbox
                self._draft.where.append(f"{target} NOT IN ({inner})")
                self._draft.shown = [target if one == f"{table}.{source}" else one for one in self._draft.shown]
                self._draft.tables = [name for name in self._draft.tables if name != table]
                self._draft.need(link.target)
                return

    def _rank(self, counted: list[str]) -> None:
        draft = self._draft
        for mention, cue in self._with_role("top")[:1]:
            number = cue.number[0] if cue.number else "1"
            if mention.column is not None and not draft.shown:
                draft.shown = [f"{'MAX' if cue.value == 'DESC' else 'MIN'}({mention.column.sql})"]
            elif mention.column is None or counted or self._role(mention, "count"):
                draft.order, draft.limit = f"COUNT(*) {cue.value}", number
                draft.group = draft.group or draft.plain
            else:
                draft.order, draft.limit = f"{mention.column.sql} {cue.value}", number
            draft.need(mention.table)
            self._taken.add(mention)
        for cue in self._reading.all("top") if not self._with_role("top") and not draft.order else ():
            self._rank_by_count(cue)
        self._sort()

    def _rank_by_count(self, cue: Cue) -> None:
        """Most, of nothing named: how often the other things mentioned occur."""
        draft = self._draft
        if draft.shown and not draft.group and not any("(" in shown for shown in draft.shown):
            draft.group = list(draft.shown)
            draft.order, draft.limit = f"COUNT(*) {cue.value}", cue.number[0] if cue.number else "1"
            for mention in self._mentions:
                draft.need(mention.table)

    def _sort(self) -> None:
        ways = [cue.value for cue in self._reading.all("sort") if cue.value]
        if self._draft.order or not self._reading.has("sort"):
            return
        by = [m.column.sql for m, _ in self._with_role("sort") if m.column]
        by += [shown for shown in self._draft.shown if "(" in shown and ways == ["DESC"]] or self._draft.shown
        if by:
            self._draft.order = f"{by[0]} {ways[0] if ways else 'ASC'}"

    def _finish(self) -> None:
        draft = self._draft
        if draft.having and not draft.group:
            draft.group = draft.plain
            draft.having = draft.having if draft.group else ""
        for mention in self._mentions:
            flag = mention.column in self._notebook.flags and mention not in self._taken
            if flag and mention.column and mention.column.sql not in draft.shown + draft.group:
                self._where(mention.column, "= 1")
        if self._reading.has("filled"):
            draft.where += [f"{column.sql} <> ''" for column in self._notebook.columns if column.sql in draft.shown]
        draft.distinct = bool(not draft.group and (self._reading.has("distinct") or self._reading.has("once")))
        draft.distinct = draft.distinct and not any("(" in shown for shown in draft.shown)
        if not draft.tables and self._mentions:
            draft.need(self._mentions[0].table)
        if not draft.shown:
            draft.shown = ["COUNT(*)"]
        if not draft.tables:
            draft.need(next(iter(self._notebook.tables)))


def _is_number(mention: Mention) -> bool:
    return mention.column is not None and mention.column.is_number
