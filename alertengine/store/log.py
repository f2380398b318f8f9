"""Appending to the ledger inside a SQLite transaction."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from alertengine.core.events import Event, NewEvent, SystemEventType, event_type
from alertengine.core.merkle import Frontier, leaf_hash, peak_coordinates
from alertengine.core.model import Actor, parse_time, rfc3339
from alertengine.ledger.export import Nodes
from alertengine.ledger.note import CheckpointSigner
from alertengine.ledger.walk import LEDGER_INCIDENT, LOWEST_KEPT, MILESTONE, MILESTONE_EVERY
from alertengine.ledger.walk import SYSTEM_TREE as SYSTEM_TREE
from alertengine.store.pending import Pending

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
) -> tuple[bytes, str]:
    """The exact bytes that are hashed and kept, and the text of `data` in them.

    Written out here because the keys stand in the order of canonical JSON anyway, and this is the hot path.
    The salt keeps a leaf's hash from betraying a pruned body.
    """
    data = _dumps(dict(event.data))
    body = (
        f'{{"actor":{_actor(event.actor)},"at":"{at}","data":{data},"incident_id":{_name(incident)},'
        f'"prev_hash":"{prev_hash}","salt":"{secrets.token_urlsafe(16)}","seq":{seq},'
        f'"tenant_id":{_name(tenant)},"type":"{event.type}","v":1}}'
    ).encode()
    if len(body) > BODY_LIMIT:
        raise ValueError(f"an event of {len(body)} bytes; at most {BODY_LIMIT} are kept")
    return body, data


@lru_cache(maxsize=256)
def _actor(actor: Actor) -> str:
    return _dumps(actor.to_json())


@lru_cache(maxsize=1024)
def _name(name: str) -> str:
    return _dumps(name)


def _as_read(data: Mapping[str, Any], written: str) -> Mapping[str, Any]:
    """The data as everybody will read it, not as the caller happened to hold it."""
    if _PLAIN.issuperset(map(type, data.values())) and _TEXT.issuperset(map(type, data)):
        return dict(data)
    read: dict[str, Any] = json.loads(written)
    return read


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
    """The trees of one store. Frontiers are cached; a transaction works on copies until it is kept.

    What is appended waits in memory until `write` or `sign`: whoever reads the tables writes first.
    """

    def __init__(self, db: sqlite3.Connection, signer: CheckpointSigner, host: str) -> None:
        self._db = db
        self._signer = signer
        self._host = host
        self._kept: dict[str, Frontier] = {}
        self._sizes: dict[str, int] = {}
        self._open: dict[str, Frontier] = {}
        self._unsigned: dict[str, Frontier] = {}
        self._pending = Pending()
        """What the open transaction appended."""
        self._unwritten = Pending()
        """The same of those kept before it in this batch."""

    def last(self, tree: str, incident: str) -> tuple[int, str]:
        """The number and the hash of the incident's last event."""
        row = self._db.execute(_LAST, (tree, incident)).fetchone()
        return (row[0], row[1].hex()) if row else (0, "")

    def append(
        self, tree: str, incident: str, events: Sequence[NewEvent], last: tuple[int, str], at: datetime
    ) -> list[Event]:
        """Add `events` after the incident's `last` one, as `last` gave it."""
        seq, prev = last
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
                    data=_as_read(event.data, data),
                    hash=hashed,
                    prev_hash=prev,
                )
            )
            prev = hashed
        return appended

    def _announce(self, tree: str, at: datetime) -> None:
        """Say in the system's tree that there is a tree of this name, so that none can vanish whole."""
        if self._frontier(tree).size or tree == SYSTEM_TREE:
            return
        opened = NewEvent(type=SystemEventType.TREE_OPENED, data={"tree": tree})
        self.append(SYSTEM_TREE, LEDGER_INCIDENT, [opened], self.last(SYSTEM_TREE, LEDGER_INCIDENT), at)

    def _add(self, tree: str, incident: str, seq: int, event: NewEvent, body: bytes) -> bytes:
        frontier = self._frontier(tree)
        leaf, pending = leaf_hash(body), self._pending
        pending.events.append((tree, frontier.size, incident, seq, str(event.type), body, leaf))
        made = frontier.append(leaf)
        if len(made) > LOWEST_KEPT:
            pending.nodes += [(tree, *node) for node in made[LOWEST_KEPT:]]
        if frontier.size % MILESTONE_EVERY == 0:
            pending.milestones.append((tree, frontier.size, self._sign(tree, frontier, MILESTONE)))
        return leaf

    def _frontier(self, tree: str) -> Frontier:
        if tree not in self._open:
            kept = self._unsigned.get(tree) or self._kept.get(tree) or self._load(tree)
            self._open[tree] = kept.copy()
        return self._open[tree]

    def _load(self, tree: str) -> Frontier:
        row = self._db.execute("SELECT size FROM checkpoint WHERE tree = ?", (tree,)).fetchone()
        self._sizes[tree] = row[0] if row else 0
        if row is None:
            self._pending.trees.append((tree,))
            return Frontier()
        nodes = Nodes(self._db, tree)
        return Frontier(row[0], [nodes.get(*place) for place in peak_coordinates(row[0])])

    def keep(self) -> None:
        """The transaction's appends stand, as far as the batch does."""
        self._unsigned.update(self._open)
        self._open.clear()
        self._unwritten.take(self._pending)

    def drop(self) -> None:
        """The transaction's appends are gone."""
        self._open.clear()
        self._pending.clear()

    @property
    def is_written(self) -> bool:
        """Whether everything that the open transaction appended is in the tables."""
        return not self._pending.events

    def write_kept(self) -> None:
        """Put what was kept in this batch into the tables."""
        self._unwritten.write(self._db)

    def write(self) -> None:
        """Put what the open transaction appended into the tables, after what was kept before it."""
        self._unwritten.write(self._db)
        self._pending.write(self._db)

    def sign(self) -> None:
        """Write the batch's rows, and one signed checkpoint for each tree that grew in it."""
        self._unwritten.write(self._db)
        for tree, frontier in self._unsigned.items():
            sql = _HEAD if self._sizes[tree] else _FIRST_HEAD
            self._db.execute(sql, (frontier.size, self._sign(tree, frontier), tree))

    def _sign(self, tree: str, frontier: Frontier, suffix: str = "") -> bytes:
        return self._signer.sign(f"{self._host}/log/{tree}{suffix}", frontier.size, frontier.root())

    def committed(self) -> tuple[int, str, Frontier] | None:
        """What the batch did: by how many events the store grew, and one of the trees as it is now."""
        grown = None
        for tree, frontier in self._unsigned.items():
            more = frontier.size - self._sizes[tree] + (grown[0] if grown else 0)
            self._kept[tree], self._sizes[tree] = frontier, frontier.size
            grown = more, tree, frontier
        self.rolled_back()
        return grown

    def rolled_back(self) -> None:
        self.drop()
        self._unsigned.clear()
        self._unwritten.clear()
