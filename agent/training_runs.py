"""A training run from its recipe to its folder: model, metrics, learning curve, card.

runs/tiny-grpo/
  model.safetensors, config.json, tokenizer.json …   the trained model; LoRA's is merged
  metrics.jsonl      a line for each log: reward, accuracy of the rollouts, entropy …
  held_out.jsonl     the episodes played on held-out tasks, before and after
  training.json      recipe, settings, seed, versions, rewards, accuracies and the random baseline, with intervals
  curve.png          the learning curve beside the random baseline
  README.md          the model card
"""

import logging
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from trl import GRPOConfig, GRPOTrainer, SFTConfig

from sql_env.agent import prompts
from sql_env.agent.curve_figure import draw_curve
from sql_env.agent.demonstration_set import read_demonstrations
from sql_env.agent.held_out import evaluate_model
from sql_env.agent.metrics import accuracy, returns
from sql_env.agent.model_card import without_place, write_card
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.recipes import TINY, GRPORecipe, SFTRecipe
from sql_env.agent.sessions import Connect
from sql_env.agent.task_rows import curriculum, draw
from sql_env.agent.tiny_model import make_model, make_tokenizer, teach_copying
from sql_env.agent.training import (
    build_sft_trainer,
    build_trainer,
    load_model_and_tokenizer,
    run_training_with_metrics,
    sample_random_baseline,
)
from sql_env.agent.trajectories import Skill, num_tasks, play_demonstrations
from sql_env.agent.trajectory import Trajectory

logger = logging.getLogger(__name__)

CURVE, HELD_OUT = "curve.png", "held_out.jsonl"
WORDS_FROM = 2_000
"""Demonstrations from which a tiny model's words are learned."""


def run_sft(
    recipe: SFTRecipe, config: SFTConfig, connect: Connect | None, command: str, oracle: OraclePolicy | None = None
) -> list[dict[str, float]]:
    """Train on demonstrations.

    Args:
        recipe: the run's settings beside TRL's.
        config: TRL's settings.
        connect: makes sessions, where the demonstrations have to be played first; else None.
        command: for the card.
        oracle: knows the golds for that; None loads what is installed here.

    Returns:
        What was logged.
    """
    began = time.monotonic()
    lora = recipe.peft_config()  # before anything that takes long: peft may be missing
    if recipe.demonstrations:
        rows = read_demonstrations(Path(recipe.demonstrations))
    else:
        assert connect is not None
        skill = Skill(mistaken=recipe.mistaken, gives_up=recipe.gives_up, stumbles=recipe.stumbles)
        with closing(connect()) as session:
            sources = recipe.parsed_sources()
            rows = list(play_demonstrations(session, sources, skill, config.seed, recipe.answer_form, oracle))
    if recipe.model == TINY:
        words = [row["messages"] for row in rows[:WORDS_FROM]]
        tokenizer = make_tokenizer(words, prompts.tool_definitions(recipe.answer_form), recipe.size)
        model = make_model(tokenizer, recipe.size, config.seed)
        teach_copying(model, tokenizer, recipe.copying_steps, config.seed, _tell)
    else:
        model, tokenizer = load_model_and_tokenizer(recipe.model, revision=recipe.revision)
    wanted = _push_later(config)
    parameters = model.num_parameters()
    trainer = build_sft_trainer(model, tokenizer, rows, config, peft_config=lora)
    logs = run_training_with_metrics(trainer)
    if trainer.is_world_process_zero():
        about = _about("SFT", recipe, config) | {"demonstrations": len(rows), "parameters": parameters}
        about["seconds"] = round(time.monotonic() - began)
        write_card(Path(config.output_dir), about, command)
        if wanted:
            push(Path(config.output_dir), config)
    return logs


def _tell(step: int, loss: float) -> None:
    if step % 100 == 0:
        logger.info("copying: step %d, loss %.3f", step, loss)


def run_grpo(recipe: GRPORecipe, config: GRPOConfig, connect: Connect, command: str) -> list[dict[str, float]]:
    """Train on episodes; evaluate on held-out ones before and after.

    Args:
        recipe: the run's settings beside TRL's.
        config: TRL's settings.
        connect: makes sessions.
        command: for the card.

    Returns:
        What was logged.
    """
    began = time.monotonic()
    folder, wanted, lora = Path(config.output_dir), _push_later(config), recipe.peft_config()
    rows, held_out = _tasks(recipe, connect, config.seed)
    baseline = rows[: recipe.random_episodes]
    if recipe.easy_first:
        config.shuffle_dataset = False
        rows = curriculum(rows[: _groups(config)], recipe.mixed, config.seed)
    model, tokenizer = load_model_and_tokenizer(recipe.model, revision=recipe.revision)
    parameters = model.num_parameters()
    trainer = build_trainer(
        model,
        tokenizer,
        rows,
        connect,
        config,
        reward=recipe.reward,
        answer_form=recipe.answer_form,
        peft_config=lora,
        keep_rollouts=recipe.keep_rollouts,
    )
    if not trainer.is_world_process_zero():
        held_out = {}
    before = _evaluate(recipe, trainer, connect, held_out, "before")
    logs = run_training_with_metrics(trainer, resume=recipe.resume)
    after = _evaluate(recipe, trainer, connect, held_out, "after")
    if trainer.is_world_process_zero():
        told: dict[str, Any] = {"parameters": parameters, "rewards": _rewards(logs)}
        told["held_out"] = {
            name: {"n": len(before[name]), "before": str(accuracy(before[name])), "after": str(accuracy(after[name]))}
            for name in after
        }
        if recipe.random_episodes:
            told["random"] = _random(sample_random_baseline(connect, baseline, recipe.random_episodes, config.seed))
        _write_episodes(folder / HELD_OUT, [*before.values(), *after.values()])
        band = told["random"]["return"] if recipe.random_episodes else None
        draw_curve(folder / CURVE, {"GRPO": [_curve(logs)]}, band)
        told["seconds"] = round(time.monotonic() - began)
        write_card(folder, _about("GRPO", recipe, config) | told, command)
        if wanted:
            push(folder, config)
    return logs


