"""Appending to the ledger inside a SQLite transaction."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from alertengine.core.events import Event, NewEvent, SystemEventType, event_type
from alertengine.core.merkle import Frontier, leaf_hash, peak_coordinates
from alertengine.core.model import Actor, parse_time, rfc3339
from alertengine.ledger.entries import place_of
from alertengine.ledger.nodes import Nodes
from alertengine.ledger.note import CheckpointSigner
from alertengine.ledger.walk import LEDGER_INCIDENT, LOWEST_KEPT, MILESTONE, MILESTONE_EVERY
from alertengine.ledger.walk import SYSTEM_TREE as SYSTEM_TREE
from alertengine.store.batch import Batch

BODY_LIMIT = 64 * 1024

_FIRST_HEAD = "INSERT INTO checkpoint (size, note, tree) VALUES (?, ?, ?)"
_HEAD = "UPDATE checkpoint SET size = ?, note = ? WHERE tree = ?"
_PLAIN = frozenset({str, int, float, bool, type(None)})
"""What JSON gives back as it was."""
_TEXT = frozenset({str})
_LAST = "SELECT seq, hash FROM event WHERE tree = ? AND incident = ? ORDER BY seq DESC LIMIT 1"


_dumps = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def encode_body(
    tenant: str, incident: str, seq: int, at: str, event: NewEvent, prev_hash: str
) -> tuple[bytes, dict[str, Any]]:
    """The exact bytes that are hashed and kept, and the data in them as everybody will read it.

    Written out here because the keys stand in the order of canonical JSON anyway, and this is the hot path.
    The salt keeps a leaf's hash from betraying a pruned body.
    """
    data = dict(event.data)
    written = _dumps(data)
    body = (
        f'{{"actor":{_actor(event.actor)},"at":"{at}","data":{written},"incident_id":{_name(incident)},'
        f'"prev_hash":"{prev_hash}","salt":"{secrets.token_urlsafe(16)}","seq":{seq},'
        f'"tenant_id":{_name(tenant)},"type":"{event.type}","v":1}}'
    ).encode()
    if len(body) > BODY_LIMIT:
        raise ValueError(f"an event of {len(body)} bytes; at most {BODY_LIMIT} are kept")
    if not (_PLAIN.issuperset(map(type, data.values())) and _TEXT.issuperset(map(type, data))):
        data = json.loads(written)
    return body, data


@lru_cache(maxsize=256)
def _actor(actor: Actor) -> str:
    return _dumps(actor.to_json())


@lru_cache(maxsize=1024)
def _name(name: str) -> str:
    return _dumps(name)


def decode_event(body: bytes, leaf: bytes) -> Event:
    raw = json.loads(body)
    return Event(
        tenant_id=raw["tenant_id"],
        incident_id=raw["incident_id"],
        seq=raw["seq"],
        at=parse_time(raw["at"]),
        type=event_type(raw["type"]),
        actor=Actor(**raw["actor"]),
        data=raw["data"],
        hash=leaf.hex(),
        prev_hash=raw["prev_hash"],
    )


class Ledger:
    """The trees of one store, as they stand in the open transaction."""

    def __init__(self, db: sqlite3.Connection, signer: CheckpointSigner, host: str) -> None:
        self.batch = Batch(db)
        """The open transaction's rows; a piece ends in it where it ends in the ledger."""
        self._db = db
        self._signer = signer
        self._host = host
        self._trees: dict[str, Frontier] = {}
        self._numbers: dict[str, int] = dict(db.execute("SELECT tree, number FROM tree").fetchall())
        """By which their entries are kept; given once and for all."""
        self._signed: dict[str, int] = {}
        """How long each was at its last commit."""
        self._touched: dict[str, None] = {}
        """Those that this batch opened, in this order, whether or not they grew."""
        self._before: dict[str, Frontier] = {}
        """Those that the open piece opened, as they were before it."""

    def last(self, tree: str, incident: str) -> tuple[int, str]:
        """The number and the hash of the incident's last event."""
        self.batch.write()
        row = self._db.execute(_LAST, (tree, incident)).fetchone()
        return (row[0], row[1].hex()) if row else (0, "")

    def append(
        self, tree: str, incident: str, events: Sequence[NewEvent], last: tuple[int, str], at: datetime
    ) -> list[Event]:
        """Add `events` after the incident's `last` one, as `last` gave it."""
        seq, prev = last
        if events and not self._open(tree).size:
            self._announce(tree, at)
        written = rfc3339(at)
        appended = []
        for event in events:
            seq += 1
            body, data = encode_body(tree, incident, seq, written, event, prev)
            hashed = self._add(tree, incident, seq, event, body).hex()
            appended.append(
                Event(
                    tenant_id=tree,
                    incident_id=incident,
                    seq=seq,
                    at=at,
                    type=event.type,
                    actor=event.actor,
                    data=data,
                    hash=hashed,
                    prev_hash=prev,
                )
            )
            prev = hashed
        return appended

    def _announce(self, tree: str, at: datetime) -> None:
        """Say in the system's tree that there is a tree of this name, so that none can vanish whole."""
        if tree != SYSTEM_TREE:
            opened = NewEvent(type=SystemEventType.TREE_OPENED, data={"tree": tree})
            self.append(SYSTEM_TREE, LEDGER_INCIDENT, [opened], self.last(SYSTEM_TREE, LEDGER_INCIDENT), at)

    def _add(self, tree: str, incident: str, seq: int, event: NewEvent, body: bytes) -> bytes:
        leaf, frontier = leaf_hash(body), self._open(tree)
        place = place_of(self._numbers[tree], frontier.size)
        self.batch.events.rows.append((place, tree, incident, seq, str(event.type), body, leaf))
        made = frontier.append(leaf)
        if len(made) > LOWEST_KEPT:
            self.batch.nodes.rows += [(tree, *node) for node in made[LOWEST_KEPT:]]
        if frontier.size % MILESTONE_EVERY == 0:
            self.batch.milestones.rows.append((tree, frontier.size, self._sign(tree, frontier, MILESTONE)))
        return leaf

    def _open(self, tree: str) -> Frontier:
        """The tree, to be changed by the open piece."""
        if tree in self._before:
            return self._trees[tree]
        frontier = self._trees.get(tree)
        if frontier is None:
            frontier = self._load(tree)
        self._before[tree] = frontier.copy()
        self._touched[tree] = None
        if not frontier.size:
            self.batch.trees.rows.append((self._numbers[tree], tree))
        return frontier

    def _load(self, tree: str) -> Frontier:
        self._numbers.setdefault(tree, 1 + max(self._numbers.values(), default=0))
        row = self._db.execute("SELECT size FROM checkpoint WHERE tree = ?", (tree,)).fetchone()
        size = self._signed[tree] = row[0] if row else 0
        nodes = Nodes(self._db, tree)
        self._trees[tree] = Frontier(size, [nodes.get(*place) for place in peak_coordinates(size)])
        return self._trees[tree]

    def keep(self) -> None:
        """What the open piece appended stands, as far as the batch does."""
        self.batch.keep()
        self._before.clear()

    def drop(self) -> None:
        """What the open piece appended is gone."""
        self.batch.drop()
        self._trees.update(self._before)
        self._before.clear()

    def sign(self) -> None:
        """Write the batch's rows, and one signed checkpoint for each tree that grew in it."""
        self.batch.write()
        for tree in self._touched:
            frontier, before = self._trees[tree], self._signed[tree]
            if frontier.size > before:
                sql = _HEAD if before else _FIRST_HEAD
                self._db.execute(sql, (frontier.size, self._sign(tree, frontier), tree))

    def _sign(self, tree: str, frontier: Frontier, suffix: str = "") -> bytes:
        return self._signer.sign(f"{self._host}/log/{tree}{suffix}", frontier.size, frontier.root())

    def committed(self) -> tuple[int, str, Frontier] | None:
        """What the batch did: by how many events the store grew, and one of the trees as it is now."""
        total, last = 0, None
        for tree in self._touched:
            size = self._trees[tree].size
            if size > self._signed[tree]:
                total, last = total + size - self._signed[tree], tree
                self._signed[tree] = size
        self._touched.clear()
        self.batch.clear()
        return (total, last, self._trees[last]) if last else None

    def rolled_back(self) -> None:
        """Nothing of the batch is left: its trees are read again."""
        for tree in self._touched:
            del self._trees[tree]
        self._touched.clear()
        self._before.clear()
        self.batch.clear()
