"""What stands in the README and the quickstart."""

import re

from hostile_sql import ROOT

README = (ROOT / "README.md").read_text("utf-8")
QUICKSTART = (ROOT / "docs" / "quickstart.md").read_text("utf-8")


def commands(text: str) -> list[str]:
    """Return the command lines of a document: of its shell blocks, and of the table of its checklist."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    lines += re.findall(r"^\| [^|]+ \| `([^`]+)` \|$", text, re.MULTILINE)
    return [re.sub(r"\s+#.*", "", line).strip() for line in lines if line.strip()]
