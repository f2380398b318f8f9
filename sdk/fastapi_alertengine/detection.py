"""The judgement: for each second, how much what happened speaks against what is usual."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from . import buckets
from .cells import Cell
from .cusum import CAP, CLIP, THRESHOLD, Cusum, gain

PRIOR_ERRORS = 0.002
PRIOR_WEIGHT = 200.0
KNOWN = 40.0  # requests before a route's durations mean anything


class Tally(NamedTuple):
    """One second of one route."""

    cell: Cell
    n: float
    slow: float
    errors: float
    refused: float


@dataclass
class Finding:
    """An open alarm. `usual` and `level` are shares of requests; `since` monotonic seconds."""

    type: str
    route: str | None
    since: float
    usual: float
    level: float
    seen: float = 0.0
    hits: float = 0.0
    calm: float = 0.0
    touched: float = 0.0

    def take(self, now: float, hits: float, n: float) -> None:
        """Weigh a second: enough evidence for the usual share ends the alarm."""
        self.touched = now
        self.hits, self.seen = 0.9 * self.hits + hits, 0.9 * self.seen + n
        step = -gain(hits, n, self.usual, max(self.level, min(0.8, 0.7 * self.share)))
        self.calm = max(0.0, self.calm + min(CLIP, step))

    @property
    def share(self) -> float:
        return self.hits / self.seen if self.seen else 0.0

    def over(self, now: float) -> bool:
        return (self.calm >= 4.0 and now - self.since >= 10) or now - self.touched > 480


class Track:
    """Tests of one share (errors or slow requests) of one route or of all together."""

    __slots__ = ("bank", "floors")

    def __init__(self, floors: tuple[float, ...]) -> None:
        self.floors = floors
        self.bank = [Cusum() for _ in floors]

    def levels(self, p0: float) -> list[float]:
        return [min(0.9, max(floor, (4.0, 8.0, 16.0)[i] * p0)) for i, floor in enumerate(self.floors)]

    def gains(self, hits: float, n: float, p0: float) -> list[float]:
        return [gain(hits, n, p0, p1) for p1 in self.levels(p0)]

    def take(self, gains: Iterable[float]) -> None:
        for test, step in zip(self.bank, gains, strict=True):
            test.take(step)

    @property
    def value(self) -> float:
        return max(test.value for test in self.bank)

    def reset(self) -> None:
        for test in self.bank:
            test.value = 0.0


ERROR_FLOORS = (0.02, 0.1, 0.5)
SLOW_FLOORS = (0.06, 0.3)


def error_share(cell: Cell) -> float:
    """The usual share of errors of a route, with a prior that speaks while little is known."""
    usual = cell.usual
    return min(0.5, (usual.errors + PRIOR_ERRORS * PRIOR_WEIGHT) / (usual.weight + PRIOR_WEIGHT))


def slow_limit(cell: Cell) -> int | None:
    """The bucket over which a request of this route is slow; None while too little is known."""
    if cell.usual.weight < KNOWN or not cell.matched:
        return None
    q95 = cell.usual.quantile(0.95)
    return buckets.index(max(1.5 * q95, q95 + 0.030))


def slow_share(cell: Cell, limit: int) -> float:
    usual = cell.usual
    return min(0.5, (usual.share_over(limit) + 1.0) / (usual.weight + 100.0))


class Judge:
    """All tests of one service. `step` once a second; `findings` are the open alarms."""

    def __init__(self) -> None:
        self._tracks: dict[tuple[str, str | None], Track] = {}
        self.findings: dict[tuple[str, str | None], Finding] = {}

    def step(self, now: float, tallies: list[Tally]) -> None:
        """Weigh one second of all routes that had any request."""
        self._share(
            now,
            "error_anomaly",
            ERROR_FLOORS,
            [(t.cell, t.errors, t.n, error_share(t.cell)) for t in tallies],
        )
        slow = [
            (t.cell, t.slow, t.n, slow_share(t.cell, t.cell.limit))
            for t in tallies
            if t.cell.limit is not None
        ]
        self._share(now, "latency_spike", SLOW_FLOORS, slow)
        for key in [key for key, finding in self.findings.items() if finding.over(now)]:
            del self.findings[key]
            self._tracks[key].reset()

    def _share(
        self, now: float, kind: str, floors: tuple[float, ...], rows: list[tuple[Cell, float, float, float]]
    ) -> None:
        pooled = [0.0] * len(floors)
        weight = 0.0
        for cell, hits, n, p0 in rows:
            track = self._track(kind, cell.label, floors)
            steps = track.gains(hits, n, p0)
            self._weigh(now, (kind, cell.label), track, steps, hits, n, p0)
            pooled = [a + b for a, b in zip(pooled, steps, strict=True)]
            weight += n * p0
        total = sum(row[2] for row in rows)
        if total:
            track = self._track(kind, None, floors)
            hits = sum(row[1] for row in rows)
            self._weigh(now, (kind, None), track, pooled, hits, total, weight / total)

    def _weigh(
        self,
        now: float,
        key: tuple[str, str | None],
        track: Track,
        steps: list[float],
        hits: float,
        n: float,
        p0: float,
    ) -> None:
        track.take(steps)
        finding = self.findings.get(key)
        if finding is not None:
            finding.take(now, hits, n)
        elif track.value >= THRESHOLD:
            i = max(range(len(track.bank)), key=lambda i: track.bank[i].value)
            self.findings[key] = finding = Finding(key[0], key[1], now, p0, track.levels(p0)[i])
            finding.take(now, hits, n)

    def _track(self, kind: str, label: str | None, floors: tuple[float, ...]) -> Track:
        track = self._tracks.get((kind, label))
        if track is None:
            track = self._tracks[kind, label] = Track(floors)
        return track

    def suspicion(self, kind: str) -> float:
        """0 to 1: how near the strongest test of a kind is to its threshold."""
        values = [track.value for (one, _), track in self._tracks.items() if one == kind]
        return min(1.0, max(values, default=0.0) / THRESHOLD)

    @property
    def alarmed(self) -> bool:
        return bool(self.findings)

    @property
    def doubtful(self) -> bool:
        """Whether any test is far enough up that what comes in may not be usual."""
        return self.alarmed or any(track.value > CAP / 5 for track in self._tracks.values())
