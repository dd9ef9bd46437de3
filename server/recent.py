"""A memory of what was asked for last, bounded by the sum of sizes."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """What was asked for last, up to a bound on the sum of its sizes; more than the bound holds one thing at least."""

    def __init__(self, bound: int, size: Callable[[V], int] = lambda _: 1) -> None:
        self._bound, self._size = bound, size
        self._held: OrderedDict[K, V] = OrderedDict()
        self._total = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K) -> V | None:
        """Return what is held under a key."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: K, value: V) -> V:
        """Hold a value, in the place of one that had its key."""
        with self._lock:
            if key in self._held:
                self._total -= self._size(self._held.pop(key))
            self._held[key] = value
            self._total += self._size(value)
            while self._total > self._bound and len(self._held) > 1:
                self._total -= self._size(self._held.popitem(last=False)[1])
        return value
