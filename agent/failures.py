"""Why episodes were not right: one cause for each, in a fixed order, so that counts add up.

The first that holds is the cause: the policy failed; it gave no answer within the budget; the verdict on its answer.
"""

from collections import Counter
from collections.abc import Iterable

from sql_env.agent.trajectory import Trajectory

CAUSES = {
    "policy_raised": "policy raised an error",
    "policy_stalled": "policy was silent for too long",
    "policy_no_action": "policy returned no action",
    "policy_other": "policy failed otherwise",
    "no_answer": "no answer within the budget",
    "empty": "blank answer",
    "unparsable": "unreadable answer",
    "wrong_shape": "wrong number of rows or columns",
    "wrong_order": "right rows in the wrong order",
    "wrong_value_unseen": "wrong value, no result seen before",
    "wrong_value": "wrong value, after seeing results",
    "wrong_on_variant": "right by chance: wrong on changed data",
    "other": "another verdict",
}
"""Every cause and what to call it, in order."""

_VERDICTS = ("empty", "unparsable", "wrong_shape", "wrong_order", "wrong_on_variant")


def cause(episode: Trajectory) -> str | None:
    """Return why an episode was not right, one of ``CAUSES``; None if it was right."""
    if episode.correct:
        return None
    if episode.fault is not None:
        name = f"policy_{episode.fault.kind}"
        return name if name in CAUSES else "policy_other"
    if episode.verdict is None:
        return "no_answer"
    if episode.verdict == "wrong_value":
        return "wrong_value" if saw_a_result(episode) else "wrong_value_unseen"
    return episode.verdict if episode.verdict in _VERDICTS else "other"


def saw_a_result(episode: Trajectory) -> bool:
    """Tell whether a QUERY or a SAMPLE ran in an episode."""
    return any(step.error is None and step.action_type.upper() in ("QUERY", "SAMPLE") for step in episode.trajectory)


def failures(episodes: Iterable[Trajectory]) -> dict[str, int]:
    """Count causes, in the order of ``CAUSES``, those that occur; they add up to the episodes that were not right."""
    counts = Counter(cause(episode) for episode in episodes)
    return {name: counts[name] for name in CAUSES if counts[name]}
