"""What a model is told, how its replies are read, and which episodes are shown to it."""

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from model_servers import broken_rule

from sql_env.agent import prompts
from sql_env.agent.completions import Call, Dialect, read_reply
from sql_env.agent.conversation import Conversation, Turn, length
from sql_env.agent.demonstrations import demonstrations
from sql_env.agent.faults import clean
from sql_env.agent.local_server import local_server
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.prompts import parse_reply, write_action
from sql_env.agent.replies import SEVERAL_ACTIONS, read_call
from sql_env.models import ACTION_TYPES, TOOLS, SQLAction
from sql_env.server.datasets import load_all
from sql_env.server.settings import Settings

# --- the texts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["value", "sql"])
def test_both_prompts_say_what_an_answer_holds_and_the_text_one_every_action(form: str) -> None:
    native, text = (prompts.system_prompt(form, tools=tools) for tools in (True, False))
    assert prompts.ANSWER_FORMS[form] in native
    assert prompts.ANSWER_FORMS[form] in text
    for tool in TOOLS:
        assert f"{tool.action_type}: <{tool.argument}>" in text
        assert tool.description in text
    assert ("SELECT statement whose result" in text) == (form == "sql")


def test_the_tools_are_those_of_the_models_module() -> None:
    """In TRL's order, and with the keys that it writes: no more and no less."""
    by_name = sorted(TOOLS, key=lambda tool: tool.name)
    written = [(tool.name, tool.description, tool.input_schema | {"additionalProperties": False}) for tool in by_name]
    told = [tool["function"] for tool in prompts.tool_definitions("value")]
    closed = {"additionalProperties": False}
    assert [(one["name"], one["description"], one["parameters"] | closed) for one in told] == written
    assert all(set(one["parameters"]) == {"type", "properties", "required"} for one in told)


def test_every_line_that_the_prompt_shows_is_read_as_it_is_meant() -> None:
    shown = prompts.system_prompt("value", tools=False).splitlines()
    for line in (shown[-1], shown[-3]):
        action = parse_reply(line)
        assert action is not None
        assert (action.action_type, action.argument) == ("QUERY", "SELECT 1")


def test_the_version_changes_with_any_text_and_any_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    assert prompts._version() == prompts.PROMPT_VERSION
    assert len(prompts.PROMPT_VERSION) == 12
    seen = {prompts.PROMPT_VERSION}
    texts = [name for name, value in vars(prompts).items() if name.isupper() and isinstance(value, str)]
    for name in [*texts, "ANSWER_FORMS", "TOOLS"]:
        if name == "PROMPT_VERSION":
            continue
        with monkeypatch.context() as patch:
            patch.setattr(prompts, name, TOOLS[:3] if name == "TOOLS" else {} if name == "ANSWER_FORMS" else "other")
            seen.add(prompts._version())
    assert len(seen) == len(texts) + 2


# --- reading replies -------------------------------------------------------------------------------------

