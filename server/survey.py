"""What sets of questions are like: the constructs of their golds, answers that can be guessed, samples; as Markdown."""

from collections.abc import Mapping, Sequence

from sql_env.server.answers import Gold
from sql_env.server.audit import table
from sql_env.server.constructs import CONSTRUCTS, shares
from sql_env.server.guesses import best_constant, most_frequent_answer
from sql_env.server.procedural.dials import HARDNESS
from sql_env.server.questions import Question, gold_answer
from sql_env.server.structure import parse
from sql_env.server.verifier import Reason, grade


def construct_shares(sets: Mapping[str, Sequence[Question]]) -> dict[str, dict[str, float]]:
    """Return for each set in what share of its golds each construct occurs."""
    return {name: shares(parse(question.gold_sql) for question in questions) for name, questions in sets.items()}


def construct_table(found: Mapping[str, Mapping[str, float]], counts: Mapping[str, int]) -> list[str]:
    """Return the shares as a table, one row for each construct.

    Args:
        found: what ``construct_shares`` gives.
        counts: how many questions each set has.
    """
    header = [f"{name} (n = {counts[name]:,})" for name in found]
    rows = [[name, *(f"{100 * found[which][name]:.1f} %" for which in found)] for name in CONSTRUCTS]
    return table(["construct", *header], rows)


def guess_table(sets: Mapping[str, Sequence[Question]]) -> list[str]:
    """Return how often a constant is right: the best one, and the most frequent gold of the split ``train``."""
    frequent = most_frequent_answer([question for questions in sets.values() for question in questions])
    rows = []
    for name, questions in sets.items():
        best = best_constant(questions)
        right = [f"{100 * _right(answer, questions):.2f} %" for answer in (best, frequent)]
        rows.append([name, f"{len(questions):,}", f"`{best}`", right[0], f"`{frequent}`", right[1]])
    return table(["split", "n", "best constant", "right", "most frequent in train", "right"], rows)


def _right(answer: str, questions: Sequence[Question]) -> float:
    return sum(grade(answer, Gold.of(question)) is Reason.CORRECT for question in questions) / len(questions)


def samples(questions: Sequence[Question], each: int) -> list[str]:
    """Return the first questions of each hardness with their SQL and answers."""
    lines = []
    for hardness in HARDNESS:
        lines += [f"### {hardness}", ""]
        for question in [q for q in questions if q.hardness == hardness][:each]:
            answer = gold_answer(question.gold_rows)
            shown = answer if len(answer) <= 120 else answer[:119] + "…"
            lines += [f"- `{question.question_id}` ({question.db_id}): **{question.question}**", ""]
            lines += [f"      {question.gold_sql}", f"      {shown}", ""]
    return lines[:-1]
