"""One delivery of a message: drawn from the incident as it is when it leaves, in its recipient's language. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from alertengine.core.contents import contents
from alertengine.core.cost import Cost
from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.language import ENGLISH, Words
from alertengine.core.message import ASKS, Message, MessageKind
from alertengine.core.mode import NORMAL, Condition, Mode
from alertengine.core.model import rfc3339
from alertengine.core.phrases import together

LATE_AFTER_S = 60.0
REASON_CHARS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One delivery's own facts: for whom, with which link (None where nothing is to be decided)."""

    recipient: str
    now: datetime
    queued_at: datetime
    words: Words = ENGLISH
    """The recipient's language."""
    cost: Cost | None = None
    """What the trouble costs as it is now; None where it is not known."""
    then: Incident | None = None
    """How the incident stood when the message was queued."""
    others: tuple[Incident, ...] = ()
    """More incidents that this one message tells of, worst first."""
    list_url: str | None = None
    """Where all of them are."""
    url: str | None = None
    valid_until: datetime | None = None
    reference: str | None = None
    """Names the link in a button, where the channel has buttons that answer."""
    code: str | None = None
    """Names it for somebody who types."""
    anchor: str | None = None
    """The ledger's size and root when the message left: what was recorded by then stands."""
    checkpoint: str | None = None
    """The same, signed, for receivers that are programs."""
    condition: Condition = NORMAL
    """How AlertEngine itself is."""


def compose(kind: MessageKind, incident: Incident, letter: Letter) -> Message:
    """The message of `kind` about `incident` as it is now, which may be later than when it was queued."""
    words = letter.words
    told = contents(kind, incident, letter.cost, words)
    title, body = told.title, told.lines
    late = (letter.now - letter.queued_at).total_seconds()
    if kind in ASKS or late >= LATE_AFTER_S:
        body = (*body, *_meanwhile(kind, incident, letter))
    body = (*body, *_condition(letter))
    if letter.others:
        title, body = together(incident, letter.others, title, body, words, letter.list_url)
    if late >= LATE_AFTER_S:
        title = words("message.delayed", span=words.span(round(late)), title=title)
    mark = f"{words('message.test')} · " if incident.is_test else ""
    return Message(
        kind=kind,
        incident_id=incident.id,
        tenant_id=incident.tenant_id,
        service=incident.service,
        severity=incident.severity,
        stage=str(incident.stage),
        title=f"{_SIGN[kind]} {mark}{title}",
        body=body,
        footer=_footer(incident, letter),
        url=letter.url,
        reference=letter.reference,
        code=letter.code,
        at=letter.now,
        is_test=incident.is_test,
        facts=_facts(incident, letter),
        words=words,
        parts=told.parts,
    )


def bare(incident: Incident) -> Incident:
    """The same without what a report brought beside the sentences: no figures, no times, no evidence."""
    kept = {key: incident.detected.get(key) for key in ("severity", "title", "reason")}
    return replace(incident, detected=kept, diagnosis=None)


def plain(letter: Letter) -> Letter:
    """The same without what it costs, and bare of what it tells of others."""
    return replace(letter, cost=None, then=None, others=tuple(bare(one) for one in letter.others))


def _meanwhile(kind: MessageKind, incident: Incident, letter: Letter) -> tuple[str, ...]:
    """Where it stands now, if that is not what the message says: it may have waited."""
    words, then = letter.words, letter.then or incident
    if kind in ASKS and incident.stage in DECIDABLE:
        return ()
    if kind not in ASKS and (incident.stage, incident.round) == (then.stage, then.round):
        return ()
    if incident.stage in DECIDABLE and incident.round == then.round:
        return ()
    key = f"meanwhile.{incident.stage}"
    return (words("message.meanwhile", what=words(key if words.has(key) else "meanwhile.again")),)


def _footer(incident: Incident, letter: Letter) -> str:
    words, name = letter.words, letter.recipient
    until = letter.valid_until
    who = (
        words("footer.until", name=name, at=f"{until:%H:%M:%S} UTC")
        if until
        else words("footer.for", name=name)
    )
    anchor = [words("footer.log", anchor=letter.anchor)] if letter.anchor else []
    return " · ".join((who, incident.id, *anchor))


def _facts(incident: Incident, letter: Letter) -> dict[str, Any]:
    diagnosis = incident.diagnosis or {}
    return {
        "recipient": letter.recipient,
        "opened_at": rfc3339(incident.opened_at),
        "reason": incident.detected.get("reason"),
        "cost": letter.cost.to_json() if letter.cost else None,
        "cause": diagnosis.get("cause"),
        "confidence": diagnosis.get("confidence"),
        "action": incident.action.name if incident.action else None,
        "valid_until": rfc3339(letter.valid_until) if letter.valid_until else None,
        "log_anchor": letter.anchor,
        "log_checkpoint": letter.checkpoint,
        "together": [{"incident_id": one.id, "service": one.service} for one in letter.others],
    }


_SIGN: Mapping[MessageKind, str] = {
    MessageKind.ALERT: "🔴",
    MessageKind.ESCALATION: "🔴",
    MessageKind.REMINDER: "🔴",
    MessageKind.LINK: "🔴",
    MessageKind.DIAGNOSIS: "🔎",
    MessageKind.ACKNOWLEDGED: "👀",
    MessageKind.AUTHORIZED: "▶️",
    MessageKind.REJECTED: "✋",
    MessageKind.FAILED: "🟠",
    MessageKind.RECOVERED: "🟢",
    MessageKind.NOT_RECOVERED: "🟠",
    MessageKind.UNKNOWN: "⚠️",
    MessageKind.HEALED: "🟢",
    MessageKind.EXPIRED: "🟠",
    MessageKind.CLOSED: "⚪",
}


def _condition(letter: Letter) -> tuple[str, ...]:
    """One short line while AlertEngine itself is not as it should be."""
    mode = letter.condition.mode
    if mode is Mode.NORMAL:
        return ()
    reason = letter.condition.reasons[0].removesuffix(".")
    return (letter.words("message.mode", mode=mode, reason=reason[:REASON_CHARS]),)
