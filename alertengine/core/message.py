"""What people are told. Pure; each channel fits the same facts to its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.language import ENGLISH, Words
from alertengine.core.model import rfc3339


class MessageKind(StrEnum):
    ALERT = "alert"
    ESCALATION = "escalation"
    REMINDER = "reminder"
    LINK = "link"
    DIAGNOSIS = "diagnosis"
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
    words: Words = ENGLISH
    """For what a channel adds: the buttons, how to answer."""
    thread: str | None = None
    """The provider's id of the message that it follows, where the channel knows threads."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Lines of `body` by name, for forms with a place for each: measured, cause, evidence, proposal."""

    @property
    def link(self) -> tuple[str, ...]:
        """The line with the link, for channels without a button."""
        label = f"{self.words('button.review')}{self.words('list.colon')}"
        return (f"{label} {self.url}",) if self.url else ()

    @property
    def text(self) -> str:
        return "\n".join((self.title, *self.body, *self.link, self.footer))

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
