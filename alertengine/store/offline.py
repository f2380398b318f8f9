"""What is done to a store while no daemon runs on it. Who calls this holds the data directory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.model import Actor
from alertengine.ledger import keys
from alertengine.ledger.mark import Marks
from alertengine.ledger.note import CheckpointSigner
from alertengine.ledger.walk import LEDGER_INCIDENT
from alertengine.store import life
from alertengine.store.files import held
from alertengine.store.log import Ledger
from alertengine.store.sqlite import SqliteTransaction, connect

OPERATOR = Actor(kind="operator", id="terminal", name="the operator")


@contextmanager
def one_transaction(
    path: Path, signer: CheckpointSigner, mark_file: Path | None = None
) -> Iterator[SqliteTransaction]:
    """One transaction on the file, whatever its marks say; they follow it."""
    marks = Marks(path, mark_file)
    with held(path), closing(connect(path)) as db, closing(marks):
        unit = SqliteTransaction(db, Ledger(db, signer, signer.key.name), marks)
        db.execute("BEGIN IMMEDIATE")
        try:
            yield unit
            unit.keep()
            unit.before_commit()
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
        unit.committed()
        life.mark(db, marks)


def accept(
    path: Path, signer: CheckpointSigner, reason: str, now: datetime, mark_file: Path | None = None
) -> None:
    """Take this file as the store from now on: a new life, in which no link of the old one works."""
    with one_transaction(path, signer, mark_file) as tx:
        tx.start_over(reason, now)


def rotate(path: Path, key: Path, now: datetime, mark_file: Path | None = None) -> str:
    """Sign with a fresh key from here on; answer its public form. Goes on where it was cut off before.

    The event that names the new key is the first that it signs, together with the old one, in every log.
    """
    old = keys.current_signer(key)
    waiting = keys.waiting_signer(key, old.key.name)
    if not _is_announced(path, waiting.vkey):
        with one_transaction(path, _Both(waiting, old), mark_file) as tx:
            for (tree,) in tx.db.execute("SELECT tree FROM tree ORDER BY tree").fetchall():
                data = {"old_vkey": old.vkey, "new_vkey": waiting.vkey}
                _note(tx, tree, NewEvent(type=SystemEventType.KEY_ROTATED, data=data, actor=OPERATOR), now)
    keys.take_over(key, waiting)
    return waiting.vkey


class _Both(CheckpointSigner):
    """Signs with the new key and cosigns with the old one."""

    def __init__(self, new: CheckpointSigner, old: CheckpointSigner) -> None:
        self.key = new.key
        self._new = new
        self._old = old

    def sign(self, origin: str, size: int, root: bytes) -> bytes:
        return self._old.cosign(self._new.sign(origin, size, root))


def _is_announced(path: Path, vkey: str) -> bool:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT body FROM event WHERE type = ?", (str(SystemEventType.KEY_ROTATED),))
        return any(f'"new_vkey":"{vkey}"'.encode() in body for (body,) in rows)


def _note(tx: SqliteTransaction, tree: str, event: NewEvent, now: datetime) -> None:
    row = tx.db.execute(
        "SELECT coalesce(max(seq), 0) FROM event WHERE tree = ? AND incident = ?", (tree, LEDGER_INCIDENT)
    ).fetchone()
    tx.append(tree, LEDGER_INCIDENT, [event], row[0], now)
