"""The newest entries of a store that is being written: each is as it was signed, and what went before still stands.

The trees are grown here from the entries themselves, beside those of the writer, from what was verified whole.
So an entry that somebody slipped in, a tree that was cut and a file that was exchanged are seen at the next look.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock

from alertengine.core.merkle import Frontier, leaf_hash, peak_coordinates
from alertengine.errors import StoreDamaged, StoreUnavailable
from alertengine.ledger.entries import Entries
from alertengine.ledger.nodes import Nodes
from alertengine.ledger.note import Checkpoint, NoteError, open_checkpoint
from alertengine.ledger.verify import Report
from alertengine.ledger.walk import Bad

_HEADS = "SELECT tree, note FROM checkpoint"
_SIZES = "SELECT tree, place & 0xFFFFFFFFFF FROM next_place"


class Tail:
    def __init__(self, path: Path, vkeys: Sequence[str]) -> None:
        self._path = path
        self._vkeys = vkeys
        self._trees: dict[str, Frontier] = {}
        self._notes: dict[str, bytes] = {}
        self._looking = Lock()
        """Looks come from threads, and several may be asked for at once."""

    def heads(self) -> list[Checkpoint]:
        """What was seen: no later look may contradict it."""
        return [
            Checkpoint(f"/log/{tree}", seen.size, seen.root()) for tree, seen in list(self._trees.items())
        ]

    def begin(self, report: Report) -> None:
        """Go on from what was verified whole."""
        with self._looking, closing(self._open()) as db:
            for tree in report.trees:
                nodes = Nodes(db, tree.tree)
                seen = Frontier(tree.size, [nodes.get(*place) for place in peak_coordinates(tree.size)])
                if seen.root() == tree.root:
                    self._trees[tree.tree] = seen

    def fault(self) -> str | None:
        """Why what was added since the last look is not to be trusted; None where it is.

        Raises `StoreUnavailable` where the file cannot be looked at.
        """
        try:
            with self._looking, closing(self._open()) as db:
                db.execute("BEGIN")  # one moment of the file
                notes, sizes = dict(db.execute(_HEADS).fetchall()), dict(db.execute(_SIZES).fetchall())
                gone = sorted(self._trees.keys() - notes.keys())
                if gone:
                    return f"the log of {gone[0]} is gone"
                for tree in sorted(notes.keys() | sizes.keys()):
                    if tree not in notes or tree not in sizes:
                        return f"the log of {tree} is not listed and signed, as each is"
                    if notes[tree] != self._notes.get(tree) or sizes[tree] != self._trees[tree].size:
                        self._follow(db, tree, notes[tree])
        except Bad as bad:
            return str(bad)
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(
                f"{self._path} cannot be read ({error}). Look at the disk and at the file's rights; if it stays so, "
                "restore it: alertengine restore FILE"
            ) from error
        except (sqlite3.Error, StoreDamaged) as error:
            return f"{self._path} cannot be read ({error})"
        except Exception as error:  # a forgery can be of any type and size
            return f"{self._path} cannot be followed: {error!r:.200}"
        return None

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)

    def _follow(self, db: sqlite3.Connection, tree: str, note: bytes) -> None:
        seen = self._trees.get(tree, Frontier()).copy()
        entries = Entries(db, tree)
        for place, filed, _, _, _, body, stored in entries.since(seen.size):
            is_next = place == entries.first + seen.size and filed == tree
            if not is_next or (body is not None and leaf_hash(body) != stored):
                raise Bad(f"{tree}: entry {seen.size} is missing, or another one than was written", seen.size)
            seen.append(stored)
        try:
            signed = open_checkpoint(note, self._vkeys)
        except NoteError as error:
            raise Bad(f"{tree}: its newest checkpoint does not hold: {error}") from None
        if (signed.size, signed.root) != (seen.size, seen.root()):
            raise Bad(f"{tree}: its {seen.size} entries are not the {signed.size} that were signed")
        self._trees[tree], self._notes[tree] = seen, note
