"""notebooks/compare_methods.ipynb, executed by a real kernel."""

import base64
import json
from pathlib import Path

import pytest
from hostile_sql import ROOT
from model_servers import Analyst, model_server
from notebook_runs import executed, text_of

NOTEBOOK = ROOT / "notebooks" / "compare_methods.ipynb"


def test_no_output_is_stored_and_no_cell_was_run() -> None:
    for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


def test_it_runs_without_a_language_model(tmp_path: Path) -> None:
    outputs = executed(NOTEBOOK, tmp_path, SQL_ENV_EPISODES="12")
    text = text_of(outputs)
    assert "no language model: SQL_ENV_MODEL is not set" in text
    assert "| oracle | starter | eval | 12 | 100.0 % [75.8, 100.0] |" in text
    for name in ("null", "random", "scripted"):
        assert f"{name}: 12 episodes, 0 lost" in text
        assert f"| {name} | starter | eval | 12 |" in text
    assert "oracle against scripted: +" in text
    pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 2
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)


@pytest.mark.timeout(150)
def test_it_plays_0_1_and_3_shots_with_a_model(tmp_path: Path) -> None:
    """The model's server is a simulation that always takes the same three actions."""
    with model_server(Analyst()) as served:
        text = text_of(
            executed(NOTEBOOK, tmp_path, SQL_ENV_MODEL="m", OPENAI_BASE_URL=served.url, SQL_ENV_EPISODES="4")
        )
    assert served.broken == []
    shown = {len(request["messages"]) for request in served.requests}
    for shots in (0, 1, 3):
        assert f"m, {shots}-shot: 4 episodes, 0 lost" in text
        assert f"| m, {shots}-shot | starter | eval | 4 |" in text
    assert len(shown) > 6, "the demonstrations are told"
