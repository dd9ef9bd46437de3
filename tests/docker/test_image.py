"""What the image is: nothing of the tree but what is shipped, its configuration, its size."""

import re
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest
import trees
from containers import BASE, build, docker, files_above_base, images, inspect
from running import run

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

HOME = "/app/env/"
FORBIDDEN = (
    ".git .git* __pycache__ *.py[cod] .venv venv .env* *.env *.pem *.key .*cache .cache tests docs docs_draft specs "
    "vision notebooks runs scripts source build dist out *.egg-info *.ipynb"
).split()
LIMIT_MB = 150


def names_of_the_tree(files: dict[str, bytes]) -> set[str]:
    return {name.removeprefix(HOME) for name in files if name.startswith(HOME)}


def forbidden(names: set[str]) -> set[str]:
    return {
        name
        for name in names
        if any(fnmatch(part, pattern) for part in PurePosixPath(name).parts for pattern in FORBIDDEN)
        or (name.endswith(".md") and not name.endswith("README.md"))
    }


def test_the_forbidden_are_recognized() -> None:
    """The planted decoys are what the list is meant to find."""
    assert forbidden(set(trees.DECOYS)) == set(trees.DECOYS) - {"out.jsonl", "uv.lock"}
    assert not forbidden(trees.shipped(trees.ROOT))


@pytest.fixture(scope="module")
def spider_files(spider_image: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files_above_base(spider_image, tmp_path_factory.mktemp("saved"))


def test_the_image_holds_what_is_shipped_and_nothing_else(spider_files: dict[str, bytes], spider_tree: Path) -> None:
    names = names_of_the_tree(spider_files)
    assert names == trees.shipped(spider_tree)
    assert not forbidden(names)
    for name in names:
        assert spider_files[HOME + name] == (spider_tree / name).read_bytes(), name


def test_the_image_has_no_tools_that_build_and_no_caches(spider_files: dict[str, bytes], spider_image: str) -> None:
    packages = {
        re.split(r"[-.]", name.split("site-packages/")[1].split("/")[0])[0].lower()
        for name in spider_files
        if name.startswith("/opt/venv/") and "site-packages/" in name
    }
    assert {"openenv", "fastapi", "apsw"} <= packages
    assert not packages & {"torch", "pip", "setuptools", "wheel", "transformers", "matplotlib", "pytest", "mypy"}
    elsewhere = {name for name in spider_files if not name.startswith((HOME, "/opt/venv/", "/opt/pycache/", "/etc/"))}
    assert {name for name in elsewhere if not name.startswith(("/home/appuser/.", "/var/log/"))} == set()
    look = 'command -v python; for name in gcc cc g++ make git uv; do command -v "$name"; done; true'
    assert docker("run", "--rm", spider_image, "sh", "-c", look) == "/opt/venv/bin/python"
    assert not [name for name in spider_files if name.startswith("/opt/venv/bin/pip")]


@pytest.mark.parametrize("ignore_file", [True, False], ids=["with .dockerignore", "as in a Space, without"])
def test_nothing_planted_reaches_the_image(
    starter_image: str, starter_tree: Path, tmp_path: Path, ignore_file: bool
) -> None:
    """A Space has no .dockerignore: `openenv push` leaves out what begins with a dot, so no .env lies in data/."""
    tree = trees.plant(shutil.copytree(starter_tree, tmp_path / "planted"))
    if not ignore_file:
        (tree / ".dockerignore").unlink()
        (tree / "data" / "databases" / ".env").unlink()
    tag = "sql-env-test:planted"
    with images(tag):
        files = files_above_base(build(tree, tag), tmp_path)
        history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", tag)
    assert names_of_the_tree(files) == trees.shipped(tree)
    assert not [name for name, data in files.items() if trees.SECRET.encode() in data]
    assert not [name for name in files if "planted" in name]
    assert trees.SECRET not in history


def test_a_missing_database_fails_the_build(engine: None, starter_tree: Path, tmp_path: Path) -> None:
    tree = shutil.copytree(starter_tree, tmp_path / "tree")
    shutil.rmtree(tree / "data" / "starter" / "databases" / "night_bakery")
    with pytest.raises(AssertionError, match="night_bakery"):
        build(tree, "sql-env-test:broken")


def test_configuration(spider_image: str) -> None:
    config = inspect(spider_image, ".Config")
    environ = dict(entry.split("=", 1) for entry in config["Env"])
    assert config["User"] == "appuser"
    assert (environ["HOST"], environ["PORT"]) == ("0.0.0.0", "8000")
    assert not [name for name in environ if re.search("TOKEN|SECRET|PASSWORD|PROXY|INDEX", name, re.IGNORECASE)]
    assert config["WorkingDir"] == "/app/env"
    assert set(config["ExposedPorts"]) == {"8000/tcp"}
    assert not config.get("Entrypoint")
    # The shell form would read ["/bin/sh", "-c", …] and "CMD-SHELL": a shell as process 1 keeps signals to itself.
    assert config["Cmd"] == ["python", "-m", "sql_env.server.app"]
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "-m", "sql_env.server.health"]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in config["Labels"].items()}
    assert {"title", "description", "licenses", "vendor", "documentation"} <= set(labels)
    assert all(labels.values())
    assert {"MIT", "CC0-1.0", "CC-BY-SA-4.0"} == set(labels["licenses"].split(" AND "))


def test_the_user_owns_nothing_of_the_program(spider_image: str) -> None:
    assert docker("run", "--rm", spider_image, "id", "-u") == "1000"
    assert docker("run", "--rm", spider_image, "find", "/app/env", "/opt", "-writable", "!", "-type", "l") == ""


def test_base_images(spider_tree: Path) -> None:
    lines = (spider_tree / "server" / "Dockerfile").read_text("utf-8").splitlines()
    assert [line for line in lines if line.upper().startswith("FROM")] == [f"FROM {BASE}"] * 2


def test_size(spider_image: str, capsys: pytest.CaptureFixture[str]) -> None:
    printed = run("image_layers.py", spider_image)
    assert printed.returncode == 0, printed.stderr
    with capsys.disabled():
        sys.stdout.write(f"\n{printed.stdout}")
    rows = [line.strip("| ").split(" | ") for line in printed.stdout.splitlines()[2:]]
    *layers, (name, unpacked, packed) = [(text, float(one), float(other)) for text, one, other in rows]
    assert name == "sum"
    # Each number is printed to 0.01.
    assert sum(layer[1] for layer in layers) == pytest.approx(unpacked, abs=0.01 * (len(layers) + 1))
    assert inspect(spider_image, ".Size") - inspect(BASE, ".Size") == pytest.approx(unpacked * 1e6, rel=0.1)
    # Less would mean that a layer was missed.
    assert 50 < packed <= LIMIT_MB
    written = re.search(
        r"^\| sum \| ([\d.]+) \| ([\d.]+) \|$", (trees.ROOT / "docs" / "deployment.md").read_text("utf-8"), re.MULTILINE
    )
    assert (unpacked, packed) == pytest.approx((float(written[1]), float(written[2])), rel=0.03)
