"""What the ledger says of itself."""

from __future__ import annotations

from alertengine.ledger.note import split
from alertengine.store.base import Query


def checkpoint(tree: str) -> Query[bytes | None]:
    """The newest signed checkpoint of a tree."""
    return Query(
        sql="SELECT note FROM checkpoint WHERE tree = ?",
        params=(tree,),
        decode=lambda rows: rows[0][0] if rows else None,
    )


def checkpoints() -> Query[list[bytes]]:
    """The newest signed checkpoint of every tree."""
    return Query(
        sql="SELECT note FROM checkpoint ORDER BY tree",
        params=(),
        decode=lambda rows: [row[0] for row in rows],
    )


def short(note: bytes) -> str:
    """A checkpoint's short form, "size root": who keeps it can prove that nothing before it was rewritten."""
    size, root = split(note)[0].split("\n")[1:3]
    return f"{size} {root}"
