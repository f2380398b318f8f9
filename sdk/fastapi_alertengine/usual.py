"""What is usual for one route: distribution of durations and shares of errors, slowly forgotten.

Two memories: an hour or two, so that a slow drift is followed, and a day, so that what was
normal this morning does not alarm tonight.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from math import sqrt

from . import buckets

HALF_LIVES_S = (90 * 60.0, 24 * 3600.0)
STEP = 4  # fine buckets in a coarse one: 8 % wide, enough to tell slow from usual
COUNT = buckets.COUNT // STEP + 1
FORGET_EVERY_S = 240.0
PEAK_HALF_LIFE_S = 3 * 24 * 3600.0
PEAK_WEIGHT = 300.0


class Memory:
    """Decayed counts with one half-life; weights are requests."""

    __slots__ = ("counts", "errors", "half_life_s", "refused", "weight")

    def __init__(self, half_life_s: float) -> None:
        self.half_life_s = half_life_s
        self.counts = array("f", bytes(4 * COUNT))
        self.weight = self.errors = self.refused = 0.0

    def learn(self, counts: Iterable[tuple[int, int]], errors: int, refused: int) -> None:
        for bucket, count in counts:
            self.counts[bucket // STEP] += count
            self.weight += count
        self.errors += errors
        self.refused += refused

    def forget(self, passed_s: float) -> None:
        keep = 0.5 ** (passed_s / self.half_life_s)
        self.weight *= keep
        self.errors *= keep
        self.refused *= keep
        self.counts = array("f", [count * keep for count in self.counts])

    def quantile(self, q: float, sure: float = 0.0) -> float:
        """Seconds, the upper edge of a bucket; `sure` standard errors on the safe side. 0 if unknown."""
        return self.quantiles((q, sure))[0]

    def quantiles(self, *wanted: tuple[float, float]) -> list[float]:
        """The same for several pairs of `q` and `sure` at once."""
        if self.weight <= 0:
            return [0.0 for _ in wanted]
        seen = list(accumulate(self.counts))
        told = []
        for q, sure in wanted:
            above = (1 - q) * self.weight
            above = max(0.0, above - sure * sqrt(above * q))
            place = min(bisect_left(seen, (1 - 1e-9) * (seen[-1] - above)), COUNT - 1)
            told.append(buckets.value(min(place * STEP + STEP - 1, buckets.TOP)))
        return told

    def over(self, limit: int) -> float:
        """The weight of requests in buckets over `limit`, the last fine bucket of a coarse one."""
        return sum(self.counts[limit // STEP + 1 :])


def together(memories: Iterable[Memory]) -> Memory:
    """How long requests of all of them take."""
    known = [memory for memory in memories if memory.weight > 0]
    whole = Memory(HALF_LIVES_S[0])
    whole.weight = sum(memory.weight for memory in known)
    whole.counts = array("f", map(sum, zip(*(memory.counts for memory in known), strict=True)))
    return whole


class Usual:
    """Both memories of one route."""

    __slots__ = ("_since", "day", "hours", "peak")

    def __init__(self) -> None:
        self.hours, self.day = (Memory(half_life) for half_life in HALF_LIVES_S)
        self._since: float | None = None
        self.peak = 0.0  # the highest 95th percentile of about the last day, seconds

    def learn(self, now: float, counts: list[tuple[int, int]], errors: int, refused: int) -> None:
        """Take in counts by fine bucket; `now` in seconds."""
        self._forget(now)
        self.hours.learn(counts, errors, refused)
        self.day.learn(counts, errors, refused)

    def _forget(self, now: float) -> None:
        if self._since is None:
            self._since = now
        if now - self._since >= FORGET_EVERY_S:
            self.hours.forget(now - self._since)
            self.day.forget(now - self._since)
            self.peak *= 0.5 ** ((now - self._since) / PEAK_HALF_LIFE_S)
            if self.hours.weight >= PEAK_WEIGHT:
                self.peak = max(self.peak, self.hours.quantile(0.95))
            self._since = now

    @property
    def weight(self) -> float:
        return self.day.weight


class Pace:
    """Successful requests a second, over about the last seven minutes."""

    __slots__ = ("_at", "_n", "_span")

    HALF_LIFE_S = 300.0

    def __init__(self) -> None:
        self._at: float | None = None
        self._n = self._span = 0.0

    def learn(self, now: float, n: float, span_s: float) -> None:
        """`n` successes were seen in the `span_s` seconds of a slice; time without any counts too."""
        passed = span_s if self._at is None else max(span_s, now - self._at)
        self._at = now
        keep = 0.5 ** (passed / self.HALF_LIFE_S)
        self._n = self._n * keep + n
        self._span = self._span * keep + passed

    @property
    def rate(self) -> float:
        return self._n / self._span if self._span else 0.0
