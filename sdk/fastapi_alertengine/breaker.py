"""A circuit breaker: after failures in a row it lets nothing through for a while, then one try."""

from __future__ import annotations

FAILURES = 3
REST_S = 5.0


class Breaker:
    """States: closed (all is well), open (resting), half_open (one try is under way)."""

    def __init__(self) -> None:
        self.state = "closed"
        self._failures = 0
        self._opened = 0.0

    def allows(self, now: float) -> bool:
        if self.state == "open" and now - self._opened >= REST_S:
            self.state = "half_open"
        return self.state != "open"

    def succeeded(self) -> None:
        self.state, self._failures = "closed", 0

    def failed(self, now: float) -> None:
        self._failures += 1
        if self.state == "half_open" or self._failures >= FAILURES:
            self.state, self._opened = "open", now
