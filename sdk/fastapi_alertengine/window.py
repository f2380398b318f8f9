"""What the last minute held: bucket counts and status codes in slices that expire."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping

from . import buckets

WINDOW_S = 60
SLICE_S = 5
SLICES = WINDOW_S // SLICE_S
_SHIFT = 22  # a packed entry is bucket << 22 | count


class Slice:
    """Counts of one closed slice, packed: one 32-bit word a bucket."""

    __slots__ = ("codes", "learnt", "number", "packed")

    def __init__(self, number: int, counts: Mapping[int, int], codes: dict[int, int]) -> None:
        self.number = number
        self.learnt = False
        top = (1 << _SHIFT) - 1
        self.packed = array("I", [bucket << _SHIFT | min(count, top) for bucket, count in counts.items()])
        self.codes = codes

    def counts(self) -> list[tuple[int, int]]:
        mask = (1 << _SHIFT) - 1
        return [(word >> _SHIFT, word & mask) for word in self.packed]


class Window:
    """A rolling minute. `n` requests, `codes` other than 200, `total` dense bucket counts."""

    __slots__ = ("_closed", "_codes", "_counts", "codes", "failed", "n", "refused", "total")

    def __init__(self) -> None:
        self.total = array("H", bytes(2 * buckets.COUNT))
        self.codes: dict[int, int] = {}
        self.n = self.failed = self.refused = 0
        self._closed: list[Slice] = []
        self._counts: Counter[int] = Counter()
        self._codes: dict[int, int] = {}

    def add(self, counts: Mapping[int, int], codes: Mapping[int, int]) -> None:
        """Take counts by bucket and by status code into the open slice."""
        mine = self._counts
        for bucket, count in counts.items():
            mine[bucket] += count
            self.n += count
        self._sum(counts)
        self._tell(codes, 1)
        for known in (self._codes, self.codes):
            for code, count in codes.items():
                known[code] = known.get(code, 0) + count

    def _sum(self, counts: Mapping[int, int]) -> None:
        """Two bytes a bucket suffice for all but the busiest routes."""
        if self.n > 0xFFFF and self.total.typecode == "H":
            self.total = array("I", self.total)
        total = self.total
        for bucket, count in counts.items():
            total[bucket] += count

    def _tell(self, codes: Mapping[int, int], sign: int) -> None:
        for code, count in codes.items():
            if code >= 500:
                self.failed += sign * count
            elif code >= 400:
                self.refused += sign * count

    def roll(self, number: int) -> list[Slice]:
        """Begin slice `number`; returns the slices that left the window."""
        if self._counts or self._codes:
            self._closed.append(Slice(number - 1, self._counts, self._codes))
            self._counts, self._codes = Counter(), {}
        gone = []
        while self._closed and self._closed[0].number <= number - SLICES:
            gone.append(self._expire(self._closed.pop(0)))
        return gone

    def _expire(self, old: Slice) -> Slice:
        for bucket, count in old.counts():
            self.total[bucket] -= count
            self.n -= count
        self._tell(old.codes, -1)
        for code, count in old.codes.items():
            left = self.codes[code] - count
            if left:
                self.codes[code] = left
            else:
                del self.codes[code]
        return old

    def statuses(self) -> dict[str, int]:
        """Counts by status code, 200 included."""
        told = {str(code): count for code, count in sorted(self.codes.items())}
        plain = self.n - sum(self.codes.values())
        return {"200": plain, **told} if plain else told

    def recent(self, since: int) -> tuple[array[int], dict[int, int]]:
        """Dense counts and status codes of the slices from number `since` on, the open one included."""
        counts, codes = buckets.empty(), dict(self._codes)
        for bucket, count in self._counts.items():
            counts[bucket] += count
        for one in self._closed:
            if one.number >= since:
                for bucket, count in one.counts():
                    counts[bucket] += count
                for code, count in one.codes.items():
                    codes[code] = codes.get(code, 0) + count
        return counts, codes

    def last_closed(self) -> Slice | None:
        return self._closed[-1] if self._closed else None
