"""Perturbations do what their names say, and what is measured is what an episode gives."""

from dataclasses import replace

import pytest
import sqlglot
from sqlglot import exp

from sql_env.models import SQLAction
from sql_env.server.agreement import PERTURBATIONS, Agreement, answered, table
from sql_env.server.environment import SQLEnvironment
from sql_env.server.resources import Resources

GOLD = "SELECT DISTINCT name, age FROM pet WHERE age > 3 AND name <> 'x' ORDER BY age DESC LIMIT 5"
EXPECTED = {
    "none": [GOLD],
    "DISTINCT dropped": [GOLD.replace("DISTINCT ", "")],
    "DISTINCT added": [],
    "ORDER BY dropped": [GOLD.replace("ORDER BY age DESC ", "")],
    "ORDER BY reversed": [GOLD.replace("DESC", "ASC")],
    "columns swapped": [GOLD.replace("name, age", "age, name")],
    "a column more": [GOLD.replace("name, age", "name, age, name"), GOLD.replace("name, age", "name, age, 1")],
    "a column less": [GOLD.replace("name, age", "name")],
    "rows doubled": [f"SELECT * FROM ({GOLD}) AS a UNION ALL SELECT * FROM ({GOLD}) AS b"],
    "first row missing": [f"SELECT * FROM ({GOLD}) AS a LIMIT 1000000 OFFSET 1"],
    "a constant changed": [
        GOLD.replace("> 3", "> 31"),
        GOLD.replace("'x'", "'no such'"),
        GOLD.replace("LIMIT 5", "LIMIT 51"),
    ],
    "numbers as text": [GOLD.replace("name, age FROM", "CAST(name AS TEXT) AS c0, CAST(age AS TEXT) AS c1 FROM")],
}


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_perturbation(name: str) -> None:
    gold = sqlglot.parse_one(GOLD, read="sqlite")
    assert isinstance(gold, exp.Query)
    made = [answer.sql(dialect="sqlite") for answer in PERTURBATIONS[name](gold)]
    if name in EXPECTED:
        assert sorted(made) == sorted(EXPECTED[name])
    else:
        assert made[0].count("UPPER") == 2
    assert gold.sql(dialect="sqlite") == GOLD, "the gold itself is left alone"


def test_it_is_graded_as_in_an_episode(resources: Resources) -> None:
    """Where variants of the database have no say, since the official measure knows one database too."""
    settings, dataset = replace(resources.settings, suite_variants=0), resources.default_dataset
    own = Resources(settings, resources.datasets)
    env = SQLEnvironment(own)
    for question in dataset.questions[::17]:
        for sql in (question.gold_sql, f"SELECT DISTINCT * FROM ({question.gold_sql})", "SELECT 1", "SELECT nope"):
            env.reset(task_id=question.question_id, answer_form="sql")
            end = env.step(SQLAction(action_type="ANSWER", argument=sql)).metadata
            episode = answered(dataset, question, sql, resources)
            assert (str(episode.verdict), episode.official) == (end["verdict"], end["official_execution_accuracy"])
    own.close()


def test_table() -> None:
    measured = Agreement()
    measured.counts.update({(True, True): 5, (False, True): 2, (True, False): 1, (False, None): 1})
    measured.only_official.update({"wrong_shape": 2})
    assert table({"x": measured})[-1] == "| x | 9 | 5 | 0 | 1 | 2 (2 wrong_shape) | 1 |"
