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
        self._before: dict[tuple[str, str], Known | None] = {}
        """What was known before the open piece of work."""
        self._touched: set[tuple[str, str]] = set()
        """Whatever this batch changed."""

    def get(self, tenant: str, incident: str) -> Known | None:
        """What is not known has nothing waiting to be written, so the tables have all of it."""
        known = self._known.get((tenant, incident))
        return known or self._read(tenant, incident)

    def _read(self, tenant: str, incident: str) -> Known | None:
        rows = self._db.execute(
            "SELECT body, hash FROM event WHERE tree = ? AND incident = ? ORDER BY seq", (tenant, incident)
        )
        return advance(None, (decode_event(body, leaf) for body, leaf in rows))

    def put(self, known: Known) -> None:
        key = known.state.tenant_id, known.state.id
        self._before.setdefault(key, self._known.get(key))
        self._known[key] = known

    def keep(self) -> None:
        self._touched.update(self._before)
        self._before.clear()

    def drop(self) -> None:
        for key, known in self._before.items():
            if known is None:
                del self._known[key]
            else:
                self._known[key] = known
        self._before.clear()

    def committed(self) -> None:
        self._touched.clear()
        if len(self._known) > REMEMBERED:
            self._known.clear()

    def rolled_back(self) -> None:
        """The batch is gone: what it changed is read again."""
        self.drop()
        for key in self._touched:
            self._known.pop(key, None)
        self._touched.clear()


def advance(known: Known | None, events: Iterable[Event]) -> Known | None:
    for event in events:
        known = Known(effect(known.state if known else None, event), event.seq, event.hash)
    return known
