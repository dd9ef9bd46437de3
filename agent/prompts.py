"""Every text that a language model is told, and their version.

A model sees a system prompt, a question, and after each of its actions what the environment gave. The tools are those
of ``models.TOOLS``, told natively where the endpoint takes tools and in the system prompt where it does not. All words
are in this module's constants, so ``PROMPT_VERSION`` changes with any of them; functions only put them together.
"""

import json
from hashlib import sha256
from typing import Any

from sql_env.agent.replies import parse_reply as parse_reply
from sql_env.agent.replies import write_action as write_action
from sql_env.models import ACTION_TYPES, TOOLS, SQLObservation, Tool

TASK = (
    "You are a data analyst. You answer a question about a SQLite database that you explore step by step. At first "
    "you see only the names of its tables; columns and rows show themselves when you ask for them. DESCRIBE the tables "
    "that matter, QUERY to find the answer and to check it, then ANSWER. Every action costs a step, a failed one too. "
    "ANSWER ends the episode and is given once; an episode whose steps run out without one is lost."
)
ANSWER_FORMS = {
    "value": (
        "ANSWER holds the value, the list or the table that the question asks for, as the database gives it: no words "
        "around it, no units, nothing rounded. Write one row a line, with | between the cells of a row, or write JSON. "
        "All rows count, and their order where the question asks for one."
    ),
    "sql": (
        "ANSWER holds one SELECT statement (SQLite) whose result answers the question: the columns that are asked for "
        "and no others, in the order asked for. The statement is run and its rows are graded."
    ),
}
SQL_ANSWER_ARGUMENT = "One SELECT statement whose result answers the question."
WITH_TOOLS = "Act by calling one tool at a time, in every reply."
WITH_TEXT = (
    "The actions:\n{actions}\n\nEnd every reply with one action, alone on its last line, as in\nQUERY: SELECT 1\n"
    "If an argument has line breaks, write that line as JSON instead:\n"
    '{{"action_type": "QUERY", "argument": "SELECT 1"}}'
)
ACTION_LINE = "{action}: <{argument}>  {description} {argument_description}"

OPENING = "Question: {question}"
EXAMPLE = "Here is an example: an episode about another database, played well."
NEW = "The example is over. This is a new episode, about another database."
ERROR = "Error: {error}"
STEPS_LEFT = "({left} steps left)"
LAST_STEP = "(1 step left: ANSWER now)"
NOTHING = "(no result)"
SHORTENED = "… (cut)"
REMOVED = "(this result was removed to save space)"
IGNORED = "Not carried out: one action at a time."
CHECK = "Question: How much is 1 + 1?"
CORRECT_TOOLS = "Your reply held no action that could be read. Call one tool, with its argument."
CORRECT_TEXT = "Your reply held no action that could be read. End it with one line such as QUERY: SELECT 1"


def _version() -> str:
    texts = {name: value for name, value in globals().items() if name.isupper() and name != "PROMPT_VERSION"}
    written = json.dumps(texts | {"TOOLS": [_function(tool) for tool in TOOLS]}, sort_keys=True)
    return sha256(written.encode()).hexdigest()[:12]


def system_prompt(answer_form: str, *, tools: bool) -> str:
    """Return the system prompt.

    Args:
        answer_form: ``value`` or ``sql``.
        tools: whether the endpoint is given the tools natively.
    """
    acting = WITH_TOOLS if tools else WITH_TEXT.format(actions="\n".join(_line(tool, answer_form) for tool in TOOLS))
    return "\n\n".join((TASK, ANSWER_FORMS[answer_form], acting))


def tool_definitions(answer_form: str) -> list[dict[str, Any]]:
    """Return the tools as the chat completions API takes them, and as TRL derives them from its environment class.

    Both are in alphabetical order, for that is TRL's: what a model was trained with is what it is evaluated with.
    """
    return [_function(_in_form(tool, answer_form)) for tool in sorted(TOOLS, key=lambda tool: tool.name)]


def opening(first: SQLObservation) -> str:
    """Return what a model is told first: the question, the tables, the steps it has."""
    parts = (OPENING.format(question=first.question), first.result, first.schema_info, steps_left(first))
    return "\n\n".join(part for part in parts if part)


def steps_left(seen: SQLObservation) -> str:
    """Return how many steps are left, in words; nothing at the end."""
    return "" if seen.done else _left(seen.budget_remaining)


def told_of(seen: SQLObservation) -> str:
    """Return what a model is told of one step, from what the environment says of it."""
    return told(seen.result, seen.error, 0 if seen.done else seen.budget_remaining)


def told(result: str, error: str | None, left: int) -> str:
    """Return what a model is told of one step.

    Args:
        result: the step's result.
        error: what was wrong with the action, if anything.
        left: steps left; 0 at the end.
    """
    parts = (result, ERROR.format(error=error) if error else "", _left(left))
    return "\n\n".join(part for part in parts if part) or NOTHING


def _left(left: int) -> str:
    if left <= 0:
        return ""
    return LAST_STEP if left == 1 else STEPS_LEFT.format(left=left)


def _in_form(tool: Tool, answer_form: str) -> Tool:
    if tool.name == "answer" and answer_form == "sql":
        return Tool(tool.name, tool.argument, tool.description, SQL_ANSWER_ARGUMENT)
    return tool


def _function(tool: Tool) -> dict[str, Any]:
    parameters = {name: tool.input_schema[name] for name in ("type", "properties", "required")}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _line(tool: Tool, answer_form: str) -> str:
    tool = _in_form(tool, answer_form)
    return ACTION_LINE.format(
        action=tool.action_type,
        argument=tool.argument,
        description=tool.description,
        argument_description=tool.argument_description,
    )


PROMPT_VERSION = _version()
"""Twelve hexadecimal digits that change with any text above and with any tool."""

__all__ = ["ACTION_TYPES", "PROMPT_VERSION", "parse_reply", "system_prompt", "tool_definitions", "write_action"]
