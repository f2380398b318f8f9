"""Thresholds and time-outs of the loop, in seconds unless named otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    min_score_to_alert: float = 70.0
    """A critical report opens an incident when its score (0-100) is at most this."""
    confirmations: int = 1
    """Critical polls in a row that open an incident."""
    approval_timeout_s: float = 300.0
    """Life of a recovery link, from when it was sent."""
    decision_timeout_s: float | None = None
    """How long an incident waits for a decision before it expires; three link lives unless set."""
    escalate_after_s: float = 180.0
    """Unanswered for this long, everybody is told again."""
    cooldown_s: float = 300.0
    """This soon after its last resolution, a service must fail one poll more to open an incident."""
    verify_window_s: float = 120.0
    """How long after a recovery healthy reports are awaited."""

    @property
    def deadline_s(self) -> float:
        return self.decision_timeout_s or 3 * self.approval_timeout_s


START_WITHIN_S = 30.0
"""An authorized recovery that could not start within this time is not started late."""

FAILED_POLLS_FOR_OUTAGE = 2
"""One lost poll is a hiccup; two in a row are an outage."""

HEALTHY_POLLS_TO_RECOVER = 2
"""Fresh healthy reports in a row before anyone is told that it recovered."""

FOREIGN_MIN_SAMPLES = 20
"""Reports without a statistical judgement of their own (other SDKs) alarm from this many requests on."""
