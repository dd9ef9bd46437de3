"""A model from random weights with a tokenizer made on the spot: the ``tiny`` recipe's, for two CPU cores.

The architecture is LFM2's (Liquid AI): short convolutions between attention layers. The chat template is that of
Qwen3's instruct models as TRL carries it, so what TRL does with a model it does with this one. Two more things make
it possible on two cores. Text that every episode repeats (system prompt, tool definitions, the frame of a tool call,
SQL's keywords) is one token a piece. And words are tokens of their own, without the space before them and in lower
case behind a shift sign, so that ``flight fee``, ``flight_fee`` and ``FlightFee`` share their tokens: a model so
small cannot learn every word's spellings. Encoding loses nothing.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

import torch
import trl.chat_template_utils as templates
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Lfm2Config, Lfm2ForCausalLM, PreTrainedTokenizerFast

from sql_env.agent.trajectories import system_message

START, END_OF_TURN, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
SPECIAL = (PAD, START, END_OF_TURN)
TAGS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")
SHIFT = "\x0e"
"""Stands before a letter that is a capital: ASCII's own sign for it, SHIFT OUT."""
WORDS = Regex(r"[a-z]{3,}(?=s(?![a-z]))|[a-z]+|\d|\x0e|\s|[^a-z\d\s\x0e]")
"""What merges never cross: words, a plural's s, single digits, single other characters. In lower case."""

LEARNED = 0.5
"""Loss at which a model repeats what it has read: by chance it is 7, the logarithm of the number of tokens."""

SQL = (
    "SELECT ", "SELECT DISTINCT ", "SELECT COUNT(*) FROM ", "COUNT(*)", "COUNT(DISTINCT ", "COUNT(", "AVG(", "SUM(",
    "MIN(", "MAX(", " FROM ", ") FROM ", " WHERE ", " AND ", " OR ", " GROUP BY ", " HAVING ", " ORDER BY ", " DESC",
    " ASC", " LIMIT ", " BETWEEN ", " LIKE '", " IN ('", " IN (", " IS NULL", " IS NOT NULL", " NOT IN ", " = '",
    " = ", " > ", " < ", " >= ", " <= ", " <> ", " != ", "', '", " AS ", " JOIN ", " ON ",
)  # fmt: skip
SHOWN = (
    "Question: ", "\n\nTables: ", "\n\n(", " steps left)", "Table ", " rows\n  ", " row\n  ", " INTEGER", " TEXT",
    " REAL", " DATE", " NUMERIC", " NOT NULL", " PRIMARY KEY", " UNIQUE", "\n  FOREIGN KEY (", ") REFERENCES ", "\n  ",
    "\n(1 row)", "\n(", " rows)", "Error: ", "no such column: ", "no such table: ", "; did you mean ",
    "no table named '", "; tables: ", "Correct.", "Not correct.", " | ",
)  # fmt: skip
"""What SQL and the environment's texts repeat."""


@dataclass(frozen=True)
class Size:
    """How large a model is.

    Attributes:
        hidden: width.
        layers: depth.
        heads: attention heads; the width is a multiple of them.
        vocabulary: tokens that are learned from text, beside the fixed ones.
        context: the longest sequence, in tokens.
    """

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    vocabulary: int = 1500
    context: int = 2048


