"""Training with TRL: GRPO on episodes, after SFT on demonstrations.

``scripts/train_sft.py``, ``scripts/train_grpo.py`` and the notebook call what is here and hold no logic of their own.
Nothing here knows where episodes run: a ``Connect`` (agent/sessions.py) makes sessions on a server or in process.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

# environment_factory is what is wanted here, though TRL warns that it is experimental.
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from sql_env.agent.policies import RandomPolicy
from sql_env.agent.rollout import policy_seed
from sql_env.agent.sessions import Connect, play
from sql_env.agent.task_rows import selectors_of
from sql_env.agent.trajectories import system_message
from sql_env.agent.trajectory import Trajectory
from sql_env.agent.trl_env import ENVIRONMENTS, Reward, SQLToolEnv, close_all

METRICS = "metrics.jsonl"
ROLLOUTS = "rollouts.jsonl"


# --- models ----------------------------------------------------------------------------------------------


def load_model_and_tokenizer(
    name: str, *, revision: str | None = None, dtype: str | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal language model and its tokenizer, from a folder or the Hub.

    Args:
        name: a folder, or a name such as ``Qwen/Qwen3-0.6B``.
        revision: a commit of the Hub's repository: a chat template that changes there may be one TRL does not know.
        dtype: of the weights; None takes float32, which mixed precision wants, on whatever device there is.
    """
    if (Path(name) / "adapter_config.json").is_file():
        raise ValueError(f"{name} is an adapter: a run's folder holds a whole model, its checkpoints do not")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    wanted = getattr(torch, dtype) if dtype else torch.float32
    model = AutoModelForCausalLM.from_pretrained(name, revision=revision, dtype=wanted).to(device)
    return model, AutoTokenizer.from_pretrained(name, revision=revision)


def precision() -> dict[str, bool]:
    """Return ``bf16`` and ``fp16`` for this machine, as TRL's configurations take them.

    GPUs before compute capability 8.0 (such as the T4) emulate bf16 slowly and get fp16; a CPU gets bf16 only where it
    has instructions for it.
    """
    if torch.cuda.is_available():
        bf16 = torch.cuda.get_device_capability() >= (8, 0)
        return {"bf16": bf16, "fp16": not bf16}
    return {"bf16": torch.cpu._is_avx512_bf16_supported(), "fp16": False}


# --- data ------------------------------------------------------------------------------------------------


def grpo_dataset(rows: Sequence[dict[str, Any]], answer_form: str = "value") -> Dataset:
    """Return rows as a data set for GRPO: what the environment tells at reset is appended to an empty message.

    Args:
        rows: keywords for reset.
        answer_form: ``value`` or ``sql``.
    """
    prompt = [system_message(answer_form), {"role": "user", "content": ""}]
    return Dataset.from_list([{"prompt": prompt, **row, "answer_form": answer_form} for row in rows])


# --- training --------------------------------------------------------------------------------------------


@dataclass
class RolloutLog:
    """Counts what a trainer's episodes come to, and keeps them if asked.

    Attributes:
        path: a file that gets each episode as a line of JSON; None for none.
    """

    path: Path | None = None
    _counts: Counter[str] = field(default_factory=Counter)

    def __call__(self, played: Trajectory) -> None:
        """Take one finished episode."""
        counts = self._counts
        counts["episodes"] += 1
        counts["correct"] += played.correct
        counts["unanswered"] += played.truncated or played.verdict in (None, "empty")
        counts["steps"] += len(played.trajectory)
        counts["errors"] += sum(step.error is not None for step in played.trajectory)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(played.to_json() + "\n")

    def take(self) -> dict[str, float]:
        """Return what the episodes since the last call came to."""
        counts, self._counts = self._counts, Counter()
        episodes = counts["episodes"]
        if not episodes:
            return {}
        return {
            "episodes": episodes,
            "episodes/accuracy": counts["correct"] / episodes,
            "episodes/unanswered": counts["unanswered"] / episodes,
            "episodes/steps": counts["steps"] / episodes,
            "episodes/errors_per_step": counts["errors"] / max(1, counts["steps"]),
        }


