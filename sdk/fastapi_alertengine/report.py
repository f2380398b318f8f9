"""The health report: the JSON of the endpoint."""

from __future__ import annotations

import heapq
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from . import alerts, buckets
from .window import WINDOW_S, Window

if TYPE_CHECKING:
    from .monitor import Monitor

ROUTES = 20
ALARMED = 1 << 80  # outweighs any number of requests


def build(monitor: Monitor, now: float) -> dict[str, Any]:
    """Everything the endpoint tells; changes nothing."""
    health = monitor.health
    return {
        "status": health.status,
        "health_score": {
            "score": round(health.score, 1),
            "status": health.told,
            "trend": health.trend,
            "components": {name: round(part, 1) for name, part in health.components.items()},
        },
        "metrics": _metrics(monitor, now),
        "alerts": alerts.told(monitor, now),
        "routes": _routes(monitor),
        "storage": monitor.storage.told(),
        "workers": monitor.storage.workers,
        "service": monitor.service,
        "version": monitor.marks.version,
        "uptime_s": round(now - monitor.started, 1),
        "timestamp": monitor.wall(now),
    }


def summary(report: dict[str, Any]) -> dict[str, Any]:
    """The four figures of `?view=summary`."""
    return {
        "health_score": round(report["health_score"]["score"]),
        "p95_latency_ms": round(report["metrics"]["overall_p95_ms"]),
        "error_rate": report["metrics"]["error_rate"],
        "alerts": report["alerts"],
    }


def _metrics(monitor: Monitor, now: float) -> dict[str, Any]:
    window = monitor.intake.total
    p50, p95, p99 = buckets.quantiles(window.total, (0.5, 0.95, 0.99))
    covered = max(1.0, min(WINDOW_S, now - monitor.started))
    return {
        "overall_p50_ms": _ms(p50),
        "overall_p95_ms": _ms(p95),
        "overall_p99_ms": _ms(p99),
        "error_rate": _share(window.failed, window.n),
        "client_error_rate": _share(window.refused, window.n),
        "anomaly_score": round(monitor.health.nearness, 3),
        "sample_size": window.n,
        "window_s": WINDOW_S,
        "requests_per_s": round(window.n / covered, 3),
        "in_flight": len(monitor.live) + monitor.storage.in_flight,
    }


def _routes(monitor: Monitor) -> list[dict[str, Any]]:
    """The routes that matter most: those with an alert, then with errors, then the busiest."""
    alarmed = {found.route for found in monitor.judge.open()}
    busy = [cell for cell in monitor.cells if cell.window.n]
    weights = [cell.window.failed << 32 | cell.window.n for cell in busy]
    if alarmed:
        weights = [
            weight + (cell.label in alarmed) * ALARMED for cell, weight in zip(busy, weights, strict=True)
        ]
    least = min(heapq.nlargest(ROUTES, weights), default=0)
    first = [(weight, cell) for weight, cell in zip(weights, busy, strict=True) if weight >= least]
    first.sort(key=itemgetter(0), reverse=True)
    return [_route(cell.label, cell.window) for _, cell in first[:ROUTES]]


def _route(label: str, window: Window) -> dict[str, Any]:
    (p95,) = buckets.quantiles(window.total, (0.95,))
    return {
        "route": label,
        "sample_size": window.n,
        "p95_ms": _ms(p95),
        "error_rate": _share(window.failed, window.n),
        "client_error_rate": _share(window.refused, window.n),
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
