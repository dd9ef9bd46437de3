"""Pin what the image installs, with hashes: pyproject.toml to server/requirements.txt, setuptools beside it.

Needs uv. Run it after a change of the dependencies; tests/contract/test_image_files.py fails until it has been run.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = (
    "--generate-hashes --python-version 3.12 --python-platform linux --no-header --no-annotate --quiet "
    "--no-emit-index-url --no-emit-find-links"
).split()
FILES = {
    "requirements.txt": (
        "What the image installs. Made by scripts/pin_requirements.py; do not edit.",
        "pyproject.toml",
    ),
    "requirements-build.txt": ("What its first stage builds the project with; not in the last one.", "-"),
}


def main() -> None:
    """Write both files."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name, (sentence, source) in FILES.items():
        command = ["uv", "pip", "compile", source, *OPTIONS]
        run = subprocess.run(command, cwd=ROOT, input="setuptools>=77\n", capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(run.stderr)
        (ROOT / "server" / name).write_text(f"# {sentence}\n{run.stdout}", "utf-8")


if __name__ == "__main__":
    main()
