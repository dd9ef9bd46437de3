"""A question and golds made up for tests that need no database."""

from typing import Any

from sql_env.server.answers import Gold
from sql_env.server.questions import Question

QUESTION = Question(
    question_id="pets-001",
    db_id="pets",
    question="How many?",
    gold_sql="SELECT count(*) FROM pet",
    columns=("count(*)",),
    gold_rows=((3,),),
    ordered=False,
    answer_type="integer",
    hardness="easy",
    tables=("pet",),
    twin_group="x",
    par=3,
    split="train",
    source="test",
)


def gold(*rows: Any, ordered: bool = False, names: str = "") -> Gold:
    """A gold from rows, or from bare values as rows of one cell."""
    table = tuple(row if isinstance(row, tuple) else (row,) for row in rows)
    columns = names.split(",") if names else [f"c{i}" for i in range(len(table[0]))]
    return Gold(tuple(columns), table, ordered)
