"""Train a model with GRPO on SQLEnv's tasks, through TRL. Settings come from a YAML file, options overrule it.

    python scripts/train_grpo.py --config scripts/configs/tiny_grpo.yaml --model runs/tiny-sft --output_dir runs/tiny
    python scripts/train_grpo.py --config scripts/configs/qwen3_0.6b_t4_grpo.yaml --base_urls http://localhost:8000
    accelerate launch --num_processes 8 scripts/train_grpo.py --config scripts/configs/qwen3_1.7b_node_grpo.yaml

Plays in this process unless --base_urls names servers. docs/training.md explains the recipes.
"""

import os
import shlex
import sys
from contextlib import ExitStack, closing
from functools import partial

from sql_env.agent.recipes import GRPORecipe, command_line, parse_grpo
from sql_env.agent.sessions import Connect, Remote
from sql_env.agent.training_runs import run_grpo
from sql_env.server.environment import SQLEnvironment
from sql_env.server.errors import TaskError
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings


def main() -> None:
    """Read the settings and train."""
    arguments = command_line(GRPORecipe, __doc__)
    try:
        recipe, config = parse_grpo(arguments)
        with ExitStack() as stack:
            connect = Remote(recipe.base_urls) if recipe.base_urls else in_process(recipe.reward, stack)
            run_grpo(recipe, config, connect, shlex.join(["python", "scripts/train_grpo.py", *sys.argv[1:]]))
    except (RuntimeError, ValueError, OSError, ImportError, TaskError) as error:
        sys.exit(f"train_grpo: {error}")


def in_process(reward: str, stack: ExitStack) -> Connect:
    """Return what makes sessions in this process, on the data sets that are installed here."""
    mode = {"SQL_ENV_REWARD_MODE": "shaped"} if reward in ("shaped", "progress") else {}
    settings = Settings.from_environ({**os.environ, **mode})
    return partial(SQLEnvironment, stack.enter_context(closing(Resources.load(settings))))


if __name__ == "__main__":
    main()
