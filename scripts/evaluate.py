"""Evaluate a policy: play many episodes at once, write trajectories, numbers and figures, print the table.

Starts a server of its own unless --base-url names one. A run that was cut off goes on with the same command. Examples:

    python scripts/evaluate.py --policy oracle --dataset spider --split test
    python scripts/evaluate.py --policy random --repeats 4 --seed 1 --out runs/random-1
    python scripts/evaluate.py --policy my_module:MyPolicy --episodes 50
    python scripts/evaluate.py --policy memory --dataset starter --variant 0-3
    python scripts/evaluate.py --policy scripted --dataset procedural --only hardness=hard,extra --only num_tables=1-3
    python scripts/evaluate.py --policy llm --model qwen3:4b --model-url http://localhost:11434/v1 --shots 1
    python scripts/evaluate.py --policy llm --model runs/tiny-grpo --model-url local --concurrency 64
"""

import _thread
import argparse
import asyncio
import contextlib
import re
import shlex
import sys
import threading
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from sql_env.agent.choices import ONLY, dial, only, variants, written
from sql_env.agent.faults import RolloutError
from sql_env.agent.jobs import jobs
from sql_env.agent.local_server import local_server
from sql_env.agent.policies import HumanPolicy
from sql_env.agent.policy_choice import NAMES, Maker, maker
from sql_env.agent.results import write_results
from sql_env.agent.rollouts import POLICY_SECONDS, Setup, first_of, play_all
from sql_env.agent.run_folder import RunFolder
from sql_env.agent.run_progress import Progress
from sql_env.agent.run_settings import run_settings

LOCAL = "local"
"""What ``--model-url`` says of a model in this process."""


def main() -> None:
    """Parse the arguments and evaluate."""
    options = parse()
    try:
        with contextlib.ExitStack() as stack:
            environ = {"SQL_ENV_DATASET": options.dataset} if options.dataset else {}
            base_url = options.base_url or stack.enter_context(local_server(environ))
            missing = evaluate(options, base_url)
    except KeyboardInterrupt:
        sys.exit("\nevaluate: stopped; what was finished is kept: the same command goes on")
    except (RuntimeError, ValueError, OSError) as error:
        sys.exit(f"evaluate: {error}")
    if missing:
        sys.exit(f"evaluate: {missing} episodes were lost (lost.jsonl says why); the same command plays them again")


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", required=True, metavar="NAME", help=f"{', '.join(NAMES)}, llm, or module:Class")
    parser.add_argument("--answer", help="what the constant policy says (default: the most frequent training gold)")
    parser.add_argument("--base-url", help="play on this SQLEnv server instead of a new one")
    parser.add_argument("--dataset", help="data set, by name or folder (default: the server's)")
    parser.add_argument("--split", default="test", help="train, eval, test, another, or all (default: test)")
    parser.add_argument("--answer-form", choices=["value", "sql"], default="value", help="what an ANSWER holds")
    parser.add_argument("--episodes", type=_episodes, metavar="N|all", help="tasks, drawn by --seed (default: all)")
    parser.add_argument("--repeats", type=_positive, default=1, help="tries at each task, for pass@k (default: 1)")
    parser.add_argument(
        "--variant", type=variants, default=(0,), metavar="K", help="of the data, such as 2 or 0-3 (default: 0)"
    )
    parser.add_argument("--only", type=dial, action="append", default=[], metavar="NAME=VALUES", help=ONLY)
    parser.add_argument("--concurrency", type=_positive, default=16, help="episodes at once (default: 16)")
    parser.add_argument("--seed", type=int, default=0, help="of the policy, and of the draw of tasks (default: 0)")
    parser.add_argument(
        "--policy-seconds", type=_seconds, help=f"longest wait for an action (default: {POLICY_SECONDS:g}; llm: none)"
    )
    parser.add_argument("--out", type=Path, help="the run's folder (default: in runs/, named after what is played)")
    parser.add_argument("--overwrite", action="store_true", help="begin anew, whatever the folder holds")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    model = parser.add_argument_group("language model (docs/language_models.md)")
    model.add_argument("--model", help="the model's name at its endpoint")
    model.add_argument(
        "--model-url",
        help="an OpenAI-compatible endpoint (default: OPENAI_BASE_URL, or OpenAI's), or local: the model is a folder, "
        "and runs in this process (docs/training.md)",
    )
    model.add_argument("--mode", choices=["auto", "tools", "text"], default="auto", help="how actions are written")
    model.add_argument("--shots", type=int, choices=[0, 1, 3], default=0, help="demonstrations (default: 0)")
    model.add_argument("--temperature", type=float, default=0.0, help="of sampling (default: 0)")
    model.add_argument("--max-tokens", type=_positive, default=1024, help="tokens of one reply (default: 1024)")
    model.add_argument("--context", type=_positive, help="tokens of the model's context (default: what it tells)")
    model.add_argument("--prices", type=float, nargs=2, metavar=("IN", "OUT"), help="US dollars for a million tokens")
    options = parser.parse_args()
    if options.answer is not None and options.policy != "constant":
        parser.error("--answer is what the constant policy says: it needs --policy constant")
    options.only = only(options.only)
    if options.policy == "human":
        options.concurrency, options.quiet = 1, True
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _episodes(text: str) -> int | None:
    if text != "all" and not text.isdigit():
        raise argparse.ArgumentTypeError("a number, or all")
    return None if text == "all" else _positive(text)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError("more than 0 seconds")
    return seconds


