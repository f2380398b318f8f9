"""Deliveries and their attempts: queued with the event that caused them, claimed before they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alertengine.core.incident import Incident
from alertengine.core.message import ASKS, MessageKind
from alertengine.core.model import parse_time, rfc3339
from alertengine.store.base import Query, Row, Transaction


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try, written before it is made. `outcome`: sending, accepted, delivered, read, failed or dead."""

    delivery_id: str
    attempt: int
    channel: str
    provider: str
    contact: str
    outcome: str
    provider_message_id: str | None
    error: str | None
    at: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "delivery_id": self.delivery_id,
            "channel": self.channel,
            "provider": self.provider,
            "contact": self.contact,
            "attempt": self.attempt,
            "outcome": self.outcome,
            "provider_message_id": self.provider_message_id,
            "error": self.error,
            "at": rfc3339(self.at),
        }


def queue(tx: Transaction, new: Delivery, due_at: datetime, fallback_at: datetime) -> None:
    tx.execute(
        "INSERT INTO delivery"
        " (id, tenant, incident, contact, kind, jti, seq, queued_at, due_at, fallback_at, follows, copy, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued')",
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
    """A message of the kind to the same contact that has not left: what is to be told is told with it."""
    return Query(
        sql="SELECT d.id FROM delivery AS d JOIN incident AS i ON i.tenant = d.tenant AND i.id = d.incident"
        " WHERE d.tenant = ? AND d.contact = ? AND d.kind = ? AND d.state = 'queued' AND d.attempts = 0"
        " AND d.follows IS ? AND i.is_test = 0 ORDER BY d.queued_at LIMIT 1",
        params=(new.tenant_id, new.contact_id, str(new.kind), new.follows),
        decode=lambda rows: rows[0][0] if rows else None,
    )


def about(delivery: Delivery) -> Query[list[tuple[str, int]]]:
    """(incident, number of the event that queued it) of everything it tells of; its own first."""
    return Query(
        sql="SELECT incident, seq FROM about WHERE delivery = ? AND tenant = ? ORDER BY incident <> ?, incident",
        params=(delivery.id, delivery.tenant_id, delivery.incident_id),
        decode=lambda rows: [(row[0], row[1]) for row in rows],
    )


def told_with(tenant: str, jti: str, incident: str) -> Query[list[str]]:
    """The other incidents that the message with this link told of."""
    return Query(
        sql="SELECT a.incident FROM delivery AS d JOIN about AS a ON a.delivery = d.id"
        " WHERE d.tenant = ? AND d.jti = ? AND a.incident <> ? ORDER BY a.incident",
        params=(tenant, jti, incident),
        decode=lambda rows: [row[0] for row in rows],
    )


def unlinked_beside(tenant: str, incident: str, contact: str) -> Query[list[str]]:
    """Incidents that this contact was told of together with that one, and was sent no link of their own for."""
    return Query(
        sql="SELECT DISTINCT o.incident FROM about AS m JOIN delivery AS d ON d.id = m.delivery"
        " JOIN about AS o ON o.delivery = m.delivery AND o.incident <> m.incident"
        " WHERE m.tenant = ? AND m.incident = ? AND d.contact = ? AND NOT EXISTS ("
        " SELECT 1 FROM delivery AS l WHERE l.tenant = d.tenant AND l.incident = o.incident"
        " AND l.contact = d.contact AND l.kind = 'link') ORDER BY o.incident",
        params=(tenant, incident, contact),
        decode=lambda rows: [row[0] for row in rows],
    )


def told(tenant: str, incident: str) -> Query[list[str]]:
    """The people who were told of an incident, as they are called now; of those whose messages died nobody was."""
    return Query(
        sql="SELECT DISTINCT c.name FROM about AS a JOIN delivery AS d ON d.id = a.delivery"
        " JOIN contact AS c ON c.tenant = d.tenant AND c.id = d.contact"
        " WHERE a.tenant = ? AND a.incident = ? AND d.state <> 'dead' AND d.copy = 0 ORDER BY c.name",
        params=(tenant, incident),
        decode=lambda rows: [row[0] for row in rows],
    )


def had(incident: Incident, since: datetime) -> Query[dict[str, int]]:
    """How many messages each person had of an incident since then, and since it last brought something new.

    One that was lost, and one that another stands in for, is none.
    """
    return Query(
        sql="SELECT c.name, count(*) FROM about AS a JOIN delivery AS d ON d.id = a.delivery"
        " JOIN contact AS c ON c.tenant = d.tenant AND c.id = d.contact"
        " WHERE a.tenant = ? AND a.incident = ? AND a.seq > ? AND d.queued_at > ? AND d.state <> 'dead'"
        " AND NOT EXISTS (SELECT 1 FROM delivery AS f WHERE f.tenant = d.tenant AND f.follows = d.id)"
        " AND d.copy = 0 GROUP BY c.name",
        params=(incident.tenant_id, incident.id, incident.news_seq, rfc3339(since)),
        decode=_by_person,
    )


def _by_person(rows: list[Row]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, number in rows:
        counts[name.casefold()] = counts.get(name.casefold(), 0) + number
    return counts


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


def give_up(tx: Transaction, delivery: Delivery) -> None:
    """It does not leave at all: another message says the same in the same place."""
    tx.execute(
        "UPDATE delivery SET state = 'dead', fallback_at = NULL WHERE id = ? AND tenant = ? AND attempts = ?",
        delivery.id,
        delivery.tenant_id,
        delivery.attempts,
    )


def doubled(delivery: Delivery, contact: str) -> Query[bool]:
    """A message of the same kind, queued by the same event, is for that contact."""
    return Query(
        sql="SELECT 1 FROM about AS m JOIN about AS o ON o.tenant = m.tenant AND o.incident = m.incident"
        " AND o.seq = m.seq AND o.delivery <> m.delivery JOIN delivery AS e ON e.id = o.delivery"
        " WHERE m.delivery = ? AND e.contact = ? AND e.kind = ? AND e.state <> 'dead' LIMIT 1",
        params=(delivery.id, contact, str(delivery.kind)),
        decode=bool,
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
                        JOIN about AS o ON o.tenant = m.tenant AND o.incident = m.incident AND o.seq < m.seq
                        JOIN delivery AS e ON e.id = o.delivery
                        WHERE m.delivery = d.id AND e.contact = d.contact
                        AND (e.state = 'sending' OR e.state = 'queued' AND (e.due_at <= ? OR e.attempts = 0)))
        AND d.tenant NOT IN (SELECT id FROM tenant WHERE status <> 'active')
        ORDER BY due_at, seq LIMIT ?"""  # noqa: S608 - our own column list
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


def reclaim(tx: Transaction, now: datetime) -> int:
    """At the start of a daemon nobody else is sending: what a former life was about to send is due again."""
    return tx.execute("UPDATE delivery SET due_at = ? WHERE state = 'sending'", rfc3339(now))


def attempts(tenant: str, incident: str) -> Query[list[Attempt]]:
    return Query(
        sql="SELECT delivery, attempt, channel, provider, contact, outcome, provider_message_id, error, at"
        " FROM attempt WHERE delivery IN (SELECT delivery FROM about WHERE tenant = ? AND incident = ?)"
        " ORDER BY at, delivery, attempt",
        params=(tenant, incident),
        decode=lambda rows: [_attempt(row) for row in rows],
    )


def delivery(tenant: str, delivery_id: str) -> Query[tuple[Delivery, str] | None]:
    """(delivery, state)."""
    return Query(
        sql=f"SELECT {DELIVERY}, d.state FROM delivery AS d WHERE d.tenant = ? AND d.id = ?",  # noqa: S608
        params=(tenant, delivery_id),
        decode=lambda rows: (delivery_of(rows[0]), rows[0][12]) if rows else None,
    )


def asked(tenant: str, incident: str, contact: str) -> Query[list[str]]:
    """The provider's ids of the messages by which this contact was asked for this decision alone, newest first."""
    kinds = ", ".join(f"'{kind}'" for kind in sorted(ASKS))
    return Query(
        sql="SELECT a.provider_message_id FROM attempt AS a JOIN delivery AS d ON d.id = a.delivery"  # noqa: S608
        " WHERE d.tenant = ? AND d.incident = ? AND d.contact = ? AND a.provider_message_id IS NOT NULL"
        f" AND d.kind IN ({kinds}) AND (SELECT count(*) FROM about AS b WHERE b.delivery = d.id) = 1"
        " ORDER BY a.at DESC LIMIT 5",
        params=(tenant, incident, contact),
        decode=lambda rows: [row[0] for row in rows],
    )


def counts() -> Query[dict[str, int]]:
    """How many deliveries stand in each state."""
    return Query(
        sql="SELECT state, count(*) FROM delivery GROUP BY state",
        params=(),
        decode=lambda rows: {row[0]: row[1] for row in rows},
    )


def last_outcomes() -> Query[dict[str, tuple[str, str | None]]]:
    """(outcome, error) of the newest attempt on each channel."""
    return Query(
        sql="SELECT channel, outcome, error, max(at) FROM attempt GROUP BY channel",
        params=(),
        decode=lambda rows: {row[0]: (row[1], row[2]) for row in rows},
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


def _attempt(row: Row) -> Attempt:
    return Attempt(
        delivery_id=row[0],
        attempt=row[1],
        channel=row[2],
        provider=row[3],
        contact=row[4],
        outcome=row[5],
        provider_message_id=row[6],
        error=row[7],
        at=parse_time(row[8]),
    )
