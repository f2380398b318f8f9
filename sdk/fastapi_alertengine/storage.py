"""Where workers meet. Each second a worker hands in its own batch and takes those of the others."""

from __future__ import annotations

from typing import Any, Protocol

from .rows import Batch


class Storage(Protocol):
    """Called once a second from the event loop: must neither block nor raise."""

    workers: int
    in_flight: int  # of the other workers

    def past(self, now: float) -> list[tuple[float, Batch]]:
        """Asked once, before anything else: what others counted in the last minute, and when."""

    def exchange(self, now: float, batch: Batch) -> list[Batch]:
        """Hand in a second; returns what others handed in since the last time."""

    def told(self) -> dict[str, Any]:
        """The report's `storage`: mode, state, dropped."""

    def close(self) -> None: ...


class Memory:
    """One process alone."""

    workers = 1
    in_flight = 0

    def past(self, now: float) -> list[tuple[float, Batch]]:
        return []

    def exchange(self, now: float, batch: Batch) -> list[Batch]:
        return []

    def told(self) -> dict[str, Any]:
        return {"mode": "memory", "state": "ok", "dropped": 0}

    def close(self) -> None:
        return
