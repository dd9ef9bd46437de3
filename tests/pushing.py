"""`openenv push` as `make push` runs it, against a simulated hub."""

import os
import re
import subprocess
import sys
from pathlib import Path

from hostile_sql import ROOT
from hub import TOKEN, Hub


def command() -> list[str]:
    """Return the command that the Makefile's push runs, with this interpreter's openenv."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    found = re.search(r"^push:.*\n\t@\$\(BIN\)/openenv (.*) \$\(PUSH\)$", makefile, re.MULTILINE)
    assert found, "the Makefile has no push"
    return [str(Path(sys.executable).with_name("openenv")), *found[1].split()]


def push(tree: Path, hub: Hub, home: Path, *options: str, token: str = TOKEN) -> "subprocess.CompletedProcess[str]":
    """Push the tree; ``home`` takes the place of the user's own folder for the hub's login and cache."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return subprocess.run(
        [*command(), *options],
        cwd=tree,
        env=environ
        | {"HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1", "COLUMNS": "200"}
        # Without Xet the client keeps to the LFS protocol, which the simulation speaks.
        | ({"HF_HUB_DISABLE_XET": "1"} if hub.lfs else {}),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        stdin=subprocess.DEVNULL,
    )
