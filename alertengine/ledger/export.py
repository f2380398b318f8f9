"""Taking one incident out of a store file as an evidence bundle. Reads only."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from alertengine.core import merkle
from alertengine.errors import NotFound, StoreDamaged
from alertengine.ledger.bundle import Anchor, Bundle, Entry
from alertengine.ledger.entries import Entries
from alertengine.ledger.nodes import Nodes
from alertengine.ledger.note import Checkpoint, parse_checkpoint, split

_OWNER = "SELECT DISTINCT tree FROM event WHERE incident = ?"


def export_file(path: Path, incident: str, vkeys: Sequence[str], tenant: str | None = None) -> Bundle:
    """The bundle of an incident (of this tenant, where one is named) from a store file, at one moment of it."""
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        ) as db:
            db.execute("BEGIN")
            tree = owner(db, incident)
            if tenant not in (None, tree):
                raise NotFound(f"{tenant} has no incident {incident}.")
            return export(db, tree, incident, vkeys)
    except sqlite3.Error as error:
        raise StoreDamaged(f"{path} cannot be read ({error}).") from error


def owner(db: sqlite3.Connection, incident: str) -> str:
    """The tree that holds the incident."""
    found = db.execute(_OWNER, (incident,)).fetchall()
    if len(found) != 1:
        raise NotFound(f"There is no incident {incident}. Was it pruned? Then its bundle is in the archive.")
    tree: str = found[0][0]
    return tree


def export(db: sqlite3.Connection, tree: str, incident: str, vkeys: Sequence[str]) -> Bundle:
    note = checkpoint_note(db, tree)
    size = read_head(note).size
    nodes = Nodes(db, tree)
    rows = Entries(db, tree).of_incident(incident)
    return Bundle(
        tenant_id=tree,
        incident_id=incident,
        checkpoint=note,
        vkeys=tuple(vkeys),
        entries=tuple(
            Entry(index, body, tuple(merkle.inclusion_proof(nodes.get, index, size))) for index, body in rows
        ),
        anchors=tuple(_anchor(nodes, seen, size) for seen in sorted({index + 1 for index, _ in rows})),
    )


def checkpoints(path: Path, tree: str | None = None) -> list[bytes]:
    """The newest checkpoint of every tree, or of one."""
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        ) as db:
            rows = db.execute(
                "SELECT note FROM checkpoint WHERE ? IN (tree, '') ORDER BY tree", (tree or "",)
            )
            return [note for (note,) in rows]
    except sqlite3.Error as error:
        raise StoreDamaged(f"{path} cannot be read ({error}).") from error


def checkpoint_note(db: sqlite3.Connection, tree: str) -> bytes:
    row = db.execute("SELECT note FROM checkpoint WHERE tree = ?", (tree,)).fetchone()
    if row is None:
        raise NotFound(f"There is no log of {tree}.")
    note: bytes = row[0]
    return note


def read_head(note: bytes) -> Checkpoint:
    """What a note of our own store says; whoever must trust it opens it with a key instead."""
    return parse_checkpoint(split(note)[0])


def _anchor(nodes: Nodes, seen: int, size: int) -> Anchor:
    """Messages carry the log's head as it was when they left: prove each head that an event made."""
    root = merkle.Frontier(seen, [nodes.get(*place) for place in merkle.peak_coordinates(seen)]).root()
    return Anchor(seen, root, tuple(merkle.consistency_proof(nodes.get, seen, size)))
