"""notebooks/train_grpo.ipynb as a text: what is in it, before anything is run. tests/train executes it."""

import ast
import json
import re
import tomllib
from typing import Any

from hostile_sql import ROOT

PATH = "notebooks/train_grpo.ipynb"
NOTEBOOK: dict[str, Any] = json.loads((ROOT / PATH).read_text("utf-8"))
CELLS = [(cell["cell_type"], "".join(cell["source"])) for cell in NOTEBOOK["cells"]]
CODE = [source for kind, source in CELLS if kind == "code"]
TEXT = "\n".join(source for _, source in CELLS)
URLS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]


def test_it_begins_with_its_title_and_its_badge() -> None:
    kind, first = CELLS[0]
    assert kind == "markdown"
    assert first.startswith("# Training a SQL Agent with GRPO + SQLEnv\n")
    repository = URLS["Repository"].removeprefix("https://github.com/")
    assert f"https://colab.research.google.com/github/{repository}/blob/main/{PATH}" in first


def test_a_markdown_cell_stands_before_each_code_cell() -> None:
    kinds = [kind for kind, _ in CELLS]
    assert all(kinds[place - 1] == "markdown" for place, kind in enumerate(kinds) if kind == "code")
    assert all(source.strip() for _, source in CELLS)


def test_its_sections_are_those_of_a_training_run() -> None:
    titles = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert titles == [
        "Setup",
        "Configuration",
        "Connect and play",
        "Tasks and the random baseline",
        "A warm start",
        "Before GRPO",
        "GRPO",
        "Learning curve",
        "Evaluation on held-out questions",
        "Next steps",
    ]


def test_nothing_of_a_run_and_of_a_machine_is_stored() -> None:
    for cell in NOTEBOOK["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    assert not re.search(r"""["'(](/|~/|[A-Z]:\\)\w""", "\n".join(CODE)), "an absolute path"
    assert "token" not in TEXT.replace("tokenizer", "").replace("tokens", "").lower()
    assert NOTEBOOK["metadata"]["accelerator"] == "GPU"
    assert NOTEBOOK["nbformat"] == 4


def test_its_addresses_are_the_projects() -> None:
    """And each of them has to follow when the owner fills them in."""
    known = (*URLS.values(), "https://colab.research.google.com/", URLS["Space"].removeprefix("https://"))
    for address in re.findall(r"https?://[^\s)\"']+", TEXT):
        assert address.startswith(known), address
    for name in ("Repository", "Space", "Blog"):
        assert URLS[name] in TEXT, name


def test_it_repeats_no_logic() -> None:
    """It defines nothing: what it does, it imports from the package."""
    for source in CODE:
        defined = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assert not defined
    imported = {
        alias.name
        for source in CODE
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sql_env")
        for alias in node.names
    }
    assert {
        "SQLEnvClient",
        "load_model_and_tokenizer",
        "build_trainer",
        "run_training_with_metrics",
        "sample_random_baseline",
    } <= imported


def test_the_files_that_it_reads_exist() -> None:
    for recipe in ("tiny", "qwen3_0.6b_t4"):
        assert f'"{recipe}"' in TEXT
        for method in ("sft", "grpo"):
            assert (ROOT / "scripts" / "configs" / f"{recipe}_{method}.yaml").is_file()
    for path in re.findall(r"blob/main/([\w./]+)", TEXT):
        assert (ROOT / path).is_file(), path
