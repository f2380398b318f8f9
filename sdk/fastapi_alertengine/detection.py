"""The judgement: for each second, how much what happened speaks against what is usual."""

from __future__ import annotations

from typing import NamedTuple

from .cells import Cell
from .cusum import THRESHOLD
from .finding import Finding
from .flow import Flow
from .shares import CRAWL, ERRORS, LATENCY, REFUSED, SHARES, SLOW, Share
from .trial import Trial

DOUBT = 0.3 * THRESHOLD
DISBELIEF = 0.5 * THRESHOLD
PATIENCE_S = 1800.0
COLD_S = 30.0  # after a start, slowness is not held against a service
COLD_ONSET_S = 6.0
Key = tuple[str, str | None]


class Tally(NamedTuple):
    """One second of one route: requests, and those that were slow, crawled, failed, were refused."""

    cell: Cell
    n: float
    slow: float
    crawl: float
    errors: float
    refused: float

    def hits(self, share: Share) -> float:
        return {SLOW: self.slow, CRAWL: self.crawl, ERRORS: self.errors, REFUSED: self.refused}[share]


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

    def step(self, now: float, tallies: list[Tally]) -> None:
        """Weigh one second of all routes that had any request."""
        matched = [one for one in tallies if one.cell.matched]
        self._quiet = 0.0 if matched else self._quiet + 1.0
        for share in SHARES:
            if share not in LATENCY or now >= self._warm:
                self._share(now, share, [one for one in tallies if share in one.cell.terms])
        self.flow.step(now, sum(one.n - one.refused for one in matched))
        for key in [key for key, finding in self.findings.items() if finding.over(now)]:
            del self.findings[key]
            self._trials[key].bank.reset()

    def _share(self, now: float, share: Share, tallies: list[Tally]) -> None:
        pooled = [0.0] * len(share.floors)
        hits = total = expected = 0.0
        stuck = 0
        for one in tallies:
            terms, own = one.cell.terms[share], one.hits(share)
            gains = terms.gains(own, one.n)
            self._weigh(now, (share, one.cell.label), gains, (own, one.n, terms.p0), one.cell.stuck, one.cell)
            pooled = [a + b for a, b in zip(pooled, gains, strict=True)]
            hits, total, expected = hits + own, total + one.n, expected + one.n * terms.p0
            stuck += one.cell.stuck
        if total and share is not REFUSED:
            self._weigh(now, (share, None), pooled, (hits, total, expected / total), stuck, None)

    def _weigh(
        self,
        now: float,
        of: tuple[Share, str | None],
        gains: list[float],
        counted: tuple[float, float, float],
        stuck: int,
        cell: Cell | None,
    ) -> None:
        share, label = of
        hits, n, p0 = counted
        key = share.name, label
        trial = self._trials.get(key)
        if trial is None:
            if not hits:
                return
            trial = self._trials[key] = Trial(share, label)
        trial.stuck = stuck
        trial.take(now, gains, hits, n, p0, cell.pace.rate if cell else 0.0)
        finding = self.findings.get(key)
        if finding is not None:
            finding.take(now, hits, n)
        elif trial.fires and trial.credible(now) and not self._cold(now, trial):
            self.findings[key] = trial.finding(now)
            self.findings[key].begin(now)

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

    def doubts(self, now: float, label: str) -> bool:
        """Whether a route has been under suspicion, and not for so long that it must be its usual."""
        trials = [self._trials.get((share.name, label)) for share in (ERRORS, *LATENCY)]
        return any(one and one.bank.value > DISBELIEF and now - one.bank.began < PATIENCE_S for one in trials)

    @property
    def alarmed(self) -> bool:
        return bool(self.findings) or self.flow.finding is not None

    @property
    def doubtful(self) -> bool:
        """Whether any test is so far up that what comes in may not be usual."""
        return self.alarmed or any(trial.bank.value > DOUBT for trial in self._trials.values())
