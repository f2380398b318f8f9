"""How often something may be done. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`burst` at once, and `per_s` again in each second after."""

    per_s: float
    burst: int

    def take(self, full_at: float, now: float) -> tuple[float, float]:
        """(when it is unspent again, seconds to wait). One was taken only where there is nothing to wait for.

        All that is kept of the past is `full_at`, the time at which the whole burst is there again.
        """
        after = max(full_at, now) + 1 / self.per_s
        wait = after - now - self.burst / self.per_s
        return (full_at, wait) if wait > 1e-6 else (after, 0.0)
