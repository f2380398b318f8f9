"""What each tenant's messages cost in a month, counted before they leave.

The check and the count are one statement: two messages that leave at once cannot both be the last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alertengine.core.postage import MILLION
from alertengine.store.base import Query, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    tenant_id: str
    month: str
    millionths: int
    capped: bool
    """The cap was reached in this month."""

    def to_json(self, cap: float | None) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "month": self.month,
            "spent": self.millionths / MILLION,
            "cap": cap,
            "capped": self.capped,
        }


def charge(tx: Transaction, tenant: str, month: str, cost: int, cap: int | None) -> bool:
    """Count a message. False, and nothing counted, where it would go over the cap."""
    tx.execute(
        "INSERT INTO postage (tenant, month, cost) VALUES (?, ?, 0) ON CONFLICT DO NOTHING", tenant, month
    )
    return (
        tx.execute(
            "UPDATE postage SET cost = cost + ? WHERE tenant = ? AND month = ? AND (? IS NULL OR cost + ? <= ?)",
            cost,
            tenant,
            month,
            cap,
            cost,
            cap,
        )
        == 1
    )


def give_back(tx: Transaction, tenant: str, month: str, cost: int) -> None:
    """The provider refused it, so it cost nothing."""
    tx.execute(
        "UPDATE postage SET cost = max(0, cost - ?) WHERE tenant = ? AND month = ?", cost, tenant, month
    )


def reach_cap(tx: Transaction, tenant: str, month: str) -> bool:
    """True the first time in a month."""
    return (
        tx.execute(
            "UPDATE postage SET capped = 1 WHERE tenant = ? AND month = ? AND capped = 0", tenant, month
        )
        == 1
    )


def of_month(month: str) -> Query[list[Spent]]:
    """What every tenant spent in it."""
    return Query(
        sql="SELECT tenant, month, cost, capped FROM postage WHERE month = ? ORDER BY tenant",
        params=(month,),
        decode=lambda rows: [
            Spent(tenant_id=r[0], month=r[1], millionths=r[2], capped=bool(r[3])) for r in rows
        ],
    )