READ: list[tuple[str, str | None, str]] = [
    ("QUERY: SELECT 1", "QUERY", "SELECT 1"),
    ("I look at it first.\n\nDESCRIBE: singer", "DESCRIBE", "singer"),
    ("DESCRIBE singer", "DESCRIBE", "singer"),
    ("describe: singer\n", "DESCRIBE", "singer"),
    ("**SAMPLE:** `singer`", "SAMPLE", "singer"),
    ("**QUERY: SELECT 1**", "QUERY", "SELECT 1"),
    ("> Action: QUERY: SELECT 1;", "QUERY", "SELECT 1;"),
    ("QUERY SELECT 1", "QUERY", "SELECT 1"),
    ("QUERY: SELECT a\nFROM b\nWHERE c", "QUERY", "SELECT a\nFROM b\nWHERE c"),
    ("QUERY:\nSELECT a\n\nFROM b", "QUERY", "SELECT a\n\nFROM b"),
    ("QUERY: SELECT a\nFROM b\n\nThis counts them.", "QUERY", "SELECT a\nFROM b"),
    ("QUERY: SELECT a FROM b;\n\nWith this I count.", "QUERY", "SELECT a FROM b;"),
    ("QUERY:\n```sql\nSELECT a\nFROM b\n```\nThis counts them.", "QUERY", "SELECT a\nFROM b"),
    ("So:\n```sql\nSELECT 1\n```", "QUERY", "SELECT 1"),
    ("select count(*) from a", "QUERY", "select count(*) from a"),
    ("ANSWER: 42", "ANSWER", "42"),
    ("ANSWER: 42\n\nI hope that this helps.", "ANSWER", "42"),
    ("ANSWER:\na | 1\nb | 2", "ANSWER", "a | 1\nb | 2"),
    ("ANSWER: a\nb\nc", "ANSWER", "a\nb\nc"),
    ('ANSWER: [["a", 1]]', "ANSWER", '[["a", 1]]'),
    ('ANSWER: {"action_type": "QUERY", "argument": "x"}', "ANSWER", '{"action_type": "QUERY", "argument": "x"}'),
    ('{"action_type": "QUERY", "argument": "SELECT 1"}', "QUERY", "SELECT 1"),
    ('```json\n{"action": "answer", "argument": [1, 2]}\n```', "ANSWER", "[1, 2]"),
    ('{"name": "query", "arguments": {"sql": "SELECT 1"}}', "QUERY", "SELECT 1"),
    ('{"name": "query", "parameters": {"sql": "SELECT 1"}}', "QUERY", "SELECT 1"),
    ('{"type": "function", "function": {"name": "sample", "arguments": "{\\"table\\": \\"a\\"}"}}', "SAMPLE", "a"),
    ('<tool_call>\n{"name": "answer", "arguments": {"answer": "42"}}\n</tool_call>', "ANSWER", "42"),
    ('<tool_call>{"name": "query", "arguments": {"sql": "SELECT 1"}}', "QUERY", "SELECT 1"),
    (
        "<tool_call>\n<function=query>\n<parameter=sql>\nSELECT 1\n</parameter>\n</function>\n</tool_call>",
        "QUERY",
        "SELECT 1",
    ),
    ("<think>ANSWER: 1</think>\nDESCRIBE: a", "DESCRIBE", "a"),
    ("Hm. ANSWER: 1\n</think>\nDESCRIBE: a", "DESCRIBE", "a"),
    ("<think>\nANSWER: 1", None, ""),
    ("QUERY: SELECT 1\n\nResult: 5\n\nANSWER: 5", "QUERY", "SELECT 1"),
    ("DESCRIBE: a\nDESCRIBE: b", "DESCRIBE", "b"),
    ("ANSWER: 5\nANSWER: 5", "ANSWER", "5"),
    # prose is no answer
    ("The answer is 42.", None, ""),
    ("Answer: I have to look first.", None, ""),
    ("answer: 42", None, ""),
    ("I will give my ANSWER: 42", None, ""),
    ("ANSWER 42", None, ""),
    ("ANSWER:", None, ""),
    ("", None, ""),
    ('{"answer": 42}', None, ""),
    ('{"action_type": "ANSWER"}', None, ""),
    ('{"name": "answer", "arguments": {}}', None, ""),
    ('<tool_call>\n{"name": "answer", "arg\n</tool_call>\nANSWER: 1', None, ""),
    ("Describe the table, then query it.", None, ""),
]


@pytest.mark.parametrize(("text", "action", "argument"), READ)
def test_a_reply_is_read(text: str, action: str | None, argument: str) -> None:
    read = parse_reply(text)
    assert (None if read is None else read.action_type) == action
    assert read is None or read.argument == argument


def test_more_than_one_action_is_noted() -> None:
    for text in ("DESCRIBE: a\nDESCRIBE: b", "QUERY: SELECT 1\n\nANSWER: 1", "<tool_call>{}</tool_call>" * 2):
        read = parse_reply(text.replace("{}", '{"name": "sample", "arguments": {"table": "a"}}'))
        assert read is not None
        assert read.metadata["notes"] == [SEVERAL_ACTIONS]


