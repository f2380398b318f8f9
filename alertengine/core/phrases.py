"""Sentences that several messages share, in a person's language. Pure."""

from __future__ import annotations

from alertengine.core.incident import Incident
from alertengine.core.language import Words
from alertengine.core.trouble import title

SHOWN_TOGETHER = 5
"""More than so many incidents in one message are counted, not listed."""


def passed_on(incident: Incident, words: Words) -> str:
    """Why others are told, and whom that makes."""
    passed = incident.escalation or {}
    before = words("passed.yet")
    if passed.get("acknowledged_by"):
        before = words("passed.taken", who=passed["acknowledged_by"])
    elif passed.get("lost"):
        before = words("passed.lost")
    elif passed.get("unanswered_s"):
        before = words("passed.unanswered", span=words.span(round(passed["unanswered_s"])))
    people = [str(name) for name in passed.get("to", ())]
    if not people:
        return words("passed.plain", before=before)
    shown = words("passed.everybody") if passed.get("everyone") else words.also(people)
    key = "passed.calling" if passed.get("by_voice") else "passed.telling"
    return words(key, before=before, people=shown)


def together(
    incident: Incident,
    others: tuple[Incident, ...],
    said: str,
    body: tuple[str, ...],
    words: Words,
    url: str | None,
) -> tuple[str, tuple[str, ...]]:
    """One message of several incidents: how many, the worst in full, the others in a line each, and at `url` all."""
    names = ", ".join(dict.fromkeys(one.service for one in (incident, *others[: SHOWN_TOGETHER - 1])))
    if len(others) >= SHOWN_TOGETHER:
        names = words("together.more", names=names, n=len(others) - SHOWN_TOGETHER + 1)
    lines = [_also(one, words) for one in others[:SHOWN_TOGETHER]]
    if len(others) > SHOWN_TOGETHER:
        command = "alertengine incidents --open"
        lines.append(words("together.rest", n=len(others) - SHOWN_TOGETHER, command=url or command))
    elif url:
        lines.append(words("together.list", url=url))
    return words("together.title", n=len(others) + 1, names=names, title=said), (*body, *lines)


def _also(one: Incident, words: Words) -> str:
    key = f"meanwhile.{one.stage}"
    if words.has(key) and one.open:
        return words("together.but", title=title(one, words), standing=words(key), incident=one.id)
    return words("together.also", title=title(one, words), incident=one.id)
