"""What is usual for one route: a slowly forgetting distribution of durations and rate of errors."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate

from . import buckets

HALF_LIFE_S = 90 * 60.0
STEP = 4  # fine buckets in a coarse one: 8 % wide, enough to tell slow from usual
COUNT = buckets.COUNT // STEP + 1


class Usual:
    """Decayed counts; weights are requests."""

    __slots__ = ("_scale", "_since", "counts", "errors", "refused", "weight")

    def __init__(self) -> None:
        self.counts = array("d", bytes(8 * COUNT))
        self.weight = 0.0
        self.errors = 0.0
        self.refused = 0.0
        self._since = 0.0
        self._scale = 1.0

    def learn(self, now: float, counts: Iterable[tuple[int, int]], codes: Mapping[int, int]) -> None:
        """Take in counts by fine bucket and status codes; `now` in seconds."""
        self._forget(now)
        for bucket, count in counts:
            self.counts[bucket // STEP] += count
            self.weight += count
        for code, count in codes.items():
            if code >= 500:
                self.errors += count
            elif code >= 400:
                self.refused += count

    def _forget(self, now: float) -> None:
        passed = now - self._since
        if self.weight and passed < 60:
            return
        keep = 0.5 ** (passed / HALF_LIFE_S) if self.weight else 1.0
        self._since = now
        self.weight *= keep
        self.errors *= keep
        self.refused *= keep
        if keep < 1:
            self.counts = array("d", [count * keep for count in self.counts])

    def quantile(self, q: float) -> float:
        """A duration in seconds, the upper edge of its bucket; 0 where nothing is known."""
        if self.weight <= 0:
            return 0.0
        seen = list(accumulate(self.counts))
        place = min(bisect_left(seen, q * seen[-1]), COUNT - 1)
        return buckets.value(min(place * STEP + STEP - 1, buckets.TOP))

    def share_over(self, limit: int) -> float:
        """The weight of requests in buckets over `limit` (a fine bucket)."""
        return sum(self.counts[limit // STEP + 1 :])
