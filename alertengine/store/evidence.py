"""The evidence that incidents were diagnosed by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alertengine.core.model import rfc3339
from alertengine.store.base import Query, Transaction


def keep(
    tx: Transaction, tenant: str, incident: str, look: int, report: Mapping[str, Any], at: datetime
) -> None:
    """The first of each look stays."""
    tx.execute(
        "INSERT OR IGNORE INTO evidence (tenant, incident, look, taken_at, report) VALUES (?, ?, ?, ?, ?)",
        tenant,
        incident,
        look,
        rfc3339(at),
        json.dumps(report, ensure_ascii=False),
    )


def newest(tenant: str, incident: str) -> Query[dict[str, Any] | None]:
    return Query(
        sql="SELECT report FROM evidence WHERE tenant = ? AND incident = ? ORDER BY look DESC LIMIT 1",
        params=(tenant, incident),
        decode=lambda rows: json.loads(rows[0][0]) if rows else None,
    )
