"""What can happen to an incident. An incident is its events; nothing changes without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from alertengine.core.model import SYSTEM, Actor, rfc3339


class EventType(StrEnum):
    INCIDENT_DETECTED = "incident_detected"
    DIAGNOSIS_COMPLETED = "diagnosis_completed"
    ALERT_QUEUED = "alert_queued"
    ALERT_ACCEPTED = "alert_accepted"
    ALERT_DELIVERED = "alert_delivered"
    ALERT_READ = "alert_read"
    ALERT_FAILED = "alert_failed"
    ALERT_DEAD = "alert_dead"
    INCIDENT_ACKNOWLEDGED = "incident_acknowledged"
    INCIDENT_ESCALATED = "incident_escalated"
    INCIDENT_SILENCED = "incident_silenced"
    INCIDENT_CHANGED = "incident_changed"
    RECOVERY_PREVIEWED = "recovery_previewed"
    RECOVERY_APPROVED = "recovery_approved"
    RECOVERY_AUTHORIZED = "recovery_authorized"
    RECOVERY_REJECTED = "recovery_rejected"
    AUTHORIZATION_REFUSED = "authorization_refused"
    RECOVERY_STARTED = "recovery_started"
    RECOVERY_SUCCEEDED = "recovery_succeeded"
    RECOVERY_FAILED = "recovery_failed"
    RECOVERY_OUTCOME_UNKNOWN = "recovery_outcome_unknown"
    HEALTH_VERIFIED = "health_verified"
    HEALTH_NOT_RECOVERED = "health_not_recovered"
    INCIDENT_RESOLVED = "incident_resolved"
    INCIDENT_EXPIRED = "incident_expired"
    LINK_REISSUED = "link_reissued"


class SystemEventType(StrEnum):
    """What happens to the installation rather than to an incident; kept in a tree of its own."""

    DAEMON_STARTED = "daemon_started"
    DAEMON_STOPPED = "daemon_stopped"
    TENANT_ONBOARDED = "tenant_onboarded"
    TENANT_SUSPENDED = "tenant_suspended"
    TENANT_RESUMED = "tenant_resumed"
    PLAN_CHANGED = "plan_changed"
    API_KEY_ROTATED = "api_key_rotated"
    API_KEY_REVOKED = "api_key_revoked"
    SERVICE_ADDED = "service_added"
    SERVICE_CHANGED = "service_changed"
    SERVICE_REMOVED = "service_removed"
    CONTACT_ADDED = "contact_added"
    CONTACT_CHANGED = "contact_changed"
    CONTACT_REMOVED = "contact_removed"
    CONTACT_VERIFIED = "contact_verified"
    TREE_OPENED = "tree_opened"
    KEY_ROTATED = "key_rotated"
    INCIDENT_PRUNED = "incident_pruned"
    STORE_CREATED = "store_created"
    STORE_RESTORED = "store_restored"
    MODE_CHANGED = "mode_changed"
    CLOCK_JUMPED = "clock_jumped"
    SPEND_CAP_REACHED = "spend_cap_reached"
    SILENCE_ADDED = "silence_added"
    SILENCE_REMOVED = "silence_removed"


class Stage(StrEnum):
    DETECTED = "DETECTED"
    DIAGNOSED = "DIAGNOSED"
    ALERTED = "ALERTED"
    AUTHORIZED = "AUTHORIZED"
    RECOVERING = "RECOVERING"
    VERIFYING = "VERIFYING"
    RESOLVED = "RESOLVED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that was decided but not yet appended. `data` is JSON."""

    type: EventType | SystemEventType
    data: Mapping[str, Any] = field(default_factory=dict)
    actor: Actor = SYSTEM


def event_type(name: str) -> EventType | SystemEventType:
    try:
        return EventType(name)
    except ValueError:
        return SystemEventType(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An appended event. `seq` counts from 1 within the incident; `hash` is its leaf in the tenant's tree,
    `prev_hash` that of the incident's event before it ("" for the first)."""

    tenant_id: str
    incident_id: str
    seq: int
    at: datetime
    type: EventType | SystemEventType
    actor: Actor
    data: Mapping[str, Any]
    hash: str
    prev_hash: str

    def to_json(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "at": rfc3339(self.at),
            "type": str(self.type),
            "actor": self.actor.to_json(),
            "data": dict(self.data),
            "hash": self.hash,
            "prev_hash": self.prev_hash,
        }
