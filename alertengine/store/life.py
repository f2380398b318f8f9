"""Which life of the store this is, and whether it is the one that was left: the guard against old copies."""

from __future__ import annotations

import json
import secrets
import sqlite3
from datetime import datetime

from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.merkle import Frontier, peak_coordinates
from alertengine.core.model import parse_time, rfc3339
from alertengine.ledger.mark import FRESH, Mark, Marks, Seen
from alertengine.ledger.nodes import Nodes
from alertengine.store.base import Query

_READ = "SELECT value FROM meta WHERE name = 'incarnation'"
_WRITE = "INSERT INTO meta (name, value) VALUES ('incarnation', ?) ON CONFLICT DO UPDATE SET value = excluded.value"


def incarnation(db: sqlite3.Connection) -> str | None:
    row = db.execute(_READ).fetchone()
    return row[0] if row else None


def begin(db: sqlite3.Connection, reason: str) -> tuple[str, NewEvent]:
    """Give the store a new life inside an open transaction; answer its name and the event that says so.

    Links that were offered in the life before are used up: whether one of them was spent after the copy was
    made is not known any more, so none may authorize anything.
    """
    before = incarnation(db)
    fresh = secrets.token_hex(16)
    db.execute(_WRITE, (fresh,))
    voided = db.execute("UPDATE link SET used_at = expires_at WHERE used_at IS NULL").rowcount
    kind = SystemEventType.STORE_CREATED if before is None else SystemEventType.STORE_RESTORED
    data = {"incarnation": fresh, "before": before, "reason": reason, "links_voided": voided}
    return fresh, NewEvent(type=kind, data=data)


_BRING_FORWARD = (
    "UPDATE delivery SET due_at = :now WHERE due_at > :now AND state IN ('queued', 'sending')",
    "UPDATE delivery SET fallback_at = :now WHERE fallback_at > :now",
    "DELETE FROM verification WHERE first_at > :now",
    # A key that was to end then may have been meant to end long ago: whoever still uses it asks for a new one.
    "UPDATE api_key SET expires_at = :now WHERE expires_at > :now",
    "UPDATE person SET pin_locked_till = :now WHERE pin_locked_till > :now",
)


def end_sessions(db: sqlite3.Connection, now: datetime) -> None:
    """Whoever looked or was signed in does so anew: who was sent away since the copy was made is not known any more."""
    db.execute("UPDATE pass SET ended_at = ? WHERE ended_at IS NULL", (rfc3339(now),))


def bring_forward(db: sqlite3.Connection, now: datetime) -> None:
    """Nothing waits for a time that a wrong clock gave, and nothing that was let in by it goes on."""
    for sql in _BRING_FORWARD:
        db.execute(sql, {"now": rfc3339(now)})


def fault(db: sqlite3.Connection, marks: Marks) -> str | None:
    """Why this file is not the store that was left here, or None."""
    if total_events(db) == 0 and marks.beside.read() is None:
        return None
    elsewhere = marks.elsewhere
    found = _contradicts(db, marks.beside)
    if found is None and elsewhere is not None and (elsewhere.read() or _has_second(db)):
        found = _contradicts(db, elsewhere)
    return found


def mark(db: sqlite3.Connection, marks: Marks) -> None:
    """Begin to mark a store that is sound: from here on no mark may be missing."""
    if total_events(db) == 0:
        marks.write(FRESH)
    elif marks.elsewhere is not None and not _has_second(db):
        seen = marks.beside.read()
        assert seen is not None
        marks.write(seen)
    if marks.elsewhere is not None and marks.trouble is None:
        db.execute(_HAVE_SECOND)


_HAVE_SECOND = "INSERT INTO meta (name, value) VALUES ('second mark', 'kept') ON CONFLICT DO NOTHING"


def _has_second(db: sqlite3.Connection) -> bool:
    """A mark elsewhere was kept before."""
    return db.execute("SELECT 1 FROM meta WHERE name = 'second mark'").fetchone() is not None


def _contradicts(db: sqlite3.Connection, mark: Mark) -> str | None:
    seen = mark.read()
    if seen is None:
        return f"its high-water mark {mark.path} is missing or unreadable: this may be an older copy"
    if seen == FRESH:
        return None
    if incarnation(db) != seen.incarnation:
        return f"this is another copy of the store than the one that was used here last ({mark.path})"
    total = total_events(db)
    if total < seen.total:
        return f"the store has {total} events, but {seen.total} were acknowledged: an older copy was put back"
    row = db.execute("SELECT size FROM checkpoint WHERE tree = ?", (seen.tree,)).fetchone()
    size = row[0] if row else 0
    if size < seen.size:
        return f"the log of {seen.tree} has {size} entries, but {seen.size} were acknowledged"
    if _root(db, seen) != seen.root:
        return f"the first {seen.size} entries of the log of {seen.tree} are not those that were acknowledged"
    return None


def newest() -> Query[datetime | None]:
    """The newest time in the ledger: no event is ever earlier."""
    return Query(
        sql="SELECT CAST(body AS TEXT) FROM next_place JOIN event ON event.place = next_place.place - 1",
        params=(),
        decode=lambda rows: max((at for row in rows if (at := _time_in(row[0]))), default=None),
    )


def _time_in(body: str) -> datetime | None:
    """When a body says that it was written; None where it is not ours, which verification tells of."""
    try:
        return parse_time(json.loads(body)["at"])
    except (ValueError, KeyError, TypeError):
        return None


def total_events(db: sqlite3.Connection) -> int:
    total: int = db.execute("SELECT coalesce(sum(size), 0) FROM checkpoint").fetchone()[0]
    return total


def _root(db: sqlite3.Connection, seen: Seen) -> bytes:
    nodes = Nodes(db, seen.tree)
    return Frontier(seen.size, [nodes.get(*place) for place in peak_coordinates(seen.size)]).root()
