"""Codes on their way to people who have not verified their address yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alertengine.core.model import Contact, parse_time, rfc3339
from alertengine.store.base import Query, Row, Transaction

TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One code that was sent. `tries` counts what was typed, right or wrong."""

    contact_id: str
    tenant_id: str
    sealed_code: str
    expires_at: datetime
    tries: int
    sent_at: datetime
    first_at: datetime
    sends: int


def put(tx: Transaction, new: Pending) -> None:
    """A new code takes the place of the one before."""
    tx.execute(
        "INSERT OR REPLACE INTO verification"
        " (contact, tenant, sealed_code, expires_at, tries, sent_at, first_at, sends)"
        " VALUES (?, ?, ?, ?, 0, ?, ?, ?)",
        new.contact_id,
        new.tenant_id,
        new.sealed_code,
        rfc3339(new.expires_at),
        rfc3339(new.sent_at),
        rfc3339(new.first_at),
        new.sends,
    )


def of_contact(tenant: str, contact: str) -> Query[Pending | None]:
    return Query(
        sql=f"SELECT {_PENDING} FROM verification WHERE tenant = ? AND contact = ?",  # noqa: S608
        params=(tenant, contact),
        decode=lambda rows: _pending(rows[0]) if rows else None,
    )


def claimed_as(who: str, *, by_name: bool) -> Query[list[Pending]]:
    """The codes of the contacts that call themselves so: by id or address, at the terminal by name as well."""
    name = "OR c.name = ?" if by_name else ""
    return Query(
        sql=f"SELECT {_PENDING} FROM verification JOIN contact AS c ON c.id = contact"  # noqa: S608
        f" WHERE c.removed_at IS NULL AND (c.id = ? OR c.address = ? {name})"
        " ORDER BY c.role = 'viewer', contact LIMIT 20",
        params=(who, who, who) if by_name else (who, who),
        decode=lambda rows: [_pending(row) for row in rows],
    )


def count_try(tx: Transaction, pending: Pending, now: datetime) -> bool:
    """One more try at the code. False where it is over: the row count decides."""
    return (
        tx.execute(
            "UPDATE verification SET tries = tries + 1 WHERE contact = ? AND tenant = ? AND sealed_code = ?"
            " AND tries < ? AND expires_at > ?",
            pending.contact_id,
            pending.tenant_id,
            pending.sealed_code,
            TRIES,
            rfc3339(now),
        )
        == 1
    )


def drop(tx: Transaction, pending: Pending) -> None:
    tx.execute(
        "DELETE FROM verification WHERE contact = ? AND tenant = ?", pending.contact_id, pending.tenant_id
    )


def void(tx: Transaction, contact: Contact, now: datetime) -> None:
    """What was sent to where this contact was proves nothing any more; how much was sent still counts."""
    tx.execute(
        "UPDATE verification SET expires_at = ? WHERE contact = ? AND tenant = ? AND expires_at > ?",
        rfc3339(now),
        contact.id,
        contact.tenant_id,
        rfc3339(now),
    )


def may_send(pending: Pending | None, now: datetime) -> bool:
    """Not twice within half a minute, while the first can be used, and five times an hour at most."""
    if pending is None:
        return True
    if now < min(pending.sent_at + timedelta(seconds=30), pending.expires_at):
        return False
    return pending.sends < 5 or now >= pending.first_at + timedelta(hours=1)


_PENDING = "contact, verification.tenant, sealed_code, expires_at, tries, sent_at, first_at, sends"


def _pending(row: Row) -> Pending:
    return Pending(
        contact_id=row[0],
        tenant_id=row[1],
        sealed_code=row[2],
        expires_at=parse_time(row[3]),
        tries=row[4],
        sent_at=parse_time(row[5]),
        first_at=parse_time(row[6]),
        sends=row[7],
    )
