"""What a language model wrote → the action that it means.

Read are, in this order: tool calls as Hermes and Qwen write them, then lines such as ``QUERY: SELECT …`` and JSON
objects, of which the last one counts, then a lone SELECT statement. Reasoning between ``<think>`` and ``</think>`` is
not read. ANSWER ends an episode, so it is taken only where it is written as an action: in capitals with a colon at the
beginning of a line, or by name in JSON; and never after another action in the same reply, since the model has then made
up what that one gives. Nothing here raises, and reading takes bounded time: a reply's last 100,000 characters are read.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from sql_env.agent.faults import clean
from sql_env.models import ACTION_TYPES, TOOLS, SQLAction

LONGEST_REPLY = 100_000
MOST_OBJECTS = 200
SEVERAL_ACTIONS = "several actions in one reply: only one was taken"
OTHER_ARGUMENT = "tool call argument under another name"

_TOOLS = {tool.action_type: tool for tool in TOOLS}
_LINE = re.compile(
    r"^[ \t>*#`]*(?:Action:[ \t]*)?(?:"
    r"(?P<answer>ANSWER)[*`]{0,3}:|(?P<action>(?i:DESCRIBE|SAMPLE|QUERY))[*`]{0,3}:"
    r"|(?P<bare>DESCRIBE|SAMPLE)(?=[ \t]+[^\s:]+[ \t]*$)|(?P<query>QUERY)(?=[ \t]+(?i:SELECT|WITH)\b))[*]{0,2}",
    re.MULTILINE,
)
_FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\n(?P<inside>.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_SQL = re.compile(r"(?:SELECT|WITH)\b", re.IGNORECASE)
_CLAUSES = "SELECT|WITH|FROM|WHERE|JOIN|LEFT|INNER|CROSS|GROUP|ORDER|HAVING|LIMIT|UNION|EXCEPT|INTERSECT|AND|OR|ON"
_SQL_GOES_ON = re.compile(rf"(?:{_CLAUSES}|{_CLAUSES.lower()})\b|[(),]|--")  # prose begins With a capital
_TAGGED = re.compile(
    r"\s*<function=(?P<name>\w+)>\s*<parameter=(?P<key>\w+)>\n?(?P<value>.*?)\n?</parameter>\s*</function>", re.DOTALL
)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True)
class _Found:
    start: int
    end: int
    action: SQLAction


@dataclass(frozen=True)
class Read:
    """What a tool call means.

    Attributes:
        action: the action; None if it cannot be read.
        notes: what was wrong with it.
    """

    action: SQLAction | None
    notes: list[str] = field(default_factory=list)


def parse_reply(text: str) -> SQLAction | None:
    """Return the action that a reply in plain text means, or None if it holds none; never raises.

    The action's metadata holds ``notes`` where there is something to note.
    """
    text = clean(without_thoughts(text))[-LONGEST_REPLY:]
    if "<tool_call>" in text:
        return _tool_call(text)
    found = _actions(text)
    if not found:
        return _lone_statement(text)
    last = found[-1].action
    if len(found) == 1:
        return last
    # An answer after another action was written without having seen what that action gives.
    taken = found[0].action if last.action_type == "ANSWER" and _differ(found) else last
    return _noted(taken, SEVERAL_ACTIONS) if _differ(found) else last


def write_action(action: SQLAction) -> str:
    """Return an action as the prompt teaches it: ``QUERY: SELECT …``, or one line of JSON where that would not do."""
    line = f"{action.action_type}: {action.argument}"
    read = None if "\n" in line or "\r" in line else parse_reply(line)
    if read is not None and (read.action_type, read.argument) == (action.action_type, action.argument):
        return line
    written = {"action_type": action.action_type, "argument": action.argument}
    # Escaped are tags that would be read as such, and characters that some readers take for the end of a line.
    return json.dumps(written, ensure_ascii=not action.argument.isprintable()).replace("<", "\\u003c")


def without_thoughts(text: str) -> str:
    """Return a reply without its reasoning; what is open on one side reaches to an edge."""
    head, closed, tail = text.rpartition("</think>")
    if closed and "<think>" not in head:
        text = tail
    return _THOUGHTS.sub("", text).strip()


def read_call(name: Any, arguments: Any) -> Read:
    """Return what a call of a tool means; never raises.

    Args:
        name: the tool's name, in any case.
        arguments: an object, or one as JSON text.
    """
    kind = name.strip().upper() if isinstance(name, str) else ""
    given = loaded(arguments)
    if not isinstance(given, dict):
        return Read(None, ["tool call arguments were no JSON object"])
    tool = _TOOLS.get(kind)
    if tool is None:
        return Read(None, ["call of an unknown tool"])
    notes = []
    if tool.argument in given:
        value = given[tool.argument]
    elif len(given) == 1:
        (value,) = given.values()
        notes = [OTHER_ARGUMENT]
    else:
        value = None
    argument = _text(kind, value)
    if argument is None:
        return Read(None, ["tool call without its argument"])
    return Read(SQLAction(action_type=kind, argument=clean(argument)), notes)


def loaded(written: Any) -> Any:
    """Return what JSON text holds, or None; what is no text is returned as it is."""
    for _ in range(2):  # some models write JSON text as a string in JSON
        if not isinstance(written, str):
            break
        try:
            written = json.loads(written[:LONGEST_REPLY], strict=False)
        except (ValueError, RecursionError):
            return None
    return written


# --- parts of a reply ------------------------------------------------------------------------------------


def _text(kind: str, value: Any) -> str | None:
    """Return an argument as text: an answer may be any JSON, for that is how answers are read."""
    if value is None or isinstance(value, str):
        return value
    if kind != "ANSWER":
        return None
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _tool_call(text: str) -> SQLAction | None:
    first, *others = text.split("<tool_call>")[1:]
    called: Any = loaded(first.partition("</tool_call>")[0].strip())
    if called is None and (tagged := _TAGGED.match(first)):
        called = {"name": tagged["name"], "arguments": {tagged["key"]: tagged["value"]}}
    action = _from_object(called) if isinstance(called, dict) else None
    return _noted(action, SEVERAL_ACTIONS) if action and others else action


def _actions(text: str) -> list[_Found]:
    """Return the lines and the JSON objects that are actions, in order; none of them inside another one."""
    objects, found, at = _objects(text), [], 0
    lines = list(_LINE.finditer(text))
    for number, line in enumerate(lines):
        if line.start() < at or any(one.start < line.start() < one.end for one in objects):
            continue
        edges = [after.start() for after in lines[number + 1 : number + 2]]
        edges += [one.start for one in objects if one.start > _line_end(text, line.end())][:1]
        one = _from_line(text, line, min(edges, default=len(text)))
        if one is not None:
            found.append(one)
            at = one.end
    spans = [(one.start, one.end) for one in found]
    alone = [one for one in objects if not any(start <= one.start < end for start, end in spans)]
    return sorted([*found, *alone], key=lambda one: one.start)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _from_line(text: str, line: "re.Match[str]", edge: int) -> _Found | None:
    kind = next(name for name in line.groups() if name).upper()
    rest = text[line.end() : edge]
    fenced = _FENCE.match(rest, len(rest) - len(rest.lstrip()))
    if fenced:
        argument, length = fenced["inside"].strip(), fenced.end()
    else:
        argument = _paragraph(rest, sql=kind == "QUERY") if kind in ("QUERY", "ANSWER") else _first_line(rest)
        length = max(_line_end(rest, 0), rest.find(argument) + len(argument))
    argument = _bare(argument, bold="**" in line[0])
    if not argument:
        return None
    return _Found(line.start(), line.end() + length, SQLAction(action_type=kind, argument=argument))


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()


def _paragraph(text: str, *, sql: bool) -> str:
    """Return the first paragraph; with SQL also those after it that go on with the statement."""
    first, *others = _PARAGRAPHS.split(text.strip())
    taken = [first]
    for other in others if sql else ():
        if taken[-1].rstrip().endswith(";") or not _SQL_GOES_ON.match(other.lstrip()):
            break
        taken.append(other)
    return "\n\n".join(taken).strip()


def _bare(argument: str, *, bold: bool) -> str:
    if bold:
        argument = argument.removesuffix("**").strip()
    if len(argument) > 1 and argument[0] == argument[-1] == "`" and "`" not in argument[1:-1]:
        argument = argument[1:-1].strip()
    return argument


def _objects(text: str) -> list[_Found]:
    """Return the JSON objects that are actions."""
    decoder, found, at = json.JSONDecoder(strict=False), [], 0
    for _ in range(MOST_OBJECTS):
        at = text.find("{", at)
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        action = _from_object(value)
        if action is not None:
            found.append(_Found(at, end, action))
        at = end
    return found


def _from_object(value: dict[str, Any]) -> SQLAction | None:
    """Read ``{"action_type", "argument"}``, ``{"name", "arguments"}`` or ``{"function": {"name", "arguments"}}``."""
    kind = value.get("action_type", value.get("action"))
    if isinstance(kind, str) and kind.strip().upper() in ACTION_TYPES and "argument" in value:
        argument = _text(kind.strip().upper(), value["argument"])
        return None if argument is None else SQLAction(action_type=kind, argument=clean(argument))
    called = value["function"] if isinstance(value.get("function"), dict) else value
    if "name" not in called or not {"arguments", "parameters"} & called.keys():
        return None
    read = read_call(called["name"], called.get("arguments", called.get("parameters")))
    return read.action and _noted(read.action, *read.notes)


def _lone_statement(text: str) -> SQLAction | None:
    """Read a reply that is a SELECT statement, or holds exactly one in a fence, as a QUERY."""
    fences = [fence["inside"].strip() for fence in _FENCE.finditer(text)] if text.count("```") <= 4 else []
    statements = [inside for inside in fences if _SQL.match(inside)] or ([text] if not fences else [])
    if len(statements) != 1 or not _SQL.match(statements[0]):
        return None
    return SQLAction(action_type="QUERY", argument=statements[0])


def _differ(found: list[_Found]) -> bool:
    return len({(one.action.action_type, one.action.argument) for one in found}) > 1


def _noted(action: SQLAction, *notes: str) -> SQLAction:
    if not notes:
        return action
    known = action.metadata.get("notes", [])
    return action.model_copy(update={"metadata": {"notes": [*known, *notes]}})
