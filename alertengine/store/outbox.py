"""Deliveries and their attempts: queued with the event that caused them, claimed before they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alertengine.core.message import MessageKind
from alertengine.core.model import parse_time, rfc3339
from alertengine.store.base import Query, Row, Transaction

NOBODY = ""
"""The provider of an attempt that was recorded and not made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message for one contact. `jti` is that of its link."""

    id: str
    tenant_id: str
    incident_id: str
    contact_id: str
    kind: MessageKind
    jti: str
    seq: int
    """The number of the event that queued it."""
    queued_at: datetime
    attempts: int = 0
    forgiven: int = 0
    """Attempts that an operator's retry forgave; they count no more, and the provider sees a new key."""
    follows: str | None = None
    """The delivery that it stands in for."""
    copy: bool = False
    """Nobody is asked by it, nor counts as told."""

    @property
    def key(self) -> str:
        """The idempotency key of every attempt."""
        return f"{self.id}-{self.forgiven}" if self.forgiven else self.id


def queue(tx: Transaction, new: Delivery, due_at: datetime, fallback_at: datetime) -> None:
    tx.execute(
        "INSERT INTO delivery"
        " (id, tenant, incident, contact, kind, jti, seq, queued_at, due_at, fallback_at, follows, copy, state, number)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued',"
        " (SELECT 1 + coalesce(max(number), 0) FROM delivery))",
        new.id,
        new.tenant_id,
        new.incident_id,
        new.contact_id,
        str(new.kind),
        new.jti,
        new.seq,
        rfc3339(new.queued_at),
        rfc3339(due_at),
        rfc3339(fallback_at),
        new.follows,
        int(new.copy),
    )
    join(tx, new.id, new)


def join(tx: Transaction, delivery_id: str, new: Delivery) -> None:
    """The message tells of that incident too. Twice is once."""
    tx.execute(
        "INSERT INTO about (delivery, tenant, incident, seq) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        delivery_id,
        new.tenant_id,
        new.incident_id,
        new.seq,
    )


def joinable(new: Delivery) -> Query[str | None]:
    """A message of the kind to the same contact that has not left: what is to be told is told with it.

    Not one that the person's next address was used for already, nor one that is before something unsent about the
    same incident: it would be told in the wrong order.
    """
    return Query(
        sql="SELECT d.id FROM delivery AS d JOIN incident AS i ON i.tenant = d.tenant AND i.id = d.incident"
        " WHERE d.tenant = ? AND d.contact = ? AND d.kind = ? AND d.state = 'queued' AND d.attempts = 0"
        " AND d.follows IS ? AND d.fallback_at IS NOT NULL AND i.is_test = 0 AND NOT EXISTS ("
        " SELECT 1 FROM about AS m JOIN delivery AS e ON e.id = m.delivery"
        " WHERE m.tenant = d.tenant AND m.incident = ? AND e.contact = d.contact AND e.number > d.number"
        " AND e.state IN ('queued', 'sending')) ORDER BY d.number LIMIT 1",
        params=(new.tenant_id, new.contact_id, str(new.kind), new.follows, new.incident_id),
        decode=lambda rows: rows[0][0] if rows else None,
    )


def postpone(tx: Transaction, delivery: Delivery, until: datetime) -> None:
    """Not now: nothing was tried, nor is by anybody else since it was read."""
    tx.execute(
        "UPDATE delivery SET due_at = ? WHERE id = ? AND tenant = ?"
        " AND attempts = ? AND state IN ('queued', 'sending')",
        rfc3339(until),
        delivery.id,
        delivery.tenant_id,
        delivery.attempts,
    )


def redirect(tx: Transaction, delivery: Delivery, contact: str) -> None:
    """It goes to another address of the same person, for it has not left yet."""
    tx.execute(
        "UPDATE delivery SET contact = ? WHERE id = ? AND tenant = ? AND attempts = ?",
        contact,
        delivery.id,
        delivery.tenant_id,
        delivery.attempts,
    )


def about(delivery: Delivery) -> Query[list[tuple[str, int]]]:
    """(incident, number of the event that queued it) of everything it tells of; its own first."""
    return Query(
        sql="SELECT incident, seq FROM about WHERE delivery = ? AND tenant = ? ORDER BY incident <> ?, incident",
        params=(delivery.id, delivery.tenant_id, delivery.incident_id),
        decode=lambda rows: [(row[0], row[1]) for row in rows],
    )


