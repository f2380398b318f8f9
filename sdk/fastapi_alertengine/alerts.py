"""Open alarms in words: what, which route, how much against what is usual, since when."""

from __future__ import annotations

from typing import Any

from .buckets import value
from .cells import Cells
from .finding import Finding
from .window import Window


def told(finding: Finding, window: Window, cells: Cells, since: str) -> dict[str, Any]:
    """One entry of `alerts`."""
    where = finding.route or "all routes"
    share, usual = _percent(finding.share), _percent(finding.usual)
    if finding.type == "error_anomaly":
        message = f"{where}: {share} of requests fail (usually {usual})"
        figure, threshold = finding.share, finding.level
    else:
        limit = _limit(finding, cells)
        over = f" over {limit * 1000:.0f} ms" if limit else " slower than usual"
        message = f"{where}: {share} of requests take{over} (usually {usual})"
        figure, threshold = finding.share, finding.level
    return {
        "type": finding.type,
        "severity": "critical",
        "message": message,
        "reason_for_trigger": f"{message}; evidence since {since} passed the threshold of the sequential test",
        "triggered_by": "adaptive_threshold",
        "route": finding.route,
        "value": round(figure, 4),
        "threshold": round(threshold, 4),
        "since": since,
    }


def _limit(finding: Finding, cells: Cells) -> float | None:
    for cell in cells:
        if cell.label == finding.route:
            return value(cell.bounds.slow) if cell.bounds is not None else None
    return None


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
