"""Memory with an end: what may be forgotten is, the oldest first."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

KEPT = 10_000


class Bounded(dict[K, V]):
    """A dict of at most `KEPT` entries."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > KEPT:
            del self[next(iter(self))]
