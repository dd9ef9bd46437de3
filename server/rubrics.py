"""The reward: execution, correctness and efficiency, a tree of OpenEnv rubrics under one frozen configuration.

The outcome return of an episode is their sum, in [−0.1, 1.0]: 1.0 for the right answer at par, at least 0.8 for
any right answer, at most 0.2 for any other end. In the mode ``outcome`` every reward but the last is 0.0. The mode
``shaped`` adds to every step the difference of a potential, which is 0 at the start and at every end: the rewards of an
episode sum to the same return, so no policy gains by it (Ng, Harada, Russell: *Policy Invariance Under Reward
Transformations*, ICML 1999, with γ = 1). docs/rewards.md gives the table and worked episodes.
"""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from openenv.core.rubrics import Rubric

from sql_env.server.episode import Episode, evidence, progress


@dataclass(frozen=True, kw_only=True)
class RewardConfig:
    """Every constant of the reward.

    Attributes:
        right: for the right answer.
        wrong: for a wrong answer, or none.
        execution: greatest reward for evidence, when the answer is not right.
        efficiency: greatest deduction for steps beyond par, when it is.
        potential: greatest potential of the mode ``shaped``.
    """

    right: float = 1.0
    wrong: float = -0.1
    execution: float = 0.3
    efficiency: float = -0.2
    potential: float = 0.3


class _EpisodeRubric(Rubric):
    """A rubric that judges the episode it was given, not the observation: the gold never enters one."""

    def __init__(self, config: RewardConfig) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # OpenEnv leaves it without annotations
        self.config = config
        self.episode: Episode | None = None

    def watch(self, episode: Episode | None) -> None:
        """Judge this episode from now on."""
        self.episode = episode
        self.last_score = None
        for child in self.children():
            if isinstance(child, _EpisodeRubric):
                child.watch(episode)

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


class ShapingRubric(_EpisodeRubric):
    """The potential's difference over the last step; the potential knows no gold and is 0 when nothing is running."""

    def watch(self, episode: Episode | None) -> None:
        """Judge this episode from now on."""
        super().watch(episode)
        self._potential = 0.0

    def forward(self, action: Any, observation: Any) -> float:
        """Return Φ(after) − Φ(before) for a step that has just ended."""
        before, episode = self._potential, self.episode
        self._potential = 0.0 if episode is None or episode.done else self.score(episode)
        return self._potential - before

    def score(self, episode: Episode) -> float:
        """Return the potential of an episode under way, from 0.0 to below ``config.potential``."""
        return self.config.potential * progress(episode)


class RewardRubric(_EpisodeRubric):
    """One step's reward: the sum of its children, whose names and last scores the last observation reports.

    Args:
        config: the constants.
        mode: ``outcome`` or ``shaped``.

    Attributes:
        pays_every_step: whether it has to be called for each step, and not for the last alone.
    """

    def __init__(self, config: RewardConfig, mode: str = "outcome") -> None:
        super().__init__(config)
        self.execution = ExecutionRubric(config)
        self.correctness = CorrectnessRubric(config)
        self.efficiency = EfficiencyRubric(config)
        self._outcome: tuple[_EpisodeRubric, ...] = (self.execution, self.correctness, self.efficiency)
        self._every_step: tuple[_EpisodeRubric, ...] = ()
        self.pays_every_step = mode == "shaped"
        if self.pays_every_step:
            self.shaping = ShapingRubric(config)
            self._every_step = (self.shaping,)
        self.watch(None)

    def forward(self, action: Any, observation: Any) -> float:
        """Return the reward of the step that has just ended; to be called once for each."""
        over = self.episode is not None and self.episode.done
        paid = (*self._outcome, *self._every_step) if over else self._every_step
        return _sum(child(action, observation) for child in paid)

    def score(self, episode: Episode) -> float:
        """Return the outcome return of a finished episode, the same in both modes."""
        return _sum(child.score(episode) for child in self._outcome)

    def components(self) -> dict[str, float]:
        """Return the children's last scores by name; their sum is the last step's reward."""
        return {name: child.last_score or 0.0 for name, child in self.named_children()}


def _sum(scores: Iterable[float]) -> float:
    """Add scores, without the dust that binary fractions leave."""
    return round(float(sum(scores)), 12) + 0.0
