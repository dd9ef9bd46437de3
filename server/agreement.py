"""How often the strict verdict and Spider's official execution accuracy agree, over golds perturbed on purpose.

A perturbation rewrites a gold into an answer in SQL: one that should still be right, or one that should not. Each is
run and graded as in an episode. docs/grading.md shows the counts and explains every kind of disagreement.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlglot import exp

from sql_env.server.actions import Task, Turn, carry_out
from sql_env.server.episode import Episode
from sql_env.server.questions import Question, QuestionSet
from sql_env.server.resources import Resources
from sql_env.server.structure import parse

Perturbation: TypeAlias = Callable[[exp.Query], Iterator[exp.Query]]


@dataclass
class Agreement:
    """Counts for one perturbation: answers by (strict verdict is correct, official accuracy)."""

    counts: Counter[tuple[bool, bool | None]] = field(default_factory=Counter)
    only_official: Counter[str] = field(default_factory=Counter)

    @property
    def answers(self) -> int:
        """How many answers were graded."""
        return self.counts.total()


def measure(dataset: QuestionSet, resources: Resources) -> dict[str, Agreement]:
    """Grade every perturbation of every gold, by the perturbation's name."""
    measured = {name: Agreement() for name in PERTURBATIONS}
    for question in dataset.questions:
        gold = parse(question.gold_sql)
        assert isinstance(gold, exp.Query)
        for name, perturbed in PERTURBATIONS.items():
            for answer in perturbed(gold):
                episode = answered(dataset, question, answer.sql(dialect="sqlite"), resources)
                measured[name].counts[episode.correct, episode.official] += 1
                if episode.official and not episode.correct:
                    measured[name].only_official[str(episode.verdict)] += 1
    return measured


def answered(dataset: QuestionSet, question: Question, sql: str, resources: Resources) -> Episode:
    """Play an episode that consists of an answer in SQL."""
    database, settings, engine = dataset.database(question), resources.settings, resources.engine
    episode = Episode(question, settings.max_steps, "sql")
    episode.begin_step("ANSWER")
    task = Task(episode, database, resources.schema(database), settings, engine.limits)
    Turn(carry_out(task, "ANSWER", sql)).finish(engine)
    return episode


def table(measured: dict[str, Agreement]) -> list[str]:
    """Return the counts as lines of Markdown."""
    lines = ["| perturbation | answers | both right | both wrong | strict only | official only | official unknown |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name, agreement in measured.items():
        counts = agreement.counts
        unknown = counts[True, None] + counts[False, None]
        why = ", ".join(f"{count} {verdict}" for verdict, count in sorted(agreement.only_official.items()))
        official = f"{counts[False, True]} ({why})" if why else "0"
        cells = (agreement.answers, counts[True, True], counts[False, False], counts[True, False], official, unknown)
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return lines


# --- perturbations ---------------------------------------------------------------------------------------


def _unchanged(gold: exp.Query) -> Iterator[exp.Query]:
    yield gold


def _without_distinct(gold: exp.Query) -> Iterator[exp.Query]:
    if gold.find(exp.Distinct):
        answer = gold.copy()
        for distinct in list(answer.find_all(exp.Distinct)):
            if isinstance(distinct.parent, exp.Select):
                distinct.pop()
            else:
                distinct.replace(distinct.expressions[0])
        yield answer


def _with_distinct(gold: exp.Query) -> Iterator[exp.Query]:
    if isinstance(gold, exp.Select) and not gold.args.get("distinct"):
        yield gold.distinct()


def _without_order(gold: exp.Query) -> Iterator[exp.Query]:
    if gold.args.get("order"):
        answer = gold.copy()
        answer.set("order", None)
        yield answer


def _reversed_order(gold: exp.Query) -> Iterator[exp.Query]:
    if gold.args.get("order"):
        answer = gold.copy()
        for key in answer.args["order"].expressions:
            down = not key.args.get("desc")
            key.set("desc", down)
            key.set("nulls_first", not down)  # as SQLite sorts them by itself
        yield answer


def _items(gold: exp.Query) -> list[exp.Expr]:
    """The items of a plain SELECT that names its columns, and refers to none of them by its number; else nothing."""
    if not isinstance(gold, exp.Select) or any(isinstance(item, exp.Star) or item.is_star for item in gold.selects):
        return []
    keys = [key.this for key in gold.args["order"].expressions] if gold.args.get("order") else []
    keys += gold.args["group"].expressions if gold.args.get("group") else []
    return [] if any(isinstance(key, exp.Literal) for key in keys) else [item.copy() for item in gold.selects]


def _swapped_columns(gold: exp.Query) -> Iterator[exp.Query]:
    items = _items(gold)
    if len(items) > 1:
        yield gold.select(*items[1:], items[0], append=False)


def _extra_column(gold: exp.Query) -> Iterator[exp.Query]:
    if items := _items(gold):
        yield gold.select(*items, items[0].copy(), append=False)
        yield gold.select(*items, exp.Literal.number(1), append=False)


def _missing_column(gold: exp.Query) -> Iterator[exp.Query]:
    items = _items(gold)
    if len(items) > 1:
        yield gold.select(*items[:-1], append=False)


def _duplicated_rows(gold: exp.Query) -> Iterator[exp.Query]:
    once, again = (exp.select("*").from_(gold.subquery(name)) for name in "ab")
    yield exp.union(once, again, distinct=False)


def _missing_row(gold: exp.Query) -> Iterator[exp.Query]:
    yield exp.select("*").from_(gold.subquery("a")).limit(1_000_000).offset(1)


def _changed_constants(gold: exp.Query) -> Iterator[exp.Query]:
    for number, literal in enumerate(gold.find_all(exp.Literal)):
        answer = gold.copy()
        found = list(answer.find_all(exp.Literal))[number]
        found.replace(exp.Literal.string("no such") if literal.is_string else exp.Literal.number(f"{literal.name}1"))
        yield answer


def _rewritten(gold: exp.Query, rewrite: Callable[[exp.Expr], exp.Expr]) -> Iterator[exp.Query]:
    """Rewrite every column of the result, leaving its rows and their order."""
    if items := _items(gold):
        columns = [exp.alias_(rewrite(item.unalias()), f"c{i}") for i, item in enumerate(items)]
        yield gold.select(*columns, append=False)


def _upper_case(gold: exp.Query) -> Iterator[exp.Query]:
    def rewrite(item: exp.Expr) -> exp.Expr:
        is_text = exp.func("TYPEOF", item.copy()).eq("text")
        return exp.func("IIF", is_text, exp.Upper(this=item.copy()), item.copy())

    yield from _rewritten(gold, rewrite)


def _as_text(gold: exp.Query) -> Iterator[exp.Query]:
    yield from _rewritten(gold, lambda item: exp.cast(item.copy(), "text"))


PERTURBATIONS: dict[str, Perturbation] = {
    "none": _unchanged,
    "DISTINCT dropped": _without_distinct,
    "DISTINCT added": _with_distinct,
    "ORDER BY dropped": _without_order,
    "ORDER BY reversed": _reversed_order,
    "columns swapped": _swapped_columns,
    "a column more": _extra_column,
    "a column less": _missing_column,
    "rows doubled": _duplicated_rows,
    "first row missing": _missing_row,
    "a constant changed": _changed_constants,
    "text in upper case": _upper_case,
    "numbers as text": _as_text,
}
