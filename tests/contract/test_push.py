"""`openenv push` against a simulated hub: what a Space gets, what it never gets, and what is lost on the way."""

import re
from collections.abc import Iterator
from pathlib import Path

import hub
import pytest
import trees
import yaml
from hostile_sql import ROOT
from pushing import push

SPACE = "somebody/sql_env"
DATABASES = "data/databases/*\n!data/databases/README.md\n"


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, spider_data: Path) -> Path:
    """A developer's tree: Spider fetched, and secrets, caches, tests and notes lying about."""
    return trees.plant(trees.add_spider(trees.export(tmp_path_factory.mktemp("planted") / "sql_env"), spider_data))


@pytest.fixture
def space() -> Iterator[hub.Hub]:
    with hub.simulated_hub() as simulated:
        yield simulated


def in_a_space(tree: Path) -> set[str]:
    """What is shipped, the Dockerfile at the root, where a Space looks for it, what openenv.yaml names, the card."""
    return trees.shipped(tree) | {"Dockerfile", "server/probe.json", "discovery.json"}


@pytest.fixture(scope="module")
def pushed(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> hub.Hub:
    """The hub after a push of the developer's tree."""
    with hub.simulated_hub() as simulated:
        run = push(planted, simulated, tmp_path_factory.mktemp("home"))
    assert run.returncode == 0, run.stdout + run.stderr
    return simulated


def test_a_space_gets_what_belongs_there_and_nothing_else(planted: Path, pushed: hub.Hub) -> None:
    assert pushed.spaces[SPACE]["sdk"] == "docker"
    assert set(pushed.files) == in_a_space(planted)
    assert not [name for name, data in pushed.files.items() if trees.SECRET.encode() in data]
    assert (pushed.variables, pushed.ignored) == ({}, set())
    for name in in_a_space(planted) - {"Dockerfile"}:
        assert pushed.files[name] == (planted / name).read_bytes(), name


def test_databases_go_through_lfs(pushed: hub.Hub) -> None:
    databases = {name for name in pushed.files if name.endswith(".sqlite")}
    assert len(databases) == 8 + 10
    assert pushed.as_lfs == databases
    assert all(pushed.files[name].startswith(b"SQLite format 3\0") for name in databases)


def test_our_gitignore_would_make_the_trap_and_is_never_pushed(planted: Path, pushed: hub.Hub) -> None:
    assert "/data/databases/*" in (planted / ".gitignore").read_text("utf-8")
    assert ".gitignore" not in pushed.files


def test_the_dockerfile_of_a_space_is_ours_with_the_interface_on(planted: Path, pushed: hub.Hub) -> None:
    ours = (planted / "server" / "Dockerfile").read_text("utf-8").splitlines()
    theirs = pushed.files["Dockerfile"].decode().splitlines()
    added = [line for line in theirs if line not in ours]
    assert added == ["ENV ENABLE_WEB_INTERFACE=true"]
    assert [line for line in theirs if line not in added] == ours
    assert theirs.index(added[0]) == len(theirs) - 2  # before CMD, not inside HEALTHCHECK


def test_without_spider_the_starter_set_is_pushed(space: hub.Hub, tmp_path: Path) -> None:
    tree = trees.export(tmp_path / "tree")
    run = push(tree, space, tmp_path, "--repo-id", "team/other", "--private", "--env-var", "SQL_ENV_MAX_STEPS=20")
    assert run.returncode == 0, run.stdout + run.stderr
    assert space.spaces["team/other"]["visibility"] == "private"
    assert set(space.files) == in_a_space(tree)
    assert space.variables == {"SQL_ENV_MAX_STEPS": "20"}
    # Git keeps no empty folder, and the Dockerfile copies this one.
    assert "data/databases/README.md" in space.files


def test_without_the_exclude_file_far_more_would_be_pushed(planted: Path, space: hub.Hub, tmp_path: Path) -> None:
    """What .spaceignore is for; it also shows that the simulation keeps whatever it is sent."""
    assert push(planted, space, tmp_path, "--exclude", str(_empty(tmp_path))).returncode == 0
    for name in ("deploy.pem", "prod.env", "tests/planted.py", "docs/planted.md", "notebooks/planted.ipynb"):
        assert name in space.files


def _empty(folder: Path) -> Path:
    path = folder / "nothing"
    path.write_text("", "utf-8")
    return path


@pytest.mark.parametrize("lfs", [True, False], ids=["LFS", "all in the commit"])
def test_trap_a_gitignore_in_the_space_drops_databases_silently(planted: Path, tmp_path: Path, lfs: bool) -> None:
    """docs/deployment.md tells of it: the hub ignores what the Space's .gitignore names, and nobody is told."""
    with hub.simulated_hub(lfs) as space:
        space.files[".gitignore"] = DATABASES.encode()
        run = push(planted, space, tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Upload completed successfully" in run.stdout
    assert "ignore" not in (run.stdout + run.stderr).replace("ignore patterns", "").replace(".spaceignore", "")
    lost = in_a_space(planted) - set(space.files)
    assert lost == space.ignored
    assert lost == {name for name in trees.shipped(planted) if re.fullmatch(r"data/databases/.*\.sqlite", name)}


def test_way_out_delete_that_file_in_the_space_and_push_again(planted: Path, space: hub.Hub, tmp_path: Path) -> None:
    space.spaces[SPACE] = {}
    space.files = {name: b"of the first push" for name in in_a_space(planted) if not name.endswith(".sqlite")}
    run = push(planted, space, tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert set(space.files) == in_a_space(planted)


def test_a_wrong_token_pushes_nothing(planted: Path, space: hub.Hub, tmp_path: Path) -> None:
    run = push(planted, space, tmp_path, token="hf_wrong")
    assert run.returncode != 0
    assert "authentication failed" in run.stdout + run.stderr
    assert (space.spaces, space.files) == ({}, {})


def test_a_readme_that_the_hub_refuses_ends_the_push(planted: Path, space: hub.Hub, tmp_path: Path) -> None:
    tree = trees.export(tmp_path / "tree")
    readme = tree / "README.md"
    readme.write_text(readme.read_text("utf-8").replace("colorFrom: blue", "colorFrom: mauve"), "utf-8")
    run = push(tree, space, tmp_path)
    assert run.returncode != 0
    assert "colorFrom" in run.stdout
    assert space.files == {}


def test_front_matter() -> None:
    matter = yaml.safe_load((ROOT / "README.md").read_text("utf-8").split("---\n")[1])
    manifest = yaml.safe_load((ROOT / "openenv.yaml").read_text("utf-8"))
    assert set(matter) == set(
        "title emoji colorFrom colorTo sdk app_port base_path pinned license short_description tags".split()
    )
    assert (matter["sdk"], matter["app_port"], matter["base_path"]) == ("docker", manifest["port"], "/web")
    assert (matter["pinned"], matter["license"]) == (False, "mit")
    assert "openenv" in matter["tags"]
    assert len(matter["short_description"]) <= 60
