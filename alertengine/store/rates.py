"""Rate limits as they stood when they were last kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from alertengine.core.model import parse_time, rfc3339
from alertengine.store.base import Query, Transaction


def kept() -> Query[dict[str, datetime]]:
    """When each is unspent again, by name."""
    return Query(
        sql="SELECT name, full_at FROM rate",
        params=(),
        decode=lambda rows: {row[0]: parse_time(row[1]) for row in rows},
    )


def keep(tx: Transaction, changed: Mapping[str, datetime], now: datetime) -> None:
    """Write what changed; what is unspent again needs no row."""
    tx.execute("DELETE FROM rate WHERE full_at <= ?", rfc3339(now))
    for name, full_at in changed.items():
        tx.execute(
            "INSERT INTO rate (name, full_at) VALUES (?, ?) ON CONFLICT DO UPDATE SET full_at = excluded.full_at",
            name,
            rfc3339(full_at),
        )
