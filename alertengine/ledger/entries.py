"""The entries of one tree in a store file of any schema: all in order, or a single leaf."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from alertengine.ledger import schema

_BY_PLACE = 3
"""From this schema on an entry is kept by one number, before by its tree's name and its index."""

INDEX_BITS = 40
"""Of a place, those that are the index: so many entries a tree has room for, as the guards in the schema have it."""

Row = tuple[int, str, str | None, int, str | None, bytes | None, bytes]
"""Place, tree, incident, seq, type, body, hash. Of a pruned entry only place, tree and hash are left."""

_FIRST = "SELECT number << 40 FROM tree WHERE tree = ?"
"""In SQL, where a number that no tree can have wraps as it does in the guards."""

_COLUMNS = "tree, incident, seq, type, body, hash"
# Pruned entries have left `event`; their leaf stands in `node`. By what `event` is kept by, SQLite merges the two and
# need not sort the bodies.
_PRUNED = """
UNION ALL
SELECT :first + idx, tree, NULL, 0, NULL, NULL, hash FROM node WHERE tree = :tree AND level = 0 AND idx >= :start
ORDER BY 1
"""
_FROM_PLACE = f"SELECT place, {_COLUMNS} FROM event WHERE place BETWEEN :first + :start AND :last {_PRUNED}"  # noqa: S608
_FROM_INDEX = f"SELECT idx, {_COLUMNS} FROM event WHERE tree = :tree AND idx >= :start {_PRUNED}"  # noqa: S608


def place_of(number: int, index: int) -> int:
    """Where entry `index` of the tree with this number is kept."""
    return number << INDEX_BITS | index


class Entries:
    def __init__(self, db: sqlite3.Connection, tree: str) -> None:
        self._db = db
        self._tree = tree
        self._by_place = schema.version(db) >= _BY_PLACE
        self.first = self._find() if self._by_place else 0
        """The place of the first entry."""

    def _find(self) -> int:
        row = self._db.execute(_FIRST, (self._tree,)).fetchone()
        return row[0] if row else 0

    def since(self, start: int = 0) -> Iterator[Row]:
        """Each from index `start` on, in order, those that were pruned among them."""
        last = self.first + (1 << INDEX_BITS) - 1
        given = {"tree": self._tree, "start": start, "first": self.first, "last": last}
        return self._db.execute(_FROM_PLACE if self._by_place else _FROM_INDEX, given)

    def leaf(self, index: int) -> bytes | None:
        """The hash of an entry; None where there is none, or it was pruned."""
        if self._by_place:
            if index >> INDEX_BITS:
                return None
            row = self._db.execute("SELECT hash FROM event WHERE place = ?", (self.first + index,)).fetchone()
        else:
            sql = "SELECT hash FROM event WHERE tree = ? AND idx = ?"
            row = self._db.execute(sql, (self._tree, index)).fetchone()
        return row[0] if row else None

    def of_incident(self, incident: str) -> list[tuple[int, bytes]]:
        """Index and body of each of an incident's events, in order."""
        at = "place" if self._by_place else "idx"
        sql = f"SELECT {at} - ?, body FROM event WHERE tree = ? AND incident = ? ORDER BY seq"  # noqa: S608
        return self._db.execute(sql, (self.first, self._tree, incident)).fetchall()
