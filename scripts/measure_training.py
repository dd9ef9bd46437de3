"""Measure the training results of docs/results.md again: demonstrations, SFT and GRPO of a tiny model, several seeds.

    python scripts/measure_training.py --seeds 0 1 2 --out runs/training
    python scripts/measure_training.py --arms outcome binary shaped progress --out runs/training
    python scripts/measure_training.py --report-only --out runs/training

Runs each command that it prints, two at a time where there are two cores, and leaves out what is finished; a run takes
some 80 minutes a seed. Without Spider installed its tasks are left out, and the results are others.
"""

import argparse
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sql_env.agent import training_report
from sql_env.server.datasets import load_all
from sql_env.server.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
FAMILY = ("hardness=easy", "answer_type=integer,float,string")
DEMONSTRATIONS = ("procedural:train:16000", "spider:train:1113", "starter:train:120")
TASKS = ("procedural:train:6000", "spider:train:371", "starter:train:40")
ARMS = ("outcome", "binary", "shaped", "progress")
SETS = {
    "procedural `test`: 7 unseen domains": ("procedural", "test"),
    "Spider `test`: 19 unseen databases": ("spider", "test"),
    "starter `test`: 2 unseen databases": ("starter", "test"),
    "procedural `eval`: known domains, unseen databases": ("procedural", "eval"),
    "Spider `eval`: known databases, unseen questions": ("spider", "eval"),
    "starter `eval`: known databases, unseen questions": ("starter", "eval"),
}
SIZES = {
    ("procedural", "test"): 150,
    ("spider", "test"): 155,
    ("starter", "test"): 19,
    ("procedural", "eval"): 150,
    ("spider", "eval"): 96,
    ("starter", "eval"): 10,
}
"""Tasks of the family in each."""
CONFIGS = "scripts/configs"


def main() -> None:
    """Parse the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/training"), help="where runs go (default: runs/training)"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["outcome"], help="rewards (default: outcome)")
    parser.add_argument("--at-once", type=int, default=2, help="runs at once, a core each (default: 2)")
    parser.add_argument("--report-only", action="store_true", help="run nothing; write the page from what is there")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "results.md", help="default: docs/results.md")
    options = parser.parse_args()
    if not options.report_only:
        measure(options)
    section = report(options.out)
    options.page.write_text(training_report.replaced(options.page.read_text("utf-8"), section), "utf-8")


def measure(options: argparse.Namespace) -> None:
    """Run what is not finished."""
    out, here = options.out, set(load_all(Settings.from_environ()))
    out.mkdir(parents=True, exist_ok=True)

    def kept(sources: tuple[str, ...]) -> list[str]:
        return [source for source in sources if source.split(":")[0] in here]

    made = [word for source in kept(DEMONSTRATIONS) for word in ("--source", source)]
    family = [word for dial in FAMILY for word in ("--only", dial)]
    skill = ["--mistaken", "0.3", "--gives-up", "0.2", "--stumbles", "0.15"]
    shown = out / "demonstrations"
    run(Run(["scripts/build_demonstrations.py", *made, *family, *skill, "--out", str(shown)], shown / "README.md"))
    sets = [(dataset, split) for dataset, split in SETS.values() if dataset in here]
    held = [f"{dataset}:{split}:{SIZES[dataset, split]}" for dataset, split in sets]
    warm = [sft(out, seed) for seed in options.seeds]
    bases = [base(out, policy, *one, family) for policy in ("constant", "random", "scripted") for one in sets]
    hot = [grpo(out, arm, seed, kept(TASKS), held) for arm in options.arms for seed in options.seeds]
    with ThreadPoolExecutor(options.at_once) as threads:
        for batch in (warm, hot, bases):
            list(threads.map(run, batch))


@dataclass(frozen=True)
class Run:
    """One command, and the file that it writes last."""

    command: list[str]
    last: Path


def sft(out: Path, seed: int) -> Run:
    """Return a warm start."""
    folder = out / f"sft-{seed}"
    where = ["--demonstrations", f"{out}/demonstrations", "--output_dir", str(folder), "--seed", str(seed)]
    config = ["--config", f"{CONFIGS}/tiny_sft.yaml"]
    return Run(["scripts/train_sft.py", *config, *where], folder / "training.json")


def grpo(out: Path, arm: str, seed: int, tasks: list[str], held: list[str]) -> Run:
    """Return a GRPO run."""
    folder = out / f"grpo-{arm}-{seed}"
    what = ["--sources", *tasks, "--reward", arm, "--held_out", *held, "--seed", str(seed)]
    where = ["--model", f"{out}/sft-{seed}", "--output_dir", str(folder)]
    config = ["--config", f"{CONFIGS}/tiny_grpo.yaml"]
    return Run(["scripts/train_grpo.py", *config, *what, *where], folder / "training.json")


def base(out: Path, policy: str, dataset: str, split: str, family: list[str]) -> Run:
    """Return a baseline."""
    folder = out / f"base-{policy}-{dataset}-{split}"
    what = ["--policy", policy, "--dataset", dataset, "--split", split, *family, "--quiet"]
    return Run(["scripts/evaluate.py", *what, "--out", str(folder)], folder / "summary.json")


def run(one: Run) -> None:
    """Run a command, unless it is finished."""
    if one.last.is_file():
        return
    command, log = one.command, one.last.parent.with_suffix(".log")
    print("python", shlex.join(command), flush=True)
    with log.open("w") as said:
        threads = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "0"}
        made = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env={**os.environ, **threads},
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if made.returncode != 0:
        sys.exit(f"measure_training: {shlex.join(command)} failed: {log} says why")


def report(out: Path) -> str:
    """Write the figures and return the page's section."""
    figures = ROOT / "docs" / "figures"
    training_report.figures(out, ARMS, figures)
    seconds = training_report.costs(out)
    ablated = {name: SETS[name] for name in list(SETS)[:2]}
    arms = [arm for arm in ARMS if training_report.seeds_of(out, arm)]
    spent = ", ".join(f"{kind.upper()} {minutes / 60:.0f} min" for kind, minutes in sorted(seconds.items()))
    seeds = ", ".join(map(str, training_report.seeds_of(out, "outcome")))
    lines = [
        "Sampled at temperature 1, the policy that is trained:",
        "",
        *training_report.main_table(out, SETS, 1.0),
        "",
        "Greedy decoding:",
        "",
        *training_report.main_table(out, SETS, 0.0),
        "",
        "How episodes end, all seeds together; without an answer whoever gave up, or wrote no call that can be read:",
        "",
        *training_report.ends_table(out, {name: SETS[name] for name in list(SETS)[:4:3]}, (1.0, 0.0)),
        "",
        f"Seeds {seeds}. {training_report.returns_line(out)}",
        f"Training took, a seed, on one core of a shared machine: {spent}.",
        "",
        "![Learning curve: mean return of rollouts, and the random policy's](figures/training_curve.png)",
        "",
        "Thin lines are seeds, the thick one their mean; each point is the mean of seven batches.",
    ]
    if len(arms) > 1:
        lines += [
            "",
            "### Ablation: the reward",
            "",
            *training_report.ablation_table(out, arms, ablated, 1.0),
            "",
            "![Share of right rollouts while training, by reward](figures/training_ablation.png)",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
