"""A tenant's API keys: their hashes, how long they are valid, when they were last used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alertengine.core.model import parse_time, rfc3339
from alertengine.store.base import Query, Row, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """`id` is its public part; of the rest a hash is kept."""

    id: str
    tenant_id: str
    hash: bytes
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """valid, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and now >= self.expires_at else "valid"

    def to_json(self, now: datetime) -> dict[str, Any]:
        times = {"created_at": self.created_at, "expires_at": self.expires_at}
        times |= {"revoked_at": self.revoked_at, "last_used_at": self.used_at}
        told = {name: rfc3339(at) if at else None for name, at in times.items()}
        return {"key_id": self.id, "state": self.state(now), **told}


def add(tx: Transaction, key: ApiKey) -> None:
    tx.execute(
        "INSERT INTO api_key (id, tenant, hash, created_at) VALUES (?, ?, ?, ?)",
        key.id,
        key.tenant_id,
        key.hash,
        rfc3339(key.created_at),
    )


def named(key_id: str) -> Query[ApiKey | None]:
    """The key with this public part, if its tenant is active."""
    return Query(
        sql=f"SELECT {_KEY} FROM api_key JOIN tenant ON tenant.id = api_key.tenant"  # noqa: S608
        " WHERE api_key.id = ? AND tenant.status = 'active'",
        params=(key_id,),
        decode=lambda rows: _key(rows[0]) if rows else None,
    )


def of_tenant(tenant: str) -> Query[list[ApiKey]]:
    """Newest first."""
    return Query(
        sql=f"SELECT {_KEY} FROM api_key WHERE tenant = ? ORDER BY created_at DESC, id",  # noqa: S608
        params=(tenant,),
        decode=lambda rows: [_key(row) for row in rows],
    )


def retire_others(tx: Transaction, tenant: str, key_id: str, at: datetime) -> None:
    """Let every other key of the tenant be valid until `at` at most."""
    tx.execute(
        "UPDATE api_key SET expires_at = ? WHERE tenant = ? AND id <> ? AND (expires_at IS NULL OR expires_at > ?)",
        rfc3339(at),
        tenant,
        key_id,
        rfc3339(at),
    )


def revoke(tx: Transaction, tenant: str, key_id: str, at: datetime) -> bool:
    """False where there is no such key, or it was revoked before."""
    return (
        tx.execute(
            "UPDATE api_key SET revoked_at = ? WHERE tenant = ? AND id = ? AND revoked_at IS NULL",
            rfc3339(at),
            tenant,
            key_id,
        )
        == 1
    )


def note_use(tx: Transaction, key_id: str, at: datetime) -> None:
    tx.execute("UPDATE api_key SET used_at = ? WHERE id = ?", rfc3339(at), key_id)


_KEY = "api_key.id, api_key.tenant, hash, api_key.created_at, expires_at, revoked_at, used_at"


def _key(row: Row) -> ApiKey:
    return ApiKey(
        id=row[0],
        tenant_id=row[1],
        hash=row[2],
        created_at=parse_time(row[3]),
        expires_at=parse_time(row[4]) if row[4] else None,
        revoked_at=parse_time(row[5]) if row[5] else None,
        used_at=parse_time(row[6]) if row[6] else None,
    )
