"""Score, status and trend. The score is as good as its worst component, so one signal is enough."""

from __future__ import annotations

from collections import deque

from .absolute import Breach
from .cusum import THRESHOLD, WARNS
from .detection import Judge

DEGRADED_UNDER = 85.0
CRITICAL_UNDER = 70.0
TREND_S = 60
COMPONENT = {
    "latency_spike": "latency",
    "stalled_requests": "latency",
    "error_anomaly": "errors",
    "client_error_anomaly": "anomaly",
    "traffic_drop": "anomaly",
}
NEAR = WARNS / THRESHOLD


def suspected(nearness: float) -> float:
    """The score while no alarm is open: 100 down to 71 as the evidence (0-1) nears an alarm."""
    if nearness < NEAR:
        return 100.0 - 15.0 * nearness / NEAR
    return 84.9 - 13.9 * min(1.0, (nearness - NEAR) / (1.0 - NEAR))


def alarmed(share: float) -> float:
    """The score under an open alarm: 65 down to 0 as the share of requests that are hit rises."""
    return 65.0 * (1.0 - min(1.0, max(0.0, share)))


def breached(breach: Breach) -> float:
    """The score under an absolute limit that is passed: the further, the lower."""
    kept = breach.threshold / breach.value if breach.value else 1.0
    return 65.0 * kept if breach.severity == "critical" else 71.0 + 13.0 * kept


class Health:
    """Components, each 0-100, as of the last judgement."""

    def __init__(self) -> None:
        self.components = {"latency": 100.0, "errors": 100.0, "anomaly": 100.0}
        self.nearness = 0.0  # 0-1: how near to an alarm the strongest evidence is
        self._scores: deque[float] = deque(maxlen=TREND_S)

    def step(self, judge: Judge, breaches: list[Breach]) -> None:
        """Once a second."""
        near = judge.nearness("latency_spike"), judge.nearness("error_anomaly"), judge.flow.nearness
        self.nearness = max(near)
        parts = dict(zip(self.components, map(suspected, near), strict=True))
        worse = [(COMPONENT[one.type], alarmed(one.share)) for one in judge.open()]
        worse += [(COMPONENT[one.type], breached(one)) for one in breaches]
        for name, value in worse:
            parts[name] = min(parts[name], value)
        self.components = parts
        self._scores.append(self.score)

    @property
    def score(self) -> float:
        return min(self.components.values())

    @property
    def status(self) -> str:
        """ok, warning or critical."""
        return _word(self.score, ("ok", "warning", "critical"))

    @property
    def told(self) -> str:
        """The same in the score's own words: healthy, degraded or critical."""
        return _word(self.score, ("healthy", "degraded", "critical"))

    @property
    def trend(self) -> str:
        """The last five seconds against the last minute, however often it was asked for."""
        scores = list(self._scores)
        if len(scores) < 10:
            return "stable"
        change = sum(scores[-5:]) / 5 - sum(scores) / len(scores)
        return "improving" if change > 3 else "degrading" if change < -3 else "stable"


def _word(score: float, words: tuple[str, str, str]) -> str:
    return words[2] if score < CRITICAL_UNDER else words[1] if score < DEGRADED_UNDER else words[0]
