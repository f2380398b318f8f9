"""The writer's memory of incidents, so that an append does not read and fold the whole incident again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from alertengine.core.events import Event
from alertengine.core.incident import Incident, effect
from alertengine.store.log import decode_event

REMEMBERED = 2048


@dataclass(frozen=True, slots=True)
class Known:
    """What the rows beside the events need of an incident, and its last event's number and hash.

    The state's own version and last time are not kept up: to copy it for them alone would cost as much as
    the insert.
    """

    state: Incident
    seq: int
    last_hash: str


class States:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[tuple[str, str], Known] = {}
        self._touched: set[tuple[str, str]] = set()

    def get(self, tenant: str, incident: str) -> Known | None:
        known = self._known.get((tenant, incident))
        if known is None:
            rows = self._db.execute(
                "SELECT body, hash FROM event WHERE tree = ? AND incident = ? ORDER BY seq",
                (tenant, incident),
            )
            known = advance(None, (decode_event(body, leaf) for body, leaf in rows))
        return known

    def put(self, known: Known) -> None:
        key = known.state.tenant_id, known.state.id
        self._touched.add(key)
        self._known[key] = known

    def committed(self) -> None:
        self._touched.clear()
        if len(self._known) > REMEMBERED:
            self._known.clear()

    def forget(self) -> None:
        """Something of this batch is gone: read again what it touched."""
        for key in self._touched:
            self._known.pop(key, None)
        self._touched.clear()


def advance(known: Known | None, events: Iterable[Event]) -> Known | None:
    for event in events:
        known = Known(effect(known.state if known else None, event), event.seq, event.hash)
    return known
