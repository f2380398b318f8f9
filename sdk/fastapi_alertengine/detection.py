"""The judgement: for each second, how much what happened speaks against what is usual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .cells import Cell
from .cusum import THRESHOLD
from .finding import Finding
from .flow import Flow
from .shares import ERRORS, LATENCY, REFUSED, SHARES, Share, Terms
from .trial import Trial

DOUBT = 0.3 * THRESHOLD
DISBELIEF = 0.5 * THRESHOLD
PATIENCE_S = 1800.0
COLD_S = 30.0  # after a start, slowness is not held against a service
COLD_ONSET_S = 6.0
Key = tuple[Share, Cell | None]


class Tally(NamedTuple):
    """One second of one route: requests, and by `place` of a share those that speak for a fault."""

    cell: Cell
    n: float
    errors: float
    slow: float
    crawl: float
    refused: float

    def hits(self, share: Share) -> float:
        return (self.errors, self.slow, self.crawl, self.refused)[share.place]


class Pool:
    """One share of all routes together. Requests that were no hits are added up by what they are
    weighed against, which many routes have in common."""

    __slots__ = ("expected", "gains", "hits", "n")

    def __init__(self, share: Share) -> None:
        self.gains = [0.0] * len(share.floors)
        self.hits = self.n = self.expected = 0.0

    def take(self, terms: Terms, gains: list[float], hits: float, n: float) -> None:
        for i, gain in enumerate(gains):
            self.gains[i] += gain
        self.hits += hits
        self.n += n
        self.expected += n * terms.p0

    def misses(self, place: int, counts: Mapping[Cell, float]) -> None:
        alike: dict[Terms | None, float] = {}
        for cell, n in counts.items():
            terms = cell.terms[place]
            alike[terms] = alike.get(terms, 0.0) + n
        for terms, n in alike.items():
            if terms is not None:
                self.take(terms, terms.gains(0.0, n), 0.0, n)

    @property
    def counted(self) -> tuple[float, float, float]:
        return self.hits, self.n, self.expected / self.n


class Judge:
    """All tests of one service. `step` once a second; `findings` are the open alarms."""

    def __init__(self) -> None:
        self._trials: dict[Key, Trial] = {}
        self.findings: dict[Key, Finding] = {}
        self.flow = Flow()
        self._warm = -1e9
        self._mark = -1e9
        self._quiet = 0.0

    def started(self, now: float) -> None:
        """The service has just started, or another version of it: it may be cold."""
        self._mark = now
        if self._quiet >= 2:  # it really was away
            self._warm = now + COLD_S

    def woke(self, now: float) -> None:
        """The process is new but knows from its predecessor what is usual."""
        self._warm = now + COLD_S

    def warm(self) -> None:
        """Other workers of the service are running already."""
        self._warm = self._mark = -1e9

    def step(self, now: float, tallies: list[Tally], calm: Mapping[Cell, int]) -> None:
        """Weigh one second of all routes: those with anything in it that may speak for a fault, and
        how many requests there were of the others."""
        self._quiet = 0.0 if tallies or calm else self._quiet + 1.0
        for share in SHARES:
            if share not in LATENCY or now >= self._warm:
                self._share(now, share, tallies, calm)
        self.flow.step(now, sum(one.n - one.refused for one in tallies) + sum(calm.values()))
        for key in [key for key, finding in self.findings.items() if finding.over(now)]:
            del self.findings[key]
            self._trials[key].bank.reset()

    def _share(self, now: float, share: Share, tallies: list[Tally], calm: Mapping[Cell, int]) -> None:
        pool = Pool(share)
        missed: dict[Cell, float] = {}
        for one in tallies:
            terms = one.cell.terms[share.place]
            if terms is None:
                continue
            hits = one.hits(share)
            if hits or (share, one.cell) in self._trials:
                gains = terms.gains(hits, one.n)
                pool.take(terms, gains, hits, one.n)
                self._weigh(now, (share, one.cell), gains, (hits, one.n, terms.p0), one.cell.stuck)
            else:
                missed[one.cell] = one.n
        if share is not REFUSED and (pool.hits or (share, None) in self._trials):
            pool.misses(share.place, missed)
            pool.misses(share.place, calm)
            if pool.n:
                stuck = sum(one.cell.stuck for one in tallies)
                self._weigh(now, (share, None), pool.gains, pool.counted, stuck)

    def _weigh(
        self,
        now: float,
        key: Key,
        gains: list[float],
        counted: tuple[float, float, float],
        stuck: int,
    ) -> None:
        cell = key[1]
        hits, n, p0 = counted
        trial = self._trials.get(key)
        if trial is None:
            if not hits:
                return
            trial = self._begin(key)
        trial.stuck = stuck
        trial.take(now, gains, hits, n, p0, cell.pace.rate if cell else 0.0)
        finding = self.findings.get(key)
        if finding is not None:
            finding.take(now, hits, n)
        elif trial.fires and trial.credible(now) and not self._cold(now, trial):
            self.findings[key] = trial.finding(now)
            self.findings[key].begin(now)
        elif trial.bank.value <= 0:
            self._end(key)

    def _begin(self, key: Key) -> Trial:
        share, cell = key
        if cell is not None:
            cell.tried += 1
        trial = self._trials[key] = Trial(share, cell.label if cell else None)
        return trial

    def _end(self, key: Key) -> None:
        """A test without evidence is as good as none."""
        del self._trials[key]
        if key[1] is not None:
            key[1].tried -= 1

    def _cold(self, now: float, trial: Trial) -> bool:
        """Whether slowness began with a start; if it is to last it must show again after that."""
        if trial.share not in LATENCY or not self._mark - 1 <= trial.bank.began < self._mark + COLD_ONSET_S:
            return False
        if now >= self._mark + COLD_S:
            trial.bank.reset()
        return True

    def open(self) -> list[Finding]:
        """All open alarms."""
        flow = self.flow.finding
        return [*self.findings.values(), *([flow] if flow else [])]

    @property
    def onset(self) -> float | None:
        """Since when there is an alarm; of several the first."""
        return min((found.since for found in self.open()), default=None)

    def nearness(self, alert: str) -> float:
        """0 to 1: how near the strongest test behind a type of alert is to its threshold."""
        values = [trial.bank.value for trial in self._trials.values() if trial.share.alert == alert]
        return min(1.0, max(values, default=0.0) / THRESHOLD)

    def suspected(self, now: float) -> list[Finding]:
        """What may become an alarm: strong evidence, not yet beyond chance."""
        near = [
            trial.finding(now)
            for key, trial in self._trials.items()
            if trial.warns and trial.share is not REFUSED and key not in self.findings
        ]
        return near + self.flow.suspected()

    def doubts(self, now: float, cell: Cell) -> bool:
        """Whether a route has been under suspicion, and not for so long that it must be its usual."""
        trials = [self._trials.get((share, cell)) for share in (ERRORS, *LATENCY)]
        return any(one and one.bank.value > DISBELIEF and now - one.bank.began < PATIENCE_S for one in trials)

    @property
    def alarmed(self) -> bool:
        return bool(self.findings) or self.flow.finding is not None

    @property
    def doubtful(self) -> bool:
        """Whether any test is so far up that what comes in may not be usual."""
        return self.alarmed or any(trial.bank.value > DOUBT for trial in self._trials.values())
