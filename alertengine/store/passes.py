"""The passes that were given out: whose each is, and whether it was taken back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertengine.core.model import rfc3339
from alertengine.passes import Pass, Purpose
from alertengine.store.base import Query, Transaction

OPERATOR = "operator"
"""The subject of what the operator gave to nobody in particular."""
KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whose a pass is, and what it opens."""

    subject: str
    tenants: tuple[str, ...]


def give(tx: Transaction, new: Pass, holder: Holder) -> None:
    """Write it down; a message that is sent again extends its own. What is long over is forgotten."""
    tx.execute("DELETE FROM pass WHERE expires_at < ?", rfc3339(new.issued_at - KEPT))
    tx.execute(
        "INSERT INTO pass (jti, purpose, subject, tenants, issued_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (jti) DO UPDATE SET expires_at = excluded.expires_at WHERE ended_at IS NULL",
        new.jti,
        new.purpose,
        holder.subject,
        json.dumps(holder.tenants),
        rfc3339(new.issued_at),
        rfc3339(new.expires_at),
    )


def holder(purpose: Purpose, jti: str) -> Query[Holder | None]:
    """None for what was never given out, or was taken back."""
    return Query(
        sql="SELECT subject, tenants FROM pass WHERE jti = ? AND purpose = ? AND ended_at IS NULL",
        params=(jti, purpose),
        decode=lambda rows: (
            Holder(subject=rows[0][0], tenants=tuple(json.loads(rows[0][1]))) if rows else None
        ),
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
