"""The tree as the documents say it is: packages, settings, actions, endpoints, nothing that must not be there."""

import ast
import dataclasses
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from hostile_sql import ROOT

from sql_env.models import ACTION_TYPES
from sql_env.server.settings import Settings, variable

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
DOCS = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
KERNEL_FREE = ("openenv", "fastapi", "gradio", "torch", "pydantic")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("SKIPPED: this is no git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_every_package_is_listed() -> None:
    """A package that is not listed vanishes from wheels."""
    folders = {path.parent for top in ("agent", "server") for path in (ROOT / top).rglob("__init__.py")}
    found = {".".join(["sql_env", *folder.relative_to(ROOT).parts]) for folder in folders}
    assert found | {"sql_env"} == set(PYPROJECT["tool"]["setuptools"]["packages"])


def test_top_level_holds_nothing_else() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in tracked() if len(path.relative_to(ROOT).parts) > 1}
    assert folders <= {"agent", "server", "data", "notebooks", "docs", "scripts", "tests", ".ci"}


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_documented(field: "dataclasses.Field[object]") -> None:
    row = re.search(rf"^\| `{variable(field)}` \|(?P<rest>.*)$", DOCS, re.MULTILINE)
    assert row, f"{variable(field)} is missing from docs/configuration.md"
    assert field.metadata["sentence"] in row["rest"]
    assert field.metadata["unit"] in row["rest"]
    if isinstance(field.default, int | float):
        assert f"{field.default:,}" in row["rest"]


@pytest.mark.parametrize("action", ACTION_TYPES)
def test_every_action_is_documented(action: str) -> None:
    assert f"| {action} |" in DOCS


@pytest.mark.parametrize(
    "endpoint",
    ["/ws", "/health", "/reset", "/step", "/state", "/schema", "/metadata", "/mcp", "/mcp/stream", "/metrics", "/web"],
)
def test_every_endpoint_is_documented(endpoint: str) -> None:
    assert f"`{endpoint}`" in DOCS


def test_every_script_has_a_docstring_and_is_documented() -> None:
    for script in sorted((ROOT / "scripts").glob("*.py")):
        assert ast.get_docstring(ast.parse(script.read_text("utf-8"))), script.name
        assert script.name in DOCS + (ROOT / "README.md").read_text("utf-8"), script.name


def test_the_ten_databases() -> None:
    listed = json.loads((ROOT / "data" / "questions" / "db_list.json").read_text("utf-8"))
    assert sorted(listed) == sorted(
        "student_assessment concert_singer world_1 car_1 employee_hire_evaluation pets_1 cre_Doc_Template_Mgt "
        "dog_kennels flight_2 poker_player".split()
    )
    checksums = (ROOT / "data" / "questions" / "spider.sha256").read_text("utf-8")
    assert all(f"databases/{db_id}/{db_id}.sqlite" in checksums for db_id in listed)


def test_no_file_of_spider_is_tracked() -> None:
    names = [str(path.relative_to(ROOT)) for path in tracked()]
    assert [name for name in names if name.startswith("data/databases/")] == ["data/databases/README.md"]
    assert {n for n in names if n.startswith("data/questions/")} <= {
        "data/questions/db_list.json",
        "data/questions/spider.sha256",
    }


def test_no_file_names_a_registry_or_a_lock() -> None:
    hosts = re.compile("|".join(("pypi" + r"\.org", "files" + r"\.pythonhosted", "registry" + r"\.npmjs")))
    for path in tracked():
        assert path.name != "uv.lock"
        if path.suffix not in (".sqlite", ".png"):
            assert not hosts.search(path.read_text("utf-8")), path


def test_kernel_modules_import_quickly_and_alone() -> None:
    code = (
        "import sys, sql_env.server.curation, sql_env.server.episode; "
        f"print([name for name in {KERNEL_FREE!r} if name in sys.modules])"
    )
    import sys

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
