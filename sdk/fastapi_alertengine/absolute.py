"""Absolute limits that the operator sets, beside the judgement by what is usual."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .buckets import quantiles
from .cells import Cells
from .config import AlertConfig, Limits
from .window import Window

Key = tuple[str, str | None]


@dataclass
class Breach:
    """A limit passed over the last minute. `value` and `threshold` in ms or as a share (0-1)."""

    type: str
    route: str | None
    severity: str
    value: float
    threshold: float
    since: float


class Watch:
    """Compares the window with the limits once a second; costs nothing where none are set."""

    def __init__(self, config: AlertConfig) -> None:
        self._config = config
        self._set = bool(config.routes) or config.service != Limits()
        self.breaches: dict[Key, Breach] = {}

    def step(self, now: float, cells: Cells, total: Window) -> None:
        if not self._set:
            return
        found: dict[Key, Breach] = {}
        for kind, route, value, warning, critical in self._measured(cells, total):
            severity, threshold = _passed(value, warning, critical)
            if severity:
                old = self.breaches.get((kind, route))
                since = old.since if old else now
                found[kind, route] = Breach(kind, route, severity, value, threshold, since)
        self.breaches = found

    def _measured(
        self, cells: Cells, total: Window
    ) -> Iterator[tuple[str, str | None, float, float | None, float | None]]:
        for route, window, limits in self._watched(cells, total):
            if window.n < self._config.min_samples:
                continue
            if limits.p95_warning_ms is not None or limits.p95_critical_ms is not None:
                p95 = 1000 * quantiles(window.total, (0.95,))[0]
                yield "latency_spike", route, p95, limits.p95_warning_ms, limits.p95_critical_ms
            share = window.failed / window.n
            yield "error_anomaly", route, share, limits.error_rate_warning, limits.error_rate_critical

    def _watched(self, cells: Cells, total: Window) -> Iterator[tuple[str | None, Window, Limits]]:
        yield None, total, self._config.service
        if self._config.routes:
            for cell in cells:
                limits = self._config.routes.get(cell.label)
                if limits is not None:
                    yield cell.label, cell.window, limits


def _passed(value: float, warning: float | None, critical: float | None) -> tuple[str, float]:
    if critical is not None and value > critical:
        return "critical", critical
    if warning is not None and value > warning:
        return "warning", warning
    return "", 0.0
