"""What is wrong with a service, in a person's language: the title and the measured line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alertengine.core.incident import Incident
from alertengine.core.language import Words
from alertengine.core.model import parse_time


def title(incident: Incident, words: Words) -> str:
    """What is wrong, in a few words; as it was recorded where its parts were not."""
    figures = _figures(incident)
    key = f"trouble.{figures.get('symptom')}"
    if not words.has(key):
        return incident.title
    route = figures.get("route")
    where = words("where.route", service=incident.service, route=route) if route else incident.service
    return words(key, where=where)


def symptom(incident: Incident, words: Words) -> str:
    """How bad it is against what is usual; as the service said it where it did not say it in figures."""
    figures = _figures(incident)
    kind, polls = str(figures.get("symptom")), figures.get("polls")
    if kind == "outage" and isinstance(polls, int):
        headline = (incident.detected.get("snapshot") or {}).get("headline", "")
        return f"{words.count('measured.outage', polls)}: {headline}"
    value, usual = figures.get("value"), figures.get("usual")
    say = _SCALES.get(kind)
    if say is None or value is None or usual is None:
        return str(incident.detected.get("reason", "")).rstrip(".")
    return words(f"measured.{kind}", value=say(words, value), usual=say(words, usual))


def measured(incident: Incident, words: Words) -> str:
    """The symptom, and since when."""
    what = symptom(incident, words)
    since = str(incident.detected.get("since", ""))
    try:
        at = parse_time(since)
    except ValueError:
        return words("measured.plain", what=what)
    return words("measured.since", what=what, at=f"{at:%H:%M}")


def began(incident: Incident) -> datetime:
    """When the trouble began, as its report said; else when it was noticed."""
    try:
        return parse_time(str(incident.detected.get("since", "")))
    except ValueError:
        return incident.opened_at


def _figures(incident: Incident) -> Mapping[str, Any]:
    """What the detection recorded beside its sentence; an older daemon recorded none."""
    figures = incident.detected.get("figures")
    return figures if isinstance(figures, Mapping) else {}


_SCALES = {
    "error_anomaly": Words.percent,
    "client_error_anomaly": Words.percent,
    "latency_spike": Words.milliseconds,
    "stalled_requests": Words.milliseconds,
    "traffic_drop": Words.number,
}
