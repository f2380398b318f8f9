"""What people are told, drawn from the incident. Pure; each channel fits the same facts to its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from alertengine.core.diagnosis.model import CAUSES
from alertengine.core.incident import DECIDABLE, Execution, Incident
from alertengine.core.model import rfc3339
from alertengine.core.phrases import MEANWHILE, passed_on, span, together

LATE_AFTER_S = 60.0
REVIEW = "Review and decide"
"""What the link, or the button over it, says."""


class MessageKind(StrEnum):
    ALERT = "alert"
    ESCALATION = "escalation"
    REMINDER = "reminder"
    LINK = "link"
    ACKNOWLEDGED = "acknowledged"
    AUTHORIZED = "authorized"
    REJECTED = "rejected"
    FAILED = "failed"
    RECOVERED = "recovered"
    NOT_RECOVERED = "not_recovered"
    UNKNOWN = "unknown"
    HEALED = "healed"
    EXPIRED = "expired"
    CLOSED = "closed"


ASKS = frozenset(
    {
        MessageKind.ALERT,
        MessageKind.ESCALATION,
        MessageKind.REMINDER,
        MessageKind.LINK,
        MessageKind.FAILED,
        MessageKind.NOT_RECOVERED,
    }
)
"""Kinds that ask for a decision and so carry a link, as long as there is something to decide."""

URGENT = ASKS | {MessageKind.UNKNOWN}
"""Kinds that are worth waking somebody for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One delivery's own facts: for whom, with which link (None where nothing is to be decided)."""

    recipient: str
    now: datetime
    queued_at: datetime
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
    then: Incident | None = None
    """How the incident stood when the message was queued."""
    others: tuple[Incident, ...] = ()
    """More incidents that this one message tells of, worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message for one person: `title` says what, `body` the rest line by line, `url` where to decide."""

    kind: MessageKind
    incident_id: str
    tenant_id: str
    service: str
    severity: str
    stage: str
    title: str
    body: tuple[str, ...]
    footer: str
    url: str | None
    reference: str | None = None
    code: str | None = None
    at: datetime
    is_test: bool
    facts: Mapping[str, Any]

    @property
    def text(self) -> str:
        link = [f"{REVIEW}: {self.url}"] if self.url else []
        return "\n".join((self.title, *self.body, *link, self.footer))

    def to_json(self) -> dict[str, Any]:
        return {
            "type": f"incident.{self.kind}",
            "timestamp": rfc3339(self.at),
            "incident_id": self.incident_id,
            "tenant_id": self.tenant_id,
            "service": self.service,
            "severity": self.severity,
            "stage": self.stage,
            "title": self.title,
            "text": self.text,
            "url": self.url,
            "test": self.is_test,
            **self.facts,
        }


def may_ask(kind: MessageKind, incident: Incident) -> bool:
    """A message of this kind carries a link now."""
    return kind in ASKS and incident.stage in DECIDABLE and incident.action is not None


def compose(kind: MessageKind, incident: Incident, letter: Letter) -> Message:
    """The message of `kind` about `incident` as it is now, which may be later than when it was queued."""
    title, body = _WORDS[kind](incident)
    late = (letter.now - letter.queued_at).total_seconds()
    if kind in ASKS or late >= LATE_AFTER_S:
        body = (*body, *_meanwhile(kind, incident, letter.then or incident))
    if letter.others:
        title, body = together(incident, letter.others, title, body)
    if late >= LATE_AFTER_S:
        title = f"(delayed {span(late)}) {title}"
    mark = "TEST · " if incident.is_test else ""
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
    )


def _meanwhile(kind: MessageKind, incident: Incident, then: Incident) -> tuple[str, ...]:
    """Where it stands now, if that is not what the message says: it may have waited."""
    if kind in ASKS and incident.stage in DECIDABLE:
        return ()
    if kind not in ASKS and (incident.stage, incident.round) == (then.stage, then.round):
        return ()
    if incident.stage in DECIDABLE and incident.round == then.round:
        return ()
    return (f"Meanwhile: {MEANWHILE.get(incident.stage, 'a decision is asked for again')}.",)


