"""Whole runs, as the scripts make them: recipes read, models trained for a few steps, folders looked at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_sql import ROOT
from hub import TOKEN, USER, simulated_hub
from running import run

from sql_env.agent.recipes import parse_grpo, parse_sft
from sql_env.agent.trajectory import Trajectory

pytestmark = [
    pytest.mark.train,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing. is deprecated:FutureWarning"),
]

CONFIGS = ROOT / "scripts" / "configs"
HERE = ["--use_cpu", "true", "--bf16", "false", "--fp16", "false", "--output_dir", "out"]
OFFLINE = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "0"}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_read_and_its_tasks_are_for_training(path: Path) -> None:
    if path.stem.endswith("sft"):
        sft, settings = parse_sft(["--config", str(path), *HERE])
        assert sft.parsed_sources()
        assert settings.max_steps * settings.per_device_train_batch_size > 0
    else:
        grpo, config = parse_grpo(["--config", str(path), *HERE])
        assert grpo.parsed_sources()
        assert config.generation_batch_size % config.num_generations == 0
        assert config.max_tool_calling_iterations <= 15
        assert all(grpo.parsed_held_out(name).count > 0 for name in grpo.held_out)


def test_a_misspelt_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="lerning_rate"):
        parse_grpo(["--lerning_rate", "1", *HERE])


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model after a few steps of SFT, made by the script."""
    folder = tmp_path_factory.mktemp("runs") / "sft"
    sizes = ["--hidden", "32", "--layers", "2", "--heads", "2", "--vocabulary", "400", "--copying_steps", "2"]
    tasks = ["--sources", "procedural:train:40", "starter:train:20", "--max_steps", "4", "--logging_steps", "1"]
    config = ["--config", str(CONFIGS / "tiny_sft.yaml"), "--output_dir", str(folder)]
    made = run("train_sft.py", *config, *sizes, *tasks, "--per_device_train_batch_size", "8", **OFFLINE)
    assert made.returncode == 0, made.stderr[-3000:]
    return folder


def test_sft_leaves_a_model_its_metrics_and_a_card(warm: Path) -> None:
    losses = [json.loads(line)["loss"] for line in (warm / "metrics.jsonl").read_text("utf-8").splitlines()[:4]]
    assert losses[-1] < losses[0]
    about = json.loads((warm / "training.json").read_text("utf-8"))
    assert about["demonstrations"] == 60
    assert about["recipe"]["mistaken"] == 0.3
    card = (warm / "README.md").read_text("utf-8")
    assert "| method | SFT |" in card
    assert str(warm.parent) not in card


def test_grpo_leaves_a_model_a_curve_held_out_episodes_and_a_card(warm: Path, tmp_path: Path) -> None:
    # Two batches of rollouts, each used twice.
    small = ["--max_steps", "4", "--per_device_train_batch_size", "8", "--num_generations", "4"]
    short = ["--max_completion_length", "96", "--max_tool_calling_iterations", "2", "--max_tokens", "24"]
    held = ["--held_out", "procedural:test:6", "--random_episodes", "20", "--keep_rollouts", "true"]
    config = ["--config", str(CONFIGS / "tiny_grpo.yaml"), "--model", str(warm), "--output_dir", str(tmp_path / "grpo")]
    made = run("train_grpo.py", *config, *small, *short, *held, "--easy_first", "true", **OFFLINE)
    assert made.returncode == 0, made.stderr[-3000:]
    folder = tmp_path / "grpo"
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    about = json.loads((folder / "training.json").read_text("utf-8"))
    assert about["held_out"]["procedural:test:6 at temperature 1"]["n"] == 6
    assert about["random"]["episodes"] == 20
    held_out = [Trajectory.from_json(line) for line in (folder / "held_out.jsonl").read_text("utf-8").splitlines()]
    assert [one.policy for one in held_out] == [
        f"llm:{when} GRPO, temperature {temperature}"
        for when in ("before", "after")
        for temperature in (0, 1)
        for _ in range(6)
    ]
    assert {one.split for one in held_out} == {"test"}
    assert len((folder / "rollouts.jsonl").read_text("utf-8").splitlines()) == 16
    rewards = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert [one["step"] for one in rewards if "reward" in one] == [1, 3]
    card = (folder / "README.md").read_text("utf-8")
    assert "| procedural:test:6 at temperature 0 | 6 |" in card
    assert "![Learning curve](curve.png)" in card

    # What was trained plays at the evaluation's own script, and a different model has a different name in its settings.
    where = ("--model", str(folder), "--model-url", "local", "--dataset", "starter", "--split", "test")
    how = ("--policy", "llm", "--episodes", "5", "--max-tokens", "16", "--quiet", "--out", str(tmp_path / "run"))
    played = run("evaluate.py", *where, *how, **OFFLINE)
    assert played.returncode == 0, played.stderr[-3000:]
    settings = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert len(settings["model_sha256"]) == 64
    assert str(tmp_path) not in (tmp_path / "run" / "run.json").read_text("utf-8")


def test_a_run_is_pushed_with_its_card_and_without_its_episodes(warm: Path, tmp_path: Path) -> None:
    """Against a simulated hub: what it would have received."""
    with simulated_hub() as hub:
        small = [
            "--max_steps",
            "1",
            "--per_device_train_batch_size",
            "4",
            "--num_generations",
            "4",
            "--held_out",
            "procedural:test:2",
        ]
        short = ["--max_completion_length", "64", "--max_tool_calling_iterations", "1", "--random_episodes", "5"]
        kept = ["--save_strategy", "steps", "--save_steps", "1", "--keep_rollouts", "true"]
        where = ["--model", str(warm), "--output_dir", str(tmp_path / "mine")]
        push = ["--push_to_hub", "true", "--hub_model_id", f"{USER}/mine"]
        told = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "home")}
        command = ["--config", str(CONFIGS / "tiny_grpo.yaml"), *small, *short, *kept, *where, *push]
        made = run("train_grpo.py", *command, **OFFLINE | told | {"HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"})
    assert made.returncode == 0, made.stderr[-3000:]
    assert {"README.md", "training.json", "metrics.jsonl", "curve.png", "model.safetensors", "tokenizer.json"} <= set(
        hub.files
    )
    assert not [name for name in hub.files if "checkpoint" in name or name in ("held_out.jsonl", "rollouts.jsonl")]
    assert b"# mine\n" in hub.files["README.md"]
    assert TOKEN.encode() not in b"".join(hub.files.values())


def test_what_cannot_be_trained_is_said_in_one_line(tmp_path: Path) -> None:
    config = ["--config", str(CONFIGS / "tiny_grpo.yaml"), "--output_dir", str(tmp_path)]
    for arguments, said in (
        (["--model", str(tmp_path / "nothing")], "nothing"),
        (["--sources", "procedural:test:5", "--model", "x"], "holds what is evaluated"),
        (["--sources", "atlantis:train:5", "--model", "x"], "atlantis"),
        (["--base_urls", "http://127.0.0.1:9", "--model", "x"], "no server answers at http://127.0.0.1:9"),
    ):
        made = run("train_grpo.py", *config, *arguments, **OFFLINE)
        assert made.returncode == 1, arguments
        last = made.stderr.strip().splitlines()[-1]
        assert last.startswith("train_grpo: "), made.stderr[-2000:]
        assert said in last


def test_the_server_never_needs_torch() -> None:
    code = "import sys, sql_env.server.app; sys.exit(bool({'torch', 'transformers', 'trl'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