def make_tokenizer(
    conversations: Iterable[Sequence[Mapping[str, Any]]], tools: Sequence[Mapping[str, Any]], size: Size
) -> PreTrainedTokenizerFast:
    """Make a tokenizer that encodes any text and decodes it to the same text.

    Args:
        conversations: messages of some hundreds of episodes, from which words are learned.
        tools: the tool definitions that every conversation is told.
        size: how many tokens to learn.
    """
    tokenizer = Tokenizer(models.BPE())
    capitals = [normalizers.Replace(letter, SHIFT + letter.lower()) for letter in ascii_uppercase]
    tokenizer.normalizer = normalizers.Sequence(capitals)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(WORDS, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    shifts = [decoders.Replace(SHIFT + letter.lower(), letter) for letter in ascii_uppercase]
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), *shifts])
    trainer = trainers.BpeTrainer(
        vocab_size=size.vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((str(m["content"]) for messages in conversations for m in messages[1:]), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_OF_TURN,
        pad_token=PAD,
        padding_side="left",
        model_max_length=size.context,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = templates.qwen3_instruct_2507_chat_template
    pieces = [*TAGS, *_frame(fast, tools), *_calls(tools), *SQL, *SHOWN]
    fast.add_tokens([AddedToken(piece, special=False, normalized=False) for piece in dict.fromkeys(pieces)])
    return fast


def _frame(tokenizer: PreTrainedTokenizerFast, tools: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what every prompt begins with, system prompt and tool definitions, and what stands between turns."""
    messages = [system_message(), {"role": "user", "content": ""}]
    text: str = tokenizer.apply_chat_template(messages, tools=list(tools), tokenize=False)
    # Without the line break before it, which is the turn's before: its words alone are learned.
    user, assistant, told = (f"{START}{who}\n" for who in ("user", "assistant", "user\n<tool_response>"))
    return [text.split(END_OF_TURN)[0].removeprefix(START), user, assistant, told, "\n</tool_response>"]


def _calls(tools: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the frames of tool calls, from the tag to the argument."""
    begun = []
    for tool in tools:
        function = tool["function"]
        (argument,) = function["parameters"]["properties"]
        begun.append(f'<tool_call>\n{{"name": "{function["name"]}", "arguments": {{"{argument}": "')
    return [*begun, '"}}\n</tool_call>']


def make_model(tokenizer: PreTrainedTokenizerFast, size: Size, seed: int) -> Lfm2ForCausalLM:
    """Make a model from random weights.

    Args:
        tokenizer: the model's own.
        size: how large.
        seed: of the weights.
    """
    torch.manual_seed(seed)
    config = Lfm2Config(
        vocab_size=(len(tokenizer) + 15) // 16 * 16,
        hidden_size=size.hidden,
        intermediate_size=3 * size.hidden,
        block_auto_adjust_ff_dim=False,
        num_hidden_layers=size.layers,
        layer_types=["full_attention" if place % 2 else "conv" for place in range(size.layers)],
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Lfm2ForCausalLM(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def teach_copying(
    model: Lfm2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    steps: int,
    seed: int,
    told: Callable[[int, float], None],
) -> float:
    """Train a model to repeat what it has read, on random tokens; return the last loss, a mean over 20 steps.

    Names and values have to be copied from questions and results into statements and answers. A small model takes long
    to find that out from demonstrations alone; on sequences where nothing else can be learned it takes a minute or two.
    It comes about all at once, sooner for one seed and later for another, so training ends when it has.

    Args:
        model: the model; changed.
        tokenizer: its tokenizer.
        steps: the most steps of 32 sequences.
        seed: of the sequences.
        told: gets each step's number and loss.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01)
    rng, losses = random.Random(seed), deque([math.inf], 20)
    for step in range(steps):
        if sum(losses) / len(losses) < LEARNED:
            break
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 50)
        rows, labels = zip(*(_repeating(rng, len(SPECIAL), len(tokenizer)) for _ in range(32)), strict=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported()):
            loss = model(input_ids=torch.tensor(rows), labels=torch.tensor(labels)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        told(step + 1, losses[-1])
    return sum(losses) / len(losses)


def _repeating(rng: random.Random, first: int, end: int) -> tuple[list[int], list[int]]:
    """Return 96 tokens, of which the last 56 are pieces of the first 40; and as labels what can be foreseen of them."""
    row = [rng.randrange(first, end) for _ in range(40)]
    labels = [-100] * 40
    while len(row) < 96:
        length = rng.randint(2, 8)
        start = rng.randrange(40 - length)
        piece = row[start : start + length]
        row += piece
        labels += [-100, *piece[1:]]
    return row[:96], labels[:96]
