"""What is known of people beside their addresses: their PIN, and the mailbox they sign in with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alertengine.core.model import parse_time, rfc3339
from alertengine.core.people import mailbox_key, name_key
from alertengine.store.base import Query, Row, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """`name` as it counts (`name_key`); `pin` is sealed."""

    tenant_id: str
    name: str
    email: str | None = None
    pin: str | None = None
    tries: int = 0
    locked_till: datetime | None = None


def person(tenant: str, name: str) -> Query[Person | None]:
    return Query(
        sql=f"SELECT {_PERSON} FROM person WHERE tenant = ? AND name = ?",  # noqa: S608 - our own column list
        params=(tenant, name_key(name)),
        decode=lambda rows: _person(rows[0]) if rows else None,
    )


def persons(tenant: str) -> Query[list[Person]]:
    return Query(
        sql=f"SELECT {_PERSON} FROM person WHERE tenant = ?",  # noqa: S608
        params=(tenant,),
        decode=lambda rows: [_person(row) for row in rows],
    )


def with_email(email: str) -> Query[list[Person]]:
    """Who signs in with this mailbox, in any tenant."""
    return Query(
        sql=f"SELECT {_PERSON} FROM person WHERE email = ? ORDER BY tenant",  # noqa: S608
        params=(mailbox_key(email),),
        decode=lambda rows: [_person(row) for row in rows],
    )


def set_email(tx: Transaction, tenant: str, name: str, email: str | None) -> bool:
    """False where somebody else of the tenant has it."""
    key = None if email is None else mailbox_key(email)
    taken = [p for p in tx.fetch(with_email(key)) if p.tenant_id == tenant] if key else []
    if any(p.name != name_key(name) for p in taken):
        return False
    tx.execute(
        "INSERT INTO person (tenant, name, email) VALUES (?, ?, ?)"
        " ON CONFLICT (tenant, name) DO UPDATE SET email = excluded.email",
        tenant,
        name_key(name),
        key,
    )
    return True


def set_pin(tx: Transaction, tenant: str, name: str, sealed: str | None) -> None:
    """A new one, or none; the wrong tries before it are forgotten."""
    tx.execute(
        "INSERT INTO person (tenant, name, pin) VALUES (?, ?, ?) ON CONFLICT (tenant, name)"
        " DO UPDATE SET pin = excluded.pin, pin_tries = 0, pin_locked_till = NULL",
        tenant,
        name_key(name),
        sealed,
    )


def rename(tx: Transaction, tenant: str, name: str, new: str) -> None:
    """The same person under another name. What was kept for nobody under that name is gone."""
    if tx.fetch(person(tenant, name)) is not None:
        forget(tx, tenant, new)
        tx.execute(
            "UPDATE person SET name = ? WHERE tenant = ? AND name = ?", name_key(new), tenant, name_key(name)
        )


def forget(tx: Transaction, tenant: str, name: str) -> None:
    tx.execute("DELETE FROM person WHERE tenant = ? AND name = ?", tenant, name_key(name))


def claim_try(tx: Transaction, who: Person, now: datetime, limit: int, locked_till: datetime) -> bool:
    """Count one try before it is made; the last that is left locks the PIN. False where it is locked."""
    changed = tx.execute(
        "UPDATE person SET pin_tries = pin_tries + 1,"
        " pin_locked_till = CASE WHEN pin_tries + 1 >= ? THEN ? ELSE NULL END"
        " WHERE tenant = ? AND name = ? AND (pin_locked_till IS NULL OR pin_locked_till <= ?)",
        limit,
        rfc3339(locked_till),
        who.tenant_id,
        who.name,
        rfc3339(now),
    )
    return changed == 1


def forget_tries(tx: Transaction, who: Person) -> None:
    tx.execute(
        "UPDATE person SET pin_tries = 0, pin_locked_till = NULL WHERE tenant = ? AND name = ?",
        who.tenant_id,
        who.name,
    )


_PERSON = "tenant, name, email, pin, pin_tries, pin_locked_till"


def _person(row: Row) -> Person:
    return Person(
        tenant_id=row[0],
        name=row[1],
        email=row[2],
        pin=row[3],
        tries=row[4],
        locked_till=parse_time(row[5]) if row[5] else None,
    )
