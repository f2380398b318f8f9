"""What was appended and is not in the tables yet: written when somebody reads, at the latest before the commit."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

_WRITES = {
    "trees": "INSERT INTO tree (tree) VALUES (?)",
    "events": "INSERT INTO event (tree, idx, incident, seq, type, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
    "nodes": "INSERT INTO node (tree, level, idx, hash) VALUES (?, ?, ?, ?)",
    "milestones": "INSERT INTO milestone (tree, size, note) VALUES (?, ?, ?)",
}
"""In this order: an event's tree is there before it."""


@dataclass(slots=True)
class Pending:
    """Rows by table. One statement writes many, which is most of what a group commit saves."""

    trees: list[tuple[str]] = field(default_factory=list)
    events: list[tuple[str, int, str, int, str, bytes, bytes]] = field(default_factory=list)
    nodes: list[tuple[str, int, int, bytes]] = field(default_factory=list)
    milestones: list[tuple[str, int, bytes]] = field(default_factory=list)

    def take(self, other: Pending) -> None:
        """These rows and those of `other`, which is empty then."""
        for table in _WRITES:
            rows = getattr(other, table)
            if rows:
                getattr(self, table).extend(rows)
                rows.clear()

    def write(self, db: sqlite3.Connection) -> None:
        for table, sql in _WRITES.items():
            rows = getattr(self, table)
            if rows:
                db.executemany(sql, rows)
                rows.clear()

    def clear(self) -> None:
        for table in _WRITES:
            getattr(self, table).clear()
