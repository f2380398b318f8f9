"""How the process itself fares: event-loop lag, CPU, memory, garbage collection, descriptors."""

from __future__ import annotations

import gc
import os
import resource
import shutil
import sys
import threading
import time
from collections import deque
from typing import Any, NamedTuple

KEPT = 180  # seconds


class Second(NamedTuple):
    """One second of the process. `lags` in seconds, `cpu_s` and `gc_s` used within it."""

    at: float
    lags: tuple[float, ...]
    cpu_s: float
    rss: int
    gc_s: float
    gc_max_s: float
    in_flight: int


class Runtime:
    """Samples once a second; a lag is taken at each beat of the ticker."""

    def __init__(self) -> None:
        self._seconds: deque[Second] = deque(maxlen=KEPT)
        self._lags: list[float] = []
        self._cpu = time.process_time()
        self._gc_began = 0.0
        self._gc = 0.0
        self._gc_max = 0.0
        self._page = resource.getpagesize()
        self._watching = False

    def watch(self) -> None:
        """Begin to time garbage collections."""
        if not self._watching:
            self._watching = True
            gc.callbacks.append(self._collected)

    def unwatch(self) -> None:
        if self._watching:
            self._watching = False
            gc.callbacks.remove(self._collected)

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_began = time.perf_counter()
            return
        took = time.perf_counter() - self._gc_began
        self._gc += took
        self._gc_max = max(self._gc_max, took)

    def beat(self, lag_s: float) -> None:
        self._lags.append(max(0.0, lag_s))

    def second(self, now: float, in_flight: int) -> None:
        cpu = time.process_time()
        self._seconds.append(
            Second(now, tuple(self._lags), cpu - self._cpu, self._rss(), self._gc, self._gc_max, in_flight)
        )
        self._cpu, self._lags, self._gc, self._gc_max = cpu, [], 0.0, 0.0

    def _rss(self) -> int:
        try:
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * self._page
        except (OSError, IndexError, ValueError):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak if sys.platform == "darwin" else peak * 1024

    def told(self, begin: float, end: float) -> dict[str, Any] | None:
        """Figures of the seconds in (begin, end]; None where there are none."""
        seconds = [one for one in self._seconds if begin < one.at <= end]
        if not seconds:
            return None
        lags = sorted(lag for one in seconds for lag in one.lags) or [0.0]
        span = max(1.0, seconds[-1].at - seconds[0].at + 1.0)
        return {
            "loop_lag_p95_ms": round(1000 * lags[int(0.95 * (len(lags) - 1))], 2),
            "loop_lag_max_ms": round(1000 * lags[-1], 2),
            "cpu": round(sum(one.cpu_s for one in seconds) / span, 3),
            "rss_mb": round(seconds[-1].rss / 1e6, 1),
            "rss_slope_mb_s": round((seconds[-1].rss - seconds[0].rss) / 1e6 / max(1.0, span - 1.0), 3),
            "gc_ms_per_s": round(1000 * sum(one.gc_s for one in seconds) / span, 2),
            "gc_max_ms": round(1000 * max(one.gc_max_s for one in seconds), 2),
            "in_flight": seconds[-1].in_flight,
            "in_flight_max": max(one.in_flight for one in seconds),
        }


def handles() -> dict[str, Any]:
    """What is asked only when somebody wants to know: descriptors, threads, free disk in percent."""
    return {"fds": _descriptors(), "threads": threading.active_count(), "disk_free_pct": _disk_free()}


def _descriptors() -> int | None:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None


def _disk_free() -> float | None:
    try:
        usage = shutil.disk_usage(os.getcwd())
    except OSError:
        return None
    return round(100 * usage.free / max(1, usage.total), 1)
