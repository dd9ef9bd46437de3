"""The README's training commands, as they stand but for the folders and the number of steps."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from documents import README, commands
from hostile_sql import ROOT

pytestmark = [pytest.mark.train, pytest.mark.timeout(400)]

QUICK = {
    "train_sft.py": "--sources procedural:train:60 --max_steps 3 --copying_steps 5 --per_device_train_batch_size 4",
    "train_grpo.py": "--sources procedural:train:16 --max_steps 2 --per_device_train_batch_size 8",
}


def test_the_commands_of_training(tmp_path: Path) -> None:
    ran = []
    for command in commands(README):
        words = shlex.split(command)
        script = Path(words[1]).name if len(words) > 1 else ""
        if script not in QUICK:
            continue
        words = [word.replace("runs/", f"{tmp_path}/") for word in words]
        warm = ["--model", f"{tmp_path}/tiny-sft"] if script == "train_grpo.py" else []
        environ = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        run = subprocess.run(
            [sys.executable, *words[1:], *warm, *QUICK[script].split()],
            cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr[-3000:]
        ran.append(script)
    assert ran == ["train_sft.py", "train_grpo.py"]
    assert (tmp_path / "tiny-grpo" / "training.json").is_file()