PIECES = st.sampled_from(
    [
        *(f"{action}{end}" for action in ACTION_TYPES for end in (":", ": ", " ", "**: ")),
        *("\n", "\n\n", "```", "```sql\n", "`", "**", " ", "<think>", "</think>", "<tool_call>", "</tool_call>"),
        *(
            "SELECT 1",
            ";",
            "{",
            "}",
            '"',
            "\\",
            "[",
            "]",
            '{"action_type": "',
            '", "argument": "',
            '{"name": "query", ',
        ),
        *('"arguments": ', "\ud800", "\x00", "é", "singer", ":", "Action: ", ">", "#"),
    ]
)
TEXTS = st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=30).map("".join))
ARGUMENTS = st.one_of(TEXTS, st.text(st.characters(codec="utf-8")))


@given(TEXTS)
def test_reading_never_raises(text: str) -> None:
    read = parse_reply(text)
    assert read is None or read.action_type in ACTION_TYPES
    assert read is None or read.argument.encode()


@given(st.text(st.characters(exclude_characters="{<:")))
def test_prose_is_no_answer(text: str) -> None:
    """Without a colon, a brace or a tag nothing is an answer."""
    read = parse_reply(text)
    assert read is None or read.action_type != "ANSWER"


@given(st.sampled_from(ACTION_TYPES), ARGUMENTS.map(lambda text: text.encode("utf-8", "replace").decode()))
@example("ANSWER", "</think>")
@example("ANSWER", "<tool_call>")
@example("QUERY", "SELECT '\n\nANSWER: 1'")
@example("QUERY", "`x`")
@example("ANSWER", "\u2028")
@example("DESCRIBE", "")
def test_every_action_survives_being_written_and_read(action: str, argument: str) -> None:
    written = write_action(SQLAction(action_type=action, argument=argument))
    assert "\n" not in written
    for text in (written, f"I go on.\n\n{written}", f"<think>ANSWER: 1</think>\n{written}\n"):
        read = parse_reply(text)
        assert read is not None
        assert (read.action_type, read.argument) == (action, argument)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=8,
)


@given(JSON | st.sampled_from([tool.name for tool in TOOLS]), JSON | TEXTS | JSON.map(json.dumps))
def test_no_tool_call_raises_and_all_can_be_written_again(name: Any, arguments: Any) -> None:
    read = read_call(name, arguments)
    assert (read.action is None) <= bool(read.notes)
    turn = Turn(read.action or SQLAction(action_type="UNREADABLE"), calls=(Call("1", name, arguments),), told="x")
    told = Conversation("value", "Question: ?", turns=[turn]).messages(Dialect())
    json.dumps(told, ensure_ascii=False).encode()
    function = told[2]["tool_calls"][0]["function"]
    assert isinstance(json.loads(function["arguments"]), dict)
    assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", function["name"])


CALLS = st.lists(st.tuples(JSON | st.sampled_from([tool.name for tool in TOOLS]), JSON | TEXTS), max_size=3)
TURNS = st.lists(st.tuples(TEXTS, CALLS, st.sampled_from([*ACTION_TYPES, "UNREADABLE"]), TEXTS), max_size=6)


@given(TURNS)
def test_every_conversation_keeps_the_protocol_however_much_is_removed(turns: list[Any]) -> None:
    kept = []
    for number, (content, calls, action, argument) in enumerate(turns):
        reply = read_reply(
            _answered(clean(content), [(f"{number}-{n}", *call) for n, call in enumerate(calls)]), Dialect(), "here"
        )
        kept.append(Turn.of(reply, SQLAction(action_type=action, argument=clean(argument))))
        kept[-1].told = "a result\n" * 20
    talk = Conversation("value", "Question: ?", turns=kept)
    sizes, left = [], True
    while left:
        for dialect in (Dialect(), Dialect(tools=False), Dialect(tools=False, system=False)):
            messages = talk.messages(dialect)
            assert broken_rule({"model": "m", "messages": messages}) is None
            json.dumps(messages, ensure_ascii=False).encode()
        sizes.append(length(talk.messages(Dialect())))
        try:
            talk.make_room()
        except LookupError:
            left = False
    assert sizes == sorted(sizes, reverse=True)


