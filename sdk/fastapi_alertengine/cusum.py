"""Sequential likelihood-ratio tests: how much the evidence speaks for a fault, in nats."""

from __future__ import annotations

from math import log

THRESHOLD = 10.0
CLIP = THRESHOLD / 3  # of one second: at least three bad seconds, so that one clump cannot fire
CAP = THRESHOLD + 5.0


class Cusum:
    """Evidence that a share rose from `p0` to a level of `p1`; never under 0, bounded above."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def take(self, gain: float) -> None:
        gain = max(-CLIP, min(CLIP, gain))
        self.value = max(0.0, min(CAP, self.value + gain))


def gain(hits: float, n: float, p0: float, p1: float) -> float:
    """Log likelihood ratio of `hits` in `n` under share p1 against share p0."""
    return hits * log(p1 / p0) + (n - hits) * log((1 - p1) / (1 - p0))
