"""What is wrong with a service, in a person's language: the title and the measured line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alertengine.core.incident import Incident
from alertengine.core.language import Words
from alertengine.core.model import parse_time
from alertengine.core.said import spoken
from alertengine.core.snapshot import unread


def title(incident: Incident, words: Words) -> str:
    """What is wrong, in a few words; as it was recorded where its parts were not."""
    return named(_figures(incident.detected), incident.service, words) or incident.title


def named(figures: Mapping[str, Any], service: str, words: Words) -> str:
    """The same from what a detection recorded; empty where it recorded no more than a sentence."""
    key = f"trouble.{figures.get('symptom')}"
    if not words.has(key):
        return ""
    route = figures.get("route")
    where = words("where.route", service=service, route=route) if route else service
    return words(key, where=where)


def symptom(detected: Mapping[str, Any], words: Words) -> str:
    """How bad it is against what is usual; as the service said it where it did not say it in figures."""
    figures = _figures(detected)
    kind, polls = str(figures.get("symptom")), figures.get("polls")
    if kind in ("outage", "unreadable") and isinstance(polls, int):
        failed = f"{words.count('measured.outage', polls)}{words('list.colon')}"
        return f"{failed} {headline(detected.get('snapshot') or {}, words)}"
    value, usual = figures.get("value"), figures.get("usual")
    say = _SCALES.get(kind)
    if say is None or value is None or usual is None:
        return str(spoken(detected, words).get("reason", "")).rstrip(".")
    return words(f"measured.{kind}", value=say(words, value), usual=say(words, usual))


def headline(snapshot: Mapping[str, Any], words: Words) -> str:
    """Of a recorded poll: why it could not be read, else what the service said."""
    error = snapshot.get("error")
    try:
        return unread(**error).by(words) if error else str(snapshot.get("headline", ""))
    except (KeyError, TypeError):  # an older daemon recorded less
        return str(snapshot.get("headline", ""))


def measured(incident: Incident, words: Words) -> str:
    """The symptom, and since when."""
    what = symptom(incident.detected, words)
    since = str(incident.detected.get("since", ""))
    try:
        at = parse_time(since)
    except ValueError:
        return words("measured.plain", what=what)
    return words("measured.since", what=what, at=f"{at:%H:%M}")


def began(incident: Incident) -> datetime:
    """When the trouble began, as its report said; else when it was noticed."""
    try:
        return parse_time(str(incident.detected.get("began") or incident.detected.get("since", "")))
    except ValueError:
        return incident.opened_at


def _figures(detected: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the detection recorded beside its sentence; an older daemon recorded none."""
    figures = detected.get("figures")
    return figures if isinstance(figures, Mapping) else {}


_SCALES = {
    "error_anomaly": Words.percent,
    "client_error_anomaly": Words.percent,
    "latency_spike": Words.milliseconds,
    "stalled_requests": Words.milliseconds,
    "traffic_drop": Words.number,
}
