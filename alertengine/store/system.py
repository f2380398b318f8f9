"""What happens to the installation: events of the system's own tree, each under what it is about."""

from __future__ import annotations

from datetime import datetime

from alertengine.core.events import Event, NewEvent
from alertengine.store.base import Query, Transaction
from alertengine.store.log import SYSTEM_TREE, decode_event


def last(subject: str) -> Query[int]:
    """The number of the newest event about `subject`; 0 where there is none."""
    return Query(
        sql="SELECT coalesce(max(seq), 0) FROM event WHERE tree = ? AND incident = ?",
        params=(SYSTEM_TREE, subject),
        decode=lambda rows: rows[0][0],
    )


def note(tx: Transaction, subject: str, event: NewEvent, at: datetime) -> None:
    """Append one event about `subject`."""
    tx.append(SYSTEM_TREE, subject, [event], tx.fetch(last(subject)), at)


def about(subject: str, limit: int) -> Query[list[Event]]:
    """The newest events about `subject`, oldest first."""
    return Query(
        sql="SELECT body, hash FROM event WHERE tree = ? AND incident = ? ORDER BY seq DESC LIMIT ?",
        params=(SYSTEM_TREE, subject, limit),
        decode=lambda rows: [decode_event(row[0], row[1]) for row in reversed(rows)],
    )
