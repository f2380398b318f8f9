"""Alerts in words: what, which route, how much against what is usual, since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .absolute import Breach
from .buckets import quantiles, value
from .cells import Cell
from .finding import Finding
from .health import NEAR
from .usual import together
from .window import SLICE_S

if TYPE_CHECKING:
    from .monitor import Monitor


def told(monitor: Monitor, now: float) -> list[dict[str, Any]]:
    """The report's `alerts`: open alarms first, then absolute limits, then what is suspected."""
    opened = monitor.judge.open()
    known = {(one.type, one.route) for one in opened}
    near = monitor.judge.suspected(now) if monitor.health.nearness >= NEAR else []
    suspected = [one for one in near if (one.type, one.route) not in known]
    return [
        *(_finding(monitor, now, one, "critical") for one in _distinct(opened)),
        *(_breach(monitor, one) for one in monitor.watch.breaches.values()),
        *(_finding(monitor, now, one, "warning") for one in _distinct(suspected)),
    ]


def _distinct(findings: list[Finding]) -> list[Finding]:
    """One of each type and route; the one that says most."""
    best: dict[tuple[str, str | None], Finding] = {}
    for one in sorted(findings, key=lambda one: (-round(one.share, 2), one.type != "error_anomaly")):
        best.setdefault((one.type, one.route), one)
    return list(best.values())


def _finding(monitor: Monitor, now: float, finding: Finding, severity: str) -> dict[str, Any]:
    if finding.type == "traffic_drop":
        text, figure, threshold, usual = _traffic(finding)
    elif finding.type in ("latency_spike", "stalled_requests"):
        text, figure, threshold, usual = _latency(monitor, now, finding)
    else:
        what = "fail" if finding.type == "error_anomaly" else "are refused (4xx) while successes are missing"
        text = f"{_percent(finding.share)} of requests {what}, usually {_percent(finding.usual)}"
        figure, threshold, usual = finding.share, finding.level, finding.usual
    since = monitor.wall(finding.since)
    message = f"{finding.route or 'All routes'}: {text}"
    certain = "is beyond chance" if severity == "critical" else "may be chance yet"
    return {
        "type": finding.type,
        "severity": severity,
        "message": message,
        "reason_for_trigger": f"{message}. What was seen since {since} {certain}.",
        "triggered_by": "rate_of_change" if finding.type == "traffic_drop" else "adaptive_threshold",
        "route": finding.route,
        "value": round(figure, 4),
        "threshold": round(threshold, 4),
        **({} if usual is None else {"usual": round(usual, 6)}),
        "since": since,
    }


def _traffic(finding: Finding) -> tuple[str, float, float, float | None]:
    rate = (finding.seen - finding.hits) / 10
    text = f"{rate:.3g} requests/s, never under {finding.usual:.3g}/s in the recent past"
    return text, rate, finding.usual, finding.usual


def _latency(monitor: Monitor, now: float, finding: Finding) -> tuple[str, float, float, float | None]:
    cell = next((cell for cell in monitor.cells if cell.label == finding.route), None)
    window = monitor.intake.total if cell is None else cell.window
    counts, _ = window.recent(int(now // SLICE_S) - 2)
    p95 = 1000 * quantiles(counts, (0.95,))[0]
    limit, usual = _mixture(monitor, p95) if cell is None else _limits(cell)
    over = f"over {limit:.0f} ms" if limit else "longer than usual for their route"
    text = f"{_percent(finding.share)} of requests take {over}, usually {_percent(finding.usual)}"
    text += f"; P95 {p95:.0f} ms" if p95 else "; none has ended"
    if usual:
        text += f", usually {usual:.0f} ms"
    stuck = sum(one.stuck for one in monitor.cells) if cell is None else cell.stuck
    if stuck > 0:
        text += f"; {stuck} in flight for too long"
    return text, p95, limit, usual if p95 and usual else None


def _mixture(monitor: Monitor, p95: float) -> tuple[float, float]:
    """No limit holds for all routes; the usual P95 of all of them, where theirs now is over it.

    Where the slow ones are too few to show in it, the share alone tells.
    """
    usual = 1000 * together(cell.usual.hours for cell in monitor.cells).quantile(0.95)
    return 0.0, usual if p95 > usual else 0.0


def _limits(cell: Cell) -> tuple[float, float]:
    """What is slow for a route and its usual 95th percentile, in ms; zeros where unknown."""
    if cell.bounds is None:
        return 0.0, 0.0
    return 1000 * value(cell.bounds.slow), 1000 * cell.usual.hours.quantile(0.95)


def _breach(monitor: Monitor, breach: Breach) -> dict[str, Any]:
    latency = breach.type == "latency_spike"
    figure = f"P95 {breach.value:.0f} ms" if latency else f"{_percent(breach.value)} of requests fail"
    limit = f"{breach.threshold:.0f} ms" if latency else _percent(breach.threshold)
    message = f"{breach.route or 'All routes'}: {figure}, limit {limit}"
    return {
        "type": breach.type,
        "severity": breach.severity,
        "message": message,
        "reason_for_trigger": f"{message}, over the last minute.",
        "triggered_by": "absolute_threshold",
        "route": breach.route,
        "value": round(breach.value, 4),
        "threshold": breach.threshold,
        "since": monitor.wall(breach.since),
    }


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %" if share >= 0.001 else f"{100 * share:.2f} %"
