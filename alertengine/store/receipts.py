"""What became of messages that a provider had taken, and who is still waited for."""

from __future__ import annotations

from datetime import datetime

from alertengine.core.model import rfc3339
from alertengine.store.base import Query, Transaction
from alertengine.store.outbox import DELIVERY, Delivery, delivery_of

_BEFORE = {"delivered": "('accepted')", "read": "('accepted', 'delivered')", "dead": "('accepted')"}
"""The states that each may follow: receipts come late, twice and in any order."""


def of_message(provider: str, message_id: str) -> Query[tuple[Delivery, int] | None]:
    """(delivery, number of the attempt) of a provider's message id."""
    return Query(
        sql=f"SELECT {DELIVERY}, a.attempt FROM attempt AS a JOIN delivery AS d ON d.id = a.delivery"  # noqa: S608
        " WHERE a.provider_message_id = ? AND a.provider = ?",
        params=(message_id, provider),
        decode=lambda rows: (delivery_of(rows[0]), rows[0][12]) if rows else None,
    )


def note(tx: Transaction, delivery: Delivery, attempt: int, state: str, error: str | None = None) -> bool:
    """Record a receipt. False where it tells nothing new."""
    changed = tx.execute(
        f"UPDATE delivery SET state = ? WHERE id = ? AND tenant = ? AND state IN {_BEFORE[state]}",  # noqa: S608
        state,
        delivery.id,
        delivery.tenant_id,
    )
    if changed == 1:
        tx.execute(
            "UPDATE attempt SET outcome = ?, error = ? WHERE delivery = ? AND attempt = ?",
            "failed" if state == "dead" else state,
            error,
            delivery.id,
            attempt,
        )
    return changed == 1


def stop_waiting(tx: Transaction, delivery: Delivery) -> bool:
    """Nobody waits for it any more. False where nobody did: the row count decides who falls back."""
    return (
        tx.execute(
            "UPDATE delivery SET fallback_at = NULL WHERE id = ? AND tenant = ? AND fallback_at IS NOT NULL",
            delivery.id,
            delivery.tenant_id,
        )
        == 1
    )


def wait_anew(tx: Transaction, tenant: str, fallback_at: datetime) -> None:
    """What did not leave while the tenant was suspended gets its whole time from now on."""
    tx.execute(
        "UPDATE delivery SET fallback_at = ? WHERE tenant = ? AND fallback_at < ?",
        rfc3339(fallback_at),
        tenant,
        rfc3339(fallback_at),
    )


def waiting(limit: int) -> Query[list[tuple[Delivery, str, str | None, datetime]]]:
    """(delivery, state, provider's message id, when its time is up) of what has not arrived yet.

    What is for a suspended tenant waits until it is resumed.
    """
    return Query(
        sql=f"SELECT {DELIVERY}, d.state, a.provider_message_id, d.fallback_at FROM delivery AS d"  # noqa: S608
        " LEFT JOIN attempt AS a ON a.delivery = d.id AND a.attempt = d.attempts"
        " WHERE d.fallback_at IS NOT NULL AND d.tenant NOT IN (SELECT id FROM tenant WHERE status <> 'active')"
        " ORDER BY d.fallback_at LIMIT ?",
        params=(limit,),
        decode=lambda rows: [
            (delivery_of(row), row[12], row[13], datetime.fromisoformat(row[14])) for row in rows
        ],
    )


def spare(tx: Transaction, delivery: Delivery, now: datetime, fallback_at: datetime) -> bool:
    """Try a dead message again, with all its tries before it. False where it is not dead."""
    return (
        tx.execute(
            "UPDATE delivery SET state = 'queued', forgiven = attempts, due_at = ?, fallback_at = ?"
            " WHERE id = ? AND tenant = ? AND state = 'dead'",
            rfc3339(now),
            rfc3339(fallback_at),
            delivery.id,
            delivery.tenant_id,
        )
        == 1
    )
