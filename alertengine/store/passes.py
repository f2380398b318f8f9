"""The passes that were given out: whose each is, and whether it was taken back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertengine.core.model import parse_time, rfc3339
from alertengine.store.base import Query, Row, Transaction

OPERATOR = "operator"
"""The subject of what the operator gave to nobody in particular."""
KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A pass as the store knows it."""

    jti: str
    purpose: str
    subject: str
    tenants: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime


def give(tx: Transaction, new: Given) -> None:
    """Write it down; a message that is sent again extends its own. What is long over is forgotten."""
    tx.execute("DELETE FROM pass WHERE expires_at < ?", rfc3339(new.issued_at - KEPT))
    tx.execute(
        "INSERT INTO pass (jti, purpose, subject, tenants, issued_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (jti) DO UPDATE SET expires_at = excluded.expires_at WHERE ended_at IS NULL",
        new.jti,
        new.purpose,
        new.subject,
        json.dumps(new.tenants),
        rfc3339(new.issued_at),
        rfc3339(new.expires_at),
    )


def valid(purpose: str, jti: str) -> Query[Given | None]:
    """None for what was never given out, or was taken back."""
    return Query(
        sql="SELECT jti, purpose, subject, tenants, issued_at, expires_at FROM pass"
        " WHERE jti = ? AND purpose = ? AND ended_at IS NULL",
        params=(jti, purpose),
        decode=lambda rows: _given(rows[0]) if rows else None,
    )


def seen(jti: str) -> Query[bool]:
    """A pass of this name was given out, be it over or not."""
    return Query(sql="SELECT 1 FROM pass WHERE jti = ?", params=(jti,), decode=bool)


def end(tx: Transaction, jti: str, at: datetime) -> bool:
    return (
        tx.execute("UPDATE pass SET ended_at = ? WHERE jti = ? AND ended_at IS NULL", rfc3339(at), jti) == 1
    )


def end_views(tx: Transaction, tenant: str, at: datetime, subjects: Sequence[str] | None = None) -> int:
    """Take back every link to this tenant's incidents, or those of some subjects."""
    only = None if subjects is None else json.dumps(list(subjects))
    return tx.execute(
        "UPDATE pass SET ended_at = ? WHERE purpose = 'view' AND ended_at IS NULL AND tenants = ?"
        " AND (? IS NULL OR subject IN (SELECT value FROM json_each(?)))",
        rfc3339(at),
        json.dumps((tenant,)),
        only,
        only,
    )


def _given(row: Row) -> Given:
    return Given(
        jti=row[0],
        purpose=row[1],
        subject=row[2],
        tenants=tuple(json.loads(row[3])),
        issued_at=parse_time(row[4]),
        expires_at=parse_time(row[5]),
    )
