"""Drives the monitor on the app's own event loop: a beat ten times a second, a judgement every second."""

from __future__ import annotations

import asyncio
import logging
import time

from .monitor import Monitor
from .push import Push
from .state import State

BEAT_S = 0.1
log = logging.getLogger(__name__)


class Ticker:
    """One timer on the running loop; started by the first event of the app, again on a new loop."""

    def __init__(self, monitor: Monitor, state: State, push: Push | None) -> None:
        self._monitor = monitor
        self._state = state
        self._push = push
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._loaded = False

    def start(self) -> None:
        """Idempotent within one loop."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        self._loop = loop
        if not self._loaded:
            self._loaded = True
            self._monitor.awake()
            self._state.load()
            self._monitor.join(self._monitor.started)
        self._monitor.runtime.watch()
        self._again(loop)

    def stop(self) -> None:
        """The app is shutting down: leave nothing behind but what is usual."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop = self._timer = None
        self._monitor.runtime.unwatch()
        self._monitor.storage.close()
        self._state.save()

    def _again(self, loop: asyncio.AbstractEventLoop) -> None:
        due = loop.time() + BEAT_S
        self._timer = loop.call_at(due, self._beat, loop, due)

    def _beat(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        if loop is not self._loop:
            return
        self._monitor.runtime.beat(loop.time() - due)
        self._again(loop)
        self.look()

    def look(self) -> None:
        """Judge what is due; whoever asks for a report looks first, so that no poll takes the clockwork's turn."""
        now = self._monitor.now()
        if now >= self._monitor.due:
            self.catch_up(now)

    def catch_up(self, now: float) -> None:
        """Judge the seconds that have passed. What goes wrong here must not reach a request."""
        try:
            self.start()
            self._monitor.anchor = time.time() - now  # the wall clock may have been set
            self._monitor.advance(now)
            self._monitor.runtime.second(now, len(self._monitor.live))
            self._state.save_due(now)
            self._tell(now)
        except Exception:
            self._monitor.due = now + 1.0
            log.debug("a judgement failed", exc_info=True)

    def _tell(self, now: float) -> None:
        if self._push is not None:
            health = self._monitor.health
            self._push.turn(health.status, round(health.score, 1), self._monitor.wall(now))
