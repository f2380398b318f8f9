"""The state of an incident, folded from its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alertengine.core.events import Event, EventType, Stage
from alertengine.core.model import ActionSpec, Actor, parse_time
from alertengine.core.snapshot import graver

DECIDABLE = frozenset({Stage.DETECTED, Stage.DIAGNOSED, Stage.ALERTED})
"""Stages in which a person may authorize or reject."""

TURNS_EVERY_S = 600.0
"""What keeps turning from one thing to another is news no more often than this."""
WAITING = DECIDABLE | {Stage.REJECTED, Stage.EXPIRED}
"""Stages in which nothing runs and the incident ends when the service heals by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One authorized run of an action. `status`: authorized, started, succeeded, failed or unknown."""

    id: str
    status: str
    action: str
    authorized_by: Actor
    authorized_at: datetime
    boot: str | None = None
    """The daemon's life in which it started: another life means that the outcome is not known."""
    alone: str | None = None
    """Why one person authorized by themselves what needs several."""
    ended_at: datetime | None = None
    detail: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "status": self.status}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """`round` counts the decisions asked for: each authorization belongs to exactly one."""

    tenant_id: str
    id: str
    service_id: str
    service: str
    stage: Stage
    severity: str
    title: str
    opened_at: datetime
    version: int
    is_test: bool = False
    round: int = 1
    detected: Mapping[str, Any]
    diagnosis: Mapping[str, Any] | None = None
    action: ActionSpec | None = None
    alert_queued_at: datetime | None = None
    """When people were first asked for the decision of this round."""
    turns: int = 0
    """How often this decision was passed on since people were first asked for it."""
    changes: int = 0
    """How often something graver or else became what is wrong."""
    changed_at: datetime | None = None
    """When it last did."""
    escalation: Mapping[str, Any] | None = None
    """The last time that it was: to whom, and why."""
    escalated_at: datetime | None = None
    acknowledged_by: Actor | None = None
    """Who said that they are on it: nobody else is called for this decision, for a while."""
    acknowledged_at: datetime | None = None
    """When they did."""
    told_at: datetime | None = None
    """When people last heard of it."""
    reminders: int = 0
    held: Mapping[str, str] = field(default_factory=dict)
    """Who was left alone in their quiet hours, and until when."""
    hopeful: frozenset[str] = frozenset()
    """Messages that asked for this decision and are not dead."""
    lost: int = 0
    """How many of them are."""
    retries: int = 0
    """How often in a row all were tried again, since every message was lost."""
    news_seq: int = 0
    """The event that last brought something new: until the next, people are told a few times at most."""
    turned_at: datetime | None = None
    """When something graver or another cause last was such news."""
    approvals: tuple[Actor, ...] = ()
    execution: Execution | None = None
    rejected_by: Actor | None = None
    over_quota: bool = False
    """Past the number that the plan includes, and not alerted yet."""
    quiet_until: datetime | None = None
    silence_id: str | None = None
    """The silence that was last recorded as keeping it quiet."""
    last_at: datetime
    closed_at: datetime | None = None
    healthy: bool = False
    """Health was verified in this stage (an unknown outcome stays open for a human all the same)."""

    @property
    def open(self) -> bool:
        return self.stage is not Stage.RESOLVED

    @property
    def holds_slot(self) -> bool:
        """While true, the service can have no other incident."""
        return self.open and not self.is_test and not self.healthy

    @property
    def unheard(self) -> bool:
        """Whoever was asked for this decision was not reached, for every message is dead; and nobody is on it."""
        return self.lost > 0 and not self.hopeful and self.acknowledged_by is None

    @property
    def recurrence(self) -> int:
        """Its number among the service's failures in a row within an hour; 1 where it stands alone."""
        again = self.detected.get("again")
        return again["times"] if isinstance(again, Mapping) else 1

    @property
    def approvals_needed(self) -> int:
        return self.action.approvals if self.action else 1


def fold(events: Iterable[Event]) -> Incident:
    """The incident that `events` (in order, from the first) describe."""
    state: Incident | None = None
    for event in events:
        state = apply(state, event)
    if state is None:
        raise ValueError("an incident without events")
    return state


def apply(state: Incident | None, event: Event) -> Incident:
    """`state` after `event`. Events of unknown effect (deliveries, previews) only move the version."""
    after = replace(effect(state, event), version=event.seq, last_at=event.at)
    if _turns(state, event):
        return replace(after, news_seq=event.seq, turned_at=event.at)
    return replace(after, news_seq=event.seq) if event.type in _NEWS else after


