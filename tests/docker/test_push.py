"""What `openenv push` uploads, built and run as a Space does: Dockerfile at the root, uid 1000, the README's port."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from containers import Container, assert_right, build, images, inspect, play_oracle, running
from hub import simulated_hub
from pushing import push

from sql_env.agent.oracle import OraclePolicy

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

TAG = "sql-env-test:space"
# A Space gives no more than this, and publishes the port that the README's front matter names.
AS_A_SPACE = ("--user", "1000", "--cpus", "2", "--memory", "16g")


@pytest.fixture(scope="module")
def pushed(spider_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the Space after a push, in a folder."""
    with simulated_hub() as hub:
        run = push(spider_tree, hub, tmp_path_factory.mktemp("home"))
    assert run.returncode == 0, run.stdout + run.stderr
    folder = tmp_path_factory.mktemp("space")
    for name, data in hub.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def space(spider_image: str, pushed: Path) -> Iterator[Container]:
    """The Space, running. The image built before it keeps the engine's cache warm."""
    matter = yaml.safe_load((pushed / "README.md").read_text("utf-8").split("---\n")[1])
    with images(TAG):
        build(pushed, TAG, "Dockerfile")
        with running(TAG, *AS_A_SPACE, "--health-interval=1s", port=matter["app_port"]) as container:
            yield container


async def test_episodes_of_both_data_sets(
    space: Container, starter_oracle: OraclePolicy, spider_oracle: OraclePolicy
) -> None:
    for seed in range(3):
        assert_right(await play_oracle(space.url, "spider", spider_oracle, seed=seed))
        assert_right(await play_oracle(space.url, "starter", starter_oracle, seed=seed))


def test_it_is_healthy_and_runs_as_the_user_of_a_space(space: Container) -> None:
    space.wait_for_health("healthy")
    assert space.exec("id", "-u") == "1000"
    assert "ENABLE_WEB_INTERFACE=true" in inspect(TAG, ".Config.Env")


def test_the_page_that_a_space_shows(space: Container, pushed: Path) -> None:
    """base_path of the README's front matter: what the Space's page frames."""
    matter = yaml.safe_load((pushed / "README.md").read_text("utf-8").split("---\n")[1])
    answer = httpx.get(space.url + matter["base_path"], follow_redirects=True, timeout=30)
    assert answer.status_code == 200
    assert "text/html" in answer.headers["content-type"]
    assert "<script" in answer.text


@pytest.mark.parametrize("kept", ["README.md", "nothing"])
def test_a_space_without_its_databases_does_not_build(engine: None, pushed: Path, tmp_path: Path, kept: str) -> None:
    """Files dropped on the way show in the build: COPY fails for lack of the folder, the server for lack of a file."""
    tree = shutil.copytree(pushed, tmp_path / "space")
    for path in (tree / "data" / "databases").iterdir():
        if path.name != kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if kept == "nothing":
        (tree / "data" / "databases").rmdir()
    said = "COPY.*data/databases" if kept == "nothing" else r"sql_env: .*/data/databases/\w+/\w+\.sqlite"
    with pytest.raises(AssertionError, match=said):
        build(tree, "sql-env-test:broken", "Dockerfile")
