"""notebooks/explore_episode.ipynb, executed by a real kernel against a real server."""

import json
import re
import tomllib
from pathlib import Path

from hostile_sql import ROOT
from notebook_runs import executed, text_of

NOTEBOOK = ROOT / "notebooks" / "explore_episode.ipynb"
CELLS = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]]


def test_an_episode_is_played_to_its_end(tmp_path: Path) -> None:
    text = text_of(executed(NOTEBOOK, tmp_path))
    assert "Which is the oldest work with a known year that we sing in French? Its title." in text
    assert "no such column: titel; did you mean title?" in text
    assert re.search(r"^Berceuse d'automne → correct$", text, re.MULTILINE)
    assert "6 steps; the oracle takes 3" in text
    assert "return 0.95 {'execution': 0.0, 'correctness': 1.0, 'efficiency': -0.05}" in text
    assert "the episode is over: call reset to start another 0.0" in text
    assert re.search(r"^random: .* return -0\.10$", text, re.MULTILINE)


def test_it_plays_on_a_server_elsewhere(tmp_path: Path, starter_server: str) -> None:
    assert "→ correct" in text_of(executed(NOTEBOOK, tmp_path, SQL_ENV_URL=starter_server))


def test_nothing_of_a_run_is_stored_and_each_cell_is_introduced() -> None:
    for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
    kinds = [kind for kind, _ in CELLS]
    assert all(kinds[place - 1] == "markdown" for place, kind in enumerate(kinds) if kind == "code")


def test_its_addresses_are_the_projects() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    text = "\n".join(source for _, source in CELLS)
    for address in re.findall(r"https?://[^\s)\"']+", text):
        assert address.startswith((*urls.values(), "https://colab.research.google.com/")), address
    for path in re.findall(r"blob/main/([\w./]+)", text):
        assert (ROOT / path).is_file(), path
