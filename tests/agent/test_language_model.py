"""The language-model policy over real HTTP and a real SQLEnv server, against endpoints that behave and that do not."""

import asyncio
import gzip
import itertools
import json
import re
import resource
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import openai._base_client
import pytest
from model_servers import PLAN, Analyst, Answer, Body, acting, call, completion, model_server, refusal, taken, tokens

from sql_env.agent import prompts
from sql_env.agent.conversation import Demonstration
from sql_env.agent.demonstrations import demonstrations
from sql_env.agent.endpoint import ChatClient, Endpoint, cost
from sql_env.agent.faults import EndpointError, RolloutError
from sql_env.agent.language_model import (
    CUT,
    DOUBTFUL,
    FROM_TEXT,
    NOTHING_READ,
    TRUNCATED,
    UNPARSED,
    LanguageModelPolicy,
)
from sql_env.agent.model_choice import ready
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.policy_thread import PolicyThread
from sql_env.agent.refusals import RequestError
from sql_env.agent.replies import OTHER_ARGUMENT, SEVERAL_ACTIONS
from sql_env.agent.rollout import Recording, play_on
from sql_env.agent.rollouts import Setup, collect, jobs
from sql_env.agent.trajectory import Trajectory
from sql_env.client import SQLEnvClient

TASK = "allotment_society-001"
ANALYST = Analyst()
Reply = Callable[[Body, int], Answer]
Shown = tuple[Demonstration, ...]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr(openai._base_client, "MAX_RETRY_DELAY", 0.02)


@pytest.fixture
def oracle() -> OraclePolicy:
    return OraclePolicy.for_dataset("starter")


def play(
    server: str,
    url: str,
    shown: tuple[Demonstration, ...] = (),
    selectors: dict[str, Any] | None = None,
    **options: Any,
) -> Trajectory:
    """Play one episode as an evaluation does: on a thread of its own."""
    chat = ChatClient(Endpoint(**({"model": "m", "base_url": url, "timeout": 5.0, "max_retries": 2} | options)))
    try:
        return asyncio.run(_play(server, chat, shown, selectors or {"task_id": TASK}))
    finally:
        chat.close()


async def _play(
    server: str, chat: ChatClient, shown: tuple[Demonstration, ...], selectors: dict[str, Any]
) -> Trajectory:
    player = PolicyThread(lambda: LanguageModelPolicy(chat, shown), seconds=20)
    client = SQLEnvClient(base_url=server)
    try:
        async with client:
            first = (await client.reset(**selectors)).observation
            return await play_on(client, player, first, Recording(player.name, first, 7))
    finally:
        player.close()


def notes(played: Trajectory) -> list[str]:
    return [note for step in played.trajectory for note in step.notes]


def first_then(answer: Callable[[Body], Answer], times: int = 1) -> Reply:
    """Answer so for the first requests, and play well from then on."""
    return lambda request, number: answer(request) if number < times else ANALYST(request, number)


# --- an endpoint that behaves ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "tools", "text"])
def test_an_episode_is_played_and_recorded(starter_server: str, mode: str) -> None:
    with model_server(ANALYST) as served:
        played = play(starter_server, served.url, mode=mode)
    assert [(step.action_type, step.argument) for step in played.trajectory] == list(PLAN)
    assert played.correct
    assert played.fault is None
    assert played.policy == "llm:m"
    assert served.broken == []
    assert notes(played) == []
    assert [step.completion_tokens for step in played.trajectory] == [7, 7, 7]
    assert [step.prompt_tokens for step in played.trajectory] == [tokens(request) for request in served.requests]
    assert all(step.reply for step in played.trajectory)
    for request in served.requests:
        assert (request["seed"], request["temperature"], request["max_tokens"]) == (7, 0.0, 1024)
        assert ("tools" in request) == (mode != "text")
    last = served.requests[-1]["messages"]
    assert "COUNT(*)\n47\n(1 row)\n\n(13 steps left)" in last[-1]["content"]


