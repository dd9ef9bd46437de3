"""Train a model on demonstrations, through TRL: the warm start before GRPO. Options overrule a YAML file's settings.

    python scripts/train_sft.py --config scripts/configs/tiny_sft.yaml --output_dir runs/tiny-sft
    python scripts/train_sft.py --config scripts/configs/qwen3_0.6b_t4_sft.yaml --demonstrations runs/demonstrations

Without --demonstrations they are played first: in this process, unless --base_urls names a server.
"""

import shlex
import sys
from contextlib import closing
from functools import partial

from sql_env.agent.oracle import OraclePolicy
from sql_env.agent.recipes import SFTRecipe, command_line, parse_sft
from sql_env.agent.sessions import Remote
from sql_env.agent.training_runs import run_sft
from sql_env.server.environment import SQLEnvironment
from sql_env.server.errors import TaskError
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings


def main() -> None:
    """Read the settings and train."""
    arguments = command_line(SFTRecipe, __doc__)
    try:
        recipe, config = parse_sft(arguments)
        command = shlex.join(["python", "scripts/train_sft.py", *sys.argv[1:]])
        if recipe.demonstrations:
            run_sft(recipe, config, None, command)
        elif recipe.base_urls:
            run_sft(recipe, config, Remote(recipe.base_urls), command)
        else:
            with closing(Resources.load(Settings.from_environ())) as resources:
                run_sft(recipe, config, partial(SQLEnvironment, resources), command, OraclePolicy(resources.datasets))
    except (RuntimeError, ValueError, OSError, ImportError, TaskError) as error:
        sys.exit(f"train_sft: {error}")


if __name__ == "__main__":
    main()
