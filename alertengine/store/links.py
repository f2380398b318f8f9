"""The links that were sent, and their single use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alertengine.core.model import parse_time, rfc3339
from alertengine.store.base import Query, Row, Transaction


def offer(
    tx: Transaction, tenant: str, incident: str, contact: str, round_: int, jti: str, expires_at: datetime
) -> None:
    """Let a link be used, from when its message leaves. A retry of the message makes it anew, unless it was used."""
    tx.execute(
        "INSERT INTO link (jti, tenant, incident, contact, round, expires_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (jti) DO UPDATE SET expires_at = excluded.expires_at, incident = excluded.incident,"
        " contact = excluded.contact, round = excluded.round WHERE used_at IS NULL",
        jti,
        tenant,
        incident,
        contact,
        round_,
        rfc3339(expires_at),
    )


def offered(tenant: str, incident: str, jti: str) -> Query[bool]:
    """The link was really sent: a signature alone, by a stolen secret, is not enough."""
    return Query(
        sql="SELECT 1 FROM link WHERE jti = ? AND tenant = ? AND incident = ?",
        params=(jti, tenant, incident),
        decode=bool,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that was sent, found by what names it in a button."""

    jti: str
    tenant_id: str
    incident_id: str
    contact_id: str
    round: int
    expires_at: datetime


def named(jti: str) -> Query[Link | None]:
    return Query(
        sql="SELECT jti, tenant, incident, contact, round, expires_at FROM link WHERE jti = ?",
        params=(jti,),
        decode=lambda rows: _link(rows[0]) if rows else None,
    )


def newest_of(contact: str, limit: int) -> Query[list[Link]]:
    """The links that this contact was sent, newest first."""
    return Query(
        sql="SELECT jti, tenant, incident, contact, round, expires_at FROM link WHERE contact = ?"
        " ORDER BY expires_at DESC LIMIT ?",
        params=(contact, limit),
        decode=lambda rows: [_link(row) for row in rows],
    )


def _link(row: Row) -> Link:
    return Link(
        jti=row[0],
        tenant_id=row[1],
        incident_id=row[2],
        contact_id=row[3],
        round=row[4],
        expires_at=parse_time(row[5]),
    )


def used_at(tenant: str, incident: str, jti: str) -> Query[datetime | None]:
    return Query(
        sql="SELECT used_at FROM link WHERE jti = ? AND tenant = ? AND incident = ? AND used_at IS NOT NULL",
        params=(jti, tenant, incident),
        decode=lambda rows: parse_time(rows[0][0]) if rows else None,
    )


def is_void(tenant: str, incident: str, jti: str) -> Query[bool]:
    """Used up by a new life of the store (`life.begin`), and by nobody that is known."""
    return Query(
        sql="SELECT 1 FROM link WHERE jti = ? AND tenant = ? AND incident = ? AND used_at = expires_at",
        params=(jti, tenant, incident),
        decode=bool,
    )


def spend(tx: Transaction, tenant: str, incident: str, jti: str, at: datetime) -> bool:
    """Use the link up. False where it was used before: the row count decides."""
    return (
        tx.execute(
            "UPDATE link SET used_at = ? WHERE jti = ? AND tenant = ? AND incident = ? AND used_at IS NULL",
            rfc3339(at),
            jti,
            tenant,
            incident,
        )
        == 1
    )


def claim_execution(tx: Transaction, tenant: str, incident: str, round_: int, execution_id: str) -> bool:
    """Take the one execution of this decision. False where it is taken."""
    return (
        tx.execute(
            "INSERT INTO execution (tenant, incident, round, id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            tenant,
            incident,
            round_,
            execution_id,
        )
        == 1
    )