def _groups(config: GRPOConfig) -> int | None:
    """Return how many tasks a run of so many steps comes to; None where steps are not counted."""
    if config.max_steps <= 0:
        return None
    batches = config.max_steps * config.gradient_accumulation_steps // config.steps_per_generation
    in_batch = config.generation_batch_size // config.num_generations
    groups: int = max(1, batches // config.num_iterations) * in_batch
    return groups


def _push_later(config: Any) -> bool:
    """Return whether the model is to be pushed, and keep the trainer from it: its card would not be ours."""
    wanted, config.push_to_hub = bool(config.push_to_hub), False
    return wanted


def push(folder: Path, config: Any) -> str:
    """Push a run's folder to the Hub, without its checkpoints and episodes; return its address.

    Args:
        folder: the run's.
        config: TRL's settings: ``hub_model_id``, ``hub_private_repo`` and ``hub_token`` of them.
    """
    api = HfApi(token=config.hub_token)
    repository = config.hub_model_id or folder.name
    url = api.create_repo(repository, private=bool(config.hub_private_repo), exist_ok=True)
    ignored = ["checkpoint-*", "*/checkpoint-*", "rollouts.jsonl", HELD_OUT, "*.bin"]
    api.upload_folder(folder_path=folder, repo_id=url.repo_id, ignore_patterns=ignored)
    return str(url)


def _tasks(
    recipe: GRPORecipe, connect: Connect, seed: int
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """Draw the tasks to train on, and the held-out ones by their source."""
    sources = recipe.parsed_sources()
    if recipe.easy_first:
        sources = [part for source in sources for part in source.by_hardness()]
    with closing(connect()) as session:

        def size(selectors: dict[str, Any]) -> int:
            return num_tasks(session, selectors)

        rows = draw(sources, size, seed)
        # The same held-out tasks for every seed: what differs between runs is then the training alone.
        held_out = {name: draw([recipe.parsed_held_out(name)], size, 0) for name in recipe.held_out}
    return rows, held_out


def _evaluate(
    recipe: GRPORecipe, trainer: GRPOTrainer, connect: Connect, held_out: dict[str, list[dict[str, Any]]], when: str
) -> dict[str, list[Trajectory]]:
    """Play the held-out tasks at each temperature; return the episodes by task source and temperature.

    In the precision of the weights, before as after: without the wrapper that training computes through.
    """
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    form = {"answer_form": recipe.answer_form}
    return {
        f"{source} at temperature {temperature:g}": evaluate_model(
            model,
            trainer.processing_class,
            connect,
            [row | form for row in rows],
            temperature=temperature,
            max_tokens=recipe.max_tokens,
            batch=recipe.evaluation_batch,
            name=f"{when} GRPO, temperature {temperature:g}",
        )
        for source, rows in held_out.items()
        for temperature in recipe.temperatures
    }


def _random(played: Sequence[Trajectory]) -> dict[str, Any]:
    mean = returns(played)["return"]
    return {
        "episodes": len(played),
        "return": [mean.value, mean.low, mean.high],
        "accuracy": str(accuracy(played)),
    }


def _curve(logs: Sequence[dict[str, float]]) -> list[float]:
    return [entry["reward"] for entry in logs if "reward" in entry]


def _rewards(logs: Sequence[dict[str, float]]) -> dict[str, float]:
    curve = _curve(logs)
    few = max(1, len(curve) // 10)
    return {"first": sum(curve[:few]) / few, "last": sum(curve[-few:]) / few}


def _write_episodes(path: Path, runs: Sequence[Sequence[Trajectory]]) -> None:
    path.write_text("".join(episode.to_json() + "\n" for run in runs for episode in run), "utf-8")


def _about(method: str, recipe: Any, config: Any) -> dict[str, Any]:
    """Return all that decides a run."""
    packages = {name: version(name) for name in ("trl", "transformers", "torch", "openenv")}
    settings = {name: value for name, value in config.to_dict().items() if isinstance(value, str | int | float | list)}
    private = ("base_urls", "demonstrations", "hub_token", "logging_dir")
    told = {name: value for name, value in asdict(recipe).items() if name not in private}
    return {
        "method": method,
        "recipe": told | {"model": without_place(told["model"])},
        "settings": {
            name: without_place(value) if isinstance(value, str) else value
            for name, value in settings.items()
            if name not in private
        },
        "versions": packages,
        "prompt": prompts.PROMPT_VERSION,
    }
