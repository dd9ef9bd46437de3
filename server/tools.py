"""The four actions as MCP tools, and ``task``, over one environment: the same episode, budget and reward as ``step``.

An agent that speaks MCP cannot reset. Its fifth tool, ``task``, shows the question and the tables, and starts an
episode where none is running; one that runs cannot be left but by its end. What a call gives the agent is text; the
reward and what else a trainer wants is in ``_meta``, which hosts do not show to models.
"""

import json
from typing import Any

from mcp import types

from sql_env.models import TOOLS, SQLAction, SQLObservation, Tool
from sql_env.server.environment import EPISODE_GONE, EPISODE_OVER, NO_EPISODE, SQLEnvironment

TASK = Tool("task", "", "Show the question and the tables; starts an episode if none is running.", "")
ALL_TOOLS = (TASK, *TOOLS)
CALL_TASK = {
    NO_EPISODE: "no episode is running: call task to start one",
    EPISODE_OVER: "the episode is over: call task to start another",
    EPISODE_GONE: "the session was closed while this call ran: call task to start an episode",
}


class ToolClient:
    """The tools of one environment, as OpenEnv's ``/mcp`` wants an ``mcp_client``."""

    def __init__(self, environment: SQLEnvironment) -> None:
        self._environment = environment

    async def __aenter__(self) -> "ToolClient":
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Nothing to close: the environment belongs to its session."""

    def is_connected(self) -> bool:
        """Return true: there is no connection that could be lost."""
        return True

    async def list_tools(self) -> list[dict[str, Any]]:
        """Return the tools as MCP writes them."""
        return [_written(tool) for tool in list_tools()]

    async def call_tool(self, name: Any, arguments: Any) -> dict[str, Any]:
        """Call a tool and return its result as MCP writes it."""
        return _written(await call_tool(self._environment, name, arguments))


def _written(model: types.Tool | types.CallToolResult) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def list_tools() -> list[types.Tool]:
    """Return the five tools."""
    return [
        types.Tool(
            name=tool.name,
            description=tool.description,
            inputSchema=tool.input_schema,
            annotations=types.ToolAnnotations(
                readOnlyHint=tool.name not in ("task", "answer"), destructiveHint=False, openWorldHint=False
            ),
        )
        for tool in ALL_TOOLS
    ]


async def call_tool(environment: SQLEnvironment, name: Any, arguments: Any) -> types.CallToolResult:
    """Call a tool by name.

    A call that names no tool or lacks its argument is told so and costs nothing, since nothing was tried; any other
    is a step like those of ``/ws``, faulty ones too.

    Args:
        environment: whose episode it is.
        name: a tool's name.
        arguments: an object with the tool's one argument, a string; ``answer`` takes any JSON.
    """
    if name == TASK.name:
        return await _task(environment)
    tool = next((tool for tool in TOOLS if tool.name == name), None)
    if tool is None:
        return refused(f"unknown tool {_shown(name)}; use {', '.join(tool.name for tool in ALL_TOOLS)}")
    argument = _argument(tool, arguments)
    if argument is None:
        return refused(f"{tool.name} takes one argument, {tool.argument}: {tool.argument_description}")
    observation = await environment.step_async(SQLAction(action_type=tool.action_type, argument=argument))
    return _result(observation, observation.result)


async def _task(environment: SQLEnvironment) -> types.CallToolResult:
    observation = environment.look() or await environment.reset_async()
    if observation.done:
        return _result(observation, "")
    parts = (f"Question: {observation.question}", observation.result, observation.schema_info)
    return _result(observation, "\n\n".join(part for part in parts if part))


def _argument(tool: Tool, arguments: Any) -> str | None:
    """Return a tool's argument as text, or None if there is none."""
    given = arguments.get(tool.argument) if isinstance(arguments, dict) else None
    if given is None or isinstance(given, str):
        return given
    # Models write numbers, lists and tables as JSON although the schema says string; an answer is read as JSON anyway.
    return json.dumps(given, ensure_ascii=False) if tool.name == "answer" else None


def _result(observation: SQLObservation, text: str) -> types.CallToolResult:
    """Write what an agent reads, and beside it what a trainer does."""
    error = observation.error and CALL_TASK.get(observation.error, observation.error)
    running = not observation.done
    left = f"({observation.budget_remaining} steps left)" if running else ""
    if observation.metadata.get("truncated"):
        left = "The episode is over: its last step was no answer."
    meta = {
        "reward": observation.reward,
        "done": observation.done,
        "step_count": observation.step_count,
        "budget_remaining": observation.budget_remaining,
        "metadata": observation.metadata,
    }
    content = "\n\n".join(part for part in (text, error, left) if part)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=content)], isError=error is not None, _meta=meta
    )


def refused(message: str) -> types.CallToolResult:
    """Write what a call is told that was not carried out."""
    return types.CallToolResult(content=[types.TextContent(type="text", text=message)], isError=True)


def _shown(name: Any) -> str:
    return repr(name[:80] if isinstance(name, str) else type(name).__name__)
