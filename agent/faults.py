"""What can go wrong in an episode beside a wrong answer, attributed to one side and recorded once.

- **policy**: it raised, was silent for too long, or returned what is no action. The episode counts, as a wrong one.
- **environment**: the server refused the reset or failed. The episode is played again; if it fails again, it does not
  count and stays to be played.
- **connection**: the server, or a model's endpoint, could not be reached or went away. As above.
"""

from dataclasses import dataclass
from typing import Literal

Source = Literal["policy", "environment", "connection"]


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        source: whose it is.
        kind: a short name: ``raised``, ``stalled``, ``no_action``; ``refused``, ``failed``, ``lost``; ``server``,
            ``endpoint``.
        message: what was said, at most 500 characters.
        step: how many steps were taken before it.
    """

    source: Source
    kind: str
    message: str
    step: int = 0


class RolloutError(RuntimeError):
    """A fault on its way to whoever records it.

    Args:
        source: whose it is.
        kind: see ``Fault``.
        message: what was said.

    Attributes:
        forfeited: the policy's own fault that came before, where the server failed while the episode was given up.
    """

    def __init__(self, source: Source, kind: str, message: str) -> None:
        super().__init__(message)
        self.source: Source = source
        self.kind = kind
        self.forfeited: Fault | None = None

    def fault(self, step: int) -> Fault:
        """Return it as data."""
        return Fault(self.source, self.kind, clean(str(self))[:500], step)


def clean(text: str) -> str:
    """Return a text that UTF-8 can hold: half a surrogate pair becomes ``?``, as on the server."""
    return text.encode("utf-8", "replace").decode()


class EndpointError(ConnectionError):
    """Raised by a policy whose model cannot be reached: the episode is played again and is not the policy's fault."""
