"""TRL's whole GRPO loop (template, parser, tools, masks, rewards, optimiser) on the real environment.

What a model would write is scripted in place of ``generate``, so that the loop is exercised in seconds and every
reward is known beforehand; nothing else is simulated.
"""

import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
import torch
import trl.chat_template_utils as templates
from transformers import TrainerCallback
from transformers.utils import get_json_schema
from trl import GRPOConfig, GRPOTrainer, SFTConfig

from sql_env.agent import prompts
from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.recipes import GRPORecipe
from sql_env.agent.sessions import Connect, Session
from sql_env.agent.task_rows import Source, selectors_of
from sql_env.agent.training import (
    METRICS,
    ROLLOUTS,
    build_sft_trainer,
    build_trainer,
    load_model_and_tokenizer,
    run_training_with_metrics,
)
from sql_env.agent.trajectories import Skill, call_message, play_demonstrations, system_message
from sql_env.agent.trl_env import ENVIRONMENTS, RolloutError
from sql_env.models import TOOLS, SQLAction, SQLObservation
from sql_env.server.resources import Resources

pytestmark = [
    pytest.mark.train,
    pytest.mark.timeout(300),
    # TRL 1.16 asks transformers 5.24 for names that it calls deprecated.
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing. is deprecated:FutureWarning"),
]

Policy = Callable[[str, int], str]
SHORT = {"use_cpu": True, "bf16": False, "report_to": "none", "activation_checkpointing": False}
FRAME = {"use_cpu": True, "bf16": False, "report_to": "none", "save_strategy": "no", "disable_tqdm": True}


def config(folder: Path, **changes: Any) -> GRPOConfig:
    usual: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": 1,
        "per_device_train_batch_size": 8,
        "num_generations": 4,
        "max_completion_length": 1500,
        "max_tool_calling_iterations": 8,
        "logging_steps": 1,
        "activation_checkpointing": False,
    }
    return GRPOConfig(**(usual | FRAME | changes))


def scripted(tokenizer: Any, policy: Policy) -> Callable[..., torch.Tensor]:
    """Return what takes generate's place: each row's text goes to the policy, what it says is appended."""

    def generate(input_ids: torch.Tensor, **_: Any) -> torch.Tensor:
        said = [
            tokenizer.encode(
                policy(tokenizer.decode(ids[ids != tokenizer.pad_token_id]), place) + tokenizer.eos_token,
                add_special_tokens=False,
            )
            for place, ids in enumerate(input_ids)
        ]
        longest = max(map(len, said))
        padded = [ids + [tokenizer.pad_token_id] * (longest - len(ids)) for ids in said]
        return torch.cat([input_ids, torch.tensor(padded)], 1)

    return generate


def call(kind: str, argument: str) -> str:
    """Write a tool call as Qwen does."""
    tool = next(tool for tool in TOOLS if tool.action_type == kind)
    return "<tool_call>\n" + json.dumps({"name": tool.name, "arguments": {tool.argument: argument}}) + "\n</tool_call>"


class Oracle:
    """Says the oracle's next action, found by the question that a prompt asks."""

    def __init__(self, resources: Resources, rows: list[dict[str, Any]], connect: Connect) -> None:
        session, oracle = connect(), OraclePolicy(resources.datasets)
        self._plans: dict[str, list[SQLAction]] = {}
        for row in rows:
            first = session.reset(**selectors_of(row))
            oracle.reset(first, 0)
            self._plans[prompts.opening(first)] = oracle.plan

    def __call__(self, text: str, place: int) -> str:
        (plan,) = [plan for opening, plan in self._plans.items() if opening in text]
        taken = len(re.findall(r"<tool_response>\n", text))
        return call(plan[taken].action_type, plan[taken].argument) if taken < len(plan) else "Done."


def train(folder: Path, tiny: Path, rows: list[dict[str, Any]], connect: Connect, policy: Any, **how: Any) -> Any:
    """Train one step with what a policy says; return the step's log."""
    settings = how.pop("settings", {})
    model, tokenizer = load_model_and_tokenizer(str(tiny))
    if template := how.pop("template", None):
        tokenizer.chat_template = getattr(templates, f"{template}_chat_template")
    trainer = build_trainer(model, tokenizer, rows, connect, config(folder, **settings), **how)
    with patch.object(trainer.model, "generate", side_effect=scripted(tokenizer, policy)):
        logs = run_training_with_metrics(trainer)
    return logs[0]


