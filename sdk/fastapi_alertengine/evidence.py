"""Evidence for a diagnosis: the last ten seconds beside what was normal before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import runtime

if TYPE_CHECKING:
    from .monitor import Monitor

RECENT_S = 10.0
USUAL_S = 120.0


def build(monitor: Monitor, now: float) -> dict[str, Any]:
    """The value of `evidence`; bounded, and free of secrets."""
    onset = min((found.since for found in monitor.judge.open()), default=None)
    recent = now - RECENT_S if onset is None else max(now - RECENT_S, onset)
    usual_end = recent if onset is None else onset - 2.0
    usual = usual_end - USUAL_S, usual_end
    return {
        "window_s": RECENT_S,
        "baseline_window_s": USUAL_S,
        "exceptions": monitor.faults.told(now, RECENT_S, 3600.0),
        "dependencies": monitor.calls.told(recent, now, usual),
        "runtime": _runtime(monitor, now, recent, usual),
        "traffic": monitor.traffic.told(recent, now, usual),
        "routes": monitor.traffic.routes(now),
        "marks": monitor.marks.told(now),
    }


def _runtime(monitor: Monitor, now: float, recent: float, usual: tuple[float, float]) -> dict[str, Any]:
    told = monitor.runtime.told(recent, now) or {}
    return {**told, **runtime.handles(), "usual": monitor.runtime.told(*usual)}
