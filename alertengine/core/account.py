"""The story of an incident in plain words: what each event means. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alertengine.core.diagnosis.model import CAUSES
from alertengine.core.events import Event, EventType


def tell(event: Event) -> str:
    """One event as a sentence without its time."""
    words = _WORDS.get(event.type)
    try:
        return words(event.actor.name, event.data) if words else _plainly(event)
    except (KeyError, TypeError, AttributeError):
        return _plainly(event)  # an older daemon wrote it with other fields; the rest must still be read


def _plainly(event: Event) -> str:
    return str(event.type).replace("_", " ").capitalize()


def span(seconds: float) -> str:
    """A duration as people say it."""
    if 0 < seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{rest} s"


def _diagnosed(who: str, data: Mapping[str, Any]) -> str:
    cause = CAUSES.get(data["cause"], data["cause"])
    return f"Diagnosis by {data['source']}: {cause} ({round(100 * data['confidence'])} % sure)"


def _queued(who: str, data: Mapping[str, Any]) -> str:
    people = ", ".join(str(d["contact"]) for d in data.get("deliveries", ()))
    return f"{_kind(data)} queued for {people or 'nobody'}"


def _kind(data: Mapping[str, Any]) -> str:
    return f"Message “{str(data.get('message', '')).replace('_', ' ')}”"


def _approved(who: str, data: Mapping[str, Any]) -> str:
    count = data.get("approvals", {})
    return f"{who} approved ({count.get('given')} of {count.get('required')})"


def _resolved(who: str, data: Mapping[str, Any]) -> str:
    note = f" “{data['note']}”" if data.get("note") else ""
    return f"Over: {data.get('reason', 'resolved')}{note}"


def _escalated(who: str, data: Mapping[str, Any]) -> str:
    people = ", ".join(str(name) for name in data.get("to", ()))
    step = f"Step {data['step']}: " if data.get("step") else ""
    return f"{step}{people or 'nobody'} told, for {data.get('reason', 'nobody answered')}"


def _detail(text: str) -> Callable[[str, Mapping[str, Any]], str]:
    def words(who: str, data: Mapping[str, Any]) -> str:
        return f"{text}: {data['detail']}" if data.get("detail") else text

    return words


def _said(text: str) -> Callable[[str, Mapping[str, Any]], str]:
    """`text` with {who} and the event's own fields."""

    def words(who: str, data: Mapping[str, Any]) -> str:
        return text.format_map(_Fields(data, who=who, kind=_kind(data)))

    return words


class _Fields(dict[str, Any]):
    """A field that an old event lacks reads as nothing."""

    def __missing__(self, key: str) -> str:
        return ""


def _authorized(who: str, data: Mapping[str, Any]) -> str:
    return f"{who} authorized {data['action']['name']} via {data.get('channel', 'a link')}"


_WORDS: Mapping[str, Callable[[str, Mapping[str, Any]], str]] = {
    EventType.INCIDENT_DETECTED: _said("Noticed: {reason}"),
    EventType.DIAGNOSIS_COMPLETED: _diagnosed,
    EventType.ALERT_QUEUED: _queued,
    EventType.ALERT_ACCEPTED: _said("{kind} handed to {channel} for {contact}"),
    EventType.ALERT_DELIVERED: _said("{kind} reached the phone of {contact}"),
    EventType.ALERT_READ: _said("{kind} was read by {contact}"),
    EventType.ALERT_FAILED: _said("{kind} to {contact} failed, tried again: {error}"),
    EventType.ALERT_DEAD: _said("{kind} to {contact} given up: {error}"),
    EventType.INCIDENT_ACKNOWLEDGED: _said("{who} is on it"),
    EventType.INCIDENT_ESCALATED: _escalated,
    EventType.RECOVERY_PREVIEWED: _said("The link of {who} was opened"),
    EventType.RECOVERY_APPROVED: _approved,
    EventType.RECOVERY_AUTHORIZED: _authorized,
    EventType.RECOVERY_REJECTED: _said("{who} decided not to run it"),
    EventType.AUTHORIZATION_REFUSED: _said("A decision by {who} was refused ({code})"),
    EventType.RECOVERY_STARTED: _said("{action} started"),
    EventType.RECOVERY_SUCCEEDED: _detail("It reports success"),
    EventType.RECOVERY_FAILED: _detail("It failed"),
    EventType.RECOVERY_OUTCOME_UNKNOWN: _detail("Outcome unknown"),
    EventType.HEALTH_VERIFIED: _said("Health verified: {reason}"),
    EventType.HEALTH_NOT_RECOVERED: _said("Not recovered: {reason}"),
    EventType.INCIDENT_RESOLVED: _resolved,
    EventType.INCIDENT_EXPIRED: _said("Time to decide is over: {reason}"),
    EventType.LINK_REISSUED: _said("A fresh link was sent to {who}"),
    "alert_delivered": _said("{kind} reached the phone of {contact}"),
    "alert_read": _said("{kind} was read by {contact}"),
    "incident_acknowledged": _said("{who} is on it"),
    "incident_silenced": _said("Kept quiet: {reason}"),
}
