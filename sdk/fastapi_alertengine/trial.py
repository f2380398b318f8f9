"""One test that runs: one share of one route, or of all routes together."""

from __future__ import annotations

from math import log

from .cusum import FIRES, THRESHOLD, WARNS, Bank
from .finding import Finding
from .shares import LATENCY, REFUSED, Share

SEEN = 0.3 * THRESHOLD  # from here on requests are counted, so that they can be told
MISSED = 7.0  # nats for successes having fallen to a quarter, before refusals are an alarm


class Trial:
    """`hits` of `seen` requests since suspicion arose, `usual` the share against which they speak."""

    __slots__ = ("_fine", "_pace", "bank", "hits", "label", "seen", "share", "stuck", "usual")

    def __init__(self, share: Share, label: str | None) -> None:
        self.share = share
        self.label = label
        self.bank = Bank(len(share.floors))
        self.hits = self.seen = self.usual = 0.0
        self.stuck = 0  # requests in flight for too long
        self._fine = self._pace = 0.0

    def take(self, now: float, gains: list[float], hits: float, n: float, usual: float, pace: float) -> None:
        """Weigh one second; `pace` is how many successes a second are usual."""
        self.bank.take(now, gains)
        self.usual, self._pace = usual, pace
        if self.bank.value >= SEEN:
            self.hits, self.seen = self.hits + hits, self.seen + n
        else:
            self.hits = self.seen = 0.0
        self._fine = self._fine + n - hits if self.bank.value > 0 else 0.0

    @property
    def fires(self) -> bool:
        return self.bank.value >= FIRES

    @property
    def warns(self) -> bool:
        return self.bank.value >= WARNS

    def missing(self, now: float) -> bool:
        """Whether successes are missing since the refusals began. Refusals beside the usual
        successes are somebody's mistake or an attack, not a fault of the service."""
        expected = self._pace * (now - self.bank.began)
        return 0.75 * expected - self._fine * log(4) >= MISSED

    def finding(self, now: float) -> Finding:
        level = self.share.levels(self.usual)[self.bank.strongest]
        stalled = self.share in LATENCY and self.stuck >= 2 and 2 * self.stuck >= self.hits
        kind = "stalled_requests" if stalled else self.share.alert
        return Finding(kind, self.label, self.bank.began, now, self.usual, level, self.hits, self.seen)

    def credible(self, now: float) -> bool:
        return self.share is not REFUSED or self.missing(now)
