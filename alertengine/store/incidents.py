"""Reads of incidents and their events, and the look-up row kept beside them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alertengine.core.events import Event, EventType
from alertengine.core.incident import Incident, apply, fold
from alertengine.core.model import parse_time, rfc3339
from alertengine.errors import SlotTaken
from alertengine.store.base import Query, Row
from alertengine.store.log import decode_event


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """An incident in a list."""

    tenant_id: str
    id: str
    service: str
    stage: str
    severity: str
    title: str
    opened_at: datetime
    closed_at: datetime | None
    is_test: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "incident_id": self.id,
            "tenant_id": self.tenant_id,
            "service": self.service,
            "stage": self.stage,
            "severity": self.severity,
            "title": self.title,
            "opened_at": rfc3339(self.opened_at),
            "closed_at": rfc3339(self.closed_at) if self.closed_at else None,
            "test": self.is_test,
        }


_COLUMNS = "tenant, id, service, stage, severity, title, opened_at, closed_at, is_test"


def events(tenant: str, incident: str, after: int = 0) -> Query[list[Event]]:
    """The incident's events after number `after`, in order; none where the tenant has no such incident."""
    return Query(
        sql="SELECT body, hash FROM event WHERE tree = ? AND incident = ? AND seq > ? ORDER BY seq",
        params=(tenant, incident, after),
        decode=lambda rows: [decode_event(body, leaf) for body, leaf in rows],
    )


def incident(tenant: str, incident: str) -> Query[Incident | None]:
    history = events(tenant, incident)

    def decode(rows: list[Row]) -> Incident | None:
        return fold(history.decode(rows)) if rows else None

    return Query(sql=history.sql, params=history.params, decode=decode)


def named(tenant: str, ids: Sequence[str]) -> Query[dict[str, Incident]]:
    """These incidents by id, by those of their events that say what is wrong."""

    def decode(rows: list[Row]) -> dict[str, Incident]:
        found: dict[str, Incident] = {}
        for event in (decode_event(*row) for row in rows):
            found[event.incident_id] = apply(found.get(event.incident_id), event)
        return found

    return Query(
        sql="SELECT body, hash FROM event WHERE tree = ? AND incident IN (SELECT value FROM json_each(?))"
        " AND (seq = 1 OR type = ?) ORDER BY incident, seq",
        params=(tenant, json.dumps(list(ids)), str(EventType.INCIDENT_CHANGED)),
        decode=decode,
    )


def owner(incident: str) -> Query[str | None]:
    """The tenant of an incident, for those who may see every tenant."""
    return Query(
        sql="SELECT tenant FROM incident WHERE id = ?",
        params=(incident,),
        decode=lambda rows: rows[0][0] if rows else None,
    )


def open_incidents() -> Query[list[tuple[str, str, int]]]:
    """(tenant, incident, number of its last event) of all that is not over, oldest first.

    Those of a suspended tenant stand still.
    """
    return Query(
        sql="SELECT tenant, id,"
        " (SELECT max(seq) FROM event WHERE tree = incident.tenant AND event.incident = incident.id) FROM incident"
        " WHERE closed_at IS NULL AND tenant NOT IN (SELECT id FROM tenant WHERE status <> 'active')"
        " ORDER BY opened_at",
        params=(),
        decode=lambda rows: [(row[0], row[1], row[2]) for row in rows],
    )


def others_open(tenant: str, incident: str) -> Query[bool]:
    """The tenant has another incident that is not over."""
    return Query(
        sql="SELECT 1 FROM incident WHERE tenant = ? AND id <> ? AND closed_at IS NULL AND is_test = 0 LIMIT 1",
        params=(tenant, incident),
        decode=bool,
    )


def slot(tenant: str, service_id: str) -> Query[str | None]:
    """The incident that keeps the service from having another."""
    return Query(
        sql="SELECT id FROM incident WHERE tenant = ? AND service_id = ? AND slot = 1",
        params=(tenant, service_id),
        decode=lambda rows: rows[0][0] if rows else None,
    )


