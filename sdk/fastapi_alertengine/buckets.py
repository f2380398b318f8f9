"""Durations in logarithmic buckets: every quantile within 1 % of the exact order statistic."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate
from math import ceil, log

GAMMA = 1.02  # width of a bucket; its middle is off by (GAMMA - 1) / (GAMMA + 1) = 0.99 % at most
FLOOR_S = 1e-5
COUNT = 930  # the last bucket begins at about 16 minutes
TOP = COUNT - 1
SCALE = 1 / FLOOR_S
PER_E = 1 / log(GAMMA)
CEILING_S = FLOOR_S * GAMMA**TOP


def index(seconds: float) -> int:
    """The bucket of a duration in seconds; what is under 10 µs or over 16 min counts as that."""
    if not seconds > FLOOR_S:  # nan too
        return 0
    return int(log(seconds * SCALE) * PER_E) if seconds < CEILING_S else TOP


_VALUES = [FLOOR_S * GAMMA**i * 2 * GAMMA / (GAMMA + 1) for i in range(COUNT)]


def value(bucket: int) -> float:
    """The duration in seconds that stands for a bucket."""
    return _VALUES[bucket]


def quantiles(counts: array[int], wanted: Iterable[float]) -> list[float]:
    """Nearest-rank quantiles, in seconds, of dense bucket counts; zeros where nothing was counted."""
    raw = counts.tobytes()
    end = -(-len(raw.rstrip(b"\0")) // counts.itemsize)
    if not end:
        return [0.0 for _ in wanted]
    first = (len(raw) - len(raw.lstrip(b"\0"))) // counts.itemsize
    seen = list(accumulate(counts[first:end]))
    return [_VALUES[first + bisect_left(seen, max(1, ceil(q * seen[-1] - 1e-9)))] for q in wanted]


def empty() -> array[int]:
    """Dense counts of nothing."""
    return array("I", bytes(4 * COUNT))
