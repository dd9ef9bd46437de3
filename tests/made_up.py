"""A question made up for tests that need one and no database."""

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
