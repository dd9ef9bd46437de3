"""Make a tiny model on the spot: Qwen3's architecture, a million random weights, a tokenizer trained on our own texts.

Run as ``tiny_model.py FOLDER [REPLY]``. With a reply, the model is trained for a few seconds to write that and nothing
else, whatever it is asked. It is no good at anything; it is a real model for a real server to load.
"""

import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from sql_env.agent import prompts

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TAGS = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"]
TEMPLATE = """{%- for message in messages %}
{%- if loop.first %}
{{- '<|im_start|>system\\n' }}
{%- if message.role == 'system' %}{{- message.content }}{%- endif %}
{%- if tools %}
{{- '\\n\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\\n</tools>\\nCall one as <tool_call>\\n{"name": <name>, "arguments": <object>}\\n</tool_call>' }}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- if message.role == 'user' or message.role == 'tool' %}
{%- set said = message.content %}
{%- if message.role == 'tool' %}{%- set said = '<tool_response>\\n' + said + '\\n</tool_response>' %}{%- endif %}
{{- '<|im_start|>user\\n' + said + '<|im_end|>\\n' }}
{%- elif message.role == 'assistant' %}
{{- '<|im_start|>assistant\\n' + (message.content or '') }}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
{{- call.function.arguments | tojson }}{{- '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Train a byte-level tokenizer of 700 tokens on the prompts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [prompts.system_prompt(form, tools=tools) for form in ("value", "sql") for tools in (True, False)]
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, str(prompts.tool_definitions("value"))], trainer)
    tokenizer.add_tokens(TAGS)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = TEMPLATE
    return fast


def make_model(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    """Make the model from a fixed seed."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=(len(tokenizer) + 15) // 16 * 16,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=32,
        use_sliding_window=True,
        sliding_window=16,
        max_window_layers=0,
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen3ForCausalLM(config)
    model.generation_config.do_sample = True  # without it the server takes no notice of a temperature
    return model


def teach(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, reply: str) -> None:
    """Train the model to write one reply after anything; what it has not in its short windows cannot disturb it."""
    after, wanted = tokenizer.encode("<|im_start|>assistant\n"), tokenizer.encode(reply + "<|im_end|>")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(400):
        noise = torch.randint(3, len(tokenizer) - len(TAGS), (8, 60)).tolist()
        rows = torch.tensor([[*row, *after, *wanted] for row in noise])
        labels = rows.clone()
        labels[:, : -len(wanted)] = -100
        loss = model(input_ids=rows, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < 1e-3:
            break
    print(f"loss {loss.item():.5f}")  # noqa: T201


def main() -> None:
    """Make it and save it."""
    torch.set_num_threads(1)
    folder, *reply = sys.argv[1:]
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    print(f"{model.num_parameters():,} parameters")  # noqa: T201
    if reply:
        teach(model, tokenizer, reply[0])
    else:
        # `transformers serve` 5.24 answers 500 to a call that is no JSON, and random weights write such.
        model.generation_config.suppress_tokens = tokenizer.convert_tokens_to_ids(TAGS)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


if __name__ == "__main__":
    main()
