"""Drives the monitor on the app's own event loop: a beat ten times a second, a judgement every second."""

from __future__ import annotations

import asyncio
import logging

from . import health
from .monitor import Monitor
from .push import Push

BEAT_S = 0.1
log = logging.getLogger(__name__)


class Ticker:
    """One timer on the running loop; started by the first event of the app, again on a new loop."""

    def __init__(self, monitor: Monitor, push: Push | None) -> None:
        self._monitor = monitor
        self._push = push
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next = 0.0

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        self._loop = loop
        self._monitor.runtime.watch()
        self._next = loop.time() + BEAT_S
        loop.call_at(self._next, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        late = loop.time() - self._next
        self._monitor.runtime.beat(late)
        self._next = loop.time() + BEAT_S
        loop.call_at(self._next, self._beat, loop)
        if self._monitor.now() >= self._monitor.due:
            self.catch_up(self._monitor.now())

    def catch_up(self, now: float) -> None:
        """Judge the seconds that have passed. What goes wrong here must not reach a request."""
        try:
            self.start()
            self._monitor.advance(now)
            self._monitor.runtime.second(now, len(self._monitor.live))
            self._tell(now)
        except Exception:
            self._monitor.due = now + 1.0
            log.debug("a judgement failed", exc_info=True)

    def _tell(self, now: float) -> None:
        if self._push is not None:
            score = min(health.components(self._monitor.judge).values())
            self._push.turn(health.status_of(score)[0], round(score, 1), self._monitor.wall(now))