@pytest.mark.parametrize("template", ["qwen3_instruct_2507", "qwen3", "qwen2_5"])
def test_the_oracle_earns_one_on_every_row(
    resources: Resources, connect: Connect, rows: list[Any], tiny: Path, tmp_path: Path, template: str
) -> None:
    """One rollout of each row, curated ones and variants among them, under each family of chat templates."""
    kept: list[dict[str, Any]] = rows[:16]
    settings = {"per_device_train_batch_size": 64, "chat_template_kwargs": {"enable_thinking": False}}
    oracle = Oracle(resources, kept, connect)
    log = train(tmp_path, tiny, kept, connect, oracle, settings=settings, template=template, keep_rollouts=True)
    assert log["reward"] == 1.0
    assert log["rewards/SQLToolEnv/mean"] == 1.0
    assert log["rewards/malformed_call/mean"] == 0.0
    assert log["tools/failure_frequency"] == 0.0
    assert log["frac_reward_zero_std"] == 1.0, "groups whose rollouts all earn the same are reported"
    assert log["episodes/accuracy"] == 1.0
    played = [json.loads(line) for line in (tmp_path / ROLLOUTS).read_text("utf-8").splitlines()]
    assert len(played) == 64
    assert len({(one["dataset"], one["task_id"], one.get("variant", 0)) for one in played}) == 16
    assert all(one["correct"] for one in played)
    assert log["tools/call_frequency"] == sum(one["steps"] for one in played) / 64
    (line,) = [json.loads(line) for line in (tmp_path / METRICS).read_text("utf-8").splitlines() if "reward" in line]
    assert line["reward"] == 1.0
    assert line["episodes"] == 64


