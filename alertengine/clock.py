"""The one place that reads the machine's clock, and what is made of it."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime

from alertengine.core.steady import Steady
from alertengine.ports import Clock


class SystemClock:
    """The machine's clock as it is. Its monotonic time counts a sleep of the machine too, where that can be had."""

    _ticking = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def now(self) -> datetime:
        return datetime.now(UTC)

    wall = now

    def monotonic(self) -> float:
        return time.clock_gettime(self._ticking)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SteadyClock:
    """Effective time, never before `floor`: see `core/steady.py`. Any thread may ask."""

    def __init__(self, clock: Clock, floor: datetime) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        wall = clock.wall()
        self.leap_s = max(0.0, (wall - floor).total_seconds())
        """How far the wall clock was ahead of the newest record at the start."""
        at = max(wall, floor)
        self._steady = Steady(at=at, ticks=clock.monotonic(), gap_s=min(0.0, (wall - at).total_seconds()))

    def now(self) -> datetime:
        return self.look().at

    def look(self) -> Steady:
        with self._lock:
            self._steady = self._steady.next(self._clock.wall(), self._clock.monotonic())
            return self._steady

    def wall(self) -> datetime:
        return self._clock.wall()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
