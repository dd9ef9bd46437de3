"""Answers that need no question: what one may say to every question alike, and how often it is right."""

from collections import Counter
from collections.abc import Sequence

from sql_env.server.answers import Gold
from sql_env.server.questions import Question, gold_answer
from sql_env.server.verifier import Reason, grade


def most_frequent_answer(questions: Sequence[Question], split: str = "train") -> str:
    """Return the gold that most questions of a split share, written as an answer; of equals the first."""
    counted = Counter(gold_answer(q.gold_rows) for q in questions if q.split == split)
    return counted.most_common(1)[0][0] if counted else ""


def best_constant(questions: Sequence[Question], candidates: int = 300) -> str:
    """Return the answer that is right on most of these very questions; of equals the first.

    It is chosen with the golds in view, so it bounds what any constant can reach.

    Args:
        questions: all questions.
        candidates: how many of the most frequent golds are tried, besides a few small numbers and words.
    """
    counted = Counter(gold_answer(q.gold_rows) for q in questions)
    tried = dict.fromkeys([*map(str, range(10)), "NULL", "true", *(a for a, _ in counted.most_common(candidates))])
    golds = [Gold.of(q) for q in questions]
    return max(tried, key=lambda answer: sum(grade(answer, gold) is Reason.CORRECT for gold in golds))
