"""Silences: set, listed and ended before their time. They are kept, as everything that people decide is."""

from __future__ import annotations

from datetime import datetime

from alertengine.core.model import parse_time, rfc3339
from alertengine.core.silence import Silence
from alertengine.store.base import Query, Row, Transaction

_COLUMNS = "id, tenant, service, route, reason, set_by, starts_at, until"


def add(tx: Transaction, new: Silence) -> None:
    tx.execute(
        f"INSERT INTO silence ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own column list
        new.id,
        new.tenant_id,
        new.service,
        new.route,
        new.reason,
        new.by,
        rfc3339(new.starts_at),
        rfc3339(new.until),
    )


def end(tx: Transaction, tenant: str, silence_id: str, now: datetime) -> bool:
    """End it now, before its time. False where it is over already, or there is none."""
    at = rfc3339(now)
    return (
        tx.execute(
            "UPDATE silence SET until = ?, starts_at = min(starts_at, ?) WHERE tenant = ? AND id = ? AND until > ?",
            at,
            at,
            tenant,
            silence_id,
            at,
        )
        == 1
    )


def current(tenant: str | None, now: datetime) -> Query[list[Silence]]:
    """Those that are not over, of one tenant or of all; some may not have begun."""
    where, params = ("AND tenant = ?", (tenant,)) if tenant else ("", ())
    return Query(
        sql=f"SELECT {_COLUMNS} FROM silence WHERE until > ? {where} ORDER BY until, id",  # noqa: S608
        params=(rfc3339(now), *params),
        decode=lambda rows: [_silence(row) for row in rows],
    )


def _silence(row: Row) -> Silence:
    return Silence(
        id=row[0],
        tenant_id=row[1],
        service=row[2],
        route=row[3],
        reason=row[4],
        by=row[5],
        starts_at=parse_time(row[6]),
        until=parse_time(row[7]),
    )
