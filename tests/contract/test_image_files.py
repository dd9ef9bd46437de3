"""What the image is built from: named sources, pinned packages with hashes, no other place, a valid manifest."""

import re
import tomllib

import pytest
import trees
import yaml
from hostile_sql import ROOT
from openenv.validation import Level, run_validation
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "server" / "Dockerfile").read_text("utf-8"))
INSTRUCTIONS = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
PINNED = ["requirements.txt", "requirements-build.txt"]


def requirements(name: str) -> str:
    return (ROOT / "server" / name).read_text("utf-8")


def pins(name: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", requirements(name), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


def sources() -> list[str]:
    """The sources of every COPY from the tree."""
    copies = [rest.split() for word, rest in INSTRUCTIONS if word == "COPY" and not rest.startswith("--from")]
    return [source for *names, _target in copies for source in names]


def test_only_known_instructions() -> None:
    """ADD fetches and unpacks; the shell form of CMD keeps signals from the server."""
    assert {word for word, _ in INSTRUCTIONS} == set(
        "FROM ENV RUN WORKDIR COPY LABEL USER EXPOSE HEALTHCHECK CMD".split()
    )
    assert [rest.startswith("[") for word, rest in INSTRUCTIONS if word == "CMD"] == [True]
    assert [" CMD [" in rest for word, rest in INSTRUCTIONS if word == "HEALTHCHECK"] == [True]
    assert [rest for word, rest in INSTRUCTIONS if word == "FROM"] == ["python:3.12-slim-bookworm"] * 2


def test_every_source_is_named_and_exists() -> None:
    assert len(sources()) > 10
    for source in sources():
        assert not re.match(r"\.*/*(\*|$)", source), f"COPY {source} takes the whole tree"
        # What Spider adds is there or not.
        assert list(ROOT.glob(source)) or source in ("data/questions/*.jsonl", "data/questions/SHA256SUM*"), source
    # A pattern cannot name a database in its own folder: what is copied flattens. All else is files.
    folders = {source for source in sources() if (ROOT / source).is_dir()}
    assert folders == {"data/starter/databases/", "data/databases/"}


def test_the_sources_cover_what_is_shipped() -> None:
    copied = {
        str(path.relative_to(ROOT))
        for source in sources()
        for found in ROOT.glob(source)
        for path in (found.rglob("*") if found.is_dir() else [found])
    }
    assert trees.shipped(ROOT) <= copied


def test_every_dependency_is_pinned_to_a_version_that_fits() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    needed = [Requirement(text) for text in project["project"]["dependencies"]]
    assert len(needed) > 5
    pinned = pins("requirements.txt")
    for requirement in needed:
        version = pinned.get(canonicalize_name(requirement.name))
        remedy = "run scripts/pin_requirements.py"
        assert version, f"{requirement.name} is not pinned: {remedy}"
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{requirement} is pinned to {version}: {remedy}"
        )
    built_with = [Requirement(text) for text in project["build-system"]["requires"]]
    assert all(r.specifier.contains(pins("requirements-build.txt")[canonicalize_name(r.name)]) for r in built_with)


@pytest.mark.parametrize("name", PINNED)
def test_every_line_is_a_pin_with_hashes_and_names_no_place(name: str) -> None:
    lines = re.sub(r"\\\n\s*", "", requirements(name)).splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert len(lines) == len(pins(name)) > 0
    for line in lines:
        assert re.fullmatch(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+( ; [^#]+?)?( ?--hash=sha256:[0-9a-f]{64})+", line), line
    assert "://" not in requirements(name)
    assert "--index" not in requirements(name)


def test_nothing_heavy_or_not_for_serving_is_pinned() -> None:
    unwanted = {"torch", "triton", "transformers", "trl", "matplotlib", "scipy", "pytest", "mypy", "ruff", "pip"}
    assert not set(pins("requirements.txt")) & (unwanted | {"setuptools", "wheel"})
    assert not [package for package in pins("requirements.txt") if package.startswith("nvidia-")]


KEPT_OUT = (
    ".git **/__pycache__ .venv .env* **/.env* tests/ docs/ docs_draft/ specs/ vision/ notebooks/ runs/ *.md !README.md"
)


@pytest.mark.parametrize("pattern", KEPT_OUT.split())
def test_the_context_leaves_out(pattern: str) -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert pattern in lines
    if pattern == "!README.md":
        assert lines.index("!README.md") > lines.index("*.md"), "the last line that fits decides"


def test_the_manifest() -> None:
    manifest = yaml.safe_load((ROOT / "openenv.yaml").read_text("utf-8"))
    basic = {name: manifest[name] for name in ("spec_version", "name", "type", "runtime", "app", "port")}
    expected = (1, "sql_env", "space", "fastapi", "server.app:app", 8000)
    assert tuple(basic.values()) == expected


def test_openenv_validate_passes_at_its_static_level() -> None:
    report = run_validation(ROOT, max_level=Level.STATIC, skip_build=True)
    assert [(result.check_id, result.status.value) for result in report.results] == [("static.manifest", "pass")]
    assert report.verdict.value == "pass"
