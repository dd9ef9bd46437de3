"""verifier_determinism: a gold is its own right answer, in every form, whatever the order of its columns.

Its rows may change their order where the gold is a bag, and only there; and of two golds each is a right answer to the
other's question, or neither is.
"""

import itertools
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from served import Served

from sql_env.server.answers import Gold
from sql_env.server.formatting import show_result
from sql_env.server.questions import Question, gold_answer
from sql_env.server.sandbox import QueryResult
from sql_env.server.verifier import Reason, grade, grade_rows

CORRECT = Reason.CORRECT


def gold_of(question: Question) -> Gold:
    return Gold.of(question)


def forms(question: Question, rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """The ways in which a table is written down as an answer."""
    yield gold_answer(rows)
    yield json.dumps([dict(zip(map(str, range(len(row))), row, strict=True)) for row in rows])
    yield json.dumps({"columns": list(question.columns), "rows": [list(row) for row in rows]})
    yield repr([tuple(row) for row in rows])
    shown = as_shown(question.columns, rows)
    yield shown
    yield as_shown(("x",) * len(question.columns), rows)
    _header, *lines = shown.splitlines()[:-1]
    if len(rows) * len(question.columns) > 1:
        yield "\n".join(lines)
        yield "\n".join(f"| {line} |" for line in ("any | thing", "---|---", *lines))
    yield f"Answer: {gold_answer(rows)}"
    yield f"```\n{shown}\n```"


def as_shown(columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> str:
    """The text that QUERY shows of a result."""
    return show_result(QueryResult(columns, tuple(map(tuple, rows)), len(rows), True, frozenset(), 0), 20, 9999).text


def test_a_gold_is_its_own_answer_in_every_form(widely_served: Served) -> None:
    for question in widely_served.questions.questions:
        gold = gold_of(question)
        assert grade_rows(question.gold_rows, gold) is CORRECT
        for text in forms(question, question.gold_rows):
            assert {grade(text, gold) for _ in range(2)} == {CORRECT}, (question.question_id, text)


def test_rows_may_be_in_any_order_where_the_gold_is_a_bag_and_only_there(widely_served: Served) -> None:
    rng = random.Random(0)
    for question in widely_served.questions.questions:
        gold, rows = gold_of(question), list(question.gold_rows)
        for _ in range(3):
            rng.shuffle(rows)
            reason = grade(gold_answer(rows), gold)
            same = not gold.ordered or equal_in_order(rows, gold.rows)
            assert reason is (CORRECT if same else Reason.WRONG_ORDER), question.question_id
            assert (grade_rows(rows, gold) is CORRECT) == same


def equal_in_order(rows: Sequence[Sequence[Any]], gold: Sequence[Sequence[Any]]) -> bool:
    """Whether some order of the columns gives the gold's rows in order."""
    wanted = [list(map(loose, column)) for column in zip(*gold, strict=True)]
    columns = [list(map(loose, column)) for column in zip(*rows, strict=True)]
    return sorted(map(repr, wanted)) == sorted(map(repr, columns))


def loose(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell.strip().casefold()
    return float(cell) if isinstance(cell, int | float) else cell


def test_the_order_of_columns_is_free(widely_served: Served) -> None:
    rng = random.Random(0)
    for question in widely_served.questions.questions:
        width = len(question.columns)
        orders = list(itertools.permutations(range(width))) if width <= 4 else [rng.sample(range(width), width)] * 4
        for order in orders:
            rows = [[row[c] for c in order] for row in question.gold_rows]
            if not question.ordered:
                rng.shuffle(rows)
            assert grade_rows(rows, gold_of(question)) is CORRECT, question.question_id


def test_golds_are_answers_to_each_other_or_neither_is(widely_served: Served) -> None:
    """Among golds of one shape and one kind of columns; order of rows counts on one side only, so it is set aside."""
    alike = defaultdict(list)
    for question in widely_served.questions.questions:
        kinds = sorted(
            {type(cell).__name__ for cell in column}.pop() for column in zip(*question.gold_rows, strict=True)
        )
        alike[len(question.gold_rows), *kinds].append(question)
    met = equal = 0
    for group in alike.values():
        for one, other in itertools.islice(itertools.combinations(group, 2), 4000):
            golds = [Gold(q.columns, q.gold_rows, ordered=False) for q in (one, other)]
            there, back = (grade_rows(a.rows, b) for a, b in (golds, golds[::-1]))
            assert (there is CORRECT) == (back is CORRECT), (one.question_id, other.question_id)
            met, equal = met + 1, equal + (there is CORRECT)
    if len(widely_served.questions.questions) > 100:
        assert met > 1000
        assert equal > 10


def test_no_change_of_content_is_accepted(served: Served) -> None:
    """Every gold with one cell changed, one row less, one row twice, one row in another's place, a column less."""
    for question in served.questions.questions:
        gold, rows = gold_of(question), [list(row) for row in question.gold_rows]
        for changed in changes(rows):
            if not changed or content(changed) == content(rows):
                continue
            assert grade_rows(changed, gold) is not CORRECT, (question.question_id, changed)
            if content(spelt(changed)) != content(spelt(rows)):
                assert grade(gold_answer(changed), gold) is not CORRECT, (question.question_id, changed)


def changes(rows: list[list[Any]]) -> Iterator[list[list[Any]]]:
    for i, row in enumerate(rows):
        yield rows[:i] + rows[i + 1 :]
        yield [*rows, row]
        yield [*rows[:i], rows[(i + 1) % len(rows)], *rows[i + 1 :]]
        for j, cell in enumerate(row):
            for other in near(cell):
                yield [*rows[:i], [*row[:j], other, *row[j + 1 :]], *rows[i + 1 :]]
    if len(rows[0]) > 1:
        yield [row[:-1] for row in rows]
        yield [row[1:] for row in rows]
    yield [[*row, row[0]] for row in rows]
    yield [[*row, None] for row in rows]


def near(cell: Any) -> list[Any]:
    """Values next to a cell's that are not it."""
    if cell is None:
        return [0, "", "N/A"]
    if isinstance(cell, int):
        return [cell + 1, cell - 1, -cell if cell else 1, cell * 10 + 7, None, "x"]
    if isinstance(cell, float):
        return [cell + max(1e-4, abs(cell) * 1e-4), cell - max(1e-4, abs(cell) * 1e-4), None, "x"]
    if isinstance(cell, str):
        return [f"{cell}x", f"x{cell}", cell[:-1].strip() if len(cell.strip()) > 1 else "y", None, "zz"]
    return [None, ""]


def content(rows: list[list[Any]]) -> list[str]:
    return sorted(repr(sorted(repr(loose(cell)) for cell in row)) for row in rows)


def spelt(rows: list[list[Any]]) -> list[list[Any]]:
    """A bare null in an answer is NULL, or text of that spelling (car_1 has one)."""
    return [["null" if cell is None else cell for cell in row] for row in rows]
