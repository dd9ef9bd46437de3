"""The episode's state machine. Pure: no I/O, no clock, no SQL; it is told what happened and keeps count.

An episode begins with a question and a step budget. Every action costs a step, a faulty one too. It ends when an
answer is given (terminated) or when the budget's last step was no answer (truncated), and then never changes.
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from sql_env.server.answers import Gold
from sql_env.server.questions import Question
from sql_env.server.sandbox import QueryResult
from sql_env.server.verifier import Reason, grade, grade_rows

HISTORY_CHARS = 200
"""Length at which an action in the history is cut, so that observations stay small."""


@dataclass
class Episode:
    """One question under way.

    Attributes:
        question: what is asked, with its gold.
        max_steps: the step budget.
        answer_form: ``value``, or ``sql`` if the answer is a statement whose rows are graded.
        step_count: steps taken.
        history: the actions taken, as text.
        described: tables that DESCRIBE has shown, in order.
        last_result: what the last QUERY that ran gave; an answer in SQL counts as one.
        discoveries: what was found out, without regard to the gold: tables described, results seen.
        official: Spider's official execution accuracy of an answer in SQL; None if unknown.
        on_variants: whether a right answer in SQL is right on variants of the database too; None if not tried.
        verdict: how the answer was graded, if one was given.
        truncated: whether the budget ran out without an answer.
    """

    question: Question
    max_steps: int
    answer_form: str = "value"
    step_count: int = 0
    history: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)
    last_result: QueryResult | None = None
    discoveries: set[Hashable] = field(default_factory=set)
    official: bool | None = None
    on_variants: bool | None = None
    verdict: Reason | None = None
    truncated: bool = False

    @property
    def done(self) -> bool:
        """Whether the episode is over."""
        return self.truncated or self.verdict is not None

    @property
    def correct(self) -> bool:
        """Whether the right answer was given."""
        return self.verdict is Reason.CORRECT

    @property
    def budget_remaining(self) -> int:
        """Steps left."""
        return self.max_steps - self.step_count

    @property
    def gold(self) -> Gold:
        """The rows that answer the question."""
        return Gold.of(self.question)

    def begin_step(self, action: str) -> None:
        """Count a step and remember its action."""
        if self.done:
            raise RuntimeError("the episode is over")
        self.step_count += 1
        self.history.append(action if len(action) <= HISTORY_CHARS else action[: HISTORY_CHARS - 1] + "…")

    def saw_table(self, name: str) -> None:
        """Note that DESCRIBE showed a table."""
        if name not in self.described:
            self.described.append(name)
        self.discoveries.add(name)

    def saw_sample(self, discovery: int | None) -> None:
        """Note what SAMPLE showed, by ``QueryResult.discovery``."""
        if discovery is not None:
            self.discoveries.add(discovery)

    def saw_result(self, result: QueryResult) -> None:
        """Note what a QUERY gave."""
        self.saw_sample(result.discovery)
        self.last_result = result

    def answered(self, answer: str, max_chars: int) -> None:
        """Grade an answer and end the episode, even if grading should fail."""
        self.verdict = Reason.UNPARSABLE
        self.verdict = grade(answer, self.gold, max_chars)

    def answered_in_sql(self, result: QueryResult, on_variants: bool | None = None) -> None:
        """Grade what an answer in SQL gave, and end the episode. At least one row more than the gold's is needed.

        Args:
            result: what it gave.
            on_variants: whether it is right on variants of the database too; None where that was not tried.
        """
        self.saw_result(result)
        self.on_variants = on_variants
        self.verdict = Reason.WRONG_SHAPE
        reason = grade_result(result, self.gold)
        self.verdict = Reason.WRONG_ON_VARIANT if reason is Reason.CORRECT and on_variants is False else reason

    def answered_badly(self, reason: Reason) -> None:
        """End the episode with an answer that cannot be graded."""
        self.verdict = reason

    def end_step(self) -> None:
        """End the episode if this step was the last of the budget."""
        self.truncated = self.verdict is None and self.budget_remaining <= 0


def grade_result(result: QueryResult, gold: Gold) -> Reason:
    """Grade what an answer in SQL gave. At least one row more than the gold's has to be kept of it."""
    if result.complete and result.total_rows == len(result.rows):
        return grade_rows(result.rows, gold)
    return Reason.WRONG_SHAPE


def progress(episode: Episode) -> float:
    """Return how far the agent has explored, from 0 to below 1, without regard to the gold.

    Each discovery halves what is left: a table described for the first time, a result that came from data and was not
    seen before. Repeats and statements that fail or read no table add nothing.
    """
    return 1.0 - 0.5 ** len(episode.discoveries)


def evidence(episode: Episode) -> float:
    """Return how much the last result says that the agent was on the way, from 0 to 1.

    It counts only if the last statement read every table of the gold. It is 1 if its result holds the gold's
    cells in at most twice as many, or is the gold's only cell, else half the F1 score of its cells against the gold's
    where that exceeds 0.5. A dump of whole tables therefore earns nothing, and two guesses are worth less than one.
    """
    result = episode.last_result
    if result is None or not result.tables.issuperset(episode.question.tables):
        return 0.0
    found, wanted = _cells(result.rows), _cells(episode.question.gold_rows)
    n_found = result.total_rows * len(result.columns)
    overlap = (found & wanted).total()
    room = 2 * wanted.total() if wanted.total() > 1 else 1
    if overlap == wanted.total() and n_found <= room:
        return 1.0
    f1 = 2 * overlap / (n_found + wanted.total())
    return f1 / 2 if f1 > 0.5 else 0.0


def _cells(rows: tuple[tuple[Any, ...], ...]) -> "Counter[tuple[str, Any]]":
    return Counter(_key(cell) for row in rows for cell in row)


def _key(cell: Any) -> tuple[str, Any]:
    """Return what makes cells count as equal: numbers by value, to six digits if they have a fraction."""
    if not isinstance(cell, int | float):
        return type(cell).__name__, cell
    whole = isinstance(cell, int) or cell.is_integer()
    return "number", int(cell) if whole else f"{cell:.6g}"
