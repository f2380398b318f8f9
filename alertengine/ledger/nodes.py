"""The stored hashes of one tree by level and index, as proofs need them."""

from __future__ import annotations

import sqlite3

from alertengine.core import merkle
from alertengine.errors import StoreDamaged
from alertengine.ledger.entries import Entries
from alertengine.ledger.walk import LOWEST_KEPT

_NODE = "SELECT hash FROM node WHERE tree = ? AND level = ? AND idx = ?"


class Nodes:
    def __init__(self, db: sqlite3.Connection, tree: str) -> None:
        self._db = db
        self._tree = tree
        self._entries = Entries(db, tree)

    def get(self, level: int, index: int) -> bytes:
        leaf = self._entries.leaf(index) if level == 0 else None
        if leaf is not None:
            return leaf
        row = self._db.execute(_NODE, (self._tree, level, index)).fetchone()
        if row is None and 0 < level < LOWEST_KEPT:
            return merkle.node_hash(self.get(level - 1, 2 * index), self.get(level - 1, 2 * index + 1))
        if row is None:
            raise StoreDamaged(
                f"The log of {self._tree} lacks a hash at level {level}: alertengine ledger verify"
            )
        hashed: bytes = row[0]
        return hashed
