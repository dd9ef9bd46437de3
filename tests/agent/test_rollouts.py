"""Many episodes at once on a real server: concurrency, faults, a server that dies, one that is full."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sql_env.agent.faults import EndpointError, RolloutError
from sql_env.agent.local_server import COMMAND, local_server, server_process
from sql_env.agent.policies import ConstantPolicy, Policy, RandomPolicy
from sql_env.agent.rollout import policy_seed
from sql_env.agent.rollouts import Job, Lost, Setup, first_of, jobs, play_all
from sql_env.agent.run_folder import RunFolder, read_trajectories
from sql_env.agent.trajectory import Trajectory
from sql_env.models import SQLAction, SQLObservation

STARTER = {"dataset": "starter", "split": "all"}


def played(
    base_url: str, make_policy: Callable[[], Policy], number: int = 12, **options: Any
) -> dict[Job, Trajectory | Lost]:
    outcomes: dict[Job, Trajectory | Lost] = {}

    def tell(outcome: Trajectory | Lost) -> None:
        job = outcome.job if isinstance(outcome, Lost) else Job(outcome.index or 0, outcome.repeat)
        assert job not in outcomes, "told twice"
        outcomes[job] = outcome

    setup = Setup(base_url=base_url, selectors=STARTER, make_policy=make_policy, **options)
    asyncio.run(play_all(setup, [Job(index) for index in range(number)], tell))
    return outcomes


class Failing(RandomPolicy):
    """Fails at the second action of every third task, as its test says; explores at random on the others."""

    def __init__(self, fail: Callable[[SQLObservation], Any]) -> None:
        self._fail = fail

    def reset(self, observation: SQLObservation, seed: int) -> None:
        super().reset(observation, seed)
        self._fails = observation.metadata["index"] % 3 == 0

    def act(self, observation: SQLObservation) -> SQLAction:
        if not self._fails:
            return super().act(observation)
        if observation.step_count == 0:
            return SQLAction(action_type="QUERY", argument="SELECT 1")
        return self._fail(observation)  # type: ignore[no-any-return]


class Speechless(Exception):
    """Fails to say what it is, and whether it is."""

    def __str__(self) -> str:
        raise ValueError("no text")

    def __bool__(self) -> bool:
        raise ValueError("no truth")


def throw(error: BaseException) -> SQLAction:
    raise error


def raises(_: SQLObservation) -> SQLAction:
    raise ZeroDivisionError("by a policy")


def exits(_: SQLObservation) -> SQLAction:
    raise SystemExit(3)


def stalls(_: SQLObservation) -> SQLAction:
    threading.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("fail", "kind", "said"),
    [
        (raises, "raised", "ZeroDivisionError: by a policy"),
        (exits, "raised", "SystemExit: 3"),
        (stalls, "stalled", "no action within 0.5 s"),
        (lambda _: "ANSWER 3", "no_action", "act returned str, not an SQLAction"),
        (lambda _: None, "no_action", "act returned NoneType"),
        (lambda _: SQLAction(action_type="QUERY", argument="x" * 4_000_001), "no_action", "longer than 4,000,000"),
        (lambda _: SQLAction(action_type="😀" * 1_000_000), "no_action", "longer than 4,000,000"),
        (lambda _: throw(Speechless()), "raised", "Speechless"),
    ],
)
def test_a_policy_that_fails_loses_its_episodes_and_no_other(
    starter_server: str, fail: Callable[[SQLObservation], Any], kind: str, said: str
) -> None:
    outcomes = played(starter_server, lambda: Failing(fail), concurrency=4, policy_seconds=0.5)
    assert len(outcomes) == 12
    for job, episode in outcomes.items():
        assert isinstance(episode, Trajectory)
        if job.index % 3:
            assert episode.fault is None
            continue
        assert episode.fault is not None
        assert (episode.fault.source, episode.fault.kind, episode.fault.step) == ("policy", kind, 1)
        assert said in episode.fault.message
        assert (episode.correct, episode.verdict) == (False, "empty")
        assert [step.action_type for step in episode.trajectory] == ["QUERY", "ANSWER"]
        assert episode.episode_return == sum(episode.components.values()) == -0.1


class Forges(ConstantPolicy):
    """Writes into what it is given, in the hope that somebody reads it back."""

    def reset(self, observation: SQLObservation, seed: int) -> None:
        self._forge(observation)

    def act(self, observation: SQLObservation) -> SQLAction:
        self._forge(observation)
        return SQLAction(action_type="SAMPLE", argument="nosuch")

    def _forge(self, observation: SQLObservation) -> None:
        observation.done, observation.reward, observation.error, observation.step_count = True, 1.0, None, 0
        end = {"outcome_return": 1.0, "verdict": "correct", "truncated": False, "hardness": "extra", "twin_of": "x"}
        observation.metadata.update(end, answer_type="integer", par=1, components={"correctness": 1.0}, index=7)
        observation.rows.append([1])


def test_nothing_that_a_policy_does_to_its_observations_is_recorded(starter_server: str) -> None:
    for episode in played(starter_server, lambda: Forges("1"), 3).values():
        assert isinstance(episode, Trajectory)
        assert (episode.correct, episode.truncated, len(episode.trajectory)) == (False, True, 15)
        assert (episode.episode_return, episode.fault) == (-0.1, None)
        assert {step.reward for step in episode.trajectory} == {0.0, -0.1}


def test_a_policy_that_cannot_be_made_again_loses_its_episodes(starter_server: str) -> None:
    class Once(ConstantPolicy):
        made = 0

        def __init__(self) -> None:
            super().__init__("1")
            Once.made += 1
            if Once.made > 2:
                raise MemoryError("no more")

        def act(self, observation: SQLObservation) -> SQLAction:
            return stalls(observation)

    outcomes = played(starter_server, Once, 5, concurrency=1, policy_seconds=0.2)
    faults = [episode.fault for _, episode in sorted(outcomes.items()) if isinstance(episode, Trajectory)]
    assert [fault and fault.kind for fault in faults] == ["stalled", "stalled", "raised", "raised", "raised"]
    with pytest.raises(RolloutError, match="MemoryError: no more"):
        played(starter_server, Once, 5)


def test_a_policy_that_is_silent_until_the_session_ends_is_counted_all_the_same() -> None:
    """The server has ended the session for idleness, so the blank answer is given in another one."""

    class Sleeps(ConstantPolicy):
        def act(self, observation: SQLObservation) -> SQLAction:
            return stalls(observation)

    with local_server({"SQL_ENV_DATASET": "starter", "SQL_ENV_SESSION_TIMEOUT": "1"}) as base_url:
        (episode,) = played(base_url, lambda: Sleeps("1"), 1, policy_seconds=4).values()
    assert isinstance(episode, Trajectory)
    assert episode.fault is not None
    assert (episode.fault.kind, episode.correct, episode.verdict) == ("stalled", False, "empty")


def test_half_a_surrogate_pair_breaks_no_record(starter_server: str, tmp_path: Path) -> None:
    class Odd(ConstantPolicy):
        def act(self, observation: SQLObservation) -> SQLAction:
            raise (ConnectionError if observation.question.startswith("How many") else ValueError)("bad \ud800")

    def make() -> Policy:
        policy = Odd("1")
        policy.name = "a\ud800\n" * 1000
        return policy

    folder = RunFolder(tmp_path, {})
    outcomes = played(starter_server, make, 8)
    for outcome in outcomes.values():
        folder.write(outcome)
    episodes = folder.finish()
    assert {type(outcome) for outcome in outcomes.values()} == {Lost, Trajectory}
    assert read_trajectories(tmp_path) == episodes
    assert all(episode.policy.startswith("a?") and len(episode.policy) == 200 for episode in episodes)


def test_a_policy_that_fails_at_reset_loses_the_episode(starter_server: str) -> None:
    class Bad(ConstantPolicy):
        def reset(self, observation: SQLObservation, seed: int) -> None:
            raise KeyError("no such model")

    for episode in played(starter_server, lambda: Bad("1"), 3).values():
        assert isinstance(episode, Trajectory)
        assert episode.fault is not None
        assert (episode.fault.source, episode.fault.step) == ("policy", 0)


@pytest.mark.parametrize(
    "action",
    [
        SQLAction(action_type="", argument=""),
        SQLAction(action_type="DROP TABLE", argument="\ud800"),
        SQLAction(action_type="QUERY", argument="x" * 900_000),
        SQLAction(action_type="\0" * 3000, argument="\0"),
    ],
)
def test_garbage_is_an_invalid_action_and_costs_steps(starter_server: str, action: SQLAction) -> None:
    class Garbage(ConstantPolicy):
        def act(self, observation: SQLObservation) -> SQLAction:
            return action

    for episode in played(starter_server, lambda: Garbage("1"), 2).values():
        assert isinstance(episode, Trajectory)
        assert (episode.fault, episode.truncated, episode.correct, len(episode.trajectory)) == (None, True, False, 15)
        assert all(step.error and step.error_kind for step in episode.trajectory)


@pytest.mark.parametrize(
    ("metadata", "recorded"),
    [
        ({"reply": "said", "prompt_tokens": 3, "completion_tokens": 0, "notes": ["a"]}, ("said", 3, 0, ["a"])),
        ({"reply": object(), "prompt_tokens": "3", "completion_tokens": True, "notes": "abc"}, (None, None, None, [])),
        (
            {"reply": "\ud800", "prompt_tokens": -1, "completion_tokens": 2**60, "notes": [1, "b"]},
            ("?", None, None, ["b"]),
        ),
        ({"reply": b"x", "prompt_tokens": float("nan"), "notes": {"a": 1}, "other": set()}, (None, None, None, [])),
    ],
)
def test_what_a_policy_wants_recorded_cannot_break_the_record(
    starter_server: str, metadata: dict[str, Any], recorded: tuple[object, ...]
) -> None:
    class Tells(ConstantPolicy):
        def act(self, observation: SQLObservation) -> SQLAction:
            return SQLAction(action_type="ANSWER", argument="\ud800x", metadata=metadata)

    (episode,) = played(starter_server, lambda: Tells("1"), 1).values()
    assert isinstance(episode, Trajectory)
    (step,) = Trajectory.from_json(episode.to_json().encode().decode()).trajectory
    assert (step.reply, step.prompt_tokens, step.completion_tokens, step.notes) == recorded
    assert step.argument == "?x"


def test_an_action_is_read_once(starter_server: str) -> None:
    class Changes(SQLAction):
        def __getattribute__(self, name: str) -> Any:
            if name == "argument":
                reads.append(name)
                return f"{len(reads)}"
            return super().__getattribute__(name)

    class Two(ConstantPolicy):
        def act(self, observation: SQLObservation) -> SQLAction:
            return Changes(action_type="ANSWER", argument="x")

    reads: list[str] = []
    (episode,) = played(starter_server, lambda: Two("1"), 1).values()
    assert isinstance(episode, Trajectory)
    assert (reads, episode.trajectory[0].argument) == (["argument"], "1")


def test_an_action_that_is_no_text_is_none(starter_server: str) -> None:
    class Wrong(ConstantPolicy):
        def act(self, observation: SQLObservation) -> SQLAction:
            return SQLAction.model_construct(action_type="ANSWER", argument=3, metadata={})

    (episode,) = played(starter_server, lambda: Wrong("1"), 1).values()
    assert isinstance(episode, Trajectory)
    assert episode.fault is not None
    assert episode.fault.kind == "no_action"


def test_an_endpoint_that_is_away_is_no_fault_of_the_policy(starter_server: str) -> None:
    """Played again; told as lost if it stays away; the others are not touched."""
    away: Counter[str] = Counter()

    class Away(RandomPolicy):
        def reset(self, observation: SQLObservation, seed: int) -> None:
            super().reset(observation, seed)
            task = observation.metadata["index"]
            away[task] += 1
            if task == 1 or (task == 2 and away[task] < 3):
                raise EndpointError("the model is away")

    outcomes = played(starter_server, Away, 6, concurrency=3)
    lost = outcomes.pop(Job(1))
    assert isinstance(lost, Lost)
    assert [(fault.source, fault.kind) for fault in lost.faults] == [("connection", "endpoint")] * 3
    assert all(isinstance(episode, Trajectory) and episode.fault is None for episode in outcomes.values())
    assert away[2] == 3
    again = outcomes[Job(2)]
    assert isinstance(again, Trajectory)
    assert [fault.kind for fault in again.failed_tries] == ["endpoint", "endpoint"], "earlier tries are on record"


def test_sixty_four_play_at_once(starter_server: str) -> None:
    """Every one waits in its first action until all are there: it ends only if they are."""
    together = threading.Barrier(64)

    class Waits(ConstantPolicy):
        def act(self, observation: SQLObservation) -> SQLAction:
            together.wait(60)
            return super().act(observation)

    assert len(played(starter_server, lambda: Waits("1"), 128, concurrency=64)) == 128


def test_concurrency_changes_nothing(starter_server: str) -> None:
    def lines(concurrency: int, seed: int = 5) -> list[str]:
        outcomes = played(starter_server, RandomPolicy, 40, concurrency=concurrency, seed=seed)
        return [outcomes[job].to_json() for job in sorted(outcomes)]  # type: ignore[union-attr]

    assert lines(1) == lines(16)
    assert lines(16) != lines(16, seed=6)


def test_a_server_that_is_full_is_shared(starter_server: str) -> None:
    with local_server({"SQL_ENV_DATASET": "starter", "SQL_ENV_MAX_SESSIONS": "3"}) as base_url:
        assert len(played(base_url, RandomPolicy, 40, concurrency=10)) == 40


def test_a_server_that_dies_loses_nothing_that_was_told_and_one_that_returns_goes_on() -> None:
    outcomes: list[Trajectory | Lost] = []
    todo = [Job(index) for index in range(60)]
    with server_process({"SQL_ENV_DATASET": "starter"}) as (process, base_url):

        def tell(outcome: Trajectory | Lost) -> None:
            outcomes.append(outcome)
            if len(outcomes) == 20:
                process.kill()

        setup = Setup(base_url=base_url, selectors=STARTER, make_policy=RandomPolicy, concurrency=8)
        began = time.monotonic()
        with pytest.raises(RolloutError, match="the server went away") as raised:
            asyncio.run(play_all(setup, todo, tell))
        assert time.monotonic() - began < 60
    assert (raised.value.source, raised.value.kind) == ("connection", "unreachable")
    done = {Job(outcome.index or 0) for outcome in outcomes if isinstance(outcome, Trajectory)}
    assert 20 <= len(done) < 60
    assert not [outcome for outcome in outcomes if isinstance(outcome, Lost)]


def test_a_server_that_is_away_for_a_moment_costs_nothing() -> None:
    """Killed in the middle of episodes, and started again at the same address while the workers wait."""
    outcomes: list[Trajectory | Lost] = []
    began = threading.Event()

    class Slow(RandomPolicy):
        def act(self, observation: SQLObservation) -> SQLAction:
            began.set()
            time.sleep(0.05)
            return super().act(observation)

    with ExitStack() as first, ExitStack() as second:
        _, base_url = first.enter_context(server_process({"SQL_ENV_DATASET": "starter"}))
        again = (*COMMAND[:-1], base_url.rpartition(":")[2])

        def restart() -> None:
            began.wait(60)
            first.close()
            second.enter_context(server_process({"SQL_ENV_DATASET": "starter"}, again))

        thread = threading.Thread(target=restart)
        thread.start()
        setup = Setup(base_url=base_url, selectors=STARTER, make_policy=Slow, concurrency=8, retries=5)
        asyncio.run(play_all(setup, [Job(index) for index in range(60)], outcomes.append))
        thread.join()
    assert len({outcome.index for outcome in outcomes if isinstance(outcome, Trajectory)}) == 60


def test_wrong_selectors_are_told_before_anything_is_played(starter_server: str) -> None:
    for selectors, said in (({"split": "nosuch"}, "unknown split"), ({"dataset": "nosuch"}, "unknown data set")):
        with pytest.raises(RolloutError, match=said):
            asyncio.run(first_of(starter_server, selectors))
    with pytest.raises(RolloutError, match="Failed to connect"):
        asyncio.run(first_of("http://127.0.0.1:9", {}))
    assert asyncio.run(first_of(starter_server, STARTER))["num_tasks"] == 348


def test_jobs() -> None:
    assert jobs(3, None, 2, 0) == [Job(0, 0), Job(0, 1), Job(1, 0), Job(1, 1), Job(2, 0), Job(2, 1)]
    assert jobs(100, 10, 1, 7) == jobs(100, 10, 1, 7) != jobs(100, 10, 1, 8)
    assert len(set(jobs(100, 100, 1, 7))) == 100
    for wrong in (0, -1, 101):
        with pytest.raises(ValueError, match="from 1 to 100"):
            jobs(100, wrong, 1, 0)


def test_policy_seeds_are_independent() -> None:
    seeds = {
        policy_seed(seed, f"task-{task}", repeat) for seed in range(5) for task in range(50) for repeat in range(4)
    }
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**31 for seed in seeds)