@pytest.mark.parametrize("mode", ["tools", "text"])
@pytest.mark.parametrize("form", ["value", "sql"])
def test_answer_forms_and_demonstrations_are_told(
    starter_server: str, oracle: OraclePolicy, mode: str, form: str
) -> None:
    plan = [*PLAN[:2], ("ANSWER", PLAN[1][1] if form == "sql" else "47")]
    shown = tuple(asyncio.run(demonstrations(starter_server, oracle, "test", 3, answer_form=form)))
    with model_server(Analyst(plan)) as served:
        played = play(starter_server, served.url, shown, {"task_id": TASK, "answer_form": form}, mode=mode)
    assert played.correct
    assert served.broken == []
    messages = served.requests[-1]["messages"]
    assert prompts.ANSWER_FORMS[form] in messages[0]["content"]
    text = json.dumps(messages)
    assert text.count("Correct.") == 3
    assert text.count(prompts.EXAMPLE) == 3
    assert text.count(prompts.NEW) == 1
    roles = [message["role"] for message in messages]
    assert all(pair != ("user", "user") for pair in itertools.pairwise(roles))
    described = [tool["function"]["parameters"]["properties"] for tool in served.requests[-1].get("tools", ())]
    assert all((prompts.SQL_ANSWER_ARGUMENT in json.dumps(described)) == (form == "sql") for _ in described)


def test_a_demonstration_of_the_same_database_or_the_other_form_is_refused(
    starter_server: str, oracle: OraclePolicy
) -> None:
    (shown,) = asyncio.run(demonstrations(starter_server, oracle, "train", 1))
    same = replace(shown, trajectory=replace(shown.trajectory, db_id="allotment_society"))
    other = replace(shown, trajectory=replace(shown.trajectory, db_id="x", answer_form="sql"))
    with model_server(ANALYST) as served:
        for wrong in (same, other):
            played = play(starter_server, served.url, (wrong,))
            assert played.fault is not None
            assert (played.fault.source, played.fault.kind) == ("policy", "raised")
    assert served.requests == []


