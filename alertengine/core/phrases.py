"""Sentences that several messages share. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alertengine.core.incident import Incident

SHOWN_TOGETHER = 5
"""More than so many incidents in one message are counted, not listed."""


def passed_on(incident: Incident) -> str:
    """Why others are told, and whom that makes."""
    passed = incident.escalation or {}
    before = "Nobody has answered yet"
    if passed.get("acknowledged_by"):
        before = f"{passed['acknowledged_by']} took it on, and nothing was decided"
    elif passed.get("lost"):
        before = "No message arrived"
    elif passed.get("unanswered_s"):
        before = f"No answer for {span(passed['unanswered_s'])}"
    people = passed.get("to", ())
    if not people:
        return f"{before}."
    verb = "calling" if passed.get("by_voice") else "telling"
    shown = "everybody" if passed.get("everyone") else _and(people)
    return f"{before}: {verb} {shown}."


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def together(
    incident: Incident,
    others: tuple[Incident, ...],
    title: str,
    body: tuple[str, ...],
) -> tuple[str, tuple[str, ...]]:
    """One message of several incidents: how many, the worst in full, the others in a line each."""
    names = ", ".join(dict.fromkeys(one.service for one in (incident, *others[: SHOWN_TOGETHER - 1])))
    more = f" and {len(others) - SHOWN_TOGETHER + 1} more" if len(others) >= SHOWN_TOGETHER else ""
    lines = tuple(f"Also: {one.title}{_standing(one)} ({one.id})." for one in others[:SHOWN_TOGETHER])
    if len(others) > SHOWN_TOGETHER:
        lines += (f"And {len(others) - SHOWN_TOGETHER} more: alertengine incidents --open",)
    return f"{len(others) + 1} together: {names}{more}. {title}", (*body, *lines)


def _standing(incident: Incident) -> str:
    return f", but {MEANWHILE[incident.stage]}" if incident.stage in MEANWHILE and incident.open else ""


def span(seconds: float) -> str:
    """A duration as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    if minutes:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{rest} s"


MEANWHILE: Mapping[str, str] = {
    "RESOLVED": "it is over",
    "AUTHORIZED": "a recovery was authorized",
    "RECOVERING": "a recovery is running",
    "VERIFYING": "the recovery ran, health is being watched",
    "REJECTED": "it was decided not to run it",
    "EXPIRED": "the time to decide is over",
    "UNKNOWN": "a recovery may have run; its outcome is not known",
}