def due(now: datetime, limit: int) -> Query[list[Delivery]]:
    """What is to be sent now: queued and due, or claimed by a sender that never came back.

    A message waits while an earlier one to the same person about the same incident is on its way, so that
    "recovered" does not overtake "failing"; it does not wait for one that is between two tries. What is for a
    suspended tenant waits until it is resumed.
    """
    sql = f"""
        SELECT {DELIVERY} FROM delivery AS d WHERE state IN ('queued', 'sending') AND due_at <= ?
        AND NOT EXISTS (SELECT 1 FROM about AS m
                        JOIN about AS o ON o.tenant = m.tenant AND o.incident = m.incident
                        JOIN delivery AS e ON e.id = o.delivery AND e.number < d.number
                        WHERE m.delivery = d.id AND e.contact = d.contact
                        AND (e.state = 'sending' OR e.state = 'queued' AND (e.due_at <= ? OR e.attempts = 0)))
        AND d.tenant NOT IN (SELECT id FROM tenant WHERE status <> 'active')
        ORDER BY due_at, number LIMIT ?"""  # noqa: S608 - our own column list
    return Query(
        sql=sql,
        params=(rfc3339(now), rfc3339(now), limit),
        decode=lambda rows: [delivery_of(r) for r in rows],
    )


def claim(
    tx: Transaction,
    delivery: Delivery,
    channel: str,
    provider: str,
    contact: str,
    now: datetime,
    lease_s: float,
) -> bool:
    """Write the attempt before it is made. False where somebody else took it since it was read."""
    attempt = delivery.attempts + 1
    claimed = tx.execute(
        "UPDATE delivery SET state = 'sending', attempts = ?, due_at = ?"
        " WHERE id = ? AND tenant = ? AND attempts = ? AND state IN ('queued', 'sending')",
        attempt,
        rfc3339(now + timedelta(seconds=lease_s)),
        delivery.id,
        delivery.tenant_id,
        delivery.attempts,
    )
    if claimed != 1:
        return False
    tx.execute(
        "INSERT INTO attempt (delivery, attempt, tenant, incident, channel, provider, contact, outcome, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'sending', ?)",
        delivery.id,
        attempt,
        delivery.tenant_id,
        delivery.incident_id,
        channel,
        provider,
        contact,
        rfc3339(now),
    )
    return True


def settle(
    tx: Transaction,
    delivery: Delivery,
    outcome: str,
    *,
    provider_message_id: str | None = None,
    error: str | None = None,
    again_at: datetime | None = None,
) -> None:
    """Record how the attempt that was claimed from `delivery` ended. `again_at`: it is tried again then."""
    state = "queued" if again_at else outcome
    tx.execute(
        "UPDATE delivery SET state = ?, due_at = coalesce(?, due_at) WHERE id = ? AND tenant = ?",
        state,
        rfc3339(again_at) if again_at else None,
        delivery.id,
        delivery.tenant_id,
    )
    tx.execute(
        "UPDATE attempt SET outcome = ?, provider_message_id = ?, error = ? WHERE delivery = ? AND attempt = ?",
        outcome,
        provider_message_id,
        error,
        delivery.id,
        delivery.attempts + 1,
    )


def give_up(
    tx: Transaction, delivery: Delivery, channel: str, contact: str, error: str, now: datetime
) -> bool:
    """It does not leave at all: no provider is asked. False where somebody else took it since it was read."""
    if not claim(tx, delivery, channel, NOBODY, contact, now, 0.0):
        return False
    settle(tx, delivery, "dead", error=error)
    tx.execute(
        "UPDATE delivery SET fallback_at = NULL WHERE id = ? AND tenant = ?", delivery.id, delivery.tenant_id
    )
    return True


def reclaim(tx: Transaction, now: datetime) -> int:
    """At the start of a daemon nobody else is sending: what a former life was about to send is due again."""
    return tx.execute("UPDATE delivery SET due_at = ? WHERE state = 'sending'", rfc3339(now))


def delivery(tenant: str, delivery_id: str) -> Query[tuple[Delivery, str] | None]:
    """(delivery, state)."""
    return Query(
        sql=f"SELECT {DELIVERY}, d.state FROM delivery AS d WHERE d.tenant = ? AND d.id = ?",  # noqa: S608
        params=(tenant, delivery_id),
        decode=lambda rows: (delivery_of(rows[0]), rows[0][12]) if rows else None,
    )


DELIVERY = (
    "d.id, d.tenant, d.incident, d.contact, d.kind, d.jti, d.seq, d.queued_at, d.attempts, d.forgiven,"
    " d.follows, d.copy"
)


def delivery_of(row: Row) -> Delivery:
    return Delivery(
        id=row[0],
        tenant_id=row[1],
        incident_id=row[2],
        contact_id=row[3],
        kind=MessageKind(row[4]),
        jti=row[5],
        seq=row[6],
        queued_at=parse_time(row[7]),
        attempts=row[8],
        forgiven=row[9],
        follows=row[10],
        copy=bool(row[11]),
    )
