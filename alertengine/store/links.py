"""The links that were sent, and their single use."""

from __future__ import annotations

from datetime import datetime

from alertengine.core.model import parse_time, rfc3339
from alertengine.store.base import Query, Transaction


def offer(
    tx: Transaction, tenant: str, incident: str, contact: str, round_: int, jti: str, expires_at: datetime
) -> None:
    """Let a link be used, from when its message leaves. A retry of the message extends it, unless it was used."""
    tx.execute(
        "INSERT INTO link (jti, tenant, incident, contact, round, expires_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (jti) DO UPDATE SET expires_at = excluded.expires_at WHERE used_at IS NULL",
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


def used_at(tenant: str, incident: str, jti: str) -> Query[datetime | None]:
    return Query(
        sql="SELECT used_at FROM link WHERE jti = ? AND tenant = ? AND incident = ? AND used_at IS NOT NULL",
        params=(jti, tenant, incident),
        decode=lambda rows: parse_time(rows[0][0]) if rows else None,
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
