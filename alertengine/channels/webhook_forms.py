"""Ready forms of the webhook: what PagerDuty, Microsoft Teams and Discord take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alertengine.core.fit import clip, fit, flatten, units
from alertengine.core.message import ASKS, Message, MessageKind
from alertengine.core.model import rfc3339

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
SUMMARY_LIMIT = 1024
CARD_LINE_LIMIT = 1500
DISCORD_LIMIT = 2000
SUPPRESS_EMBEDS = 4

_OVER = frozenset({MessageKind.RECOVERED, MessageKind.HEALED, MessageKind.CLOSED})
_TRIGGERS = ASKS | {MessageKind.DIAGNOSIS, MessageKind.UNKNOWN, MessageKind.EXPIRED}
"""What else is known only adds to an open incident there; anything that is neither acknowledges it."""
_SEVERITIES = {"critical": "critical", "error": "error", "warning": "warning", "info": "info"}


def pagerduty(message: Message, secret: str) -> dict[str, Any]:
    """One incident there for each of ours: it is triggered, acknowledged and resolved with ours."""
    key = f"{message.tenant_id}/{message.incident_id}"
    event: dict[str, Any] = {"routing_key": secret, "dedup_key": key[:255]}
    if message.kind in _OVER:
        return {**event, "event_action": "resolve"}
    if message.kind not in _TRIGGERS:
        return {**event, "event_action": "acknowledge"}
    event |= {
        "event_action": "trigger",
        "client": "AlertEngine",
        "payload": {
            "summary": clip(flatten(message.title), SUMMARY_LIMIT),
            "source": message.service,
            "severity": _SEVERITIES.get(message.severity, "critical"),
            "timestamp": rfc3339(message.at),
            "component": message.service,
            "custom_details": {"text": "\n".join(map(flatten, message.body)), **message.facts},
        },
    }
    if message.url:
        event |= {
            "client_url": message.url,
            "links": [{"href": message.url, "text": message.words("button.review")}],
        }
    return event


def teams(message: Message, secret: str) -> dict[str, Any]:
    """An Adaptive Card, as the "when a webhook request is received" workflows of Teams take it."""
    title: dict[str, Any] = {
        "type": "TextBlock",
        "text": _plain(message.title),
        "weight": "Bolder",
        "size": "Medium",
    }
    lines: list[dict[str, Any]] = [{"type": "TextBlock", "text": _plain(line)} for line in message.body]
    small: dict[str, Any] = {
        "type": "TextBlock",
        "text": _plain(message.footer),
        "size": "Small",
        "isSubtle": True,
    }
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": [{**block, "wrap": True} for block in (title, *lines, small)],
    }
    if message.url:
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": message.words("button.review"), "url": message.url}
        ]
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def discord(message: Message, secret: str) -> dict[str, Any]:
    # The link in angle brackets and the flag: neither way is a preview fetched. Nobody can be rung by a name.
    label = f"{message.words('button.review')}{message.words('list.colon')}"
    link = [f"{label} <{message.url}>"] if message.url else []
    room = DISCORD_LIMIT - sum(units(part) + 1 for part in link)
    lines = [flatten(part) for part in (message.title, *message.body, message.footer)]
    first, *rest = fit(lines, room, _marked) or ("",)
    text = "\n".join((f"**{_escaped(first)}**", *map(_escaped, rest), *link))
    return {"content": text, "allowed_mentions": {"parse": []}, "flags": SUPPRESS_EMBEDS}


def _plain(text: str) -> str:
    return _escaped(clip(flatten(text), CARD_LINE_LIMIT))


def _escaped(text: str) -> str:
    """Without the marks that Markdown reads."""
    return "".join(f"\\{c}" if c in "\\*_~`|>#[]" else c for c in text)


def _marked(text: str) -> int:
    return units(_escaped(text)) + 4


FORMS: Mapping[str, Callable[[Message, str], dict[str, Any]]] = {
    "pagerduty": pagerduty,
    "teams": teams,
    "discord": discord,
}
"""Body of a message in each form; the second argument is the channel's secret."""