def opened_between(tenant: str, service_id: str, since: datetime, now: datetime) -> Query[list[str]]:
    """The service's incidents of that time, oldest first. What a wrong clock dated later is none of them."""
    return Query(
        sql="SELECT id FROM incident WHERE tenant = ? AND service_id = ? AND opened_at BETWEEN ? AND ? AND is_test = 0"
        " ORDER BY opened_at, id",
        params=(tenant, service_id, rfc3339(since), rfc3339(now)),
        decode=lambda rows: [row[0] for row in rows],
    )


def last_closed_at(tenant: str, service_id: str, now: datetime) -> Query[datetime | None]:
    """When its last incident was over, of those that are by now."""
    return Query(
        sql="SELECT max(closed_at) FROM incident WHERE tenant = ? AND service_id = ? AND is_test = 0"
        " AND closed_at <= ?",
        params=(tenant, service_id, rfc3339(now)),
        decode=lambda rows: parse_time(rows[0][0]) if rows[0][0] else None,
    )


def listing(
    tenant: str | None,
    *,
    open_only: bool = False,
    over_only: bool = False,
    service: str | None = None,
    limit: int,
    before: str | None,
) -> Query[list[IncidentRow]]:
    """Newest first; `before` is the `cursor` of the last row seen. `tenant` None: all tenants."""
    where, params = ["1"], []
    for clause, value in (("tenant = ?", tenant), ("service = ?", service)):
        if value is not None:
            where.append(clause)
            params.append(value)
    if open_only:
        where.append("closed_at IS NULL")
    if over_only:
        where.append("closed_at IS NOT NULL")
    if before is not None:
        opened_at, _, last_id = before.partition("~")
        where.append("(opened_at, id) < (?, ?)")
        params += [opened_at, last_id]
    # Every clause above is one of ours; the values travel as parameters.
    sql = f"SELECT {_COLUMNS} FROM incident WHERE {' AND '.join(where)} ORDER BY opened_at DESC, id DESC LIMIT ?"  # noqa: S608
    return Query(sql=sql, params=(*params, limit), decode=_rows)


def cursor(row: IncidentRow) -> str:
    return f"{rfc3339(row.opened_at)}~{row.id}"


def stage_counts() -> Query[dict[str, int]]:
    """How many open incidents stand in each stage."""
    return Query(
        sql="SELECT stage, count(*) FROM incident WHERE closed_at IS NULL GROUP BY stage",
        params=(),
        decode=lambda rows: {row[0]: row[1] for row in rows},
    )


def _rows(rows: Sequence[Row]) -> list[IncidentRow]:
    return [
        IncidentRow(
            tenant_id=r[0],
            id=r[1],
            service=r[2],
            stage=r[3],
            severity=r[4],
            title=r[5],
            opened_at=parse_time(r[6]),
            closed_at=parse_time(r[7]) if r[7] else None,
            is_test=bool(r[8]),
        )
        for r in rows
    ]


_UPSERT = """
INSERT INTO incident (tenant, id, service_id, service, stage, severity, title, opened_at, closed_at,
                      is_test, slot)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant, id) DO UPDATE SET stage = excluded.stage, closed_at = excluded.closed_at,
                      slot = excluded.slot, severity = excluded.severity, title = excluded.title
"""


_SLOT_TAKEN = "UNIQUE constraint failed: incident.tenant, incident.service_id"


def project(write: Callable[..., None], before: Incident | None, state: Incident) -> None:
    """Bring the look-up row up to the events. Raises `SlotTaken` where the service has an open incident."""
    if before is state or (before is not None and _moving(before) == _moving(state)):
        return
    try:
        write(_UPSERT, *_row(state))
    except sqlite3.IntegrityError as error:
        raise SlotTaken if str(error) == _SLOT_TAKEN else error from None


def _row(state: Incident) -> tuple[object, ...]:
    return (
        state.tenant_id,
        state.id,
        state.service_id,
        state.service,
        str(state.stage),
        state.severity,
        state.title,
        rfc3339(state.opened_at),
        rfc3339(state.closed_at) if state.closed_at else None,
        int(state.is_test),
        1 if state.holds_slot else None,
    )


def _moving(state: Incident) -> tuple[object, ...]:
    """What of the row can change."""
    return state.stage, state.closed_at, state.holds_slot, state.severity, state.title
