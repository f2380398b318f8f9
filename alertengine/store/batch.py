"""The writer's open transaction: the rows that wait in it, and the way back when a piece of its work fails.

What is appended is written when somebody reads, at the latest before the commit: one statement writes many rows, which
is most of what a group commit saves. A savepoint is made only for who needs one: most pieces append to one incident
and are done.
"""

from __future__ import annotations

import sqlite3
from typing import Any


class Rows:
    """A table's new rows. Those of pieces that are done come first, and so do those that are in the table already."""

    __slots__ = ("_insert", "_safe", "_written", "kept", "rows")

    def __init__(self, insert: str) -> None:
        self._insert = insert
        self.rows: list[tuple[Any, ...]] = []
        self.kept = 0
        """So many belong to pieces that are done."""
        self._written = 0
        """So many are in the table,"""
        self._safe = 0
        """and so many were when the savepoint was made."""

    def write(self, db: sqlite3.Connection) -> None:
        if self._written < len(self.rows):
            db.executemany(self._insert, self.rows[self._written :] if self._written else self.rows)
            self._written = len(self.rows)

    def guard(self) -> None:
        self._safe = self._written

    def undo(self) -> None:
        """What was written since the savepoint waits again."""
        self._written = self._safe

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
            "INSERT INTO event (key, tree, incident, seq, type, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?)"
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
