"""When to try a delivery again."""

from __future__ import annotations

FIRST_S = 2.0
FACTOR = 2.5
LONGEST_S = 300.0
ATTEMPTS = 8
"""After this many tries a delivery is dead and waits for an operator."""


def delay_s(attempt: int, jitter: float, retry_after_s: float | None = None) -> float:
    """Seconds to wait after try number `attempt` (from 1). `jitter` in 0-1 spreads equal failures apart."""
    planned = min(LONGEST_S, FIRST_S * FACTOR ** (attempt - 1)) * (0.75 + 0.5 * jitter)
    return max(planned, min(retry_after_s or 0.0, 3600.0))
