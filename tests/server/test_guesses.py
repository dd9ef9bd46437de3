"""Answers that need no question."""

from sql_env.server.answers import Gold
from sql_env.server.guesses import best_constant, most_frequent_answer
from sql_env.server.questions import Question, gold_answer
from sql_env.server.resources import Resources
from sql_env.server.verifier import Reason, grade


def right(answer: str, questions: "tuple[Question, ...]") -> int:
    return sum(grade(answer, Gold.of(q)) is Reason.CORRECT for q in questions)


def test_the_best_constant_is_the_best_of_all_golds(resources: Resources) -> None:
    questions = resources.default_dataset.questions
    best = right(best_constant(questions), questions)
    assert best == max(right(answer, questions) for answer in {gold_answer(q.gold_rows) for q in questions})
    assert best >= right(most_frequent_answer(questions), questions) > 0


def test_the_most_frequent_answer_is_one_of_the_split_asked_for(resources: Resources) -> None:
    questions = resources.default_dataset.questions
    for split in ("train", "test"):
        assert most_frequent_answer(questions, split) in {
            gold_answer(q.gold_rows) for q in questions if q.split == split
        }
    assert most_frequent_answer(questions, "nosuch") == ""
