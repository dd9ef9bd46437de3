"""The reward: execution, correctness and efficiency, a tree of OpenEnv rubrics under one frozen configuration.

The outcome return of an episode is their sum, in [−0.1, 1.0]: 1.0 for the right answer at par, at least 0.8 for
any right answer, at most 0.2 for any other end. docs/rewards.md gives the table and worked episodes.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from openenv.core.rubrics import Rubric

from sql_env.server.episode import Episode, evidence


@dataclass(frozen=True, kw_only=True)
class RewardConfig:
    """Every constant of the reward.

    Attributes:
        right: for the right answer.
        wrong: for a wrong answer, or none.
        execution: greatest reward for evidence, when the answer is not right.
        efficiency: greatest deduction for steps beyond par, when it is.
    """

    right: float = 1.0
    wrong: float = -0.1
    execution: float = 0.3
    efficiency: float = -0.2


class _EpisodeRubric(Rubric):
    """A rubric that judges the episode it was given, not the observation: the gold never enters one."""

    def __init__(self, config: RewardConfig) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # OpenEnv leaves it without annotations
        self.config = config
        self.episode: Episode | None = None

    def forward(self, action: Any, observation: Any) -> float:
        """Return the score of an episode that is over, and 0.0 before."""
        episode = self.episode
        return self.score(episode) if episode is not None and episode.done else 0.0

    @abstractmethod
    def score(self, episode: Episode) -> float:
        """Score a finished episode."""


class ExecutionRubric(_EpisodeRubric):
    """Evidence in the last result, for an episode without the right answer."""

    def score(self, episode: Episode) -> float:
        """Return between 0.0 and ``config.execution``."""
        return 0.0 if episode.correct else self.config.execution * evidence(episode)


class CorrectnessRubric(_EpisodeRubric):
    """The answer."""

    def score(self, episode: Episode) -> float:
        """Return ``config.right`` or ``config.wrong``."""
        return self.config.right if episode.correct else self.config.wrong


class EfficiencyRubric(_EpisodeRubric):
    """Steps beyond par, for an episode with the right answer."""

    def score(self, episode: Episode) -> float:
        """Return between ``config.efficiency`` and 0.0."""
        beyond = episode.step_count - episode.question.par
        if not episode.correct or beyond <= 0:
            return 0.0
        return self.config.efficiency * min(1.0, beyond / max(1, episode.max_steps - episode.question.par))


class OutcomeRubric(_EpisodeRubric):
    """The outcome return: the sum of its three children, whose names and last scores an observation reports."""

    def __init__(self, config: RewardConfig) -> None:
        super().__init__(config)
        self.execution = ExecutionRubric(config)
        self.correctness = CorrectnessRubric(config)
        self.efficiency = EfficiencyRubric(config)

    def watch(self, episode: Episode | None) -> None:
        """Judge this episode from now on."""
        self.episode = episode
        for child in (self.execution, self.correctness, self.efficiency):
            child.episode = episode
            child.last_score = None

    def score(self, episode: Episode) -> float:
        """Return the sum of the children's scores."""
        return float(sum(child(None, None) for child in self.children()))

    def components(self) -> dict[str, float]:
        """Return the children's last scores by name."""
        return {name: child.last_score or 0.0 for name, child in self.named_children()}
