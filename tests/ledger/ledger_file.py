"""A store file filled without a thread or a loop, for tests of what is in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alertengine.core.events import EventType, NewEvent
from alertengine.ledger.note import CheckpointSigner
from alertengine.store.log import Ledger
from alertengine.store.sqlite import SqliteTransaction, connect

HOST = "alerts.example.com"
SIGNER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(b"1" * 32), HOST)
OTHER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(b"2" * 32), HOST)
START = datetime(2026, 11, 24, 9, 41, tzinfo=UTC)


class File:
    def __init__(self, path: Path, signer: CheckpointSigner = SIGNER) -> None:
        self.path = path
        self.db = connect(path)
        self.unit = SqliteTransaction(self.db, Ledger(self.db, signer, HOST))
        self.now = START

    def commit(self, work: Callable[[SqliteTransaction], Any]) -> Any:
        self.db.execute("BEGIN IMMEDIATE")
        answer = work(self.unit)
        self.unit.keep()
        self.unit.before_commit()
        self.db.execute("COMMIT")
        self.unit.committed()
        return answer

    def event(self, tenant: str, incident: str, kind: EventType, **data: Any) -> None:
        self.now += timedelta(seconds=1)

        def work(tx: SqliteTransaction) -> None:
            row = self.db.execute(
                "SELECT max(seq) FROM event WHERE tree = ? AND incident = ?", (tenant, incident)
            ).fetchone()
            tx.append(tenant, incident, [NewEvent(type=kind, data=data)], row[0] or 0, self.now)

        self.commit(work)

    def incident(self, tenant: str, incident: str, events: int = 3, *, closed: bool = False) -> None:
        detected = {
            "service_id": f"svc_{incident}",
            "service": "pay",
            "severity": "critical",
            "title": "slow",
        }
        self.event(tenant, incident, EventType.INCIDENT_DETECTED, **detected)
        for n in range(events - 1 - closed):
            self.event(tenant, incident, EventType.ALERT_ACCEPTED, contact=f"c_{n}")
        if closed:
            self.event(tenant, incident, EventType.INCIDENT_RESOLVED)

    def close(self) -> None:
        self.db.close()


def in_memory(path: Path) -> sqlite3.Connection:
    """A copy of the file in memory, in the hands of somebody who drops every guard first."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    with closing(sqlite3.connect(path)) as source:
        source.backup(copy)
    for (name,) in copy.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        copy.execute(f"DROP TRIGGER {name}")
    copy.execute("PRAGMA foreign_keys=OFF")
    copy.execute("PRAGMA ignore_check_constraints=ON")
    return copy


def columns_of(db: sqlite3.Connection, table: str) -> list[str]:
    return [column[1] for column in db.execute(f"PRAGMA table_info({table})")]
