"""The tiny model: a tokenizer that loses nothing, demonstrations as they reach the optimiser, replies in batches."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trl import SFTConfig

from sql_env.agent import prompts
from sql_env.agent.completions import Dialect
from sql_env.agent.local_model import LocalModel
from sql_env.agent.sessions import Connect
from sql_env.agent.task_rows import selectors_of
from sql_env.agent.tiny_model import LEARNED, Size, make_model, teach_copying
from sql_env.agent.training import build_sft_trainer, load_model_and_tokenizer
from sql_env.agent.trajectories import opening_messages, system_message

pytestmark = [
    pytest.mark.train,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing. is deprecated:FutureWarning"),
]


@pytest.fixture(scope="module")
def loaded(tiny: Path) -> tuple[Any, Any]:
    return load_model_and_tokenizer(str(tiny))


@settings(max_examples=300)
@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x0e"), max_size=200))
def test_any_text_is_encoded_and_decoded_without_loss(loaded: tuple[Any, Any], text: str) -> None:
    _, tokenizer = loaded
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_every_demonstration_is_encoded_without_loss(loaded: tuple[Any, Any], demonstrations: list[Any]) -> None:
    _, tokenizer = loaded
    for row in demonstrations:
        text = tokenizer.apply_chat_template(row["messages"], tools=row["tools"], tokenize=False)
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_spellings_of_a_name_share_their_tokens(loaded: tuple[Any, Any]) -> None:
    _, tokenizer = loaded
    words = [set(tokenizer.tokenize(text)) for text in ("name and number", "name_number", "NameNumber", "names")]
    assert len(set.intersection(*words[:3])) >= 2
    assert words[3] & words[0]


def test_a_prompt_costs_few_tokens(loaded: tuple[Any, Any]) -> None:
    """What every prompt begins with, some 1,800 characters, is one token."""
    _, tokenizer = loaded
    messages = [system_message(), {"role": "user", "content": ""}]
    ids = tokenizer.apply_chat_template(messages, tools=prompts.tool_definitions("value"), return_dict=False)
    assert len(ids) <= 8


def test_sft_learns_what_the_model_says_and_nothing_else(
    loaded: tuple[Any, Any], demonstrations: list[Any], tmp_path: Path
) -> None:
    model, tokenizer = loaded
    frame = {"use_cpu": True, "bf16": False, "report_to": "none", "activation_checkpointing": False}
    config = SFTConfig(output_dir=str(tmp_path), max_length=None, **frame)
    trainer = build_sft_trainer(model, tokenizer, demonstrations, config)
    assert len(trainer.train_dataset) == len(demonstrations)
    for row, example in zip(demonstrations, trainer.train_dataset, strict=True):
        kept = [token for token, label in zip(example["input_ids"], example["labels"], strict=True) if label != -100]
        said = [message for message in row["messages"] if message["role"] == "assistant"]
        wanted = []
        for message in said:
            text = tokenizer.apply_chat_template([{"role": "user", "content": ""}, message], tokenize=False)
            wanted.append(text.split("<|im_start|>assistant\n")[1].removesuffix("\n"))
        assert [part.strip("\n") for part in tokenizer.decode(kept).split("<|im_end|>")[:-1]] == [
            text.removesuffix("<|im_end|>") for text in wanted
        ]


def test_copying_is_learned() -> None:
    """Where nothing else can be learned, what has been read once is foreseen when it comes again."""

    class FewTokens:
        """As much of a tokenizer as a model needs."""

        eos_token_id, pad_token_id = 1, 0

        def __len__(self) -> int:
            return 120

    size, losses = Size(hidden=64, layers=2, heads=2), list[float]()
    last = teach_copying(make_model(FewTokens(), size, 0), FewTokens(), 400, 0, lambda _, loss: losses.append(loss))
    assert losses[0] == pytest.approx(math.log(120), abs=0.3), "chance"
    assert last < LEARNED
    assert len(losses) < 400, "it ends when it has learned"


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_reply_depends_on_its_prompt_and_seed_and_not_on_the_batch(
    loaded: tuple[Any, Any], connect: Connect, rows: list[Any], temperature: float
) -> None:
    model, tokenizer = loaded
    session = connect()
    asked = []
    for number, row in enumerate(rows[:12]):
        first = session.reset(**selectors_of(row))
        asked.append((opening_messages(first), number))
    local = LocalModel(model, tokenizer, "tiny", temperature=temperature, max_tokens=12, batch=8)

    def ask(one: tuple[list[Any], int]) -> str:
        return local.complete(lambda _: one[0], one[1], "value").text

    with ThreadPoolExecutor(12) as threads:
        together = list(threads.map(ask, asked))
    alone = [ask(one) for one in asked]
    local.close()
    assert sum(one == other for one, other in zip(alone, together, strict=True)) >= 11  # rounding may tip one
    if temperature:
        assert len(set(alone)) > 6


def test_a_reply_is_read_as_trl_reads_it(loaded: tuple[Any, Any]) -> None:
    _, tokenizer = loaded
    local = LocalModel(*loaded, "tiny")
    try:
        written = '<tool_call>\n{"name": "query", "arguments": {"sql": "SELECT 1"}}\n</tool_call>'
        from sql_env.agent.local_model import _Asked

        asked = _Asked([], 0, 9, prompts.tool_definitions("value"), None)  # type: ignore[arg-type]
        reply = local._reply(asked, [*tokenizer.encode(written), tokenizer.eos_token_id])
        (call,) = reply.calls
        assert (call.name, call.arguments) == ("query", '{"sql": "SELECT 1"}')
        assert (reply.finish, reply.dialect) == ("stop", Dialect())
        silent = local._reply(asked, [tokenizer.eos_token_id])
        assert (silent.calls, silent.content, silent.finish) == ((), "", "stop")
        broken = local._reply(asked, tokenizer.encode(written[:40]))
        assert (broken.calls, broken.finish) == ((), "length")
    finally:
        local.close()
