"""The story of an incident in plain words: what each event means. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alertengine.core.diagnosis.told import named_cause
from alertengine.core.events import Event, EventType
from alertengine.core.language import ENGLISH, Words
from alertengine.core.said import spoken
from alertengine.core.trouble import symptom


def tell(event: Event, words: Words = ENGLISH) -> str:
    """One event as a sentence without its time."""
    key = "story.looked" if _without_link(event) else f"story.{event.type}"
    if not words.has(key):
        return _plainly(event)
    fill, data = _FILLED.get(event.type, _nothing), spoken(event.data, words)
    try:
        values = _Fields(data, who=event.actor.name, **fill(data, words))
        return words.texts[key].format_map(values).rstrip(" :") + _note(event)
    except (KeyError, TypeError, AttributeError):
        return _plainly(event)  # an older daemon wrote it with other fields; the rest must still be read


def _plainly(event: Event) -> str:
    return str(event.type).replace("_", " ").capitalize()


def _without_link(event: Event) -> bool:
    return event.type is EventType.RECOVERY_PREVIEWED and event.data.get("channel") == "terminal"


def _note(event: Event) -> str:
    """What somebody wrote beside their decision."""
    note = event.data.get("note") if event.type in _DECISIONS else None
    return f" “{note}”" if note else ""


class _Fields(dict[str, Any]):
    """A field that an old event lacks reads as nothing."""

    def __init__(self, data: Mapping[str, Any], **more: Any) -> None:
        super().__init__({**data, **more})

    def __missing__(self, key: str) -> str:
        return ""


def span(seconds: float) -> str:
    """A duration as people say it."""
    return ENGLISH.span(seconds)


def _nothing(data: Mapping[str, Any], words: Words) -> dict[str, Any]:
    return {}


def _detected(data: Mapping[str, Any], words: Words) -> dict[str, Any]:
    return {"reason": symptom(data, words)}


def _changed(data: Mapping[str, Any], words: Words) -> dict[str, Any]:
    figures = data.get("figures") or {}
    return {"title": figures.get("route") or data["title"], "reason": symptom(data, words)}


def _diagnosed(data: Mapping[str, Any], words: Words) -> dict[str, Any]:
    sure = words("number.percent", n=round(100 * data["confidence"]))
    source = words("why.rules") if data["source"] == "rules" else data["source"]
    return {"cause": named_cause(data["cause"], words), "sure": sure, "source": source}


def _message(data: Mapping[str, Any], words: Words) -> dict[str, Any]:
    kind = str(data.get("message", ""))
    named = words(f"kind.{kind}") if words.has(f"kind.{kind}") else kind.replace("_", " ")
    return {"message": words("story.message", kind=named)}


def _queued(data: Mapping[str, Any], words: Words) -> dict[str, Any]:
    people = ", ".join(str(d["contact"]) for d in data.get("deliveries", ()))
    return {**_message(data, words), "people": people or words("story.nobody")}


def _escalated(data: Mapping[str, Any], words: Words) -> dict[str, Any]:
    people = ", ".join(str(name) for name in data.get("to", ()))
    step = words("story.step", n=data["step"]) + " " if data.get("step") else ""
    return {"step": step, "people": people or words("story.nobody")}


def _approved(data: Mapping[str, Any], words: Words) -> dict[str, Any]:
    count = data.get("approvals", {})
    return {"given": count.get("given"), "required": count.get("required")}


def _authorized(data: Mapping[str, Any], words: Words) -> dict[str, Any]:
    said = words("story.alone", reason=data["break_glass"]) if data.get("break_glass") else ""
    return {"action": data["action"]["name"], "channel": data.get("channel", "link") + said}


_DECISIONS = frozenset(
    {
        EventType.RECOVERY_APPROVED,
        EventType.RECOVERY_AUTHORIZED,
        EventType.RECOVERY_REJECTED,
        EventType.INCIDENT_RESOLVED,
    }
)

_FILLED: Mapping[str, Callable[[Mapping[str, Any], Words], dict[str, Any]]] = {
    EventType.INCIDENT_DETECTED: _detected,
    EventType.INCIDENT_CHANGED: _changed,
    EventType.DIAGNOSIS_COMPLETED: _diagnosed,
    EventType.ALERT_QUEUED: _queued,
    EventType.ALERT_ACCEPTED: _message,
    EventType.ALERT_DELIVERED: _message,
    EventType.ALERT_READ: _message,
    EventType.ALERT_FAILED: _message,
    EventType.ALERT_DEAD: _message,
    EventType.INCIDENT_ESCALATED: _escalated,
    EventType.RECOVERY_APPROVED: _approved,
    EventType.RECOVERY_AUTHORIZED: _authorized,
}
"""Events whose sentence needs more than their own fields."""
