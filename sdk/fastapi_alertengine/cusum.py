"""Sequential likelihood-ratio tests: how much the evidence speaks for a fault, in nats."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

THRESHOLD = 13.0
CLIP = THRESHOLD / 3  # of one second: at least three bad seconds, so that one clump cannot fire
CAP = THRESHOLD + 2.0
FIRES = THRESHOLD - 1e-6
WARNS = 0.7 * THRESHOLD

Weights = tuple[tuple[float, float], ...]  # for each alternative: nats for a hit, nats for a miss


def weights(p0: float, levels: Sequence[float]) -> Weights:
    """Log likelihood ratios of one observation for a share of each level against the share `p0`."""
    return tuple((log(p1 / p0), log((1 - p1) / (1 - p0))) for p1 in levels)


class Bank:
    """Evidence that a share rose, against several alternatives; never under 0, bounded above.

    `began` is when the strongest one last left 0: the likeliest time of the change.
    """

    __slots__ = ("_began", "values")

    def __init__(self, alternatives: int) -> None:
        self.values = [0.0] * alternatives
        self._began = [0.0] * alternatives

    def take(self, now: float, gains: Sequence[float]) -> None:
        """Add what one second said."""
        values = self.values
        for i, gain in enumerate(gains):
            old = values[i]
            new = old + (CLIP if gain > CLIP else gain)
            if new <= 0.0:
                values[i] = 0.0
            else:
                values[i] = new if new < CAP else CAP
                if old <= 0.0:
                    self._began[i] = now - 1.0

    @property
    def value(self) -> float:
        return max(self.values)

    @property
    def strongest(self) -> int:
        return self.values.index(max(self.values))

    @property
    def began(self) -> float:
        return self._began[self.strongest]

    def reset(self) -> None:
        self.values = [0.0] * len(self.values)
