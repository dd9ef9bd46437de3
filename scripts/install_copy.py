"""Install a plain copy of the package into a folder, for tools that do not see through an editable install."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Parse the arguments and install, with uv where it is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, help="folder to install into")
    options = parser.parse_args()
    root = Path(__file__).resolve().parent.parent
    if shutil.which("uv"):
        command = ["uv", "pip", "install", "--quiet", "--python", sys.executable]
    else:
        command = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*command, "--no-deps", "--target", str(options.target), str(root)], check=True)


if __name__ == "__main__":
    main()
