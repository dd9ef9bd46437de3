"""A question and golds made up for tests that need no database, and a copy of the starter set to damage."""

import shutil
from pathlib import Path
from typing import Any

from hostile_sql import ROOT

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


def copy_starter(folder: Path) -> Path:
    """Copy the starter set, as a data set of one's own named ``mine``, into a folder and return where it is."""
    shutil.copytree(ROOT / "data" / "starter", folder / "mine", ignore=shutil.ignore_patterns("source"))
    return folder / "mine"
