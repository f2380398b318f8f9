"""An open alarm, and when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from .cusum import CLIP

CALM = 9.0  # nats for the usual share that end an alarm at once
LASTING = 4.0  # nats that end it where they last for two minutes
LASTING_S = 120.0
LEAST_S = 10.0
SPARED_S = 300.0  # without any hit among SPARED requests end it too: a faint fault on a quiet route
SPARED = 20.0  # would otherwise need many minutes of evidence
FORGOTTEN_S = 420.0  # without any request there is nothing left to be alarmed about


@dataclass
class Finding:
    """`usual` and `level` are shares of requests, `since` and `opened` monotonic seconds."""

    type: str
    route: str | None
    since: float
    opened: float
    usual: float
    level: float
    hits: float = 0.0
    seen: float = 0.0
    worst: float = 0.0
    calm: float = 0.0
    touched: float = 0.0
    uneasy: float = 0.0  # when last there was too little to call it over
    struck: float = 0.0  # when last there was a hit
    spared: float = 0.0  # requests since then

    def begin(self, now: float) -> None:
        """Start with what was seen while suspicion grew."""
        self.touched = self.uneasy = self.struck = now
        self.worst = min(self.share, 0.9)

    def take(self, now: float, hits: float, n: float) -> None:
        """Weigh one second of requests for and against the fault being over."""
        keep = 0.5 ** ((now - self.touched) / 15.0) if self.touched else 0.0
        self.touched = now
        self.hits, self.seen = keep * self.hits + hits, keep * self.seen + n
        self.worst = max(self.worst, min(self.share, 0.9))
        if hits:
            self.struck, self.spared = now, 0.0
        else:
            self.spared += n
        bad = max(self.level, 0.9 * self.worst)
        step = hits * log(self.usual / bad) + (n - hits) * log((1 - self.usual) / (1 - bad))
        self.calm = max(0.0, min(CALM, self.calm + min(CLIP, step)))
        if self.calm < LASTING:
            self.uneasy = now

    @property
    def share(self) -> float:
        """Hits among the requests of about the last 20 seconds."""
        return min(1.0, self.hits / self.seen) if self.seen else 0.0

    def over(self, now: float) -> bool:
        if now - self.touched > FORGOTTEN_S:
            return True
        calm = self.calm >= CALM or now - self.uneasy > LASTING_S
        calm = calm or (now - self.struck > SPARED_S and self.spared >= SPARED)
        return calm and now - self.opened >= LEAST_S