def test_many_policies_share_one_client(starter_server: str) -> None:
    """And an endpoint without tools is found out once, not once a policy."""

    def reply(request: Body, number: int) -> Answer:
        return refusal("m does not support tools") if "tools" in request else ANALYST(request, number)

    async def crowd(chat: ChatClient) -> list[Trajectory]:
        return list(await asyncio.gather(*(_play(starter_server, chat, (), {"task_id": TASK}) for _ in range(24))))

    with model_server(reply) as served:
        chat = ChatClient(Endpoint(model="m", base_url=served.url))
        chat.check()
        played = asyncio.run(crowd(chat))
        replies: list[str] = []
        threads = [threading.Thread(target=lambda: replies.append(_ask(chat))) for _ in range(256)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        chat.close()
    assert all(one.correct for one in played)
    assert len(replies) == 256
    assert sum("tools" in request for request in served.requests) == 1
    assert served.broken == []


def _ask(chat: ChatClient) -> str:
    hello = [{"role": "user", "content": "Question: ?"}]
    return chat.complete(lambda _: hello, 1, "value").text


# --- what a model gets wrong -----------------------------------------------------------------------------


def tool(name: str, arguments: Any) -> Callable[[Body], Answer]:
    return lambda request: completion(request, calls=[call(name, arguments)])


WRONG: dict[str, tuple[Callable[[Body], Answer], str, str | None]] = {
    # what the endpoint sends first, the action that it becomes, a note
    "null content": (lambda request: completion(request, None), "UNREADABLE", NOTHING_READ),
    "prose": (lambda request: completion(request, "The answer is 47."), "UNREADABLE", NOTHING_READ),
    "an unknown tool": (tool("drop_table", {"table": "plot"}), "UNREADABLE", "call of an unknown tool"),
    "a tool name that is none": (tool("plöt 1", {"table": "plot"}), "UNREADABLE", "call of an unknown tool"),
    "arguments no JSON": (tool("query", "SELECT 1"), "UNREADABLE", "tool call arguments were no JSON object"),
    "arguments a list": (tool("query", [1]), "UNREADABLE", "tool call arguments were no JSON object"),
    "arguments cut off": (tool("query", '{"sql": "SEL'), "UNREADABLE", "tool call arguments were no JSON object"),
    "no argument": (tool("answer", {}), "UNREADABLE", "tool call without its argument"),
    "argument null": (tool("answer", {"answer": None}), "UNREADABLE", "tool call without its argument"),
    "a number as table": (tool("describe", {"table": 3}), "UNREADABLE", "tool call without its argument"),
    "another argument": (tool("describe", {"name": "plot"}), "DESCRIBE", OTHER_ARGUMENT),
    "line breaks in JSON": (tool("query", '{"sql": "SELECT 1\nFROM plot"}'), "QUERY", None),
    "JSON in JSON": (tool("query", json.dumps(json.dumps({"sql": "SELECT 1"}))), "QUERY", None),
    "half a surrogate": (tool("query", '{"sql": "SELECT \'\\ud83d\'"}'), "QUERY", None),
    "text instead of a call": (lambda r: completion(r, "I look.\nDESCRIBE: plot"), "DESCRIBE", FROM_TEXT),
    "Hermes instead of a call": (
        lambda r: completion(r, '<tool_call>\n{"name": "sample", "arguments": {"table": "plot"}}\n</tool_call>'),
        "SAMPLE",
        FROM_TEXT,
    ),
    "two calls": (
        lambda r: completion(r, "Two.", [call("sample", {"table": "plot"}, 1), call("answer", {"answer": "1"}, 2)]),
        "SAMPLE",
        SEVERAL_ACTIONS,
    ),
    "two calls of one id": (
        lambda r: completion(r, None, [call("sample", {"table": "plot"}), call("answer", {"answer": "1"})]),
        "SAMPLE",
        SEVERAL_ACTIONS,
    ),
    "cut at max_tokens": (lambda r: completion(r, "<think>Well, the", finish="length"), "UNREADABLE", CUT),
    "an answer cut off": (lambda r: completion(r, "ANSWER: a, b, c, d", finish="length"), "UNREADABLE", CUT),
    "cut after the action": (lambda r: completion(r, "DESCRIBE: plot\n\nThis is", finish="length"), "DESCRIBE", CUT),
    "a huge reply": (lambda r: completion(r, "blah " * 1_000_000), "UNREADABLE", NOTHING_READ),
    "a huge argument": (tool("query", {"sql": "SELECT " + "1," * 1_000_000}), "UNREADABLE", None),
    "parts of content": (lambda r: completion(r, [{"type": "text", "text": "DESCRIBE: plot"}]), "DESCRIBE", FROM_TEXT),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_model_gets_wrong_costs_a_step_and_the_next_request_is_valid(starter_server: str, name: str) -> None:
    answer, action, note = WRONG[name]
    with model_server(lambda request, n: answer(request) if n == 0 else acting(request, "ANSWER", "47", n)) as served:
        played = play(starter_server, served.url, context=100_000)
    assert played.fault is None
    assert [step.action_type for step in played.trajectory] == [action, "ANSWER"]
    assert played.correct
    assert note is None or note in notes(played)
    assert served.broken == []
    if action == "UNREADABLE":
        assert played.trajectory[0].error_kind == "ActionError"
        assert prompts.CORRECT_TOOLS in served.requests[1]["messages"][-1]["content"]
    assert json.dumps(json.loads(played.to_json()), ensure_ascii=False).encode()


UNREAD = {
    "Ollama": refusal(
        "error parsing tool call: raw='{\"table\": plot', err=invalid character 'p'", 500, kind="api_error"
    ),
    "Groq": refusal("Failed to call a function. See 'failed_generation'.", code="tool_use_failed"),
    "llama.cpp": refusal("Failed to parse input at pos 0: <tool_call>", 500, 500, "server_error"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_tool_call_that_the_endpoint_cannot_read_is_the_models_fault(starter_server: str, name: str) -> None:
    def reply(request: Body, _: int) -> Answer:
        return acting(request, "ANSWER", "47") if taken(request) else UNREAD[name]

    with model_server(reply) as served:
        played = play(starter_server, served.url)
    assert [step.action_type for step in played.trajectory] == ["UNREADABLE", "ANSWER"]
    assert UNPARSED in notes(played)
    assert (played.correct, served.broken) == (True, [])


def test_a_model_that_never_acts_spends_its_budget_and_no_more(starter_server: str) -> None:
    with model_server(lambda request, _: completion(request, "Hm.")) as served:
        played = play(starter_server, served.url, mode="text")
    assert (played.truncated, played.fault, len(served.requests)) == (True, None, 15)
    assert prompts.CORRECT_TEXT in served.requests[1]["messages"][-1]["content"]


# --- an endpoint that does not behave --------------------------------------------------------------------

RECOVERS: dict[str, Callable[[Body], Answer]] = {
    "500": lambda _: Answer({"error": {"message": "oops"}}, 500),
    "503 in HTML": lambda _: Answer(raw="<html>busy</html>", status=503, headers={"content-type": "text/html"}),
    "429": lambda _: replace(refusal("slow down", 429), headers={"retry-after": "0.4"}),
    "409": lambda _: refusal("locked", 409),
    "dropped": lambda request: replace(ANALYST(request, 0), drop=True),
    "hangs": lambda _: Answer(hang=True),
}


@pytest.mark.parametrize("name", RECOVERS)
def test_what_passes_is_tried_again(starter_server: str, name: str) -> None:
    began = time.monotonic()
    with model_server(first_then(RECOVERS[name])) as served:
        played = play(starter_server, served.url, timeout=0.5)
    assert played.correct
    assert len(served.requests) == 4
    if name == "429":
        assert time.monotonic() - began > 0.4


FAILS: dict[str, tuple[Callable[[Body], Answer], str]] = {
    "500": (lambda _: Answer({"error": {"message": "oops"}}, 500), "still answered 500 after all retries: oops"),
    "429": (lambda _: refusal("slow down", 429), "still answered 429 after all retries: slow down"),
    "429 for an hour": (lambda _: replace(refusal("quota", 429), headers={"retry-after": "3600"}), "quota"),
    "hangs": (lambda _: Answer(hang=True), "timed out"),
    "dropped": (lambda request: replace(ANALYST(request, 0), drop=True), "Connection error"),
    "no JSON": (lambda _: Answer(raw='{"choices": [{'), "no chat completion"),
    "HTML": (lambda _: Answer(raw="<html>hello</html>", headers={"content-type": "text/html"}), "no chat completion"),
    "a list": (lambda _: Answer([1]), "no chat completion"),
    "deep": (lambda _: Answer(raw="[" * 100_000), "no chat completion"),
    "no choices": (lambda _: Answer({"choices": []}), "no chat completion"),
    "choices null": (lambda _: Answer({"choices": None, "error": {"message": "overloaded"}}), "overloaded"),
    "message null": (lambda _: Answer({"choices": [{"message": None}]}), "no chat completion"),
    "401": (lambda _: refusal("wrong key", 401), "set OPENAI_API_KEY"),
    "a stream": (
        lambda _: Answer(
            raw='data: {"choices":[{"delta":{"content":"x"}}]}\n\ndata: [DONE]\n\n',
            headers={"content-type": "text/event-stream"},
        ),
        "no chat completion: 'data:",
    ),
    "a byte of the body now and then": (lambda _: Answer(drip="body"), "no whole answer within 0.3 s"),
    "a byte of the headers now and then": (lambda _: Answer(drip="headers"), "no whole answer within 0.3 s"),
    "429 that speaks of calls": (lambda _: refusal("you may call the API again tomorrow", 429), "still answered 429"),
    "quota": (
        lambda _: refusal("You exceeded your current quota", 429, code="insufficient_quota"),
        "still answered 429 after all retries: You exceeded",
    ),
    "402": (lambda _: refusal("credits", 402), "no credit left"),
    "403": (lambda _: refusal("no", 403), "no right to this model"),
    "404": (lambda _: refusal("The model `m` does not exist", 404), "check the model's name"),
}


@pytest.mark.parametrize("name", FAILS)
def test_what_does_not_pass_is_the_connections_fault_and_no_wrong_answer(starter_server: str, name: str) -> None:
    answer, said = FAILS[name]
    with (
        model_server(lambda request, _: answer(request)) as served,
        pytest.raises(RolloutError, match=r"^EndpointError") as caught,
    ):
        play(starter_server, served.url, timeout=0.3)
    assert (caught.value.source, caught.value.kind) == ("connection", "endpoint")
    assert said in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
def test_an_endless_answer_is_given_up_early(compressed: bool) -> None:
    """200 MB, or what unpacks to as many, take little memory and no second try."""
    big = gzip.compress(b" " * 200_000_000, 1) if compressed else None
    answer = Answer(raw=big, headers={"content-encoding": "gzip"}) if compressed else Answer(endless=1_000_000)
    with model_server(lambda *_: answer) as served:
        chat = ChatClient(Endpoint(model="m", base_url=served.url, timeout=20.0))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(EndpointError, match=r"the answer is longer than 10,000,000 bytes"):
            _ask(chat)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        chat.close()
    assert len(served.requests) == 1
    assert grown < 120_000  # kB


def test_a_client_that_is_closed_leaves_no_thread() -> None:
    """Not even where it waits."""
    before = set(threading.enumerate())
    with model_server(lambda *_: Answer(drip="body")) as served:
        chats = [ChatClient(Endpoint(model="m", base_url=served.url, timeout=0.2, max_retries=0)) for _ in range(8)]
        for chat in chats:
            with pytest.raises(EndpointError):
                _ask(chat)
            chat.close()
            chat.close()
            with pytest.raises(RuntimeError):
                _ask(chat)
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("requests to")]
    assert left == []


LATER: dict[str, tuple[Answer, type[Exception], str]] = {
    "a content policy": (refusal("flagged by our content policy", 403), RequestError, "refused this request with 403"),
    "a firewall": (Answer(raw="<html>", status=403, headers={"content-type": "text/html"}), RequestError, "with 403"),
    "a data policy": (refusal("No endpoints match your data policy", 404), RequestError, "refused this request"),
    "error as text": (Answer({"error": "No allowed providers"}, 404), RequestError, "refused this request with 404"),
    "the model is gone": (refusal("The model `m` does not exist", 404), EndpointError, "check the model's name"),
    "the tunnel is gone": (
        Answer(raw="<html>", status=404, headers={"content-type": "text/html"}),
        EndpointError,
        "the URL",
    ),
    "the key is gone": (refusal("revoked", 401), EndpointError, "set OPENAI_API_KEY"),
    "the credit is gone": (refusal("pay", 402), EndpointError, "no credit left"),
    "the quota is gone": (refusal("quota", 429, code="insufficient_quota"), EndpointError, "still answered 429"),
}


@pytest.mark.parametrize("name", LATER)
def test_a_refusal_after_requests_that_succeeded(name: str) -> None:
    answer, error, said = LATER[name]
    with model_server(lambda request, n: answer if n else completion(request, "OK")) as served:
        chat = ChatClient(Endpoint(model="m", base_url=served.url, max_retries=1))
        chat.check()
        with pytest.raises(error, match=said) as caught:
            _ask(chat)
        chat.close()
    assert type(caught.value) is error


def test_nobody_there_is_the_connections_fault(starter_server: str) -> None:
    with pytest.raises(RolloutError, match="Connection error"):
        play(starter_server, "http://127.0.0.1:9/v1")


def test_another_refusal_is_the_policys_fault(starter_server: str) -> None:
    with model_server(lambda request, _: refusal("m is not a chat model")) as served:
        played = play(starter_server, served.url)
    assert played.fault is not None
    assert (played.fault.source, played.fault.kind) == ("policy", "raised")
    assert "refused the request with 400: m is not a chat model" in played.fault.message
    assert len(served.requests) == 1


NO_TOOLS = {
    "Ollama": refusal("registry.ollama.ai/library/gemma3:4b does not support tools", kind="api_error"),
    "vLLM": Answer(
        {
            "object": "error",
            "message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
        400,
    ),
    "llama.cpp": refusal("tools param requires --jinja flag", 500, 500, "server_error"),
    "OpenRouter": refusal("No endpoints found that support tool use.", 404, 404),
    "HF": refusal("model features function calling not support", 400),
    "FastAPI": Answer({"detail": "Unexpected fields in the request: {'tools'}"}, 422),
}


@pytest.mark.parametrize("name", NO_TOOLS)
def test_an_endpoint_without_tools_is_told_in_text(starter_server: str, name: str) -> None:
    def reply(request: Body, number: int) -> Answer:
        return NO_TOOLS[name] if "tools" in request else ANALYST(request, number)

    with model_server(reply) as served:
        played = play(starter_server, served.url)
        assert played.correct
        assert "endpoint refuses tools: actions written as text" in notes(played)
        assert sum("tools" in request for request in served.requests) == (3 if name == "llama.cpp" else 1)
        assert served.broken == []
        if name != "llama.cpp":
            lost = play(starter_server, served.url, mode="tools") if name != "OpenRouter" else None
            assert lost is None or (lost.fault is not None and "refused the request" in lost.fault.message)


PECULIAR: dict[str, Callable[[Body], Answer | None]] = {
    "endpoint wants max_completion_tokens": lambda request: (
        refusal(
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", code="unsupported_parameter"
        )
        if "max_tokens" in request
        else None
    ),
    "endpoint refuses temperature": lambda request: (
        refusal("Unsupported value: 'temperature' does not support 0.0") if "temperature" in request else None
    ),
    "endpoint refuses seed": lambda request: (
        Answer({"detail": "Unexpected fields: {'seed'}"}, 422) if "seed" in request else None
    ),
    "endpoint refuses system messages": lambda request: (
        refusal("System role not supported") if request["messages"][0]["role"] == "system" else None
    ),
}


@pytest.mark.parametrize("note", PECULIAR)
def test_what_an_endpoint_does_not_take_is_left_out_and_noted(starter_server: str, note: str) -> None:
    with model_server(lambda request, n: PECULIAR[note](request) or ANALYST(request, n)) as served:
        played = play(starter_server, served.url)
    assert played.correct
    assert notes(played) == [note] * 3
    assert len(served.requests) == 4


def test_an_endpoint_that_counts_nothing(starter_server: str) -> None:
    def reply(request: Body, number: int) -> Answer:
        answer = ANALYST(request, number)
        del answer.body["usage"]
        return answer

    with model_server(reply) as served:
        played = play(starter_server, served.url)
    assert played.correct
    assert [step.prompt_tokens for step in played.trajectory] == [None] * 3


ABSURD = [10**9, 10**400, 2_000_000, -3, 1.5e300, "many", True, None, [5]]


@pytest.mark.parametrize("count", ABSURD, ids=lambda count: str(count)[:12])
def test_a_count_that_cannot_be_true_is_not_believed(starter_server: str, count: Any) -> None:
    def reply(request: Body, number: int) -> Answer:
        answer = ANALYST(request, number)
        answer.body["usage"] = {"prompt_tokens": count, "completion_tokens": count}
        return answer

    with model_server(reply) as served:
        played = play(starter_server, served.url)
    assert played.correct
    assert notes(played) == []
    assert [step.prompt_tokens for step in played.trajectory] == [None] * 3
    if count != 2_000_000:  # more than the prompt can hold, but who knows what was written
        assert [step.completion_tokens for step in played.trajectory] == [None] * 3


@pytest.mark.parametrize("count", [1, 9_999, 12_000])
def test_a_wrong_count_spoils_no_later_episode(starter_server: str, count: int) -> None:
    def reply(request: Body, number: int) -> Answer:
        answer = ANALYST(request, number)
        if number == 2:
            answer.body["usage"]["prompt_tokens"] = count
        return answer

    async def twice(chat: ChatClient) -> list[Trajectory]:
        player = PolicyThread(lambda: LanguageModelPolicy(chat), seconds=20)
        async with SQLEnvClient(base_url=starter_server) as client:
            firsts = [(await client.reset(task_id=TASK)).observation]
            played = [await play_on(client, player, firsts[0], Recording(player.name, firsts[0], 7))]
            again = (await client.reset(task_id=TASK)).observation
            played.append(await play_on(client, player, again, Recording(player.name, again, 7)))
        player.close()
        return played

    with model_server(reply) as served:
        chat = ChatClient(Endpoint(model="m", base_url=served.url, context=4_000))
        played = asyncio.run(twice(chat))
        chat.close()
    assert [one.correct for one in played] == [True, True]
    assert notes(played[1]) == []


# --- the context -----------------------------------------------------------------------------------------

LONG = [("SAMPLE", "planting"), ("QUERY", "SELECT * FROM planting"), ("QUERY", "SELECT * FROM lease")] * 4


def limited(window: int, *, silent: bool = False) -> Reply:
    """An endpoint with a context of so many tokens, which refuses what is longer, or cuts it without a word."""
    analyst = Analyst([*LONG, ("ANSWER", "47")])

    def reply(request: Body, number: int) -> Answer:
        if tokens(request) + (0 if silent else request["max_tokens"]) <= window:
            return analyst(request, number)
        if not silent:
            said = f"This model's maximum context length is {window} tokens. However, your messages resulted in more."
            return refusal(said, code="context_length_exceeded")
        answer = analyst(request, number)
        answer.body["usage"]["prompt_tokens"] = window
        return answer

    return reply


@pytest.mark.parametrize("mode", ["tools", "text"])
@pytest.mark.parametrize("told", [True, False])
def test_old_results_make_room(starter_server: str, mode: str, told: bool) -> None:
    """Whether we know the context beforehand or the endpoint refuses."""
    models = [{"id": "m", "max_model_len": 2_600}] if told else [{"id": "m"}]
    with model_server(limited(2_600), models) as served:
        played = play(starter_server, served.url, mode=mode, max_tokens=500)
    assert played.correct
    assert served.broken == []
    assert re.search(r"\d old results? removed to fit the context", " ".join(notes(played)))
    last = served.requests[-1]["messages"]
    assert prompts.REMOVED in json.dumps(last, ensure_ascii=False)
    assert "How many of our plots have a shed" in last[1]["content"]
    assert prompts.REMOVED not in last[-1]["content"]
    refused = [request for request in served.requests if tokens(request) + 500 > 2_600]
    assert (len(refused) == 0) if told else (1 <= len(refused) <= 12)


def test_a_question_that_does_not_fit_is_a_clear_fault(starter_server: str) -> None:
    with model_server(limited(400)) as served:
        for context in (600, None):
            played = play(starter_server, served.url, mode="text", max_tokens=300, context=context)
            assert played.fault is not None
            assert played.fault.source == "policy"
            assert (
                "use fewer demonstrations, fewer max_tokens, or a model with a longer context" in played.fault.message
            )
    assert len(served.requests) <= 3


def test_what_only_our_estimate_calls_too_long_is_sent(starter_server: str) -> None:
    with model_server(ANALYST) as served:
        played = play(starter_server, served.url, mode="text", max_tokens=300, context=500)
    assert played.correct
    assert DOUBTFUL in played.trajectory[0].notes


@pytest.mark.parametrize("window", [1_500, 1_800, 2_200])
@pytest.mark.parametrize("told", [True, False])
def test_concurrency_changes_nothing(starter_server: str, window: int, told: bool) -> None:
    """Near the limit of the context, whether we know it or the endpoint refuses; tokens depend on what is written."""

    def counted(request: Body) -> int:
        text = json.dumps(request["messages"])
        return sum(sign.isdigit() for sign in text) + len(text) // 5

    def reply(request: Body, number: int) -> Answer:
        if counted(request) + request["max_tokens"] > window:
            return refusal("context length exceeded", code="context_length_exceeded")
        tables = re.findall(r"Tables: (.*)", request["messages"][1]["content"])[-1].split("\\n")[0].split(", ")
        turn = taken(request)
        answer = acting(request, "SAMPLE", tables[turn % len(tables)]) if turn < 10 else acting(request, "ANSWER", "1")
        answer.body["usage"]["prompt_tokens"] = counted(request)
        return answer

    def run(url: str, concurrency: int) -> list[str]:
        chat = ChatClient(Endpoint(model="m", base_url=url, context=window if told else 100_000, max_tokens=256))
        setup = Setup(
            base_url=starter_server,
            selectors={"dataset": "starter", "split": "test"},
            make_policy=lambda: LanguageModelPolicy(chat),
            concurrency=concurrency,
            policy_seconds=None,
        )
        played, lost = asyncio.run(collect(setup, jobs(90, None, 1, 0)[::5]))
        chat.close()
        assert lost == []
        return [one.to_json() for one in played]

    with model_server(reply) as served:
        alone, crowd = run(served.url, 1), run(served.url, 16)
    assert served.broken == []
    assert alone == crowd
    assert "removed to fit the context" in "".join(alone)


def test_silent_truncation_is_noted(starter_server: str) -> None:
    with model_server(limited(1_500, silent=True)) as served:
        played = play(starter_server, served.url, context=100_000)
    assert played.correct
    assert TRUNCATED in notes(played)
    assert served.broken == []


# --- before a run ----------------------------------------------------------------------------------------


@pytest.fixture
def checked() -> Callable[..., str]:
    def check(url: str | None, **options: Any) -> str:
        chat = ChatClient(Endpoint(**({"model": "m", "base_url": url, "max_retries": 1, "timeout": 1.0} | options)))
        try:
            return chat.check()
        finally:
            chat.close()

    return check


def test_check_says_what_was_found(checked: Callable[..., str]) -> None:
    with model_server(lambda request, n: acting(request, "DESCRIBE", "x"), [{"id": "m", "max_model_len": 2_048}]) as up:
        assert checked(up.url) == f"m at {up.url}/: native tool calls, context of 2,048 tokens"
        with pytest.raises(RequestError, match="no room beside replies of 4096"):
            checked(up.url, max_tokens=4_096)
    with model_server(lambda r, n: NO_TOOLS["Ollama"] if "tools" in r else completion(r, "OK")) as up:
        assert "actions written as text, context of 8,192 tokens; endpoint refuses tools" in checked(up.url)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal("Incorrect API key", 401), "set OPENAI_API_KEY to a key that this endpoint takes"),
        (refusal("no such model", 404), "check the model's name"),
        (refusal("down", 503), "still answered 503"),
    ],
)
def test_check_says_what_to_do(checked: Callable[..., str], answer: Answer, said: str) -> None:
    with model_server(lambda request, n: answer) as up, pytest.raises(EndpointError, match=said):
        checked(up.url)
    with pytest.raises(EndpointError, match="Connection error"):
        checked("http://127.0.0.1:9/v1")


def test_the_key_comes_from_the_environment_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, checked: Callable[..., str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with model_server(lambda request, n: completion(request, "OK")) as up:
        checked(up.url)
        monkeypatch.delenv("OPENAI_API_KEY")
        checked(up.url)
    assert up.keys == ["Bearer sk-secret", "Bearer none"]
    assert "sk-secret" not in repr(Endpoint(model="m", api_key="sk-secret"))


KEY = "sk-secret-key-0123"


@pytest.mark.parametrize("around", ["%s\r", "%s\n", "\t%s \r\n"])
def test_white_space_around_the_key_goes(checked: Callable[..., str], around: str) -> None:
    with model_server(lambda request, n: completion(request, "OK")) as up:
        checked(up.url, api_key=around % KEY)
    assert up.keys == [f"Bearer {KEY}"]
    assert Endpoint(model="m", api_key=" \n").api_key == "none"


@pytest.mark.parametrize("inside", ["\r", "\n", "\0", "\x7f", "é", "\u2028"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(inside: str) -> None:
    with pytest.raises(ValueError, match="the API key holds characters") as caught:
        Endpoint(model="m", api_key=f"{KEY}{inside}{KEY}")
    assert "secret" not in f"{caught.value!r}"


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 422, 429, 500, 503])
def test_an_endpoint_that_repeats_the_key_does_not_make_us_show_it(
    starter_server: str, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Not in messages, the log or a trajectory, as far as the endpoint writes it as it is, and in no cut-off part."""

    def reply(request: Body, number: int) -> Answer:
        said = "x" * 490 + f" key {KEY} 'temperature' is not supported, failed to call a function; key {KEY}"
        return refusal(said, status) if status != 200 else completion(request, f"ANSWER: {KEY}")

    with model_server(reply) as served:
        try:
            said = play(starter_server, served.url, api_key=KEY, max_retries=0).to_json()
        except RolloutError as error:
            said = f"{error!r}"
    assert served.keys[0] == f"Bearer {KEY}"
    assert "sk-s" not in said + caplog.text


def test_a_url_is_shown_without_its_password(checked: Callable[..., str]) -> None:
    with pytest.raises(EndpointError, match=r"m at http://127\.0\.0\.1:9/v1/: ") as caught:
        checked("http://me:hidden@127.0.0.1:9/v1?key=hidden")
    assert "hidden" not in str(caught.value)


def test_words_in_the_place_of_a_key_may_be_said() -> None:
    assert Endpoint(model="m", api_key="ollama").redacted("ollama does") == "ollama does"
    assert Endpoint(model="m", api_key="a'b").redacted("it's a'b, 'a\\'b'") == "it's [API key], 'a\\'b'"


def test_what_decides_the_results_is_recorded(starter_server: str) -> None:
    def reply(request: Body, number: int) -> Answer:
        for wrong in PECULIAR.values():
            if refused := wrong(request):
                return refused
        return completion(request, "OK")

    with model_server(reply, [{"id": "m", "max_model_len": 4_096}]) as up:
        endpoint = Endpoint(model="m", base_url=up.url, api_key=KEY, top_p=0.9, mode="text", max_tokens=64)
        about = asyncio.run(ready(endpoint, starter_server, "starter", "test", shots=1)).about
    shown = about.pop("demonstrations")
    assert len(shown) == 1
    assert about == {
        "model": "m",
        "tools": False,
        "refused": ["seed", "temperature", "system messages"],
        "temperature": 0.0,
        "top_p": 0.9,
        "max_tokens": 64,
        "context": 4_096,
        "shots": 1,
        "prompt": prompts.PROMPT_VERSION,
    }


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "x"}, {"max_tokens": 0}, {"timeout": 0.0}, {"context": 1024}, {"api_key": "é"}, {"max_retries": -1}],
)
def test_an_endpoint_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Endpoint(model="m", **wrong)


def test_cost() -> None:
    assert cost(1_000_000, 500_000, 0.15, 0.6) == pytest.approx(0.45)
    assert Endpoint(model="m", prices=(2.0, 8.0)).cost(1_000, 1_000) == pytest.approx(0.01)
    assert Endpoint(model="m").cost(1, 1) is None


def test_taken_counts_turns_of_the_last_episode() -> None:
    said = [
        {"role": role, "content": text} for role, text in (("user", "Question: a"), ("assistant", "x"), ("user", "y"))
    ]
    assert taken({"messages": [*said, {"role": "user", "content": "Question: b"}, said[1]]}) == 1
