"""Score, status and trend. The score is as good as its worst component, so one signal is enough."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from .detection import Judge
from .finding import Finding

DEGRADED_UNDER = 85.0
CRITICAL_UNDER = 70.0
TREND_S = 60
COMPONENT = {"latency_spike": "latency", "stalled_requests": "latency", "error_anomaly": "errors"}


def component(findings: Iterable[Finding], suspicion: float) -> float:
    """0-100. Without a finding 70 at the least, falling with suspicion (0-1); with one under 70,
    falling with the share of requests that are hit."""
    worst = max((finding.share for finding in findings), default=None)
    if worst is None:
        return 100.0 - 29.0 * max(0.0, suspicion - 0.3) / 0.7
    return (CRITICAL_UNDER - 5) * (1.0 - min(1.0, worst))


def components(judge: Judge) -> dict[str, float]:
    """Latency, errors, anomaly, each 0-100."""
    parts: dict[str, list[Finding]] = {"latency": [], "errors": [], "anomaly": []}
    for finding in judge.open():
        parts[COMPONENT.get(finding.type, "anomaly")].append(finding)
    suspicion = {"latency": judge.suspicion("latency_spike"), "errors": judge.suspicion("error_anomaly")}
    return {name: component(found, suspicion.get(name, 0.0)) for name, found in parts.items()}


def status_of(score: float) -> tuple[str, str]:
    """The report's status and the score's, which say the same in two vocabularies."""
    if score < CRITICAL_UNDER:
        return "critical", "critical"
    return ("warning", "degraded") if score < DEGRADED_UNDER else ("ok", "healthy")


class Trend:
    """Which way the score went over the last minute of time, however often it was asked for."""

    def __init__(self) -> None:
        self._scores: deque[float] = deque(maxlen=TREND_S)

    def add(self, score: float) -> None:
        """Once a second."""
        self._scores.append(score)

    def told(self) -> str:
        scores = self._scores
        if len(scores) < 10:
            return "stable"
        recent = [scores[-i] for i in range(1, 6)]
        change = sum(recent) / 5 - sum(scores) / len(scores)
        return "improving" if change > 3 else "degrading" if change < -3 else "stable"
