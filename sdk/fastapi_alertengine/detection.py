"""The judgement: for each second, how much what happened speaks against what is usual."""

from __future__ import annotations

from math import log
from typing import NamedTuple

from .cells import Cell
from .cusum import FIRES, THRESHOLD, Bank
from .finding import Finding
from .flow import Flow
from .shares import CRAWL, ERRORS, REFUSED, SHARES, SLOW, Share, Terms

DOUBT = 0.3 * THRESHOLD
COLD_S = 30.0  # after a start, slowness is not held against a service
MISSED = 7.0  # nats for successes having fallen to a quarter, before refusals are an alarm
LATENCY = (SLOW, CRAWL)
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
        self._banks: dict[Key, Bank] = {}
        self.findings: dict[Key, Finding] = {}
        self.flow = Flow()
        self._fine: dict[str, float] = {}  # successes of a route while refusals are suspicious
        self._paces: dict[str, float] = {}  # and how many of them a second are usual
        self._warm = -1e9
        self._mark = -1e9
        self._quiet = 0.0

    def started(self, now: float) -> None:
        """The service has just started, or another version of it: it may be cold."""
        self._mark = now
        if self._quiet >= 2:  # it really was away
            self._warm = now + COLD_S

    def step(self, now: float, tallies: list[Tally]) -> None:
        """Weigh one second of all routes that had any request."""
        matched = sum(one.n for one in tallies if one.cell.matched)
        accepted = sum(one.n - one.refused for one in tallies if one.cell.matched)
        self._quiet = 0.0 if matched else self._quiet + 1.0
        for share in SHARES:
            if share not in LATENCY or now >= self._warm:
                self._share(now, share, [one for one in tallies if share in one.cell.terms])
        self.flow.step(now, accepted)
        for key in [key for key, finding in self.findings.items() if finding.over(now)]:
            del self.findings[key]
            self._banks[key].reset()

    def open(self) -> list[Finding]:
        """All open alarms."""
        flow = self.flow.finding
        return [*self.findings.values(), *([flow] if flow else [])]

    def _share(self, now: float, share: Share, tallies: list[Tally]) -> None:
        pooled = [0.0] * len(share.floors)
        hits = total = expected = 0.0
        for one in tallies:
            terms = one.cell.terms[share]
            own = one.hits(share)
            gains = terms.gains(own, one.n)
            if share is REFUSED:
                self._paces[one.cell.label] = one.cell.pace.rate
            self._weigh(now, share, one.cell.label, gains, own, one.n, terms.p0)
            pooled = [a + b for a, b in zip(pooled, gains, strict=True)]
            hits, total, expected = hits + own, total + one.n, expected + one.n * terms.p0
        if total and share is not REFUSED:
            self._weigh(now, share, None, pooled, hits, total, expected / total)

    def _weigh(
        self, now: float, share: Share, label: str | None, gains: list[float], hits: float, n: float, p0: float
    ) -> None:
        key = share.name, label
        bank = self._banks.get(key)
        if bank is None:
            if not hits:
                return
            bank = self._banks[key] = Bank(len(share.floors))
        bank.take(now, gains)
        finding = self.findings.get(key)
        if share is REFUSED and label is not None:
            self._succeeded(label, bank, n - hits)
        if finding is None and bank.value >= FIRES and self._credible(now, share, label, bank):
            level = share.levels(p0)[bank.strongest]
            finding = self.findings[key] = Finding(share.alert, label, bank.began, now, p0, level)
        if finding is not None:
            finding.take(now, hits, n)

    def _succeeded(self, label: str, bank: Bank, n: float) -> None:
        """Count successes for as long as refusals are suspicious."""
        self._fine[label] = self._fine.get(label, 0.0) + n if bank.value > 0 else 0.0

    def _credible(self, now: float, share: Share, label: str | None, bank: Bank) -> bool:
        if share in LATENCY:
            return not self._cold(now, bank)
        if share is REFUSED and label is not None:
            expected = self._paces.get(label, 0.0) * (now - bank.began)
            return 0.6 * expected - self._fine[label] * log(4) >= MISSED
        return True

    def _cold(self, now: float, bank: Bank) -> bool:
        """Whether slowness began with a start; if it is to last it must show again after that."""
        if not self._mark - 1 <= bank.began < self._mark + 6:
            return False
        if now >= self._mark + COLD_S:
            bank.reset()
        return True

    def suspicion(self, alert: str) -> float:
        """0 to 1: how near the strongest test behind a type of alert is to its threshold."""
        names = {share.name for share in SHARES if share.alert == alert}
        return min(1.0, max((bank.value for key, bank in self._banks.items() if key[0] in names), default=0) / THRESHOLD)

    @property
    def alarmed(self) -> bool:
        return bool(self.findings) or self.flow.finding is not None

    @property
    def doubtful(self) -> bool:
        """Whether any test is so far up that what comes in may not be usual."""
        return self.alarmed or any(bank.value > DOUBT for bank in self._banks.values())
