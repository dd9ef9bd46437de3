"""Train a model on demonstrations, through TRL: the warm start before GRPO. Options overrule a YAML file's settings.

    python scripts/train_sft.py --config scripts/configs/tiny_sft.yaml --output_dir runs/tiny-sft
    python scripts/train_sft.py --config scripts/configs/qwen3_0.6b_t4_sft.yaml --demonstrations runs/demonstrations

Without --demonstrations they are played first: in this process, unless --base_urls names a server.
"""

import shlex
import sys
from contextlib import ExitStack, closing
from functools import partial

from sql_env.agent.recipes import parse_sft
from sql_env.agent.training_runs import run_sft
from sql_env.agent.trl_env import Connect, Remote
from sql_env.server.environment import SQLEnvironment
from sql_env.server.errors import TaskError
from sql_env.server.resources import Resources
from sql_env.server.settings import Settings


def main() -> None:
    """Read the settings and train."""
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__)
    recipe, config = parse_sft(sys.argv[1:])
    try:
        with ExitStack() as stack:
            here = in_process(stack) if not recipe.base_urls else Remote(recipe.base_urls)
            run_sft(recipe, config, here, shlex.join(["python", "scripts/train_sft.py", *sys.argv[1:]]))
    except (RuntimeError, ValueError, OSError, TaskError) as error:
        sys.exit(f"train_sft: {error}")


def in_process(stack: ExitStack) -> Connect:
    """Return what makes sessions in this process, on the data sets that are installed here."""
    return partial(SQLEnvironment, stack.enter_context(closing(Resources.load(Settings.from_environ()))))


if __name__ == "__main__":
    main()