def _turns(state: Incident | None, event: Event) -> bool:
    """Something graver is wrong than before, or it has another cause; again only after a while."""
    if state is None:
        return False
    lately = state.turned_at is not None and (event.at - state.turned_at).total_seconds() < TURNS_EVERY_S
    if event.type is EventType.INCIDENT_CHANGED:
        return not lately and graver(_symptom(event.data), _symptom(state.detected))
    if event.type is not EventType.DIAGNOSIS_COMPLETED or state.diagnosis is None:
        return False
    return not lately and event.data.get("cause") != state.diagnosis.get("cause")


def _symptom(detected: Mapping[str, Any]) -> str:
    figures = detected.get("figures")
    return str(figures.get("symptom")) if isinstance(figures, Mapping) else ""


def effect(state: Incident | None, event: Event) -> Incident:
    """What `event` changes, but for the version and the time of the last event."""
    if state is None:
        return _detected(event)
    change = _EFFECTS.get(event.type)
    return change(state, event) if change else state


def _detected(event: Event) -> Incident:
    data = event.data
    return Incident(
        tenant_id=event.tenant_id,
        id=event.incident_id,
        service_id=data["service_id"],
        service=data["service"],
        stage=Stage.DETECTED,
        severity=data["severity"],
        title=data["title"],
        opened_at=event.at,
        version=event.seq,
        is_test=data.get("is_test", False),
        detected=data,
        over_quota="quota" in data,
        last_at=event.at,
    )


def _diagnosed(state: Incident, event: Event) -> Incident:
    raw = event.data.get("action")
    action = ActionSpec.from_json(raw) if raw else None
    if state.stage is Stage.DETECTED:
        return replace(state, stage=Stage.DIAGNOSED, diagnosis=event.data, action=action)
    # Another action is another decision: links and approvals were given for what was shown.
    asked_anew = state if action == state.action else _next_round(state)
    return replace(asked_anew, diagnosis=event.data, action=action)


def _queued(state: Incident, event: Event) -> Incident:
    data = event.data
    if data.get("copies"):
        return state
    ids = frozenset(delivery["delivery_id"] for delivery in data.get("deliveries", ()))
    if data.get("message") != "link" and not data.get("follows"):
        told = {name: until for name, until in state.held.items() if name not in data.get("woken", ())}
        held = told | {one["contact"]: one["until"] for one in data.get("held", ())}
        state = replace(state, told_at=event.at, held=held)
    if data.get("message") == "reminder" and not data.get("follows"):
        state = _reminded(state, event)
    if not data.get("asks"):
        return state
    asked_at = state.alert_queued_at or event.at
    return replace(state, alert_queued_at=asked_at, over_quota=False, hopeful=state.hopeful | ids)


def _reminded(state: Incident, event: Event) -> Incident:
    if not state.unheard:
        return replace(state, reminders=state.reminders + 1)
    # Nobody knows of it yet: the time to decide begins with the first message that may arrive.
    return replace(state, retries=state.retries + 1, alert_queued_at=event.at)


def _dead(state: Incident, event: Event) -> Incident:
    dead = event.data.get("delivery_id")
    if dead not in state.hopeful:
        return state
    return replace(state, hopeful=state.hopeful - {dead}, lost=state.lost + 1)


def _accepted(state: Incident, event: Event) -> Incident:
    if event.data.get("delivery_id") in state.hopeful:
        state = replace(state, retries=0)
    asked = event.data.get("asks") and state.stage in (Stage.DETECTED, Stage.DIAGNOSED)
    return replace(state, stage=Stage.ALERTED) if asked else state


def _silenced(state: Incident, event: Event) -> Incident:
    if event.data.get("silence_id"):
        return replace(state, silence_id=event.data["silence_id"])
    return replace(state, quiet_until=parse_time(event.data["until"]))


def _changed(state: Incident, event: Event) -> Incident:
    """What is wrong is told by the newest facts; the trouble as a whole began when it did."""
    before = state.detected
    detected = {**before, **event.data, "began": before.get("began", before.get("since"))}
    return replace(
        state,
        detected=detected,
        title=event.data["title"],
        severity=event.data["severity"],
        changes=state.changes + 1,
        changed_at=event.at,
    )


def _escalated(state: Incident, event: Event) -> Incident:
    turn = event.data.get("turn")
    return replace(
        state,
        turns=max(state.turns, turn if isinstance(turn, int) else state.turns + 1),
        escalation=event.data,
        escalated_at=event.at,
        told_at=event.at,
        acknowledged_by=None,
        acknowledged_at=None,
    )


def _acknowledged(state: Incident, event: Event) -> Incident:
    return replace(state, acknowledged_by=event.actor, acknowledged_at=event.at)


def _approved(state: Incident, event: Event) -> Incident:
    return replace(state, approvals=(*state.approvals, event.actor))


