"""Tenants, their services, contacts and API keys."""

from __future__ import annotations

import json
from datetime import datetime

from alertengine.core.cost import Value
from alertengine.core.model import ActionSpec, Contact, Role, Service, Tenant, parse_time, rfc3339
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


def tenant_of_key(key_id: str) -> Query[tuple[str, bytes] | None]:
    """(tenant, SHA-256 of the key) of an API key's public part."""
    return Query(
        sql="SELECT id, key_hash FROM tenant WHERE key_id = ? AND status = 'active'",
        params=(key_id,),
        decode=lambda rows: (rows[0][0], rows[0][1]) if rows else None,
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


def contacts(tenant: str) -> Query[list[Contact]]:
    """In the order they were given in: a person's first address comes before their next."""
    return Query(
        sql=f"SELECT {_CONTACT} FROM contact WHERE tenant = ? ORDER BY place, id",  # noqa: S608
        params=(tenant,),
        decode=lambda rows: [_contact(row) for row in rows],
    )


def contact(tenant: str, contact_id: str) -> Query[Contact | None]:
    return Query(
        sql=f"SELECT {_CONTACT} FROM contact WHERE tenant = ? AND id = ?",  # noqa: S608
        params=(tenant, contact_id),
        decode=lambda rows: _contact(rows[0]) if rows else None,
    )


def verified_at(address: str) -> Query[list[Contact]]:
    """The verified contacts of any tenant with this address."""
    return Query(
        sql=f"SELECT {_CONTACT} FROM contact WHERE verified_at IS NOT NULL AND address = ?"  # noqa: S608
        " ORDER BY id LIMIT 100",
        params=(address,),
        decode=lambda rows: [_contact(row) for row in rows],
    )


def known_as(who: str) -> Query[list[Contact]]:
    """The contacts of any tenant with this id, name or address that are not verified yet."""
    return Query(
        sql=f"SELECT {_CONTACT} FROM contact WHERE verified_at IS NULL"  # noqa: S608
        " AND (id = ? OR name = ? OR address = ?) ORDER BY id LIMIT 20",
        params=(who, who, who),
        decode=lambda rows: [_contact(row) for row in rows],
    )


def add_tenant(tx: Transaction, new: Tenant, key_id: str, key_hash: bytes) -> None:
    tx.execute(
        "INSERT INTO tenant (id, name, plan, status, created_at, notification_channel, key_id,"
        " key_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        new.id,
        new.name,
        new.plan,
        new.status,
        rfc3339(new.created_at),
        new.notification_channel,
        key_id,
        key_hash,
    )


def add_service(tx: Transaction, new: Service) -> None:
    actions = None if new.actions is None else json.dumps([a.to_json() for a in new.actions])
    tx.execute(
        "INSERT INTO service (id, tenant, name, health_url, sealed_secret, actions, value)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        new.id,
        new.tenant_id,
        new.name,
        new.health_url,
        new.sealed_secret,
        actions,
        json.dumps({route: value.to_json() for route, value in new.value.items()}) if new.value else None,
    )


def add_contact(tx: Transaction, new: Contact) -> None:
    tx.execute(
        "INSERT INTO contact (id, tenant, name, channel, address, role, verified_at, language, place)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT count(*) FROM contact WHERE tenant = ?))",
        new.id,
        new.tenant_id,
        new.name,
        new.channel,
        new.address,
        str(new.role),
        rfc3339(new.verified_at) if new.verified_at else None,
        new.language,
        new.tenant_id,
    )


def verify(tx: Transaction, contact: Contact, address: str, at: datetime) -> bool:
    """The contact has proved that this address is theirs. False where it was verified before."""
    return (
        tx.execute(
            "UPDATE contact SET verified_at = ?, address = ? WHERE id = ? AND tenant = ? AND verified_at IS NULL",
            rfc3339(at),
            address,
            contact.id,
            contact.tenant_id,
        )
        == 1
    )


_TENANT = "id, name, plan, status, created_at, notification_channel"
_SERVICE = "service.id, service.tenant, service.name, health_url, sealed_secret, actions, value"
_CONTACT = "id, tenant, name, channel, address, role, verified_at, language"


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
        value={route: Value(**worth) for route, worth in json.loads(row[6] or "{}").items()},
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
    )


def _time(value: str | None) -> datetime | None:
    return parse_time(value) if value else None
