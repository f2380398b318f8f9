"""Tenants, their services, contacts and API keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from alertengine.core.cost import Value
from alertengine.core.given import Given
from alertengine.core.model import ActionSpec, Contact, Role, Service, Tenant, parse_time, rfc3339
from alertengine.core.people import name_key
from alertengine.store.base import Query, Row, Transaction


def tenant(tenant: str) -> Query[Tenant | None]:
    return Query(
        sql=f"SELECT {_TENANT} FROM tenant WHERE id = ?",  # noqa: S608 - our own column list
        params=(tenant,),
        decode=lambda rows: _tenant(rows[0]) if rows else None,
    )


def tenants() -> Query[list[Tenant]]:
    return Query(
        sql=f"SELECT {_TENANT} FROM tenant ORDER BY created_at",  # noqa: S608
        params=(),
        decode=lambda rows: [_tenant(row) for row in rows],
    )


def services(tenant: str | None = None) -> Query[list[Service]]:
    """The services of one tenant, or of every active tenant."""
    where, params = ("tenant.id = ?", (tenant,)) if tenant else ("tenant.status = 'active'", ())
    return Query(
        sql=f"SELECT {_SERVICE} FROM service JOIN tenant ON tenant.id = service.tenant"  # noqa: S608
        f" WHERE {where} ORDER BY service.tenant, service.name",
        params=params,
        decode=lambda rows: [_service(row) for row in rows],
    )


def service(tenant: str, service_id: str) -> Query[Service | None]:
    return Query(
        sql=f"SELECT {_SERVICE} FROM service WHERE tenant = ? AND id = ?",  # noqa: S608
        params=(tenant, service_id),
        decode=lambda rows: _service(rows[0]) if rows else None,
    )


def failing() -> Query[list[Service]]:
    """The services with an incident that is not over."""
    return Query(
        sql=f"SELECT {_SERVICE} FROM service WHERE EXISTS (SELECT 1 FROM incident"  # noqa: S608
        " WHERE incident.tenant = service.tenant AND incident.service_id = service.id AND closed_at IS NULL)",
        params=(),
        decode=lambda rows: [_service(row) for row in rows],
    )


def contacts(tenant: str) -> Query[list[Contact]]:
    """In the order they were given in: a person's first address comes before their next."""
    return Query(
        sql=f"SELECT {_CONTACT} FROM contact WHERE tenant = ? AND removed_at IS NULL"  # noqa: S608
        " ORDER BY place, id",
        params=(tenant,),
        decode=lambda rows: [_contact(row) for row in rows],
    )


def contact(tenant: str, contact_id: str) -> Query[Contact | None]:
    """Nobody where they were removed: their id opens, shows and proves nothing any more."""
    return Query(
        sql=f"SELECT {_CONTACT} FROM contact WHERE tenant = ? AND id = ? AND removed_at IS NULL",  # noqa: S608
        params=(tenant, contact_id),
        decode=lambda rows: _contact(rows[0]) if rows else None,
    )


def addressee(tenant: str, contact_id: str) -> Query[Contact | None]:
    """Whom a message was for, for the record of it: they may have been removed since."""
    return Query(
        sql=f"SELECT {_CONTACT} FROM contact WHERE tenant = ? AND id = ?",  # noqa: S608
        params=(tenant, contact_id),
        decode=lambda rows: _contact(rows[0]) if rows else None,
    )


def vouched_names(tenant: str) -> Query[frozenset[str]]:
    """The names, as they count, that the operator gave to somebody, be they removed since."""
    return Query(
        sql="SELECT name FROM contact WHERE tenant = ? AND (given_by = 'operator' OR role <> 'viewer')",
        params=(tenant,),
        decode=lambda rows: frozenset(name_key(row[0]) for row in rows),
    )


def verified_at(address: str, channels: Sequence[str]) -> Query[list[Contact]]:
    """The verified contacts of any tenant with this address on one of these channels; first who may decide, whom
    no tenant's key can add to."""
    return Query(
        sql=f"SELECT {_CONTACT} FROM contact WHERE verified_at IS NOT NULL AND removed_at IS NULL"  # noqa: S608
        " AND address = ? AND channel IN (SELECT value FROM json_each(?)) ORDER BY role = 'viewer', id LIMIT 100",
        params=(address, json.dumps(list(channels))),
        decode=lambda rows: [_contact(row) for row in rows],
    )


def pending(contact: str) -> Query[list[Contact]]:
    """The contact of this id, of whatever tenant, unless it is verified."""
    return Query(
        sql=f"SELECT {_CONTACT} FROM contact WHERE verified_at IS NULL AND removed_at IS NULL AND id = ?",  # noqa: S608
        params=(contact,),
        decode=lambda rows: [_contact(row) for row in rows],
    )


def known_as(who: str) -> Query[list[Contact]]:
    """The contacts of any tenant with this id, name or address that are not verified yet."""
    return Query(
        sql=f"SELECT {_CONTACT} FROM contact WHERE verified_at IS NULL AND removed_at IS NULL"  # noqa: S608
        " AND (id = ? OR name = ? OR address = ?) ORDER BY role = 'viewer', id LIMIT 20",
        params=(who, who, who),
        decode=lambda rows: [_contact(row) for row in rows],
    )


def add_tenant(tx: Transaction, new: Tenant) -> None:
    tx.execute(
        "INSERT INTO tenant (id, name, plan, status, created_at, notification_channel, key_id,"
        " key_hash) VALUES (?, ?, ?, ?, ?, ?, ?, zeroblob(0))",
        new.id,
        new.name,
        new.plan,
        new.status,
        rfc3339(new.created_at),
        new.notification_channel,
        new.id,
    )


