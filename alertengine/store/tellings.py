"""What people were told of an incident: by which messages, at which addresses, and what became of them.

A telling is all that one event sends to one person: a message to each address that is meant, and what follows one
that failed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.message import ASKS
from alertengine.core.model import parse_time, rfc3339
from alertengine.core.people import person_key
from alertengine.store.base import Query, Row
from alertengine.store.outbox import NOBODY, Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try, written before it is made. `message`: the kind of what was sent. `outcome`: sending, accepted,
    delivered, read, failed or dead."""

    delivery_id: str
    message: str
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
            "message": self.message,
            "channel": self.channel,
            "provider": self.provider,
            "contact": self.contact,
            "attempt": self.attempt,
            "outcome": self.outcome,
            "provider_message_id": self.provider_message_id,
            "error": self.error,
            "at": rfc3339(self.at),
        }


def without_link(settled: datetime) -> Query[list[tuple[str, str, str]]]:
    """(tenant, incident, contact) of open questions that people have no link for.

    They were told of it in one message with something that got the link, and that is over: since `settled`, for what
    fails together often heals together. Whoever has a link to another of them is not asked for two at once.
    """
    asks = ", ".join(f"'{stage}'" for stage in sorted(DECIDABLE))
    return Query(
        sql="SELECT DISTINCT i.tenant, i.id, d.contact FROM incident AS i"  # noqa: S608 - our own stages
        " JOIN about AS m ON m.tenant = i.tenant AND m.incident = i.id JOIN delivery AS d ON d.id = m.delivery"
        " JOIN link AS l ON l.jti = d.jti AND l.incident <> i.id"
        " JOIN incident AS over ON over.tenant = i.tenant AND over.id = l.incident"
        f" WHERE i.closed_at IS NULL AND i.stage IN ({asks})"
        " AND (over.stage = 'EXPIRED' OR over.closed_at <= ?1) AND NOT EXISTS ("
        " SELECT 1 FROM about AS o JOIN incident AS w ON w.tenant = o.tenant AND w.id = o.incident"
        f" WHERE o.delivery = d.id AND (w.stage IN ({asks}) OR w.closed_at > ?1) AND (EXISTS ("
        " SELECT 1 FROM link AS y WHERE y.tenant = w.tenant AND y.incident = w.id AND y.contact = d.contact)"
        " OR EXISTS (SELECT 1 FROM delivery AS y WHERE y.tenant = w.tenant AND y.incident = w.id"
        " AND y.contact = d.contact AND y.kind = 'link'))) ORDER BY i.tenant, i.opened_at, i.id",
        params=(rfc3339(settled),),
        decode=lambda rows: [(row[0], row[1], row[2]) for row in rows],
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


def had(incident: Incident, since: int) -> Query[dict[str, int]]:
    """How many messages each person had of an incident after that event.

    One that was lost, and one that another stands in for, is none.
    """
    return Query(
        sql="SELECT c.name, c.role <> 'viewer' OR c.given_by = 'operator', count(*)"
        " FROM about AS a JOIN delivery AS d ON d.id = a.delivery"
        " JOIN contact AS c ON c.tenant = d.tenant AND c.id = d.contact"
        " WHERE a.tenant = ? AND a.incident = ? AND a.seq > ? AND d.state <> 'dead'"
        " AND NOT EXISTS (SELECT 1 FROM delivery AS f WHERE f.tenant = d.tenant AND f.follows = d.id)"
        " AND d.copy = 0 GROUP BY 1, 2",
        params=(incident.tenant_id, incident.id, since),
        decode=_by_person,
    )


def _by_person(rows: list[Row]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, vouched, number in rows:
        who = person_key(name, vouched=bool(vouched))
        counts[who] = counts.get(who, 0) + number
    return counts


def used(delivery: Delivery, contacts: Sequence[str]) -> Query[dict[str, bool]]:
    """Which of these addresses of one person this delivery's telling has used; True where it may arrive there yet.

    An address where nothing was tried, for another one was to tell the same, is not used.
    """
    return Query(
        sql="WITH RECURSIVE telling (id) AS (SELECT ?1"
        " UNION SELECT d.follows FROM telling AS t JOIN delivery AS d ON d.id = t.id WHERE d.follows IS NOT NULL"
        " UNION SELECT f.id FROM telling AS t JOIN delivery AS f ON f.follows = t.id"
        " UNION SELECT e.id FROM telling AS t JOIN about AS m ON m.delivery = t.id JOIN about AS o"
        " ON o.tenant = m.tenant AND o.incident = m.incident AND o.seq = m.seq JOIN delivery AS e"
        " ON e.id = o.delivery AND e.kind = ?2 AND e.contact IN (SELECT value FROM json_each(?3)))"
        " SELECT d.contact, max(d.state <> 'dead') FROM telling AS t JOIN delivery AS d ON d.id = t.id"
        " WHERE d.contact IN (SELECT value FROM json_each(?3)) AND (d.state <> 'dead' OR EXISTS"
        " (SELECT 1 FROM attempt AS a WHERE a.delivery = d.id AND a.provider <> ?4)) GROUP BY d.contact",
        params=(delivery.id, str(delivery.kind), json.dumps(list(contacts)), NOBODY),
        decode=lambda rows: {row[0]: bool(row[1]) for row in rows},
    )


def doubled(delivery: Delivery, contact: str) -> Query[bool]:
    """Messages of the same kind, queued by the same events, tell that contact of everything that this one does."""
    return Query(
        sql="SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM about AS m WHERE m.delivery = ? AND NOT EXISTS ("
        " SELECT 1 FROM about AS o JOIN delivery AS e ON e.id = o.delivery WHERE o.tenant = m.tenant"
        " AND o.incident = m.incident AND o.seq = m.seq AND o.delivery <> m.delivery"
        " AND e.contact = ? AND e.kind = ? AND e.state <> 'dead'))",
        params=(delivery.id, contact, str(delivery.kind)),
        decode=bool,
    )


def asked(tenant: str, incident: str, contact: str) -> Query[list[str]]:
    """The provider's ids of the messages by which this contact was asked for this decision alone, newest first.

    None of those that went to an address which the contact has left.
    """
    kinds = ", ".join(f"'{kind}'" for kind in sorted(ASKS))
    return Query(
        sql="SELECT a.provider_message_id FROM attempt AS a JOIN delivery AS d ON d.id = a.delivery"  # noqa: S608
        " WHERE d.tenant = ? AND d.incident = ? AND d.contact = ? AND a.provider_message_id IS NOT NULL"
        f" AND a.moved = 0 AND d.kind IN ({kinds}) AND (SELECT count(*) FROM about AS b WHERE b.delivery = d.id) = 1"
        " ORDER BY a.at DESC LIMIT 5",
        params=(tenant, incident, contact),
        decode=lambda rows: [row[0] for row in rows],
    )


def attempts(tenant: str, incident: str) -> Query[list[Attempt]]:
    return Query(
        sql="SELECT a.delivery, d.kind, a.attempt, a.channel, a.provider, a.contact, a.outcome, a.provider_message_id,"
        " a.error, a.at FROM attempt AS a JOIN delivery AS d ON d.id = a.delivery"
        " WHERE a.delivery IN (SELECT delivery FROM about WHERE tenant = ? AND incident = ?)"
        " ORDER BY a.at, a.delivery, a.attempt",
        params=(tenant, incident),
        decode=lambda rows: [_attempt(row) for row in rows],
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


def _attempt(row: Row) -> Attempt:
    return Attempt(
        delivery_id=row[0],
        message=row[1],
        attempt=row[2],
        channel=row[3],
        provider=row[4],
        contact=row[5],
        outcome=row[6],
        provider_message_id=row[7],
        error=row[8],
        at=parse_time(row[9]),
    )
