"""What the ledger says of itself."""

from __future__ import annotations

from alertengine.ledger.note import split
from alertengine.store.base import Query, Row


def checkpoint(tree: str) -> Query[bytes | None]:
    """The newest signed checkpoint of a tree."""
    return Query(
        sql="SELECT note FROM checkpoint WHERE tree = ? ORDER BY size DESC LIMIT 1",
        params=(tree,),
        decode=lambda rows: rows[0][0] if rows else None,
    )


def anchor(tree: str) -> Query[str | None]:
    """Its short form, "size root": whoever keeps it can prove later that nothing before it was rewritten."""
    newest = checkpoint(tree)

    def decode(rows: list[Row]) -> str | None:
        note = newest.decode(rows)
        if note is None:
            return None
        size, root = split(note)[0].split("\n")[1:3]
        return f"{size} {root}"

    return Query(sql=newest.sql, params=newest.params, decode=decode)
