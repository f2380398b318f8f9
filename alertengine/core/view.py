"""What the holder of a link should see: one of a fixed set of views, chosen from the facts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from alertengine.core.approval import Claims
from alertengine.core.events import Event, EventType, Stage
from alertengine.core.incident import DECIDABLE, Incident


class View(StrEnum):
    AWAITING = "awaiting"
    MORE_NEEDED = "more-needed"
    """Somebody has approved; this person's approval is still asked for."""
    APPROVED = "approved"
    """This person has approved; others are waited for."""
    AUTHORIZED = "authorized"
    RUNNING = "running"
    VERIFYING = "verifying"
    RECOVERED = "recovered"
    NOT_RECOVERED = "not-recovered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    EXPIRED_OPEN = "expired-open"
    """The link or the time to decide is over, but there is still something to decide."""
    EXPIRED_OVER = "expired-over"
    HEALED = "healed"
    CLOSED = "closed"
    EARLIER = "earlier"
    """The link belongs to a proposal that a newer one has replaced."""
    CHANGED = "changed"
    INVALID = "invalid"
    UNRECORDABLE = "unrecordable"
    TEST = "test"


DECIDING = frozenset({View.AWAITING, View.MORE_NEEDED, View.TEST})
"""Views with the button."""

PREVIEWING = DECIDING | {View.APPROVED, View.CHANGED, View.UNRECORDABLE}
"""Views that show what would run rather than what ran."""

FOLLOWING = frozenset({View.APPROVED, View.AUTHORIZED, View.RUNNING, View.VERIFYING, View.UNRECORDABLE})
"""Views that change by themselves soon, so the page looks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The facts that decide. `current`: the action is configured now just as it was shown."""

    incident: Incident
    claims: Claims
    events: Sequence[Event]
    used: bool
    expired: bool
    approved: bool = False
    """This person's approval is among those given."""
    current: bool = True
    recordable: bool = True


def choose(sight: Sight) -> View:
    stage = sight.incident.stage
    if sight.expired and not sight.used:
        return View.EXPIRED_OPEN if reissuable(sight.incident) else View.EXPIRED_OVER
    if stage is Stage.RESOLVED:
        return ending(sight.incident, sight.events)
    if stage in DECIDABLE:
        return _deciding(sight)
    return _BY_STAGE[stage]


def reissuable(incident: Incident) -> bool:
    """A fresh link would have something to decide."""
    return incident.stage in DECIDABLE | {Stage.EXPIRED} and incident.action is not None


def ending(incident: Incident, events: Sequence[Event]) -> View:
    """How a resolved incident ended."""
    last = [e for e in events if e.type is EventType.INCIDENT_RESOLVED][-1]
    if last.actor.human:
        return View.CLOSED
    helped = next((e.type for e in reversed(events) if e.type in _OUTCOMES), None)
    return View.RECOVERED if helped is EventType.RECOVERY_SUCCEEDED else View.HEALED


def _deciding(sight: Sight) -> View:
    incident, claims = sight.incident, sight.claims
    if claims.round != incident.round:
        return _earlier(sight)
    if sight.approved:
        return View.APPROVED
    if not sight.recordable:
        return View.UNRECORDABLE
    if not sight.current:
        return View.CHANGED
    if incident.is_test:
        return View.TEST
    return View.MORE_NEEDED if incident.approvals else View.AWAITING


def _earlier(sight: Sight) -> View:
    """A link of an earlier round tells how its run ended, where there was one."""
    execution = sight.incident.execution
    runs = [e for e in sight.events if e.type is EventType.RECOVERY_AUTHORIZED]
    if execution is None or not runs or runs[-1].data.get("round", 1) < sight.claims.round:
        return View.EARLIER
    return View.FAILED if execution.status == "failed" else View.NOT_RECOVERED


_OUTCOMES = (EventType.RECOVERY_SUCCEEDED, EventType.RECOVERY_FAILED, EventType.HEALTH_NOT_RECOVERED)

_BY_STAGE = {
    Stage.AUTHORIZED: View.AUTHORIZED,
    Stage.RECOVERING: View.RUNNING,
    Stage.VERIFYING: View.VERIFYING,
    Stage.UNKNOWN: View.UNKNOWN,
    Stage.REJECTED: View.REJECTED,
    Stage.EXPIRED: View.EXPIRED_OPEN,
}