def _answered(content: str, calls: list[tuple[str, Any, Any]]) -> str:
    listed = [{"id": i, "function": {"name": name, "arguments": arguments}} for i, name, arguments in calls]
    return json.dumps({"choices": [{"message": {"content": content, "tool_calls": listed}}]})


HOSTILE = {
    "parameters": "<tool_call><function=a>" + "<parameter=a>" * 100_000,
    "blanks": " " * 1_000_000,
    "blank lines": "\n" * 1_000_000,
    "braces": "{" * 1_000_000,
    "nested": '{"a":' * 200_000,
    "brackets": '{"argument": ' + "[" * 500_000,
    "fences": "```sql\n" * 100_000,
    "thoughts": "<think></think>" * 70_000,
    "open thoughts": "<think>" * 100_000,
    "calls": "<tool_call>" * 100_000,
    "lines": "QUERY: x\n" * 12_000,
    "stars": "*" * 1_000_000 + "QUERY",
    "described": "DESCRIBE" + " " * 1_000_000,
    "paragraphs": "QUERY: SELECT 1" + "\n\nFROM" * 20_000,
    "objects": '{"action_type": "QUERY", "argument": "x"}\n' * 3_000,
    "digits": '{"name": "answer", "arguments": {"answer": ' + "9" * 99_000 + "}}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_reading_takes_bounded_time(name: str) -> None:
    began = time.process_time()
    parse_reply(HOSTILE[name])
    assert time.process_time() - began < 2.0


# --- demonstrations --------------------------------------------------------------------------------------


def _databases_by_split(settings: Settings) -> dict[str, set[str]]:
    (questions,) = load_all(settings).values()
    return {split: {one.db_id for one in questions.select(split)} for split in questions.splits}


async def _all(base_url: str, oracle: OraclePolicy, by_split: dict[str, set[str]], dataset: str) -> None:
    for split, databases in by_split.items():
        for k in (0, 1, 3) if dataset == "starter" else (3,):
            shown = [one.trajectory for one in await demonstrations(base_url, oracle, split, k, dataset)]
            assert len(shown) == k
            assert not databases & {played.db_id for played in shown}
            assert len({played.task_id for played in shown}) == k
            assert [played.hardness for played in shown] == ["easy", "medium", "hard"][:k]
            for played in shown:
                actions = [step.action_type for step in played.trajectory]
                assert played.correct
                assert actions[0] == "DESCRIBE"
                assert actions[-2:] == ["QUERY", "ANSWER"]
                assert len(actions) <= 4


def test_no_demonstration_is_about_an_evaluated_database(starter_server: str) -> None:
    oracle = OraclePolicy.for_dataset("starter")
    asyncio.run(_all(starter_server, oracle, _databases_by_split(Settings(dataset="starter")), "starter"))


def test_no_demonstration_of_spider_is_about_an_evaluated_database(
    spider_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQL_ENV_DATA", str(spider_data))
    oracle = OraclePolicy.for_dataset("spider")
    by_split = _databases_by_split(Settings(data=spider_data, dataset="spider"))
    with local_server({"SQL_ENV_DATASET": "spider"}) as base_url:
        asyncio.run(_all(base_url, oracle, by_split, "spider"))


def test_demonstrations_are_the_same_every_time(starter_server: str) -> None:
    oracle = OraclePolicy.for_dataset("starter")
    first, second = (asyncio.run(demonstrations(starter_server, oracle, "test", 3)) for _ in range(2))
    assert first == second
    assert len({one.trajectory.db_id for one in first}) == 3


@pytest.mark.parametrize(
    ("split", "k", "said"), [("all", 1, "choose one split"), ("none", 1, "no split 'none'"), ("test", 4, "0 to 3")]
)
def test_demonstrations_that_cannot_be_are_refused(starter_server: str, split: str, k: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        asyncio.run(demonstrations(starter_server, OraclePolicy.for_dataset("starter"), split, k))
