"""A model in this process, asked as an endpoint is: what trained it also plays and evaluates it.

Policies on many threads ask at once; their prompts are generated as one batch. Sampling adds Gumbel noise to the logits
of each row from a generator of its own and takes the largest (Gumbel 1954, after Luce), so a reply depends on its
prompt and its seed, not on what else is in the batch, but for the rounding that padding changes.
"""

import json
import time
from concurrent.futures import Future
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, PreTrainedModel, PreTrainedTokenizerBase
from trl.chat_template_utils import add_response_schema, get_training_chat_template, parse_response

from sql_env.agent import prompts
from sql_env.agent.completions import Call, Dialect, Reply
from sql_env.agent.endpoint import Endpoint, Message, Render
from sql_env.agent.language_model import LanguageModelPolicy
from sql_env.agent.policy_choice import Maker
from sql_env.agent.training import load_model_and_tokenizer

LINGER = 0.02
"""Seconds for which a batch waits for more prompts."""


@dataclass
class _Asked:
    ids: list[int]
    seed: int
    most: int
    tools: list[dict[str, Any]]
    reply: "Future[Reply]"


class _GumbelNoise(LogitsProcessor):  # type: ignore[misc]
    """Turns the largest logit into a sample at a temperature, for each row from its own seed."""

    def __init__(self, seeds: list[int], temperature: float) -> None:
        self._sources = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._temperature = temperature

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        drawn = [torch.empty(scores.shape[-1]).exponential_(generator=source) for source in self._sources]
        noise = -torch.stack(drawn).log_().to(scores.device)
        return scores / self._temperature + noise


class LocalModel:
    """Asks a model in this process, for any number of threads; takes the place of ``ChatClient``.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer, with a chat template that TRL knows.
        name: what to call it.
        temperature: of sampling; 0 takes the likeliest token.
        max_tokens: tokens of one reply.
        batch: prompts at once.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        name: str,
        *,
        temperature: float = 0.0,
        max_tokens: int = 256,
        batch: int = 64,
    ) -> None:
        self.endpoint = Endpoint(model=name, api_key="none", temperature=temperature, max_tokens=max_tokens)
        self.dialect = Dialect()
        self.context = int(model.config.max_position_embeddings)
        self._model = model.eval()
        self._tokenizer = add_response_schema(tokenizer)
        self._template = get_training_chat_template(tokenizer)  # what it was trained with; None: its own
        ends = model.generation_config.eos_token_id
        self._ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
        self._batch = batch
        self._waiting: SimpleQueue[_Asked | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name=f"generation by {name}", daemon=True)
        self._thread.start()

    @classmethod
    def load(cls, folder: str | Path, **options: Any) -> "LocalModel":
        """Load a model from a folder or the Hub; see the class for the options."""
        return cls(*load_model_and_tokenizer(str(folder)), name=Path(folder).name, **options)

    def complete(self, render: Render, seed: int | None, answer_form: str, max_tokens: int | None = None) -> Reply:
        """Ask for one reply; see ``ChatClient.complete``."""
        tools = prompts.tool_definitions(answer_form)
        ids = self._tokenizer.apply_chat_template(
            [_with_objects(message) for message in render(self.dialect)],
            tools=tools,
            add_generation_prompt=True,
            chat_template=self._template,
            enable_thinking=False,
            return_dict=False,
        )
        # A seed for each turn: the length of what was said so far tells them apart.
        turn = (seed or 0) * 1_000_003 + len(ids)
        asked = _Asked(ids, turn % 2**63, max_tokens or self.endpoint.max_tokens, tools, Future())
        self._waiting.put(asked)
        return asked.reply.result()

    def close(self) -> None:
        """End its thread."""
        self._waiting.put(None)
        self._thread.join()

    # --- the batch -----------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first, *self._more()]
            try:
                self._generate(batch)
            except BaseException as error:  # noqa: BLE001 — whoever waits gets it
                for asked in batch:
                    if not asked.reply.done():
                        asked.reply.set_exception(error)

    def _more(self) -> list[_Asked]:
        more: list[_Asked] = []
        deadline = time.monotonic() + LINGER
        while len(more) + 1 < self._batch:
            try:
                asked = self._waiting.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                break
            if asked is None:
                self._waiting.put(None)
                break
            more.append(asked)
        return more

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _generate(self, batch: list[_Asked]) -> None:
        longest = max(len(asked.ids) for asked in batch)
        pad = self._tokenizer.pad_token_id
        rows = [[pad] * (longest - len(asked.ids)) + asked.ids for asked in batch]
        mask = [[0] * (longest - len(asked.ids)) + [1] * len(asked.ids) for asked in batch]
        device, temperature = self._model.device, self.endpoint.temperature
        noise = [_GumbelNoise([asked.seed for asked in batch], temperature)] if temperature > 0 else []
        written = self._model.generate(
            input_ids=torch.tensor(rows, device=device),
            attention_mask=torch.tensor(mask, device=device),
            max_new_tokens=max(asked.most for asked in batch),
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            logits_processor=LogitsProcessorList(noise),
        )[:, longest:].tolist()
        for asked, ids in zip(batch, written, strict=True):
            asked.reply.set_result(self._reply(asked, ids))

    def _reply(self, asked: _Asked, ids: list[int]) -> Reply:
        place = next((place for place, token in enumerate(ids) if token in self._ends), None)
        kept = ids if place is None else ids[: place + 1]  # with its end, for TRL fails on nothing at all
        said = parse_response(self._tokenizer, kept, prefix=asked.ids, tools=asked.tools)
        calls = [
            Call(f"call{number:05}", call["function"]["name"], json.dumps(call["function"]["arguments"]))
            for number, call in enumerate(said.get("tool_calls") or ())
        ]
        return Reply(
            content=said.get("content") or "",
            reasoning=said.get("reasoning_content") or "",
            calls=tuple(calls),
            finish="length" if place is None else "stop",
            prompt_tokens=len(asked.ids),
            completion_tokens=len(kept),
            dialect=self.dialect,
        )


def _with_objects(message: Message) -> Message:
    """Return a message whose tool calls hold their arguments as objects, as training has them: some templates care."""
    if not message.get("tool_calls"):
        return message
    functions = [call["function"] for call in message["tool_calls"]]
    read = [{**function, "arguments": json.loads(function["arguments"])} for function in functions]
    calls = [{**call, "function": function} for call, function in zip(message["tool_calls"], read, strict=True)]
    return {**message, "tool_calls": calls}


def ready_here(name: str, temperature: float, max_tokens: int, batch: int) -> tuple[Maker, dict[str, Any]]:
    """Load a model; return what makes policies that share it, and what decides its results.

    A reply that calls no tool ends the episode, as it ends a rollout in training.

    Raises:
        OSError: there is no such model.
    """
    local = LocalModel.load(name, temperature=temperature, max_tokens=max_tokens, batch=batch)
    about = {
        "model": local.endpoint.model,
        "model_sha256": _digest(Path(name)),
        "temperature": temperature,
        "max_tokens": max_tokens,
        "prompt": LanguageModelPolicy.prompt,
    }
    return lambda: LanguageModelPolicy(local, stops=True), about


def _digest(folder: Path) -> str | None:
    """Return the SHA-256 of a folder's weights; None of a model from the Hub."""
    files = sorted(folder.glob("*.safetensors"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest() if files else None
