"""docs/training.md: every setting of every recipe has its values and a reason; its code runs as far as it can here."""

import ast
import re

import pytest
from hostile_sql import ROOT
from recipe_tables import CONFIGS, SHORT, reasons, settings

PAGE = (ROOT / "docs" / "training.md").read_text("utf-8")


@pytest.mark.parametrize("method", ["sft", "grpo"])
def test_every_setting_has_its_values_and_a_reason(method: str) -> None:
    told = reasons(PAGE)[method]
    assert {name: values for name, (values, _) in told.items()} == settings(method)
    assert all(len(reason) > 12 for _, reason in told.values())


def test_every_recipe_is_in_the_tables_and_on_the_page() -> None:
    recipes = {path.stem.rsplit("_", 1)[0] for path in CONFIGS.glob("*.yaml")}
    assert recipes == set(SHORT)
    assert all(f"`{path.name}`" in PAGE for path in CONFIGS.glob("*.yaml"))


def test_its_python_is_python_and_imports_what_there_is() -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sql_env."):
                source = (ROOT / (node.module or "").removeprefix("sql_env.").replace(".", "/")).with_suffix(".py")
                defined = ast.parse(source.read_text("utf-8"))
                names = {getattr(one, "name", "") for one in defined.body}
                assert {alias.name for alias in node.names} <= names, source