def test_what_a_group_plays_is_the_same_task(connect: Connect, rows: list[Any], tiny: Path, tmp_path: Path) -> None:
    """The baseline of a group is only one if its rollouts differ in what the model did, and in nothing else."""
    seen: dict[int, str] = {}

    def remember(text: str, place: int) -> str:
        seen.setdefault(place, text)
        return call("ANSWER", "no") if "<tool_response>" not in text else "Done."

    train(tmp_path, tiny, rows, connect, remember, settings={"per_device_train_batch_size": 16})
    assert [seen[place] == seen[place // 4 * 4] for place in range(16)] == [True] * 16
    assert len(set(seen.values())) == 4


def test_bad_rollouts_earn_what_the_environment_says(
    connect: Connect, rows: list[Any], tiny: Path, tmp_path: Path
) -> None:
    """A word without a call, a call that is cut off, an unknown tool, another argument's name: each ends with -0.1."""
    ends = [
        "I do not know.",
        '<tool_call>\n{"name": "query", "argum',
        '<tool_call>\n{"name": "drop", "arguments": {"table": "x"}}\n</tool_call>',
        '<tool_call>\n{"name": "query", "arguments": {"statement": "SELECT 1"}}\n</tool_call>',
    ]

    def bad(text: str, place: int) -> str:
        return ends[place % 4] if "<tool_response>" not in text else "Done."

    log = train(tmp_path, tiny, rows, connect, bad)
    assert log["reward"] == pytest.approx(-0.1)
    assert log["rewards/malformed_call/mean"] == 0.25
    assert log["tools/failure_frequency"] == 1.0
    assert log["episodes/unanswered"] == 1.0
    assert log["episodes/accuracy"] == 0.0


def test_only_the_models_own_words_count_for_the_loss(
    resources: Resources, connect: Connect, rows: list[Any], tiny: Path, tmp_path: Path
) -> None:
    """What the environment said is masked; what is left, decoded, is exactly what the model wrote."""
    kept: list[Any] = rows[:2]
    oracle = Oracle(resources, kept, connect)
    wrote: dict[int, str] = {}

    def writing(text: str, place: int) -> str:
        said = oracle(text, place)
        key = max(wrote, default=-1) + 1
        wrote[key] = said
        return said

    masked: list[str] = []
    model, tokenizer = load_model_and_tokenizer(str(tiny))
    settings = config(tmp_path, per_device_train_batch_size=4)
    trainer = build_trainer(model, tokenizer, kept, connect, settings)
    original = GRPOTrainer._compute_loss

    def watching(self: Any, model: Any, inputs: Any) -> Any:
        for ids, mask, tool in zip(
            inputs["completion_ids"], inputs["completion_mask"], inputs["tool_mask"], strict=True
        ):
            masked.append(tokenizer.decode(ids[(mask * tool).bool()]))
        return original(self, model, inputs)

    with (
        patch.object(trainer.model, "generate", side_effect=scripted(tokenizer, writing)),
        patch.object(GRPOTrainer, "_compute_loss", watching),
    ):
        run_training_with_metrics(trainer)
    pieces = sorted(piece for text in masked for piece in text.split("<|im_end|>") if piece)
    assert pieces == sorted(wrote.values())


class Failing:
    """A session whose server goes away at the first action of some kinds."""

    def __init__(self, session: Session, *kinds: str) -> None:
        self._session, self._kinds = session, kinds

    def reset(self, **selectors: Any) -> SQLObservation:
        return self._session.reset(**selectors)

    def step(self, action: SQLAction) -> SQLObservation:
        if action.action_type in self._kinds:
            raise RolloutError("connection", "server", "gone")
        return self._session.step(action)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("said", ["answers", "gives up"])
def test_a_lost_rollout_is_left_out_of_its_group(
    connect: Connect, rows: list[Any], tiny: Path, tmp_path: Path, said: str
) -> None:
    """Be it lost at a tool, or at the very end, when it is given the blank answer: it must not earn more than -0.1."""
    made: list[Any] = []

    def one_in_eight() -> Session:
        made.append(None)
        return Failing(connect(), "ANSWER") if len(made) == 3 else connect()

    def answering(text: str, place: int) -> str:
        return call("ANSWER", "no") if said == "answers" and "<tool_response>" not in text else "I give up."

    log = train(tmp_path, tiny, rows, one_in_eight, answering)
    assert log["episodes"] == 7
    assert log["reward"] == pytest.approx(-0.1)
    assert log["reward_std"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("form", ["value", "sql"])
def test_trl_derives_the_tools_that_evaluations_tell(form: str) -> None:
    by_name = sorted(TOOLS, key=lambda tool: tool.name)
    derived = [get_json_schema(getattr(ENVIRONMENTS[form], tool.name)) for tool in by_name]
    assert derived == prompts.tool_definitions(form)


def test_a_rollouts_prompt_is_the_evaluated_models_prompt(
    connect: Connect, rows: list[Any], tiny: Path, tmp_path: Path
) -> None:
    """Token for token, through TRL's rendering on one side and the evaluation's on the other."""
    from sql_env.agent.completions import Dialect
    from sql_env.agent.conversation import Conversation

    seen: list[str] = []

    def remember(text: str, place: int) -> str:
        seen.append(text)
        return "Done."

    train(tmp_path, tiny, rows[:2], connect, remember)
    _, tokenizer = load_model_and_tokenizer(str(tiny))
    rendered = set()
    for row in rows[:2]:
        first = connect().reset(**selectors_of(row))
        messages = Conversation("value", prompts.opening(first)).messages(Dialect())
        tools = prompts.tool_definitions("value")
        rendered.add(tokenizer.apply_chat_template(messages, tools=tools, add_generation_prompt=True, tokenize=False))
    assert set(seen) == rendered
    assert messages[0] == system_message()
    assert call_message("QUERY", "SELECT 1")["tool_calls"][0]["function"]["arguments"] == {"sql": "SELECT 1"}


def test_checkpoints_are_gone_on_from(connect: Connect, rows: list[Any], tiny: Path, tmp_path: Path) -> None:
    """A run that was cut off and goes on has taken the same number of steps, from where it was."""

    def answering(text: str, place: int) -> str:
        return call("ANSWER", "no") if "<tool_response>" not in text else "Done."

    model, tokenizer = load_model_and_tokenizer(str(tiny))
    how = {"save_strategy": "steps", "save_steps": 1}
    first = build_trainer(model, tokenizer, rows, connect, config(tmp_path, max_steps=1, **how))
    with patch.object(first.model, "generate", side_effect=scripted(tokenizer, answering)):
        run_training_with_metrics(first)
    again = build_trainer(model, tokenizer, rows, connect, config(tmp_path, max_steps=3, **how))
    with patch.object(again.model, "generate", side_effect=scripted(tokenizer, answering)):
        logs = run_training_with_metrics(again, resume=True)
    assert again.state.global_step == 3
    assert [log["step"] for log in logs] == [1, 2, 3]
    assert (tmp_path / "checkpoint-3").is_dir()


def test_lora_goes_on_from_what_lora_learned(connect: Connect, rows: list[Any], tiny: Path, tmp_path: Path) -> None:
    """SFT, then GRPO, both with LoRA: each folder holds a whole model, and GRPO starts where SFT ended."""
    base, tokenizer = load_model_and_tokenizer(str(tiny))
    probe = torch.tensor([tokenizer.encode("How many names are there?")])

    def logits(model: Any) -> torch.Tensor:
        with torch.inference_mode():
            found: torch.Tensor = model.eval()(input_ids=probe).logits
        return found

    before = logits(base)
    with closing(connect()) as session:
        shown = list(play_demonstrations(session, [Source.parse("starter:train:20")], Skill(), 0))
    settings = SFTConfig(output_dir=str(tmp_path / "sft"), max_steps=3, learning_rate=1e-2, max_length=None, **SHORT)
    lora = GRPORecipe(lora_rank=4).peft_config
    trainer = build_sft_trainer(base, tokenizer, shown, settings, peft_config=lora())
    run_training_with_metrics(trainer)
    warm, _ = load_model_and_tokenizer(str(tmp_path / "sft"))
    assert type(warm) is type(load_model_and_tokenizer(str(tiny))[0])
    assert (logits(warm) - before).abs().max() > 0.01
    assert torch.allclose(logits(warm), logits(trainer.model), atol=1e-5), "what was saved is what was trained"

    def mixed(text: str, place: int) -> str:
        return call("ANSWER", "no" * (place % 4)) if "<tool_response>" not in text else "Done."

    started: list[torch.Tensor] = []
    model, tokenizer = load_model_and_tokenizer(str(tmp_path / "sft"))
    grpo = build_trainer(model, tokenizer, rows, connect, config(tmp_path / "grpo"), peft_config=lora())
    started.append(logits(grpo.model))
    with patch.object(grpo.model, "generate", side_effect=scripted(tokenizer, mixed)):
        run_training_with_metrics(grpo)
    assert torch.allclose(started[0], logits(warm), atol=1e-5), "it starts where SFT ended"
    assert (tmp_path / "grpo" / "model.safetensors").is_file()
    assert not (tmp_path / "grpo" / "adapter_config.json").exists()


def test_an_adapter_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}", "utf-8")
    with pytest.raises(ValueError, match="is an adapter"):
        load_model_and_tokenizer(str(tmp_path))


def test_a_run_begun_anew_leaves_nothing_of_the_old_one(
    connect: Connect, rows: list[Any], tiny: Path, tmp_path: Path
) -> None:
    def answering(text: str, place: int) -> str:
        return call("ANSWER", "no") if "<tool_response>" not in text else "Done."

    for _ in range(2):
        train(tmp_path, tiny, rows, connect, answering, keep_rollouts=True)
    lines = (tmp_path / METRICS).read_text("utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines if "reward" in line] == [1]
    assert len((tmp_path / ROLLOUTS).read_text("utf-8").splitlines()) == 8


def test_what_is_reported_elsewhere_holds_what_the_episodes_came_to(
    connect: Connect, rows: list[Any], tiny: Path, tmp_path: Path
) -> None:
    class Reporter(TrainerCallback):
        """As trackio's and wandb's: it is told of each log."""

        seen: ClassVar[list[dict[str, Any]]] = []

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            self.seen.append(dict(logs))

    model, tokenizer = load_model_and_tokenizer(str(tiny))
    trainer = build_trainer(model, tokenizer, rows, connect, config(tmp_path))
    trainer.add_callback(Reporter)
    with patch.object(trainer.model, "generate", side_effect=scripted(tokenizer, lambda text, place: "Done.")):
        run_training_with_metrics(trainer)
    assert Reporter.seen[0]["episodes/unanswered"] == 1.0
