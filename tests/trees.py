"""The tree as others get it: a clean export, Spider put into it, what must not spread planted in it."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hostile_sql import ROOT

SHIPPED = (
    "LICENSE README.md __init__.py client.py models.py openenv.yaml py.typed pyproject.toml "
    "agent/*.py agent/analyst/*.py server/*.py "
    "server/procedural/*.py server/procedural/asking/*.py server/procedural/domains/*.py server/variants/*.py "
    "server/web/*.py server/web/assets/* server/web/templates/* "
    "server/requirements.txt server/requirements-build.txt "
    "data/starter/LICENSE data/starter/databases/*/*.sqlite data/starter/questions/starter.jsonl "
    "data/starter/questions/SHA256SUMS data/databases/README.md data/databases/*/*.sqlite "
    "data/questions/db_list.json data/questions/spider.sha256 data/questions/spider.jsonl data/questions/SHA256SUMS"
).split()
"""What the image and a Space hold of the tree, and nothing else."""

SECRET = "sk-planted-0f9e8d7c6b5a"

# Folders and files that a developer's tree may hold. Each is planted, and none may reach an image or a Space.
DECOYS = (
    ".env .env.local data/.env server/.env agent/.env deploy.pem server/private.key prod.env .git/config "
    ".venv/planted.py .cache/planted.json .pytest_cache/planted .mypy_cache/planted.json .ruff_cache/planted "
    "__pycache__/planted.cpython-312.pyc server/__pycache__/planted.cpython-312.pyc "
    "agent/__pycache__/planted.cpython-312.pyc data/databases/.env build/planted.py dist/planted.whl "
    "openenv_sql_env.egg-info/PKG-INFO out/planted.jsonl out.jsonl uv.lock "
    "tests/planted.py docs/planted.md docs_draft/planted.md specs/planted.md vision/planted.md "
    "notebooks/planted.ipynb runs/planted.json data/starter/source/planted.py data/questions/AUDIT.md"
).split()


def export(target: Path) -> Path:
    """Copy what git tracks, and what it neither tracks nor ignores, as it lies in the working tree."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("SKIPPED: this is no git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def add_spider(tree: Path, spider_data: Path) -> Path:
    """Put Spider's databases and questions into the tree, as scripts/download_spider.py and build_questions.py do."""
    for folder in ("databases", "questions"):
        shutil.copytree(spider_data / folder, tree / "data" / folder, dirs_exist_ok=True)
    return tree


def plant(tree: Path) -> Path:
    """Put a decoy that holds a secret wherever a developer's tree may have something of the kind."""
    for name in DECOYS:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"TOKEN={SECRET}\n", "utf-8")
    return tree


def shipped(tree: Path) -> set[str]:
    """Return the names of the tree's files that an image and a Space hold; every pattern has some but Spider's."""
    found = {pattern: [str(path.relative_to(tree)) for path in tree.glob(pattern)] for pattern in SHIPPED}
    spider = {"data/databases/*/*.sqlite", "data/questions/spider.jsonl", "data/questions/SHA256SUMS"}
    assert {pattern for pattern, names in found.items() if not names} <= spider
    return {name for names in found.values() for name in names}
