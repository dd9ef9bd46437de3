"""How many replicas a number of rollouts an hour needs: arithmetic for the mean, a simulation for what waits.

A replica is modelled as it is built: one event loop, which takes a step after the other in order of arrival, and one
worker process for statements beyond the inline budget, which takes them one at a time. Sessions stay on the replica to
which a balancer gave them, the one with the fewest. What is simulated is that queueing, not SQLite and not the network.
"""

import heapq
import itertools
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Costs:
    """What things take, as measured.

    Attributes:
        step: seconds of the event loop for a step, its share of the reset included.
        heavy_share: share of steps whose statement goes to the worker.
        heavy: mean seconds of the worker for one of them.
        session_bytes: memory of an open session.
        base_bytes: memory of a replica without sessions.
    """

    step: float = 140e-6
    heavy_share: float = 0.01
    heavy: float = 0.04
    session_bytes: float = 52 * 2**10
    base_bytes: float = 150 * 2**20


@dataclass(frozen=True)
class Demand:
    """What trainers ask for.

    Attributes:
        rollouts: an hour.
        turns: steps of a rollout, its reset counted as one.
        think: seconds of the model between two steps.
        group: rollouts that begin at the same moment, as a trainer's batch does.
    """

    rollouts: float
    turns: int = 9
    think: float = 2.0
    group: int = 64

    @property
    def steps(self) -> float:
        """Steps a second."""
        return self.rollouts * self.turns / 3600

    @property
    def sessions(self) -> float:
        """Sessions open at once, by Little's law: arrivals a second × seconds that each lasts."""
        return self.rollouts / 3600 * self.turns * self.think


@dataclass(frozen=True)
class Plan:
    """What a demand needs.

    Attributes:
        loops: event loops that it keeps busy, each a core.
        workers: workers that it keeps busy, each a core.
        replicas: replicas, so that neither is busier than ``busy``.
        memory: bytes, all replicas together.
    """

    loops: float
    workers: float
    replicas: int
    memory: float


def plan(demand: Demand, costs: Costs, busy: float = 0.5) -> Plan:
    """Return what a demand needs on the mean.

    Args:
        demand: what is asked for.
        costs: what it takes.
        busy: how much of its time a loop or a worker may be busy; what is beyond is left for bursts.
    """
    loops = demand.steps * costs.step
    workers = demand.steps * costs.heavy_share * costs.heavy
    replicas = max(1, -int(-max(loops, workers) // busy))
    return Plan(loops, workers, replicas, replicas * costs.base_bytes + demand.sessions * costs.session_bytes)


@dataclass(frozen=True)
class Waits:
    """What a simulation saw, in seconds from a step's arrival to its answer.

    Attributes:
        p50: median.
        p99: 99th percentile.
        worst: longest.
        loop: share of its time that a loop was busy, on the mean.
        worker: share of its time that a worker was busy, on the mean.
        most: most sessions on a replica at once.
    """

    p50: float
    p99: float
    worst: float
    loop: float
    worker: float
    most: int


def simulate(demand: Demand, costs: Costs, replicas: int, seconds: float = 60.0, seed: int = 0) -> Waits:
    """Simulate trainers at work, one batch after another at random moments, and return what steps waited.

    Service times are exponential with the means of ``costs``; pauses are drawn evenly from half to one and a half of
    ``demand.think``. The first third of the time only fills the replicas.

    Args:
        demand: what is asked for.
        costs: what it takes.
        replicas: how many share it.
        seconds: how long.
        seed: makes the same simulation again.
    """
    rng, number = random.Random(seed), itertools.count()
    free = {"loop": [0.0] * replicas, "worker": [0.0] * replicas}  # when each has done what it was given
    busy = {"loop": 0.0, "worker": 0.0}
    held, most, waited = [0] * replicas, 0, []
    steps: list[tuple[float, int, int, int]] = []  # (when, a number that breaks ties, replica, steps left)
    for began in _batches(rng, demand, seconds):
        heapq.heappush(steps, (began, next(number), -1, demand.turns))

    def take(kind: str, replica: int, now: float, mean: float) -> float:
        took = rng.expovariate(1 / mean)
        busy[kind] += took
        free[kind][replica] = max(now, free[kind][replica]) + took
        return free[kind][replica]

    while steps:
        now, _, replica, left = heapq.heappop(steps)
        if replica < 0:  # a batch: its sessions open now, each where the fewest are
            for _ in range(demand.group):
                replica = min(range(replicas), key=held.__getitem__)
                held[replica] += 1
                heapq.heappush(steps, (now, next(number), replica, left))
            most = max(most, *held)
            continue
        done = take("loop", replica, now, costs.step)
        if rng.random() < costs.heavy_share:
            done = take("worker", replica, done, costs.heavy)
        if now > seconds / 3:
            waited.append(done - now)
        if left == 1:
            held[replica] -= 1
        elif done < seconds:
            pause = demand.think * (0.5 + rng.random())
            heapq.heappush(steps, (done + pause, next(number), replica, left - 1))
    cuts = statistics.quantiles(waited, n=100, method="inclusive")
    shares = {kind: total / replicas / seconds for kind, total in busy.items()}
    return Waits(cuts[49], cuts[98], max(waited), most=most, **shares)


def _batches(rng: random.Random, demand: Demand, seconds: float) -> Iterator[float]:
    """When batches begin: at random, as those of trainers that know nothing of each other."""
    now = 0.0
    while (now := now + rng.expovariate(demand.rollouts / 3600 / demand.group)) < seconds:
        yield now