def _authorized(state: Incident, event: Event) -> Incident:
    data = event.data
    execution = Execution(
        id=data["execution_id"],
        status="authorized",
        action=data["action"]["name"],
        authorized_by=event.actor,
        authorized_at=event.at,
        boot=data.get("boot"),
        alone=data.get("break_glass"),
    )
    return replace(
        state, stage=Stage.AUTHORIZED, execution=execution, approvals=(*state.approvals, event.actor)
    )


def _started(state: Incident, event: Event) -> Incident:
    return _executing(state, Stage.RECOVERING, status="started", boot=event.data["boot"])


def _succeeded(state: Incident, event: Event) -> Incident:
    return _executing(state, Stage.VERIFYING, status="succeeded", ended_at=event.at, detail=event.data)


def _failed(state: Incident, event: Event) -> Incident:
    ended = _executing(state, state.stage, status="failed", ended_at=event.at, detail=event.data)
    return _next_round(ended)


def _unknown(state: Incident, event: Event) -> Incident:
    return _executing(state, Stage.UNKNOWN, status="unknown", ended_at=event.at, detail=event.data)


def _executing(state: Incident, stage: Stage, **changes: Any) -> Incident:
    if state.execution is None:
        raise ValueError(f"{state.id}: a recovery went on that nobody authorized")
    return replace(state, stage=stage, execution=replace(state.execution, **changes))


def _next_round(state: Incident, *_: Event) -> Incident:
    return replace(
        state,
        stage=Stage.DIAGNOSED,
        round=state.round + 1,
        alert_queued_at=None,
        turns=0,
        escalated_at=None,
        acknowledged_by=None,
        acknowledged_at=None,
        reminders=0,
        hopeful=frozenset(),
        lost=0,
        retries=0,
        approvals=(),
    )


def _rejected(state: Incident, event: Event) -> Incident:
    return replace(state, stage=Stage.REJECTED, rejected_by=event.actor)


def _verified(state: Incident, event: Event) -> Incident:
    return replace(state, healthy=True)


def _resolved(state: Incident, event: Event) -> Incident:
    return replace(state, stage=Stage.RESOLVED, closed_at=event.at)


def _expired(state: Incident, event: Event) -> Incident:
    return replace(state, stage=Stage.EXPIRED)


def _reissued(state: Incident, event: Event) -> Incident:
    """A fresh link reopens a decision that had expired."""
    if state.stage is not Stage.EXPIRED:
        return state
    return _next_round(state)


_EFFECTS: Mapping[str, Callable[[Incident, Event], Incident]] = {
    EventType.DIAGNOSIS_COMPLETED: _diagnosed,
    EventType.ALERT_QUEUED: _queued,
    EventType.ALERT_ACCEPTED: _accepted,
    EventType.ALERT_DEAD: _dead,
    EventType.INCIDENT_ESCALATED: _escalated,
    EventType.INCIDENT_SILENCED: _silenced,
    EventType.INCIDENT_CHANGED: _changed,
    EventType.INCIDENT_ACKNOWLEDGED: _acknowledged,
    EventType.RECOVERY_APPROVED: _approved,
    EventType.RECOVERY_AUTHORIZED: _authorized,
    EventType.RECOVERY_STARTED: _started,
    EventType.RECOVERY_SUCCEEDED: _succeeded,
    EventType.RECOVERY_FAILED: _failed,
    EventType.RECOVERY_OUTCOME_UNKNOWN: _unknown,
    EventType.RECOVERY_REJECTED: _rejected,
    EventType.HEALTH_VERIFIED: _verified,
    EventType.HEALTH_NOT_RECOVERED: _next_round,
    EventType.INCIDENT_RESOLVED: _resolved,
    EventType.INCIDENT_EXPIRED: _expired,
    EventType.LINK_REISSUED: _reissued,
}

_NEWS = frozenset(
    {
        EventType.INCIDENT_DETECTED,
        EventType.INCIDENT_ACKNOWLEDGED,
        EventType.RECOVERY_APPROVED,
        EventType.RECOVERY_AUTHORIZED,
        EventType.RECOVERY_REJECTED,
        EventType.RECOVERY_SUCCEEDED,
        EventType.RECOVERY_FAILED,
        EventType.RECOVERY_OUTCOME_UNKNOWN,
        EventType.HEALTH_VERIFIED,
        EventType.HEALTH_NOT_RECOVERED,
        EventType.INCIDENT_RESOLVED,
        EventType.INCIDENT_EXPIRED,
        EventType.LINK_REISSUED,
    }
)
"""A decision, an outcome, or what a person asked for; a turn is news too."""
