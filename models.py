"""Wire types and tools: all that the agent's side and the server share."""

from dataclasses import dataclass
from typing import Any

from openenv.core.env_server.types import Action, Observation, State
from pydantic import ConfigDict, Field, field_validator


@dataclass(frozen=True)
class Tool:
    """One action in the form of a tool, for MCP, TRL and language models.

    Attributes:
        name: the tool's name.
        argument: the name of its only argument, a string; empty if it takes none.
        description: one sentence for the model.
        argument_description: what the argument holds.
    """

    name: str
    argument: str
    description: str
    argument_description: str

    @property
    def action_type(self) -> str:
        """The action that the tool stands for."""
        return self.name.upper()

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON schema of the tool's arguments."""
        one = {self.argument: {"type": "string", "description": self.argument_description}} if self.argument else {}
        return {"type": "object", "properties": one, "required": list(one), "additionalProperties": False}


TOOLS = (
    Tool("describe", "table", "Show a table's columns, types, keys and number of rows.", "Name of a table."),
    Tool("sample", "table", "Show the first rows of a table.", "Name of a table."),
    Tool("query", "sql", "Run one read-only SQL query (SQLite) and show its result.", "One SELECT statement."),
    Tool(
        "answer",
        "answer",
        "Give the final answer and end the episode.",
        "A value, a list, or a table: plain text or JSON.",
    ),
)
ACTION_TYPES = tuple(tool.action_type for tool in TOOLS)


class SQLAction(Action):
    """One action: DESCRIBE or SAMPLE a table, QUERY with SQL, or ANSWER."""

    action_type: str = Field(
        description="DESCRIBE, SAMPLE, QUERY or ANSWER, in any case", json_schema_extra={"enum": list(ACTION_TYPES)}
    )
    argument: str = Field(
        default="", description="A table name (DESCRIBE, SAMPLE), one SELECT statement (QUERY) or the answer (ANSWER)"
    )

    @field_validator("action_type")
    @classmethod
    def _upper(cls, value: str) -> str:
        return value.strip().upper()


class SQLObservation(Observation):
    """What the agent sees after a reset or a step.

    ``result`` is the text that policies read; ``columns``, ``rows``, ``total_rows`` and ``truncated`` are the same
    as data. ``error`` says what was wrong with the action and what to do. ``reward`` is null after a reset.
    """

    model_config = ConfigDict(validate_assignment=False)

    question: str = Field(default="", description="The question to answer")
    schema_info: str = Field(default="", description="Table names, and the columns that DESCRIBE has revealed so far")
    result: str = Field(default="", description="Text of this step's result")
    error: str | None = Field(default=None, description="What was wrong with this action, if anything")
    columns: list[str] = Field(default_factory=list, description="Column names of this step's result")
    rows: list[list[Any]] = Field(default_factory=list, description="Rows that the text shows, as data")
    total_rows: int | None = Field(default=None, description="Rows of the result as far as they were counted")
    truncated: bool = Field(default=False, description="Whether the text lacks rows or parts of cells")
    step_count: int = Field(default=0, ge=0, description="Steps taken in this episode")
    budget_remaining: int = Field(default=0, ge=0, description="Steps left in this episode")
    action_history: list[str] = Field(default_factory=list, description="The actions taken, long ones cut")


class SQLState(State):
    """Which episode a session is in; nothing that helps to solve it."""

    model_config = ConfigDict(extra="forbid")

    task_id: str | None = Field(default=None, description="Question id, unique in its data set")
    dataset: str | None = Field(default=None, description="Data set that the task comes from")
    db_id: str | None = Field(default=None, description="Database that the question is about")
    done: bool = Field(default=False, description="Whether the episode is over")
