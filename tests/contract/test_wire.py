"""The wire types' JSON schemas, pinned: a change here breaks clients and has to be meant."""

import pytest
from pydantic import ValidationError

from sql_env.models import TOOLS, SQLAction, SQLObservation, SQLState

OBSERVATION = {
    "question": "string",
    "schema_info": "string",
    "result": "string",
    "error": ["string", "null"],
    "columns": "array",
    "rows": "array",
    "total_rows": ["integer", "null"],
    "truncated": "boolean",
    "step_count": "integer",
    "budget_remaining": "integer",
    "action_history": "array",
    "done": "boolean",
    "reward": ["boolean", "integer", "number", "null"],
    "metadata": "object",
}
STATE = {
    "episode_id": ["string", "null"],
    "step_count": "integer",
    "task_id": ["string", "null"],
    "dataset": ["string", "null"],
    "db_id": ["string", "null"],
    "done": "boolean",
}


def types(model: type) -> dict[str, object]:
    properties = model.model_json_schema()["properties"]
    return {
        name: schema.get("type") or [option["type"] for option in schema["anyOf"]]
        for name, schema in properties.items()
    }


def test_action() -> None:
    assert types(SQLAction) == {"action_type": "string", "argument": "string", "metadata": "object"}
    schema = SQLAction.model_json_schema()
    assert schema["required"] == ["action_type"]
    assert schema["properties"]["action_type"]["enum"] == ["DESCRIBE", "SAMPLE", "QUERY", "ANSWER"]
    assert schema["additionalProperties"] is False


def test_observation() -> None:
    assert types(SQLObservation) == OBSERVATION
    assert SQLObservation.model_json_schema()["additionalProperties"] is False


def test_state_holds_nothing_more() -> None:
    assert types(SQLState) == STATE
    with pytest.raises(ValidationError):
        SQLState(gold="x")


@pytest.mark.parametrize("text", ["query", "QUERY", " Query "])
def test_action_type_in_any_case(text: str) -> None:
    assert SQLAction(action_type=text).action_type == "QUERY"


def test_tools() -> None:
    assert [(tool.name, tool.argument, tool.action_type) for tool in TOOLS] == [
        ("describe", "table", "DESCRIBE"),
        ("sample", "table", "SAMPLE"),
        ("query", "sql", "QUERY"),
        ("answer", "answer", "ANSWER"),
    ]
