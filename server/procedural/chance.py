"""Chance that is the same on every machine, in every version of Python, for ever."""

import hashlib
import random
from collections.abc import Iterable, MutableSequence, Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """A stream of random numbers that a text decides.

    Python promises one thing about ``random`` for all its versions: that ``Random(n).random()`` gives the same
    sequence for the same integer. Everything here is built on that, and on sums and products, which are exact.

    Args:
        key: decides the stream; other keys give independent ones.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self.random = random.Random(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])).random

    def fork(self, name: str) -> "Chance":
        """Return another stream, which does not depend on what was drawn from this one."""
        return Chance(f"{self._key}/{name}")

    def below(self, n: int) -> int:
        """Return an integer from 0 to n − 1."""
        return int(self.random() * n)

    def between(self, low: int, high: int) -> int:
        """Return an integer from low to high."""
        return low + int(self.random() * (high - low + 1))

    def happens(self, share: float) -> bool:
        """Return True in this share of cases."""
        return self.random() < share

    def choice(self, items: Sequence[T]) -> T:
        """Return one item."""
        return items[int(self.random() * len(items))]

    def weighted(self, items: Sequence[T], weights: Iterable[float]) -> T:
        """Return one item, each as often as its weight says."""
        weights = list(weights)
        at = self.random() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            at -= weight
            if at < 0:
                return item
        return items[-1]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Bring items into a random order."""
        for i in range(len(items) - 1, 0, -1):
            j = int(self.random() * (i + 1))
            items[i], items[j] = items[j], items[i]

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """Return the items in a random order."""
        found = list(items)
        self.shuffle(found)
        return found

    def sample(self, items: Sequence[T], k: int) -> list[T]:
        """Return k of the items, none twice, in a random order; all of them if there are no more."""
        return self.shuffled(items)[:k]
