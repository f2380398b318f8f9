"""The forger's game: offline edits by somebody with the file, without guards, with or without the key."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from ledger_file import HOST, OTHER, SIGNER, File, columns_of, in_memory
from test_verify_store import KEYS, TABLES, changed, cut, head

from alertengine.ledger.note import CheckpointSigner
from alertengine.ledger.verify import verify
from alertengine.store.log import Ledger

GAMES = 250
TREES = ("_system", "t_1", "t_2")


def flip(db: sqlite3.Connection, chance: random.Random) -> None:
    table = chance.choice(TABLES)
    columns = columns_of(db, table)
    row = chance.choice(db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall())
    column = chance.randrange(len(columns))
    where = " AND ".join(f"{name} IS ?" for name in columns)
    db.execute(
        f"UPDATE OR REPLACE {table} SET {columns[column]} = ? WHERE {where}", (changed(row[column]), *row)
    )


def remove(db: sqlite3.Connection, chance: random.Random) -> None:
    tree = chance.choice(TREES)
    size = head(db, tree).size
    first = chance.randrange(size)
    db.execute(
        "DELETE FROM event WHERE tree = ? AND place & 0xFFFFFFFFFF BETWEEN ? AND ?",
        (tree, first, first + chance.randrange(3)),
    )


def shorten(db: sqlite3.Connection, chance: random.Random) -> None:
    tree = chance.choice(TREES)
    cut(db, tree, chance.randrange(head(db, tree).size))


def swap(db: sqlite3.Connection, chance: random.Random) -> None:
    one, two = chance.sample(range(head(db, "t_1").size), 2)
    for source, target in ((one, 1000), (two, one), (1000, two)):
        db.execute(
            "UPDATE event SET place = place >> 40 << 40 | ? WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = ?",
            (target, source),
        )


def rewrite_as(
    signer: CheckpointSigner, *, sign: bool
) -> Callable[[sqlite3.Connection, random.Random], None]:
    """Change, drop or add an entry and make the whole tree consistent again; sign it, or keep the old notes."""

    def edit(db: sqlite3.Connection, chance: random.Random) -> None:
        tree = chance.choice(TREES)
        rows = db.execute(
            "SELECT incident, seq, type, body FROM event WHERE tree = ? ORDER BY place", (tree,)
        ).fetchall()
        notes = {t: db.execute(f"SELECT * FROM {t} WHERE tree = ?", (tree,)).fetchall() for t in TABLES[3:]}
        # Who has the key may add entries after what was seen: that is what the key is for.
        _forge(
            rows,
            chance.choice(["change", "drop"] if sign and signer is SIGNER else ["change", "drop", "add"]),
            chance,
        )
        for table in TABLES:
            db.execute(f"DELETE FROM {table} WHERE tree = ?", (tree,))
        _refill(db, Ledger(db, signer, HOST), tree, rows)
        if not sign:
            for table, kept in notes.items():
                db.execute(f"DELETE FROM {table} WHERE tree = ?", (tree,))
                db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", kept)

    return edit


def _forge(rows: list[tuple[str, int, str, bytes]], how: str, chance: random.Random) -> None:
    at = chance.randrange(len(rows))
    incident, seq, kind, body = rows[at]
    if how == "change":
        rows[at] = (
            incident,
            seq,
            kind,
            body.replace(b'"data":{', b'"data":{"forged":1,').replace(b",}", b"}"),
        )
    elif how == "drop":
        rows[at:] = [row for row in rows[at:] if row[0] != incident]
    else:
        rows.append(("inc_new", 1, kind, body.replace(incident.encode(), b"inc_new")))


def _refill(
    db: sqlite3.Connection, ledger: Ledger, tree: str, rows: list[tuple[str, int, str, bytes]]
) -> None:
    heads: dict[str, tuple[int, str]] = {}
    for incident, _, kind, body in rows:
        seq, before = heads.get(incident, (0, ""))
        start = body.index(b'"prev_hash":"') + 13
        body = body[:start] + before.encode() + body[body.index(b'"', start) :]
        start = body.rindex(b'"seq":') + 6
        body = body[:start] + str(seq + 1).encode() + body[body.index(b",", start) :]

        class Kind:
            type = kind

        leaf = ledger._add(tree, incident, seq + 1, Kind, body)  # type: ignore[arg-type]
        heads[incident] = (seq + 1, leaf.hex())
    ledger.keep()
    ledger.sign()


OUTSIDERS = [flip, remove, shorten, swap, rewrite_as(OTHER, sign=True), rewrite_as(SIGNER, sign=False)]
"""Edits that are found without anything from outside."""


def rows_of(db: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    return [
        db.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()
        for table in TABLES
        if table != "tree"
    ]


def play(filled: File, edits: list[Callable[..., None]], *, anchored: bool) -> list[int]:
    """Seeds of the games that the forger won."""
    won = []
    with closing(in_memory(filled.path)) as whole:
        seen = [head(whole, tree) for tree in TREES] if anchored else []
        assert verify(whole, KEYS, seen).verified
        for seed in range(GAMES):
            chance = random.Random(seed)
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
                whole.backup(db)
                db.execute("PRAGMA ignore_check_constraints=ON")
                chance.choice(edits)(db, chance)
                if rows_of(db) != rows_of(whole) and verify(db, KEYS, seen).verified:
                    won.append(seed)
    return won


@pytest.mark.slow
def test_without_the_key_the_forger_never_wins(filled: File) -> None:
    assert play(filled, OUTSIDERS, anchored=False) == []


@pytest.mark.slow
def test_with_the_key_the_forger_never_wins_against_what_was_seen(filled: File) -> None:
    assert play(filled, [*OUTSIDERS, *[rewrite_as(SIGNER, sign=True)] * 6], anchored=True) == []
