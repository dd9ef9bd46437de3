"""The scripted analyst: plays as a careful beginner would, without a model, a gold or chance.

It describes the tables whose names the question says and those they refer to, looks up which values of theirs the
question mentions, writes one SELECT from the question's words (query_writing.py), tries it, leaves out a filter when
nothing comes back, and answers with what it got. It knows English question words and nothing of any database, so that
it shows what plain word matching is worth.
"""

import json

from sql_env.agent.analyst.mentions import relevance
from sql_env.agent.analyst.query_draft import lookup
from sql_env.agent.analyst.query_writing import statements
from sql_env.agent.analyst.question_reading import Reading, name_words, read_question
from sql_env.agent.analyst.schema_reading import Column, Notebook, bare, read_names, read_table
from sql_env.models import SQLAction, SQLObservation

_TABLES = 5
"""Most tables to describe at first."""
_MOST_TABLES = 8
"""Most tables to describe while nothing joins those that the question needs."""
_TRIES = 4
"""Most statements to try."""


class ScriptedPolicy:
    """A baseline that reads the question word by word; the same observations give the same actions."""

    name = "scripted"

    def reset(self, observation: SQLObservation, seed: int) -> None:
        """Begin an episode: note the question and the tables' names."""
        self._reading = read_question(observation.question)
        self._notebook = Notebook(names=read_names(observation.schema_info))
        self._wants_sql = observation.metadata.get("answer_form") == "sql"
        self._plan: list[str] | None = None
        self._looked = False
        self._asked: list[str] = []
        self._last = SQLAction(action_type="ANSWER")
        first = next(iter(self._notebook.names), "nothing")
        self._best = f"SELECT COUNT(*) FROM {first}" if self._wants_sql else "0"  # noqa: S608 — run in a sandbox
        self._tried = False

    def act(self, observation: SQLObservation) -> SQLAction:
        """Return the next action; ANSWER on the last step at the latest."""
        self._learn(observation)
        self._last = self._next(observation)
        return self._last

    def _learn(self, seen: SQLObservation) -> None:
        """Note what the last action gave."""
        if self._last.action_type == "DESCRIBE" and (table := read_table(seen.result)) is not None:
            self._notebook.tables[table.name] = table
        elif self._last.action_type == "QUERY" and self._plan is None:
            note_values(self._notebook, seen.rows)
        elif self._last.action_type == "QUERY" and seen.error is None and (seen.rows or not self._tried):
            self._tried = True
            self._best = self._last.argument if self._wants_sql else answer(seen.rows)

    def _next(self, seen: SQLObservation) -> SQLAction:
        if seen.budget_remaining <= 1:
            return SQLAction(action_type="ANSWER", argument=self._best)
        if self._plan is None:
            if (table := self._unseen_table()) is not None:
                return SQLAction(action_type="DESCRIBE", argument=table)
            if not self._looked and self._notebook.columns:
                self._looked = True
                return SQLAction(action_type="QUERY", argument=lookup(self._reading, self._notebook))
            self._plan = statements(self._reading, self._notebook)[:_TRIES]
        elif is_good(seen):
            self._plan = []
        if self._plan:
            return SQLAction(action_type="QUERY", argument=self._plan.pop(0))
        return SQLAction(action_type="ANSWER", argument=self._best)

    def _unseen_table(self) -> str | None:
        """Return the next table worth describing."""
        wanted = wanted_tables(self._reading, self._notebook)
        if not (unseen := [name for name in wanted if name not in self._asked]):
            more = [name for name in self._notebook.names if name not in self._asked]
            unseen = [] if len(self._asked) >= _MOST_TABLES or statements(self._reading, self._notebook) else more
        self._asked += unseen[:1]
        return next(iter(unseen), None)


def wanted_tables(reading: Reading, notebook: Notebook) -> list[str]:
    """Return tables to describe, the one most named by the question first, then those they refer to."""
    scores = {name: relevance(name, reading) for name in notebook.names}
    named = [name for name in sorted(notebook.names, key=lambda name: -scores[name]) if scores[name] > 0.3]
    more = [name for name in notebook.neighbours() if name not in named]
    return ((named or notebook.names[:3]) + more)[:_TABLES]


def note_values(notebook: Notebook, rows: list[list[object]]) -> None:
    """Note what the look-up found, and which columns hold dates by their names and types."""
    columns = {column.sql: column for column in notebook.columns}
    for row in rows:
        if len(row) == 3 and (column := columns.get(str(row[0]))) is not None:
            if row[1] == "flag":
                notebook.flags.add(column)
            elif row[2]:
                notebook.found.append((column, str(row[2])))
    notebook.dates.update(column for column in notebook.columns if is_date(column))


def is_date(column: Column) -> bool:
    """Return whether a column holds dates, by its type and name."""
    parts = set(name_words(bare(column.name)))
    return not column.is_number and ("DATE" in column.type.upper() or bool(parts & {"date", "on", "at", "when"}))


def is_good(seen: SQLObservation) -> bool:
    """Return whether a result may be the answer: it has rows, and not only empty cells or a count of nothing."""
    cells = [cell for row in seen.rows for cell in row]
    return seen.error is None and any(cell not in (None, 0) for cell in cells)


def answer(rows: list[list[object]]) -> str:
    """Return a result as an answer: one value alone, one column as a list, else a table."""
    if len(rows) == 1 and len(rows[0]) == 1:
        return json.dumps(rows[0][0], ensure_ascii=False)
    flat = all(len(row) == 1 for row in rows)
    return json.dumps([row[0] for row in rows] if flat else rows, ensure_ascii=False)
