"""Forgetting what is old: whole closed incidents leave, their hashes stay, and the log says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.model import parse_time, rfc3339
from alertengine.ledger.walk import LEDGER_INCIDENT
from alertengine.store.base import Query, Transaction

_BESIDE = (
    "DELETE FROM incident WHERE tenant = ? AND id = ?",
    "DELETE FROM execution WHERE tenant = ? AND incident = ?",
    "DELETE FROM link WHERE tenant = ? AND incident = ?",
    "DELETE FROM model_call WHERE tenant = ? AND incident = ?",
    "DELETE FROM evidence WHERE tenant = ? AND incident = ?",
)


def closed_before(moment: datetime) -> Query[list[tuple[str, str, datetime]]]:
    """(tenant, incident, closed) of what ended before then and has nothing left to deliver, oldest first."""
    return Query(
        sql="SELECT tenant, id, closed_at FROM incident WHERE closed_at < ? AND NOT EXISTS ("
        " SELECT 1 FROM about AS m JOIN delivery AS d ON d.id = m.delivery"
        " WHERE m.tenant = incident.tenant AND m.incident = incident.id"
        " AND d.state IN ('queued', 'sending')) ORDER BY closed_at",
        params=(rfc3339(moment),),
        decode=lambda rows: [(row[0], row[1], parse_time(row[2])) for row in rows],
    )


def prune(tx: Transaction, tenant: str, incident: str, why: Mapping[str, Any], at: datetime) -> None:
    """Take the incident out of the store. Its leaves stay, so that everything around it still verifies."""
    rows = tx.fetch(_entries(tenant, incident))
    data = {"incident_id": incident, "entries": ranges(index for index, _ in rows), **why}
    event = NewEvent(type=SystemEventType.INCIDENT_PRUNED, data=data)
    tx.append(tenant, LEDGER_INCIDENT, [event], tx.fetch(_own_events(tenant)), at)
    for index, hashed in rows:
        tx.execute("INSERT INTO node (tree, level, idx, hash) VALUES (?, 0, ?, ?)", tenant, index, hashed)
    tx.execute("DELETE FROM event WHERE tree = ? AND incident = ?", tenant, incident)
    for sql in _BESIDE:
        tx.execute(sql, tenant, incident)
    forget_messages(tx, tenant, incident)


def forget_messages(tx: Transaction, tenant: str, incident: str) -> None:
    """What told of this incident alone goes; what told of others too stays for their sake."""
    deliveries = tx.fetch(_told_of(tenant, incident))
    tx.execute("DELETE FROM about WHERE tenant = ? AND incident = ?", tenant, incident)
    for delivery in deliveries:
        for sql in (
            "DELETE FROM attempt WHERE delivery = ?1 AND NOT EXISTS (SELECT 1 FROM about WHERE delivery = ?1)",
            "DELETE FROM delivery WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM about WHERE delivery = ?1)",
        ):
            tx.execute(sql, delivery)


def ranges(indexes: Iterable[int]) -> list[list[int]]:
    """Ascending numbers as [first, last] of each unbroken run."""
    runs: list[list[int]] = []
    for index in indexes:
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return runs


def _told_of(tenant: str, incident: str) -> Query[list[str]]:
    return Query(
        sql="SELECT delivery FROM about WHERE tenant = ? AND incident = ?",
        params=(tenant, incident),
        decode=lambda rows: [row[0] for row in rows],
    )


def _entries(tenant: str, incident: str) -> Query[list[tuple[int, bytes]]]:
    return Query(
        sql="SELECT place & 0xFFFFFFFFFF, hash FROM event WHERE tree = ? AND incident = ? ORDER BY place",
        params=(tenant, incident),
        decode=lambda rows: [(row[0], row[1]) for row in rows],
    )


def _own_events(tenant: str) -> Query[int]:
    return Query(
        sql="SELECT coalesce(max(seq), 0) FROM event WHERE tree = ? AND incident = ?",
        params=(tenant, LEDGER_INCIDENT),
        decode=lambda rows: int(rows[0][0]),
    )
