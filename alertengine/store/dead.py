"""Dead letters: messages that were given up, with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alertengine.store.base import Query, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    delivery_id: str
    tenant_id: str
    incident_id: str
    message: str
    contact: str
    channel: str
    attempts: int
    reason: str | None
    at: str

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.delivery_id,
            "tenant_id": self.tenant_id,
            "incident_id": self.incident_id,
            "message": self.message,
            "contact": self.contact,
            "channel": self.channel,
            "attempts": self.attempts,
            "reason": self.reason,
            "at": self.at,
        }


def letters(tenant: str | None, limit: int) -> Query[list[DeadLetter]]:
    """The newest dead letters, of one tenant or of all."""
    where = "AND d.tenant = ?" if tenant else ""
    return Query(
        sql="SELECT d.id, d.tenant, d.incident, d.kind, a.contact, a.channel, d.attempts, a.error, a.at"  # noqa: S608
        " FROM delivery AS d JOIN attempt AS a ON a.delivery = d.id AND a.attempt = d.attempts"
        f" WHERE d.state = 'dead' {where} ORDER BY a.at DESC LIMIT ?",
        params=(tenant, limit) if tenant else (limit,),
        decode=lambda rows: [_letter(row) for row in rows],
    )


def owner(delivery_id: str) -> Query[str | None]:
    """Whose dead letter it is; None where there is none of this id."""
    return Query(
        sql="SELECT tenant FROM delivery WHERE id = ? AND state = 'dead'",
        params=(delivery_id,),
        decode=lambda rows: rows[0][0] if rows else None,
    )


def _letter(row: Row) -> DeadLetter:
    return DeadLetter(
        delivery_id=row[0],
        tenant_id=row[1],
        incident_id=row[2],
        message=row[3],
        contact=row[4],
        channel=row[5],
        attempts=row[6],
        reason=row[7],
        at=row[8],
    )
