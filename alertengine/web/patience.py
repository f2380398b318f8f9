"""Connections whose other side is slow: cut, so that none is held open for nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE_S = {"head": 20.0, "body": 15.0, "room": 30.0}
"""How long the next request may take to be asked whole (longer than a connection is kept without one), and its body,
of its first byte as of its last, so that dripping does not help; how long an answer may find no room on its way
because nobody reads it."""
MOST = 1000
"""With more connections than this, the one that has kept us waiting for longest makes room."""
SURELY_S = 2.0
"""Who waits for less may have sent already what we, in a crowd, have not read yet."""


class PatientProtocol(H11Protocol):
    """Waits for a head or a body only so long in all, and never lets those who send nothing crowd others out."""

    owed: str | None = None
    since = 0.0
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST:
            self._make_room()
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """The other side takes nothing of what it asked for."""
        super().pause_writing()
        self._wait_for("room")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_for(None)
        super().connection_lost(exc)

    def _watch(self) -> None:
        state = self.conn.their_state
        if self.flow is not None and self.flow.write_paused:
            return
        if state is h11.SEND_BODY:
            self._wait_for("body")
        elif state is h11.IDLE and (self.cycle is None or self.cycle.response_complete):
            self._wait_for("head")
        else:
            self._wait_for(None)

    def _wait_for(self, what: str | None) -> None:
        """What it is waited for is as late as it was, however much of it has come meanwhile."""
        if what == self.owed:
            return
        if self._late is not None:
            self._late.cancel()
            self._late = None
        self.owed, self.since = what, self.loop.time()
        if what is not None:
            self._late = self.loop.call_later(PATIENCE_S[what], self.cut)

    def cut(self) -> None:
        """Not closed but aborted: whoever does not send may not read either."""
        self.transport.abort()

    def _make_room(self) -> None:
        before = self.loop.time() - SURELY_S
        connections: Any = self.connections
        waiting = [c for c in connections if c.owed is not None and c.since < before]
        if waiting:
            min(waiting, key=lambda connection: connection.since).cut()
