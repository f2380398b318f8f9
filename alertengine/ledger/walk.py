"""One tree of a store file, recomputed from its bytes and compared with everything stored about it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from alertengine.core.merkle import Frontier, leaf_hash
from alertengine.ledger.entries import INDEX_BITS, Entries, Row

MILESTONE_EVERY = 256
"""Each multiple of this size is signed on the way, so that a rewritten part can be named."""

MILESTONE = "/milestone"
"""What a milestone's origin has after the log's: no milestone can pass for a checkpoint."""

SYSTEM_TREE = "_system"
"""The log of the installation itself; every other tree is a tenant's and bears its id."""

LEDGER_INCIDENT = "_ledger"
"""Where a tree keeps the events about itself: keys that changed, incidents that were pruned."""

LOWEST_KEPT = 4
"""Hashes of perfect subtrees are kept from this level on; those below are made of at most eight leaves when needed."""

_SALT_CHARS = 22


class Bad(Exception):
    """The first thing in a tree that is not as it was written. `index`: the entry, where one can be named."""

    def __init__(self, reason: str, index: int | None = None) -> None:
        self.index = index
        super().__init__(reason)


@dataclass(slots=True)
class Walk:
    """What was learnt of a tree on the way from its first entry to its last."""

    tree: str
    frontier: Frontier = field(default_factory=Frontier)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    """The last (seq, hash) of each incident."""
    last: dict[str, bytes] = field(default_factory=dict)
    """The last body of each incident."""
    pruned: set[int] = field(default_factory=set)
    own: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    """The tree's events about itself, each with its index."""
    roots: dict[int, bytes] = field(default_factory=dict)


def walk(db: sqlite3.Connection, tree: str, sizes: frozenset[int]) -> Walk:
    """Recompute the tree; remember its root at `sizes` and at every milestone. Raises Bad."""
    seen = Walk(tree)
    levels = _Levels(db, tree)
    frontier, roots = seen.frontier, seen.roots
    entries = Entries(db, tree)
    for row in entries.since():
        size = frontier.size
        index = row[0] - entries.first
        if index != size:
            raise Bad(f"entry {size} is missing" if index > size else f"entry {index} is there twice", size)
        if row[5] is None:
            seen.pruned.add(size)
            leaf = row[6]
        else:
            leaf = _check_event(seen, size, row)
        made = frontier.append(leaf)
        if len(made) > 1:
            levels.check(made)
        size += 1
        if size % MILESTONE_EVERY == 0 or size in sizes:
            roots[size] = frontier.root()
    roots[frontier.size] = frontier.root()
    levels.finish()
    return seen


def _check_event(seen: Walk, index: int, row: Row) -> bytes:
    _, tree, incident, seq, kind, body, stored = row
    assert body is not None
    assert incident is not None
    leaf = leaf_hash(body)
    if leaf != stored:
        raise Bad(f"entry {index}: its body and its hash do not belong together", index)
    if tree != seen.tree:
        raise Bad(f"entry {index} is filed under {tree}", index)
    last_seq, last_hash = seen.heads.get(incident, (0, ""))
    if seq != last_seq + 1:
        raise Bad(f"entry {index} is number {seq} of {incident}; expected {last_seq + 1}", index)
    if _spelt_otherwise(f"{tree}{incident}{kind}") or not _ends_as_filed(
        body, tree, incident, seq, kind, last_hash
    ):
        _compare(index, body, (tree, incident, seq, kind, last_hash))
    seen.heads[incident] = (seq, leaf.hex())
    seen.last[incident] = body
    if incident == LEDGER_INCIDENT:
        seen.own.append((index, json.loads(body)))
    return leaf


def _spelt_otherwise(names: str) -> bool:
    """In JSON these names are spelt otherwise than as they are."""
    return '"' in names or "\\" in names


def _ends_as_filed(body: bytes, tree: str, incident: str, seq: int, kind: str | None, before: str) -> bool:
    """Whether the body ends as ours do that say just this. Seven times faster than to parse the JSON.

    The keys are sorted and what is compared comes after `data`, up to the last brace, so that nothing in
    `data` can pass for it. Another order or spelling is no fault: such a body is parsed.
    """
    end = f'","seq":{seq},"tenant_id":"{tree}","type":"{kind}","v":1}}'.encode()
    start = f',"incident_id":"{incident}","prev_hash":"{before}","salt":"'.encode()
    cut = len(body) - len(end) - _SALT_CHARS
    return body.endswith(end) and body[cut - len(start) : cut] == start


def _compare(index: int, body: bytes, filed: tuple[str, str, int, str | None, str]) -> None:
    try:
        event = json.loads(body)
        told = tuple(event[k] for k in ("tenant_id", "incident_id", "seq", "type", "prev_hash"))
    except (ValueError, KeyError, TypeError) as error:
        raise Bad(f"entry {index} is not an event ({error!r})", index) from None
    if told[:4] != filed[:4]:
        raise Bad(f"entry {index} is filed as {filed[:4]}, but says {told[:4]}", index)
    if told != filed:
        raise Bad(f"entry {index} does not continue {filed[1]}: the event before it is another one", index)


class _Levels:
    """The stored nodes above the leaves, read level by level while the walk makes them anew."""

    def __init__(self, db: sqlite3.Connection, tree: str) -> None:
        found = db.execute("SELECT DISTINCT level FROM node WHERE tree = ? AND level > 0", (tree,))
        self._rows: dict[int, Iterator[tuple[int, bytes]]] = {
            level: iter(
                db.execute(
                    "SELECT idx, hash FROM node WHERE tree = ? AND level = ? ORDER BY idx", (tree, level)
                )
            )
            for (level,) in found.fetchall()
        }
        if any(level > INDEX_BITS for level in self._rows):
            raise Bad(f"there is a hash at level {max(self._rows)}, but no log has so many entries")
        self._next = {level: next(rows, None) for level, rows in self._rows.items()}

    def check(self, made: list[tuple[int, int, bytes]]) -> None:
        for level, index, hashed in made[1:]:
            stored = self._next.get(level)
            if stored == (index, hashed):
                self._next[level] = next(self._rows[level], None)
            elif level >= LOWEST_KEPT or (stored is not None and stored[0] <= index):
                first = index << level
                raise Bad(
                    f"entries {first} to {first + (1 << level) - 1} do not give the hash kept of them", first
                )

    def finish(self) -> None:
        for level, extra in self._next.items():
            if extra is not None:
                raise Bad(f"there is a hash of entries from {extra[0] << level} on, but no such entries")