def put_tenant(tx: Transaction, tenant: Tenant) -> None:
    """What of a tenant can change."""
    tx.execute("UPDATE tenant SET plan = ?, status = ? WHERE id = ?", tenant.plan, tenant.status, tenant.id)


def add_service(tx: Transaction, new: Service) -> None:
    tx.execute(
        "INSERT INTO service (id, tenant, name, health_url, sealed_secret, actions, given_by, thresholds, value)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        new.id,
        new.tenant_id,
        *_service_columns(new),
    )


def put_service(tx: Transaction, service: Service) -> None:
    tx.execute(
        "UPDATE service SET name = ?, health_url = ?, sealed_secret = ?, actions = ?, given_by = ?, thresholds = ?,"
        " value = ? WHERE id = ? AND tenant = ?",
        *_service_columns(service),
        service.id,
        service.tenant_id,
    )


def remove_service(tx: Transaction, service: Service) -> None:
    tx.execute("DELETE FROM service WHERE id = ? AND tenant = ?", service.id, service.tenant_id)


def _service_columns(service: Service) -> tuple[str | None, ...]:
    actions = None if service.actions is None else json.dumps([a.to_json() for a in service.actions])
    thresholds = json.dumps(dict(service.thresholds)) if service.thresholds else None
    worth = {route: value.to_json() for route, value in service.value.items()}
    value = json.dumps(worth) if worth else None
    return (
        service.name,
        service.health_url,
        service.sealed_secret,
        actions,
        str(service.given_by),
        thresholds,
        value,
    )


def add_contact(tx: Transaction, new: Contact) -> None:
    tx.execute(
        "INSERT INTO contact (id, tenant, name, channel, address, role, verified_at, language, given_by, shared, place)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT count(*) FROM contact WHERE tenant = ?))",
        new.id,
        new.tenant_id,
        new.name,
        new.channel,
        new.address,
        str(new.role),
        rfc3339(new.verified_at) if new.verified_at else None,
        new.language,
        str(new.given_by),
        int(new.shared),
        new.tenant_id,
    )


def put_contact(tx: Transaction, contact: Contact) -> None:
    tx.execute(
        "UPDATE contact SET name = ?, channel = ?, address = ?, role = ?, verified_at = ?, language = ?, given_by = ?,"
        " shared = ?"
        " WHERE id = ? AND tenant = ?",
        contact.name,
        contact.channel,
        contact.address,
        str(contact.role),
        rfc3339(contact.verified_at) if contact.verified_at else None,
        contact.language,
        str(contact.given_by),
        int(contact.shared),
        contact.id,
        contact.tenant_id,
    )


def remove_contact(tx: Transaction, contact: Contact, at: datetime) -> None:
    """Nobody is told anything there any more. The row stays for the record's sake, without the address."""
    tx.execute(
        "UPDATE contact SET removed_at = ?, verified_at = NULL, address = 'removed:' || id"
        " WHERE id = ? AND tenant = ?",
        rfc3339(at),
        contact.id,
        contact.tenant_id,
    )
    tx.execute("DELETE FROM verification WHERE contact = ?", contact.id)


def verify(tx: Transaction, contact: Contact, address: str, at: datetime) -> bool:
    """The contact has proved that this address is theirs. False where it was verified before."""
    return (
        tx.execute(
            "UPDATE contact SET verified_at = ?, address = ?"
            " WHERE id = ? AND tenant = ? AND verified_at IS NULL AND removed_at IS NULL",
            rfc3339(at),
            address,
            contact.id,
            contact.tenant_id,
        )
        == 1
    )


def share(tx: Transaction, contact: Contact, *, shared: bool) -> None:
    """Whether several people read at this address."""
    tx.execute(
        "UPDATE contact SET shared = ? WHERE id = ? AND tenant = ?",
        int(shared),
        contact.id,
        contact.tenant_id,
    )


_TENANT = "id, name, plan, status, created_at, notification_channel"
_SERVICE = "service.id, service.tenant, service.name, health_url, sealed_secret, actions, given_by, thresholds, value"
_CONTACT = "id, tenant, name, channel, address, role, verified_at, language, given_by, shared"


def _tenant(row: Row) -> Tenant:
    return Tenant(
        id=row[0],
        name=row[1],
        plan=row[2],
        status=row[3],
        created_at=parse_time(row[4]),
        notification_channel=row[5],
    )


def _service(row: Row) -> Service:
    actions = None if row[5] is None else tuple(ActionSpec.from_json(a) for a in json.loads(row[5]))
    return Service(
        id=row[0],
        tenant_id=row[1],
        name=row[2],
        health_url=row[3],
        sealed_secret=row[4],
        actions=actions,
        given_by=Given(row[6]),
        thresholds=json.loads(row[7]) if row[7] else {},
        value={route: Value(**worth) for route, worth in json.loads(row[8] or "{}").items()},
    )


def _contact(row: Row) -> Contact:
    return Contact(
        id=row[0],
        tenant_id=row[1],
        name=row[2],
        channel=row[3],
        address=row[4],
        role=Role(row[5]),
        verified_at=_time(row[6]),
        language=row[7],
        given_by=Given(row[8]),
        shared=bool(row[9]),
    )


def _time(value: str | None) -> datetime | None:
    return parse_time(value) if value else None
