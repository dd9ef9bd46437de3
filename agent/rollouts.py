"""Many episodes at once: bounded concurrency, faults attributed, nothing lost that was finished.

Each of the workers has a session of its own on the server and a policy on a thread of its own. An episode that the
server or the connection fails is played again on a fresh session; one that fails each time is told as ``Lost`` and does
not count. A policy's own failure is an outcome, not a loss (agent/faults.py).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sql_env.agent.faults import Fault, RolloutError
from sql_env.agent.jobs import Job as Job
from sql_env.agent.jobs import Lost as Lost
from sql_env.agent.jobs import job_of as job_of
from sql_env.agent.jobs import jobs as jobs
from sql_env.agent.policies import Policy
from sql_env.agent.policy_thread import PolicyThread
from sql_env.agent.rollout import Recording, attributed, forfeit, play_on, policy_seed
from sql_env.agent.trajectory import Trajectory
from sql_env.client import SQLEnvClient

WAITS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds between tries to connect; after the last one the server is gone."""
POLICY_SECONDS = 600.0
"""How long a policy may take for one action, unless something else is said."""
FULL_TRIES, FULL_SECONDS = 30, 2.0
"""How often, and after how many seconds each, a place is asked for on a server that has none."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Where and how to play.

    Attributes:
        base_url: the server.
        selectors: keywords for reset that all episodes share, such as ``dataset`` and ``split``.
        make_policy: makes a policy; called once for each worker, and again after a policy was silent for too long.
        concurrency: sessions at once.
        seed: decides the policy's chance, for each task, try and variant on its own.
        policy_seconds: how long a policy may take for one action; None for no limit.
        message_seconds: how long the server may take for one answer.
        retries: how often an episode is played again that the server or the connection failed.
        prompt: version of the prompt texts, for the record.
    """

    base_url: str
    selectors: dict[str, Any]
    make_policy: Callable[[], Policy]
    concurrency: int = 16
    seed: int = 0
    policy_seconds: float | None = POLICY_SECONDS
    message_seconds: float = 60.0
    retries: int = 2
    prompt: str | None = None


Told = Callable[[Trajectory | Lost], None]


async def play_all(setup: Setup, jobs: Iterable[Job], tell: Told) -> None:
    """Play every job; ``tell`` gets each outcome as it comes, in no fixed order.

    Raises:
        RolloutError: the server is gone, or loses one episode after the other. What was told stays told.
    """
    waiting = deque(jobs)
    crew = _Crew(setup, waiting, tell)
    workers = setup.concurrency
    while waiting:  # again, if a worker gave a job back after the others had ended
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(workers, len(waiting))):
                    group.create_task(crew.work())
        except* RolloutError as errors:
            raise errors.exceptions[0] from None
        workers = 1


async def collect(setup: Setup, todo: Iterable[Job]) -> tuple[list[Trajectory], list[Lost]]:
    """Play every job; return the episodes and what was lost, sorted by task and try.

    Raises:
        RolloutError: see ``play_all``; what was played until then is gone (agent/run_folder.py keeps it).
    """
    outcomes: list[Trajectory | Lost] = []
    await play_all(setup, todo, outcomes.append)
    played = [outcome for outcome in outcomes if isinstance(outcome, Trajectory)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, Lost)]
    return sorted(played, key=job_of), sorted(lost, key=lambda outcome: outcome.job)


async def first_of(base_url: str, selectors: dict[str, Any]) -> dict[str, Any]:
    """Return what the first observation of a split's first task tells: data set, split, task id, number of tasks.

    Raises:
        RolloutError: the server cannot be reached or refuses the selectors; the message says why.
    """
    for waited in range(FULL_TRIES + 1):
        try:
            return await _ask_first(base_url, selectors)
        except RolloutError as error:
            if error.kind != "full" or waited == FULL_TRIES:
                raise
            await asyncio.sleep(FULL_SECONDS)
    raise AssertionError


async def _ask_first(base_url: str, selectors: dict[str, Any]) -> dict[str, Any]:
    client = SQLEnvClient(base_url=base_url)
    try:
        with attributed(f"no server answers at {base_url} (make serve starts one)"):
            await client.connect()
        with attributed():
            observation = (await client.reset(**selectors, index=0)).observation
            told = dict(observation.metadata)
            Recording("", observation, 0)
            if type(told["num_tasks"]) is not int or told["num_tasks"] < 1:
                raise ValueError("num_tasks")
    finally:
        await client.close()
    return told


