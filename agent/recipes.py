"""What the training scripts are told beside TRL's settings, on the command line or in a file of scripts/configs.

``scripts/train_grpo.py --config scripts/configs/tiny_grpo.yaml --seed 1`` reads both; TRL's settings are those of its
``SFTConfig`` and ``GRPOConfig``. Where none says what precision to compute in, the machine decides.
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import torch
from trl import GRPOConfig, SFTConfig, TrlParser

from sql_env.agent.task_rows import Source
from sql_env.agent.tiny_model import Size
from sql_env.agent.training import precision
from sql_env.agent.trl_env import Reward

TINY = "tiny"
"""The name of a model that is made on the spot from random weights."""


def _said(default: Any, text: str) -> Any:
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata={"help": text})
    return field(default=default, metadata={"help": text})


@dataclass
class _Shared:
    """What both kinds of training are told."""

    model: str = _said("Qwen/Qwen3-0.6B", "a folder, or a model's name on the Hub")
    revision: str | None = _said(None, "commit of the model's repository")
    answer_form: Literal["value", "sql"] = _said("value", "what an ANSWER holds")
    lora_rank: int = _said(0, "rank of LoRA's matrices; 0 trains all weights")
    lora_alpha: int = _said(32, "LoRA's scale")
    base_urls: list[str] = _said([], "SQLEnv servers to play on; none plays in this process")
    sources: list[str] = _said(["procedural:train:4000"], "tasks, DATASET:SPLIT:COUNT each")
    only: list[str] = _said([], "dials of the tasks, NAME=VALUES each, such as hardness=easy")

    def parsed_sources(self) -> list[Source]:
        """Return the sources."""
        return [Source.parse(text, self.only) for text in self.sources]

    def peft_config(self) -> Any:
        """Return what LoRA is to be like, on all linear layers; None for none."""
        if not self.lora_rank:
            return None
        from peft import LoraConfig

        return LoraConfig(
            r=self.lora_rank, lora_alpha=self.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM"
        )


@dataclass
class SFTRecipe(_Shared):
    """What ``train_sft.py`` is told."""

    demonstrations: str | None = _said(None, "folder of demonstrations; none plays them first, from the sources")
    mistaken: float = _said(0.0, "chance that a demonstration asks for something else than the question")
    gives_up: float = _said(0.0, "chance that one gives up")
    stumbles: float = _said(0.3, "chance that one runs into an error and recovers")
    hidden: int = _said(Size.hidden, "width of a tiny model")
    layers: int = _said(Size.layers, "its layers")
    heads: int = _said(Size.heads, "its attention heads")
    vocabulary: int = _said(Size.vocabulary, "its learned tokens")
    context: int = _said(Size.context, "its longest sequence, in tokens")
    copying_steps: int = _said(0, "steps in which a tiny model first learns to repeat what it has read")

    @property
    def size(self) -> Size:
        """How large a tiny model is."""
        return Size(self.hidden, self.layers, self.heads, self.vocabulary, self.context)


@dataclass
class GRPORecipe(_Shared):
    """What ``train_grpo.py`` is told."""

    reward: Reward = _said("outcome", "what an episode earns")
    easy_first: bool = _said(False, "go from easy to hard tasks")
    mixed: float = _said(0.2, "share of tasks of any hardness while going from easy to hard")
    keep_rollouts: bool = _said(False, "write every episode to rollouts.jsonl")
    held_out: list[str] = _said(
        ["procedural:eval:100", "procedural:test:100"],
        "tasks to evaluate on before and after, as sources; the word none for none",
    )
    max_tokens: int = _said(256, "tokens of one reply in evaluations")
    evaluation_batch: int = _said(32, "episodes of an evaluation at once: as many prompts have to fit into memory")
    temperatures: list[float] = _said([0.0], "of the evaluations; 1 is the policy that is trained")
    random_episodes: int = _said(200, "episodes of the random policy, for the baseline; 0 for none")
    resume: bool = _said(False, "go on from the last checkpoint in output_dir")

    def __post_init__(self) -> None:
        if self.held_out == ["none"]:
            self.held_out = []

    def parsed_held_out(self, source: str) -> Source:
        """Return a source to evaluate on."""
        return Source.parse(source, self.only, held_out=True)


def parse_grpo(arguments: Sequence[str]) -> tuple[GRPORecipe, GRPOConfig]:
    """Read command-line arguments for GRPO; ``--config FILE`` names a YAML file that they overrule."""
    recipe, config = _parse(GRPORecipe, GRPOConfig, arguments)
    return recipe, config


def parse_sft(arguments: Sequence[str]) -> tuple[SFTRecipe, SFTConfig]:
    """Read command-line arguments for SFT; ``--config FILE`` names a YAML file that they overrule."""
    recipe, config = _parse(SFTRecipe, SFTConfig, arguments)
    return recipe, config


def _parse(recipe: type[Any], config: type[Any], arguments: Sequence[str]) -> Any:
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    said = " ".join(word for word in words if word.startswith("--"))
    for number, word in enumerate(words[:-1]):
        if word == "--config":
            said += Path(words[number + 1]).read_text("utf-8")
    chosen = [] if "bf16" in said or "fp16" in said else [f"--{name}={value}" for name, value in precision().items()]
    found, settings = TrlParser((recipe, config)).parse_args_and_config(args=[*words, *chosen])
    if settings.fp16 and not torch.cuda.is_available():
        raise ValueError("this recipe computes in fp16, which needs a GPU; the tiny recipe does not")
    return found, settings


def command_line(recipe: type[Any], about: str) -> list[str]:
    """Return a training script's arguments; tell its options and end where they are asked for; let it say how it goes.

    Args:
        recipe: what the script is told beside TRL's settings.
        about: the script's docstring.
    """
    arguments = sys.argv[1:]
    if {"--help", "-h"} & set(arguments):
        sys.stdout.write(f"{about}\n{_options(recipe)}\n")
        raise SystemExit(0)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return ["--help" if word == "--help-all" else word for word in arguments]


def _options(recipe: type[Any]) -> str:
    """Return the options of a recipe, each with its default; TRL's own are several hundred more."""
    lines = ["options, here or in the file that --config names:"]
    for one in fields(recipe):
        default = one.default if one.default_factory is MISSING else one.default_factory()
        shown = " ".join(default) if isinstance(default, list) and default and isinstance(default[0], str) else default
        lines.append(f"  --{one.name:<16} {one.metadata['help']} (default: {shown})")
    return "\n".join([*lines, "and all of TRL's: --help-all"])
