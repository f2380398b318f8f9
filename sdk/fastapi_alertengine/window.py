"""What the last minute held: bucket counts and status codes in slices that expire.

Both are counted by key: the bucket of a duration, or `CODES` plus a status code other than 200.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from . import buckets
from .packed import pack, unpack

WINDOW_S = 60
SLICE_S = 5
SLICES = WINDOW_S // SLICE_S
CODES = 1024  # keys from here on are status codes
FAILED = CODES + 500
REFUSED = CODES + 400
STREAMED = CODES + 1  # beside the duration of a long stream: no status, and nothing that is slow
FOLD = 1024  # keys of the open slice that are kept as they came


def key(status: int) -> int:
    """The key of a status code; what is none counts as 599."""
    return CODES + status if 100 <= status <= 999 else CODES + 599


class Slice(NamedTuple):
    """What five seconds held, by bucket and by status code."""

    number: int
    counts: list[tuple[int, int]]
    codes: dict[int, int]


class Window:
    """A rolling minute: `n` requests, `failed` and `refused` of them, `total` dense bucket counts.

    Closed slices lie packed one behind the other, a word of 32 bits a key. Keys of the open slice are
    counted when it closes, or when `total` is asked for.
    """

    __slots__ = (
        "_counted", "_first", "_folded", "_learnt", "_numbers", "_open", "_packed", "_sizes", "_total", "failed", "n",
        "refused",
    )  # fmt: skip

    def __init__(self) -> None:
        self._total = array("H")  # from bucket `_first` on: durations of a route lie close together
        self._first = 0
        self.n = self.failed = self.refused = 0
        self._open = array("H")
        self._counted = 0  # so many of the open keys are in `_total`
        self._folded: Counter[int] | None = None
        self._packed = array("I")
        self._numbers: list[int] = []
        self._sizes: list[int] = []
        self._learnt = 0  # a bit for each closed slice that was learnt from

    def add(self, keys: array[int], n: int, failed: int, refused: int) -> None:
        """Take keys into the open slice; `n` of them are requests."""
        self.n += n
        self.failed += failed
        self.refused += refused
        self._open.extend(keys)
        if len(self._open) > FOLD:
            self._fold()

    @property
    def total(self) -> array[int]:
        """Requests of the minute by bucket."""
        if self._counted < len(self._open):
            self._count(Counter(self._open[self._counted :]))
            self._counted = len(self._open)
        dense = array(self._total.typecode, bytes(self._total.itemsize * buckets.COUNT))
        dense[self._first : self._first + len(self._total)] = self._total
        return dense

    def _count(self, fresh: Counter[int]) -> None:
        if self.n > 0xFFFF and self._total.typecode == "H":
            self._total = array("I", self._total)  # two bytes a bucket suffice for all but the busiest
        counted = [key for key in fresh if key < CODES]
        if counted:
            self._reach(min(counted), max(counted))
        total, first = self._total, self._first
        for key in counted:
            total[key - first] += fresh[key]

    def _reach(self, low: int, high: int) -> None:
        """Make room for counts from bucket `low` to bucket `high`."""
        if not self._total:
            self._first = low
        before, after = self._first - low, high + 1 - self._first - len(self._total)
        if before > 0:
            self._total = array(self._total.typecode, bytes(self._total.itemsize * before)) + self._total
            self._first = low
        if after > 0:
            self._total.frombytes(bytes(self._total.itemsize * after))

    def _fold(self) -> Counter[int]:
        """Counts of the whole open slice, in place of its keys."""
        counts = Counter(self._open)
        if self._counted:
            self._count(Counter(self._open[self._counted :]))
            self._counted = 0
        else:
            self._count(counts)
        del self._open[:]
        if self._folded is not None:
            counts.update(self._folded)
        self._folded = counts
        return counts

    def roll(self, number: int) -> list[Slice]:
        """Begin slice `number`; returns the slices that left the window and were not learnt from."""
        if self._open or self._folded:
            self._close(number - 1)
        gone = []
        while self._numbers and self._numbers[0] <= number - SLICES:
            known = self._learnt >> self._numbers[0] % 64 & 1
            old = self._expire()
            if not known:
                gone.append(old)
        return gone

    def _close(self, number: int) -> None:
        words = pack(self._fold())
        self._packed.extend(words)
        self._folded = None
        self._numbers.append(number)
        self._sizes.append(len(words))
        self._learnt &= ~(1 << number % 64)

    def _expire(self) -> Slice:
        number, size = self._numbers.pop(0), self._sizes.pop(0)
        old = _slice(number, self._packed[:size])
        del self._packed[:size]
        total, first = self._total, self._first
        for bucket, count in old.counts:
            total[bucket - first] -= count
            self.n -= count
        for code, count in old.codes.items():
            if code >= 500:
                self.failed -= count
            elif code >= 400:
                self.refused -= count
        return old

    def learn_last(self) -> Slice | None:
        """The slice closed last, marked as learnt from; None if it was already, or there is none."""
        if not self._numbers:
            return None
        number, size = self._numbers[-1], self._sizes[-1]
        if self._learnt >> number % 64 & 1:
            return None
        self._learnt |= 1 << number % 64
        return _slice(number, self._packed[-size:])

    @property
    def last(self) -> int:
        """The number of the slice closed last, -1 if there is none."""
        return self._numbers[-1] if self._numbers else -1

    def recent(self, since: int) -> tuple[array[int], dict[int, int]]:
        """Dense counts and status codes of the slices from number `since` on, the open one included."""
        words = array("I")
        for number, size in zip(reversed(self._numbers), reversed(self._sizes), strict=True):
            if number >= since:
                end = len(self._packed) - len(words)
                words = self._packed[end - size :]
        seen = Counter(self._open)
        seen.update(self._folded or {})
        for key, count in unpack(words):
            seen[key] += count
        counts = buckets.empty()
        for key, count in seen.items():
            if key < CODES:
                counts[key] = count
        return counts, {key - CODES: count for key, count in seen.items() if key >= CODES}


def _slice(number: int, words: Iterable[int]) -> Slice:
    counts: list[tuple[int, int]] = []
    codes: dict[int, int] = {}
    for key, count in unpack(words):
        if key < CODES:
            counts.append((key, count))
        else:
            codes[key - CODES] = codes.get(key - CODES, 0) + count
    return Slice(number, counts, codes)
