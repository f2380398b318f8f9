"""Thresholds and time-outs of the loop, in seconds unless named otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from alertengine.core.escalation import EVERYONE, EscalationStep, Override, ladder, usual
from alertengine.core.model import Role
from alertengine.core.quiet import QuietHours


@dataclass(frozen=True, kw_only=True)
class Policy:
    min_score_to_alert: float = 70.0
    """A critical report opens an incident when its score (0-100) is at most this."""
    confirmations: int = 1
    """Critical polls in a row that open an incident."""
    approval_timeout_s: float = 300.0
    """Life of a recovery link, from when it was sent."""
    decision_timeout_s: float | None = None
    """How long an incident waits for a decision before it expires. Unless set: three link lives, and one more
    after the last step."""
    escalate_after_s: float = 180.0
    """Unanswered for this long, everybody is told again, where no steps are given."""
    steps: tuple[EscalationStep, ...] = ()
    overrides: tuple[Override, ...] = ()
    """Steps of their own for some services; the first that fits."""
    quiet: tuple[QuietHours, ...] = ()
    ack_timeout_s: float = 600.0
    """For so long an acknowledgement stops the steps and the others' reminders."""
    remind_after_s: float = 1800.0
    """Still broken after this long without a word, the people are reminded; 0 is never."""
    remind_at_most_s: float = 4 * 3600.0
    """Each reminder waits twice as long as the one before it, up to this."""
    spend_cap: float | None = None
    """What a tenant's messages may cost in a month; at it the cheapest address is used, and never silence."""
    group_s: float = 2.0
    """Messages of one kind about several services of a tenant wait so long for each other, and leave as one."""
    cooldown_s: float = 300.0
    """This soon after its last resolution, a service must fail one poll more to open an incident, which is told as
    the last one come back."""
    verify_window_s: float = 120.0
    """How long after a recovery healthy reports are awaited."""

    @cached_property
    def deadline_s(self) -> float:
        if self.decision_timeout_s:
            return self.decision_timeout_s
        every = (self.steps, *(override.steps for override in self.overrides))
        last = max((turn.after_s for steps in every for turn in ladder(steps)), default=0.0)
        return max(3 * self.approval_timeout_s, last + self.approval_timeout_s)

    def people(self) -> Iterator[tuple[str, str]]:
        """(where it stands, name) of each person that it names."""
        named = [(f"policy.steps.{n}.who", step.who) for n, step in enumerate(self.steps)]
        for number, override in enumerate(self.overrides):
            place = f"policy.overrides.{number}.steps"
            named += [(f"{place}.{n}.who", step.who) for n, step in enumerate(override.steps)]
        named += [(f"policy.quiet.{n}.who", hours.who) for n, hours in enumerate(self.quiet)]
        return ((where, name) for where, who in named for name in who if name not in {EVERYONE, *Role})

    def steps_for(self, tenant: str, service: str) -> tuple[EscalationStep, ...]:
        """The steps of an incident of this service."""
        own = next((o.steps for o in self.overrides if o.covers(tenant, service)), self.steps)
        return own or usual(self.escalate_after_s)

    def steady_s(self, recurrence: int) -> float:
        """How long a service that failed so often in a row stays healthy before its incident is over."""
        return 0.0 if recurrence < FLAPS else min(3600.0, self.cooldown_s * (recurrence - FLAPS + 1))

    def reminder_s(self, number: int) -> float | None:
        """How long reminder `number` (from 0) comes after the last word; None for never."""
        if not self.remind_after_s:
            return None
        return min(self.remind_at_most_s, self.remind_after_s * 2.0 ** min(number, 30))

    def retry_s(self, number: int) -> float:
        """How long try `number` (from 0) comes after messages of which none could be delivered."""
        return min(self.remind_after_s or RETRY_AT_MOST_S, RETRY_S * 2.0 ** min(number, 30))


RETRY_S = 60.0
RETRY_AT_MOST_S = 1800.0
"""Where nobody is ever reminded."""

FLAPS = 3
"""From this failure within an hour on a service comes and goes, and each is awaited longer to be over."""

START_WITHIN_S = 30.0
"""An authorized recovery that could not start within this time is not started late."""

FAILED_POLLS_FOR_OUTAGE = 2
"""One lost poll is a hiccup; two in a row are an outage."""

HEALTHY_POLLS_TO_RECOVER = 2
"""Fresh healthy reports in a row before anyone is told that it recovered."""

FOREIGN_MIN_SAMPLES = 20
"""Reports without a statistical judgement of their own (other SDKs) alarm from this many requests on."""
