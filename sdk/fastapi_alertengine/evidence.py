"""Evidence for a diagnosis: the last ten seconds beside what was normal before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import runtime

if TYPE_CHECKING:
    from .monitor import Monitor

RECENT_S = 10.0
USUAL_S = 120.0
LARGEST = 32_000
LISTS = ("exceptions", "dependencies", "routes", "marks")


def build(monitor: Monitor, now: float) -> dict[str, Any]:
    """The value of `evidence`; bounded, and free of secrets."""
    onset = monitor.judge.onset
    recent = now - RECENT_S if onset is None else max(now - RECENT_S, onset)
    usual_end = recent if onset is None else onset - 2.0
    usual = usual_end - USUAL_S, usual_end
    return _fitted(
        {
            "window_s": RECENT_S,
            "baseline_window_s": USUAL_S,
            "exceptions": monitor.faults.told(now, RECENT_S, 3600.0),
            "dependencies": monitor.calls.told(recent, now),
            "runtime": _runtime(monitor, now, recent, usual),
            "traffic": monitor.traffic.told(recent, now, usual),
            "routes": monitor.traffic.routes(now),
            "marks": monitor.marks.told(now),
        }
    )


def _fitted(told: dict[str, Any]) -> dict[str, Any]:
    """At most 32 kB as JSON: of the longest list the half that matters less is left out."""
    while len(json.dumps(told)) > LARGEST:
        name = max(LISTS, key=lambda name: len(json.dumps(told[name])))
        rows = told[name]
        told[name] = rows[len(rows) // 2 :] if name == "marks" else rows[: len(rows) // 2]
    return told


def _runtime(monitor: Monitor, now: float, recent: float, usual: tuple[float, float]) -> dict[str, Any]:
    told = monitor.runtime.told(recent, now) or {}
    return {**told, **runtime.handles(), "usual": monitor.runtime.told(*usual)}
