"""The entries of one tree in a store file of any schema: all in order, or a single leaf."""

from __future__ import annotations

import sqlite3

_KEYED = 3
"""From this schema on an entry is kept by one number, before by its tree's name and its index."""

_INDEX_BITS = 40

Row = tuple[int, str, str | None, int, str | None, bytes | None, bytes]
"""Key, tree, incident, seq, type, body, hash. Of a pruned entry only key, tree and hash are left."""

_COLUMNS = "tree, incident, seq, type, body, hash"
# Pruned entries have left `event`; their leaf stands in `node`.
_PRUNED = """
UNION ALL
SELECT :first + idx, tree, NULL, 0, NULL, NULL, hash FROM node WHERE tree = :tree AND level = 0 AND idx >= :start
ORDER BY 1
"""
_BY_KEY = f"SELECT key, {_COLUMNS} FROM event WHERE key BETWEEN :first + :start AND :last {_PRUNED}"  # noqa: S608
_BY_NAME = f"SELECT idx, {_COLUMNS} FROM event WHERE tree = :tree AND idx >= :start {_PRUNED}"  # noqa: S608


def key(number: int, index: int) -> int:
    """Where entry `index` of the tree with this number is kept."""
    return number << _INDEX_BITS | index


class Entries:
    def __init__(self, db: sqlite3.Connection, tree: str) -> None:
        self._db = db
        self._tree = tree
        self._keyed = db.execute("PRAGMA user_version").fetchone()[0] >= _KEYED
        self.first = key(self._number(), 0) if self._keyed else 0
        """The key of the first entry."""

    def _number(self) -> int:
        row = self._db.execute("SELECT number FROM tree WHERE tree = ?", (self._tree,)).fetchone()
        return row[0] if row else 0

    def since(self, start: int = 0) -> sqlite3.Cursor:
        """Each `Row` from index `start` on, in order, those that were pruned among them."""
        last = self.first + (1 << _INDEX_BITS) - 1
        given = {"tree": self._tree, "start": start, "first": self.first, "last": last}
        return self._db.execute(_BY_KEY if self._keyed else _BY_NAME, given)

    def leaf(self, index: int) -> bytes | None:
        """The hash of an entry; None where there is none, or it was pruned."""
        if self._keyed:
            row = self._db.execute("SELECT hash FROM event WHERE key = ?", (self.first + index,)).fetchone()
        else:
            sql = "SELECT hash FROM event WHERE tree = ? AND idx = ?"
            row = self._db.execute(sql, (self._tree, index)).fetchone()
        return row[0] if row else None