def _alert(incident: Incident) -> tuple[str, tuple[str, ...]]:
    return incident.title, (*_what(incident), *_why(incident), *_proposal(incident), *_quota(incident))


def _escalation(incident: Incident) -> tuple[str, tuple[str, ...]]:
    """In one sentence why it is passed on and to whom, then what it is about."""
    title, body = _alert(incident)
    return f"{passed_on(incident)} {title}", body


def _reminder(incident: Incident) -> tuple[str, tuple[str, ...]]:
    title, body = _alert(incident)
    end = incident.told_at or incident.last_at
    advice = () if incident.stage in DECIDABLE else ("Open your last link to ask for a new one.",)
    return f"Still, after {span((end - incident.opened_at).total_seconds())}: {title}", (*body, *advice)


def _link(incident: Incident) -> tuple[str, tuple[str, ...]]:
    return f"Your new link: {incident.title}", (*_what(incident), *_proposal(incident))


def _acknowledged(incident: Incident) -> tuple[str, tuple[str, ...]]:
    who = incident.acknowledged_by.name if incident.acknowledged_by else "Somebody"
    return f"{who} is on it: {incident.title}.", ()


def _authorized(incident: Incident) -> tuple[str, tuple[str, ...]]:
    run = _execution(incident)
    when = run.authorized_at.strftime("%H:%M:%S UTC")
    return f"{run.authorized_by.name} authorized {run.action} at {when}. Running.", ()


def _rejected(incident: Incident) -> tuple[str, tuple[str, ...]]:
    who = incident.rejected_by.name if incident.rejected_by else "Somebody"
    return (
        f"{who} decided not to run it. {incident.service} is still watched.",
        ("Nothing was run. You are told when it recovers.",),
    )


def _failed(incident: Incident) -> tuple[str, tuple[str, ...]]:
    run = _execution(incident)
    detail = str((run.detail or {}).get("detail", "it failed"))
    return f"{run.action} failed: {detail}", (f"{incident.title}, still.", *_proposal(incident))


def _recovered(incident: Incident) -> tuple[str, tuple[str, ...]]:
    if incident.is_test:
        return "The test is complete: the whole way works.", ("Nothing real was run.",)
    run = _execution(incident)
    after = ""
    if run.ended_at and incident.closed_at:
        after = f" {span((incident.closed_at - run.ended_at).total_seconds())} after {run.action}"
    return f"Recovered: {incident.service} is healthy{after}.", (_total(incident),)


def _not_recovered(incident: Incident) -> tuple[str, tuple[str, ...]]:
    run = _execution(incident)
    return f"{run.action} ran, but {incident.service} is still failing.", (
        *_what(incident),
        *_proposal(incident),
    )


def _unknown(incident: Incident) -> tuple[str, tuple[str, ...]]:
    run = _execution(incident)
    return (
        f"It is not known whether {run.action} ran.",
        (
            f"{(run.detail or {}).get('detail', 'I stopped while it was running.')}",
            f"It will not be run again by itself. Check {incident.service}, then tell me what you found:",
            f'alertengine close {incident.id} --note "it ran" (or: it did not)',
        ),
    )


def _healed(incident: Incident) -> tuple[str, tuple[str, ...]]:
    run = "nothing was run" if incident.execution is None else "nothing more was run"
    return f"Healed by itself: {incident.service} is healthy again, {run}.", (
        f"The link is closed. {_total(incident)}",
    )


def _expired(incident: Incident) -> tuple[str, tuple[str, ...]]:
    return (
        f"Nobody decided in time: {incident.title}, still.",
        ("Nothing was run. Open your last link to ask for a new one.",),
    )


def _closed(incident: Incident) -> tuple[str, tuple[str, ...]]:
    return f"Closed by a person: {incident.title}.", (_total(incident),)


