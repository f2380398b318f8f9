"""When a channel may be used: a limit on its rate, and a pause while its provider fails. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

TRIPS_AFTER = 5
"""Failures in a row."""
FIRST_PAUSE_S = 15.0
LONGEST_PAUSE_S = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """`spent`: tries that still count against the burst, as of `at` (monotonic seconds)."""

    per_s: float
    burst: int
    spent: float = 0.0
    at: float = 0.0
    failures: int = 0
    pauses: int = 0
    shut_until: float | None = None
    probing: bool = False
    """One try goes ahead after a pause and finds out, while the others wait."""

    def wait_s(self, now: float) -> float:
        """Seconds until a try is allowed by the rate; 0 where it is now."""
        over = self._spent(now) + 1 - self.burst
        return max(0.0, over / self.per_s)

    def shut_s(self, now: float) -> float:
        """Seconds that the provider is left alone for; 0 where it may be asked."""
        return max(0.0, (self.shut_until or now) - now)

    def tried(self, now: float) -> Gate:
        """A try begins."""
        probing = self.shut_until is not None
        shut = now + FIRST_PAUSE_S if probing else None
        return replace(self, spent=self._spent(now) + 1, at=now, shut_until=shut, probing=probing)

    def answered(self) -> Gate:
        """The provider did its part, be it by a clear refusal."""
        return replace(self, failures=0, pauses=0, shut_until=None, probing=False)

    def failed(self, now: float) -> Gate:
        if self.shut_s(now) and not self.probing:
            return self  # begun before it was shut: fifty that fail together are one failure of the provider
        failures = self.failures + 1
        if failures < TRIPS_AFTER:
            return replace(self, failures=failures)
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self.pauses)
        return replace(self, failures=failures, pauses=self.pauses + 1, shut_until=now + pause, probing=False)

    def _spent(self, now: float) -> float:
        return max(0.0, self.spent - (now - self.at) * self.per_s)