class MetricsFile(TrainerCallback):  # type: ignore[misc]
    """Writes what a trainer logs to ``metrics.jsonl`` in its folder, together with what the episodes came to."""

    def __init__(self, episodes: RolloutLog | None = None) -> None:
        self._episodes = episodes

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Write one line."""
        if not logs or not state.is_world_process_zero:
            return
        if self._episodes is not None and "reward" in logs:
            logs.update(self._episodes.take())
            state.log_history[-1].update({name: logs[name] for name in logs if name.startswith("episodes")})
        Path(args.output_dir).mkdir(parents=True, exist_ok=True)
        with (Path(args.output_dir) / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": state.global_step, **logs}) + "\n")


def malformed_call(
    completions: list[list[dict[str, Any]]], environments: Sequence[SQLToolEnv], **_: Any
) -> list[float | None]:
    """Return 1 for each rollout that ended in a tool call that could not be read, which TRL takes for a last word.

    None for one that the server lost: a number from any reward makes a rollout count. An episode that is not over yet
    is ended here, since the server can be lost at that, too.
    """
    return [
        None
        if environment.get_reward() is None
        else float("<tool_call>" in str(completion[-1].get("content", "")) and not completion[-1].get("tool_calls"))
        for completion, environment in zip(completions, environments, strict=True)
    ]


def build_trainer(
    model: PreTrainedModel | str,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[dict[str, Any]],
    connect: Connect,
    config: GRPOConfig,
    *,
    reward: Reward = "outcome",
    answer_form: str = "value",
    peft_config: Any = None,
    keep_rollouts: bool = False,
) -> GRPOTrainer:
    """Return TRL's GRPO trainer on SQLEnv's tasks.

    Args:
        model: what to train.
        tokenizer: its tokenizer.
        rows: tasks to train on, keywords for reset (agent/task_rows.py).
        connect: makes sessions.
        config: TRL's settings.
        reward: what an episode earns (``SQLToolEnv``).
        answer_form: what an ANSWER holds.
        peft_config: for LoRA; None trains all weights.
        keep_rollouts: whether ``rollouts.jsonl`` gets every episode.
    """
    Path(config.output_dir).mkdir(parents=True, exist_ok=True)
    episodes = RolloutLog(Path(config.output_dir) / ROLLOUTS if keep_rollouts else None)
    config.reward_weights = [0.0]  # malformed calls are counted, not punished; the environment's reward weighs 1
    trainer = GRPOTrainer(
        model=model,
        args=config,
        reward_funcs=[malformed_call],
        train_dataset=grpo_dataset(rows, answer_form),
        processing_class=tokenizer,
        environment_factory=partial(ENVIRONMENTS[answer_form], connect, reward=reward, told=episodes),
        peft_config=peft_config,
    )
    # Before those that send metrics away, so that they send what the episodes came to as well.
    trainer.callback_handler.callbacks.insert(0, MetricsFile(episodes))
    return trainer


def run_training_with_metrics(trainer: GRPOTrainer | SFTTrainer, *, resume: bool = False) -> list[dict[str, float]]:
    """Train, save the model, close the sessions, and return what was logged, a dictionary for each log.

    What LoRA learned is merged into the weights, so that any folder of a run loads as a whole model and can be trained
    on; in float32, for in bfloat16 the small updates of GRPO would be rounded away. Checkpoints hold adapters.
    ``trainer.model`` is the merged model then.

    Args:
        trainer: from ``build_trainer`` or ``build_sft_trainer``.
        resume: whether to go on from the last checkpoint in its folder.
    """
    if not resume and trainer.is_world_process_zero():
        for name in (METRICS, ROLLOUTS):  # of an earlier run in the same folder
            (Path(trainer.args.output_dir) / name).unlink(missing_ok=True)
    try:
        trainer.train(resume_from_checkpoint=resume)
        _save(trainer)
    finally:
        for pool in getattr(trainer, "_environment_pool", {}).values():
            close_all(pool)
    return [entry for entry in trainer.state.log_history if "reward" in entry or "loss" in entry]


def _save(trainer: GRPOTrainer | SFTTrainer) -> None:
    folder, model = trainer.args.output_dir, trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        if trainer.is_world_process_zero():
            trainer.model = model.merge_and_unload()
            trainer.model.save_pretrained(folder)
    else:
        trainer.save_model(folder)
    if trainer.is_world_process_zero():
        trainer.processing_class.save_pretrained(folder)


def build_sft_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Iterable[dict[str, Any]],
    config: SFTConfig,
    *,
    peft_config: Any = None,
) -> SFTTrainer:
    """Return TRL's SFT trainer on demonstrations; only what the model itself says counts for the loss.

    Args:
        model: what to train.
        tokenizer: its tokenizer.
        rows: demonstrations with ``messages`` and ``tools`` (agent/trajectories.py).
        config: TRL's settings.
        peft_config: for LoRA; None trains all weights.
    """
    config.assistant_only_loss = True
    kept = [{"messages": row["messages"], "tools": row["tools"]} for row in rows]
    return SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(kept, on_mixed_types="use_json"),
        processing_class=tokenizer,
        callbacks=[MetricsFile()],
        peft_config=peft_config,
    )


# --- baselines -------------------------------------------------------------------------------------------


def sample_random_baseline(
    connect: Connect, rows: Sequence[dict[str, Any]], episodes: int = 200, seed: int = 0
) -> list[Trajectory]:
    """Play the random policy on the tasks that are trained on: what a learning curve begins from.

    Args:
        connect: makes a session.
        rows: keywords for reset; the first ``episodes`` are played, from the beginning again if there are fewer.
        episodes: how many.
        seed: of the policy.
    """
    session, policy = connect(), RandomPolicy()
    try:
        chosen = [rows[number % len(rows)] for number in range(episodes)]
        return [
            play(session, policy, selectors_of(row), policy_seed(seed, str(sorted(row.items(), key=str)), number))
            for number, row in enumerate(chosen)
        ]
    finally:
        session.close()