@dataclass
class _Crew:
    """The workers and what they share."""

    setup: Setup
    waiting: deque[Job]
    tell: Told
    playing: int = 0
    lost_in_a_row: int = 0
    refused: int = 0
    name: str = ""

    async def work(self) -> None:
        player = PolicyThread(self.setup.make_policy, self.setup.policy_seconds)
        self.name = self.name or player.name
        session = _Session(self.setup, self.name)
        try:
            while self.waiting:
                job = self.waiting.popleft()
                if not await self._played(job, player, session):
                    self.waiting.append(job)
                    return
        finally:
            player.close()
            await session.drop()

    async def _played(self, job: Job, player: PolicyThread, session: "_Session") -> bool:
        """Play a job and tell its outcome; return False if the server has no place for this worker."""
        faults: list[Fault] = []
        forfeited: Fault | None = None
        while True:
            self.playing += 1
            try:
                episode = await session.play(job, player, forfeited)
                episode.failed_tries = faults
                self._tell(episode)
                return True
            except RolloutError as error:
                await session.drop()
                if error.kind == "unreachable":
                    raise
                if error.kind == "full":
                    if self.playing > 1:  # those who have a place play this job, too
                        return False
                    await self._wait_for_a_place()
                    continue
                forfeited = error.forfeited
                faults.append(error.fault(session.steps))
            finally:
                self.playing -= 1
            if len(faults) > self.setup.retries or faults[-1].kind == "refused":
                self._tell(Lost(job, faults))
                return True
            await asyncio.sleep(WAITS[min(len(faults), len(WAITS) - 1)])

    async def _wait_for_a_place(self) -> None:
        self.refused += 1
        if self.refused > FULL_TRIES:
            raise RolloutError("environment", "full", "the server has no place for a session: try again later")
        await asyncio.sleep(FULL_SECONDS)

    def _tell(self, outcome: Trajectory | Lost) -> None:
        self.tell(outcome)
        self.refused = 0
        if not isinstance(outcome, Lost):
            self.lost_in_a_row = 0
            return
        self.lost_in_a_row += 1
        if self.lost_in_a_row >= max(20, 2 * self.setup.concurrency):
            last = outcome.faults[-1]
            raise RolloutError(
                last.source, last.kind, f"{self.lost_in_a_row} episodes were lost, at last: {last.message}"
            )


def _chosen(job: Job) -> dict[str, int]:
    """Return a job's keywords for reset; servers of older versions know no variants."""
    return {"index": job.index} | ({"variant": job.variant} if job.variant else {})


class _Session:
    """A worker's place on the server, opened when it is needed."""

    def __init__(self, setup: Setup, policy: str) -> None:
        self._setup, self._policy = setup, policy
        self._client: SQLEnvClient | None = None
        self.steps = 0

    async def play(self, job: Job, player: PolicyThread, forfeited: Fault | None = None) -> Trajectory:
        """Play a job; or only give it up, if the policy has failed and the server failed while it was given up."""
        setup, self.steps = self._setup, 0
        client = self._client or await self._connect()
        with attributed():
            first = (await client.reset(**setup.selectors, **_chosen(job))).observation
            seed = policy_seed(setup.seed, first.metadata["task_id"], job.repeat, job.variant)
        recording = Recording(self._policy, first, seed, job.repeat, setup.prompt)
        if recording.played.index != job.index:
            raise RolloutError("environment", "failed", f"the server gave another task than number {job.index}")
        if recording.played.variant != job.variant:
            raise RolloutError("environment", "refused", f"the server knows no variant {job.variant} of this task")
        try:
            if forfeited is not None:
                return await forfeit(client, recording, forfeited)
            return await play_on(client, player, first, recording)
        finally:
            self.steps = len(recording.played.trajectory)

    async def _connect(self) -> SQLEnvClient:
        said = ""
        for wait in (*WAITS, None):
            client = SQLEnvClient(base_url=self._setup.base_url, message_timeout_s=self._setup.message_seconds)
            try:
                with attributed():
                    await client.connect()
            except RolloutError as error:
                said = str(error)
                await client.close()
            else:
                self._client = client
                return client
            if wait is not None:
                await asyncio.sleep(wait)
        raise RolloutError("connection", "unreachable", said)

    async def drop(self) -> None:
        """Close the session, if it can be closed."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # a session that failed may fail to close, too
                await client.close()
