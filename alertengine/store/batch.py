"""The writer's open transaction: the rows that wait in it, and the way back when a piece of its work fails.

What is appended is written when somebody reads, at the latest before the commit: one statement writes many rows, which
is most of what a group commit saves. A savepoint is made only where one is needed: most pieces append to one
incident and are done.
"""

from __future__ import annotations

import sqlite3
from typing import Any


class Rows:
    """A table's new rows, the oldest first: those of finished pieces before the open one's, those in the table before
    those that wait. Without a savepoint no row of the open piece is in the table."""

    __slots__ = ("_at_savepoint", "_insert", "_written", "kept", "rows")

    def __init__(self, insert: str) -> None:
        self._insert = insert
        self.rows: list[tuple[Any, ...]] = []
        self.kept = 0
        """How many belong to finished pieces."""
        self._written = 0
        """How many are in the table."""
        self._at_savepoint = 0
        """How many were when the savepoint was made; it can be fewer than are kept."""

    def write(self, db: sqlite3.Connection) -> None:
        if self._written < len(self.rows):
            db.executemany(self._insert, self.rows[self._written :] if self._written else self.rows)
            self._written = len(self.rows)

    def guard(self) -> None:
        self._at_savepoint = self._written

    def undo(self) -> None:
        """What was written since the savepoint waits again."""
        self._written = self._at_savepoint

    def drop(self) -> None:
        del self.rows[self.kept :]

    def clear(self) -> None:
        self.rows.clear()
        self.kept = self._written = 0


class Batch:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.trees = Rows("INSERT INTO tree (number, tree) VALUES (?, ?)")
        self.events = Rows(
            "INSERT INTO event (place, tree, incident, seq, type, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        self.nodes = Rows("INSERT INTO node (tree, level, idx, hash) VALUES (?, ?, ?, ?)")
        self.milestones = Rows("INSERT INTO milestone (tree, size, note) VALUES (?, ?, ?)")
        self._tables = (self.trees, self.events, self.nodes, self.milestones)
        """In this order: an event's tree is there before it."""
        self._guarded = False
        """A savepoint stands where the open piece began to write."""

    def write(self) -> None:
        """Put everything that waits into the tables, before somebody reads them."""
        if any(len(table.rows) > table.kept for table in self._tables):
            self.guard()
        for table in self._tables:
            table.write(self._db)

    def guard(self) -> None:
        """From here on the open piece may write, and is undone where it fails."""
        if not self._guarded:
            self._db.execute("SAVEPOINT piece")
            self._guarded = True
            for table in self._tables:
                table.guard()

    def keep(self) -> None:
        """The open piece is done; the next one begins."""
        for table in self._tables:
            table.kept = len(table.rows)
        self._release()

    def drop(self) -> None:
        """The open piece failed: nothing of it is left."""
        if self._guarded:
            self._db.execute("ROLLBACK TO piece")
            for table in self._tables:
                table.undo()
        for table in self._tables:
            table.drop()
        self._release()

    def _release(self) -> None:
        if self._guarded:
            self._db.execute("RELEASE piece")
            self._guarded = False

    def clear(self) -> None:
        """The transaction is over, one way or the other."""
        self._guarded = False
        for table in self._tables:
            table.clear()