def _what(incident: Incident) -> tuple[str, ...]:
    reason = str(incident.detected.get("reason", ""))
    since = str(incident.detected.get("since", ""))[11:16]
    return (f"{reason}, since {since} UTC." if since else f"{reason}.",)


def _why(incident: Incident) -> tuple[str, ...]:
    diagnosis = incident.diagnosis
    if diagnosis is None:
        return ()
    measured = tuple(f"Measured: {item['text']}." for item in diagnosis["evidence"][:1])
    if diagnosis["cause"] == "unclear":
        return (f"Why: not clear yet. {diagnosis['summary']}", *measured)
    label = CAUSES.get(diagnosis["cause"], diagnosis["cause"])
    sure = f"{diagnosis['confidence']:.0%}".replace("%", " %")
    return (f"Likely: {label} ({sure} sure, {diagnosis['source']}).", *measured)


def _proposal(incident: Incident) -> tuple[str, ...]:
    action = incident.action
    if action is None:
        return ("No recovery is configured for this service, so there is nothing to approve.",)
    words = f', "{action.description}"' if action.description else ""
    known = (incident.diagnosis or {}).get("experience")
    before = f" {known['text']}" if known else ""
    return (f"Proposed: {action.name}{words}.{before}",)


def _quota(incident: Incident) -> tuple[str, ...]:
    quota = incident.detected.get("quota")
    if quota is None:
        return ()
    number = (
        f"incident {quota['opened']} in 30 days, and the plan {quota['plan']} includes {quota['included']}"
    )
    return (f"Quota reached: {number}. Today's others are on the record, not sent.",)


def _execution(incident: Incident) -> Execution:
    if incident.execution is None:
        raise ValueError(f"{incident.id} has no execution to tell of")
    return incident.execution


def _total(incident: Incident) -> str:
    end = incident.closed_at or incident.last_at
    return f"{span((end - incident.opened_at).total_seconds())} in all."


def _footer(incident: Incident, letter: Letter) -> str:
    until = f", valid until {letter.valid_until.strftime('%H:%M:%S UTC')}" if letter.valid_until else ""
    anchor = f" · log {letter.anchor}" if letter.anchor else ""
    return f"For {letter.recipient}{until} · {incident.id}{anchor}"


def _facts(incident: Incident, letter: Letter) -> dict[str, Any]:
    diagnosis = incident.diagnosis or {}
    return {
        "recipient": letter.recipient,
        "opened_at": rfc3339(incident.opened_at),
        "reason": incident.detected.get("reason"),
        "cause": diagnosis.get("cause"),
        "confidence": diagnosis.get("confidence"),
        "action": incident.action.name if incident.action else None,
        "valid_until": rfc3339(letter.valid_until) if letter.valid_until else None,
        "log_anchor": letter.anchor,
        "log_checkpoint": letter.checkpoint,
        "together": [
            {"incident_id": one.id, "service": one.service, "title": one.title} for one in letter.others
        ],
    }


_SIGN: Mapping[MessageKind, str] = {
    MessageKind.ALERT: "🔴",
    MessageKind.ESCALATION: "🔴",
    MessageKind.REMINDER: "🔴",
    MessageKind.LINK: "🔴",
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

_WORDS: Mapping[MessageKind, Callable[[Incident], tuple[str, tuple[str, ...]]]] = {
    MessageKind.ALERT: _alert,
    MessageKind.ESCALATION: _escalation,
    MessageKind.REMINDER: _reminder,
    MessageKind.LINK: _link,
    MessageKind.ACKNOWLEDGED: _acknowledged,
    MessageKind.AUTHORIZED: _authorized,
    MessageKind.REJECTED: _rejected,
    MessageKind.FAILED: _failed,
    MessageKind.RECOVERED: _recovered,
    MessageKind.NOT_RECOVERED: _not_recovered,
    MessageKind.UNKNOWN: _unknown,
    MessageKind.HEALED: _healed,
    MessageKind.EXPIRED: _expired,
    MessageKind.CLOSED: _closed,
}