def evaluate(options: argparse.Namespace, base_url: str) -> int:
    """Play what is not played yet, write the results, print the table; return how many episodes are missing."""
    selectors = {"split": options.split, "answer_form": options.answer_form, **options.only}
    selectors |= {"dataset": Path(options.dataset).name} if options.dataset else {}
    first = asyncio.run(first_of(base_url, selectors))
    todo = jobs(first["num_tasks"], options.episodes, options.repeats, options.seed, options.variant)
    make_policy, about = choose(options, base_url, first)
    settings = run_settings(vars(options), first, about)
    path = options.out or Path("runs") / default_name(options, first["dataset"])
    folder = RunFolder(path, settings, todo, options.overwrite)
    setup = Setup(
        base_url=base_url,
        selectors=selectors | {"dataset": first["dataset"]},
        make_policy=make_policy,
        concurrency=options.concurrency,
        seed=options.seed,
        policy_seconds=options.policy_seconds or (None if options.policy == "llm" else POLICY_SECONDS),
        prompt=about.get("prompt"),
    )
    began, before = time.monotonic(), len(folder.played)
    with contextlib.closing(folder), Progress(todo, folder.played, quiet=options.quiet) as progress:

        def tell(outcome: Any) -> None:
            folder.write(outcome)
            progress.tell(outcome)

        try:
            asyncio.run(play_all(setup, [job for job in todo if job not in folder.played], tell))
        except RolloutError as error:
            kept = f"{len(folder.played)} of {len(todo)} episodes are finished and kept: the same command goes on"
            raise RuntimeError(f"{error}; {kept}") from None
        episodes = folder.finish()
    seconds = time.monotonic() - began
    command = shlex.join(["python", "scripts/evaluate.py", *sys.argv[1:]])
    counted = {
        "missing": len(todo) - len(episodes),
        "played_again": sum(bool(episode.failed_tries) for episode in episodes),
    } | ({"prices": options.prices} if options.prices else {})
    print(write_results(path, episodes, settings | counted, command), end="")
    speed = f"{len(episodes) - before} episodes in {seconds:.1f} s at concurrency {options.concurrency}"
    Console(stderr=True, highlight=False).print(f"{speed}; results in {path}", soft_wrap=True)
    return len(todo) - len(episodes)


def default_name(options: argparse.Namespace, dataset: str) -> str:
    """Return the name of a run's folder, which every file system can hold."""
    policy = f"llm-{options.model}-{options.shots}-shot" if options.policy == "llm" else options.policy
    chosen = [f"{name}-{values}" for name, values in options.only.items()]
    chosen += [] if options.variant == (0,) else [f"variant-{written(options.variant)}"]
    return re.sub(r"[^\w.-]", "_", "-".join([policy, dataset, options.split, str(options.seed), *chosen]))


def choose(options: argparse.Namespace, base_url: str, first: dict[str, Any]) -> tuple[Maker, dict[str, Any]]:
    """Return what makes the policy, and what else decides its results."""
    dataset = options.dataset or first["dataset"]
    if options.policy == "human":
        return lambda: HumanPolicy(_asked, print), {}
    if options.policy != "llm":
        return maker(options.policy, dataset=dataset, answer=options.answer), {}
    if not options.model:
        raise RuntimeError("--policy llm needs --model, and --model-url unless the endpoint is OpenAI's")
    if options.model_url == LOCAL:
        from sql_env.agent.local_model import ready_here

        return ready_here(options.model, options.temperature, options.max_tokens, options.concurrency)
    from sql_env.agent.endpoint import Endpoint
    from sql_env.agent.model_choice import ready

    endpoint = Endpoint(
        model=options.model,
        base_url=options.model_url,
        mode=options.mode,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        context=options.context,
        prices=tuple(options.prices) if options.prices else None,
    )
    model = asyncio.run(ready(endpoint, base_url, dataset, options.split, options.answer_form, options.shots))
    Console(stderr=True, highlight=False).print(model.found, soft_wrap=True)
    return model.make, model.about


def _asked(prompt: str) -> str:
    """Ask a person; at the end of input the run stops, as at Ctrl-C, and the episode is not counted."""
    try:
        return input(prompt)
    except EOFError:
        _thread.interrupt_main()
        threading.Event().wait()
        raise


if __name__ == "__main__":
    main()
