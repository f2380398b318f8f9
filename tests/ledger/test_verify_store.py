"""Whatever is changed in a store file is found, and the place is named."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ledger_file import HOST, OTHER, SIGNER, File, columns_of, in_memory

from alertengine.core import merkle
from alertengine.core.events import EventType
from alertengine.ledger.note import Checkpoint, open_checkpoint
from alertengine.ledger.verify import Report, _lookup_faults, verify, verify_file
from alertengine.store.log import Ledger

TABLES = ("tree", "event", "node", "checkpoint", "milestone")
KEYS = [SIGNER.vkey]


def head(db: sqlite3.Connection, tree: str = "t_1") -> Checkpoint:
    note = db.execute("SELECT note FROM checkpoint WHERE tree = ?", (tree,)).fetchone()[0]
    return open_checkpoint(note, KEYS)


def first(report: Report) -> tuple[str | None, int | None]:
    assert not report.verified
    return report.problems[0].tree, report.problems[0].index


def test_an_untouched_file_verifies_also_while_it_is_written(filled: File) -> None:
    report = verify_file(filled.path, KEYS)
    assert report.problems == ()
    assert {tree.tree: tree.size for tree in report.trees} == {"_system": 3, "t_1": 8, "t_2": 2}
    assert report.size == 13
    filled.event("t_2", "inc_c", EventType.ALERT_FAILED)
    assert verify_file(filled.path, KEYS).size == 14


def test_a_new_file_verifies(file: File) -> None:
    assert verify_file(file.path, KEYS).verified


def changed(value: Any) -> Any:
    if value is None:
        return 1
    if isinstance(value, int):
        return value + 1
    if isinstance(value, bytes):
        middle = len(value) // 2
        return value[:middle] + bytes([value[middle] ^ 4]) + value[middle + 1 :]
    return value[:-1] + ("x" if value[-1:] != "x" else "y")


def authorized(filled: File) -> None:
    data = {"round": 1, "execution_id": "e_1", "action": {"name": "restart"}}
    filled.event("t_1", "inc_a", EventType.RECOVERY_AUTHORIZED, **data)
    filled.db.execute("INSERT INTO execution VALUES ('t_1', 'inc_a', 1, 'e_1')")


def sound(db: sqlite3.Connection) -> bool:
    return verify(db, KEYS).verified and not _lookup_faults(db)


STANDS_IN_NO_EVENT = [("incident", "stage"), ("incident", "slot")]
"""Of an open incident: how far it is, as the program reads its events."""


def test_every_field_of_every_row_is_guarded(filled: File) -> None:
    authorized(filled)
    filled.incident("t_2", "inc_d", 3, closed=True)
    count = 0
    with closing(in_memory(filled.path)) as db:
        for table in (*TABLES, "incident", "execution"):
            columns = columns_of(db, table)
            for row in db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall():
                where = " AND ".join(f"{column} IS ?" for column in columns)
                for column, value in zip(columns, row, strict=True):
                    if (table, column) in STANDS_IN_NO_EVENT and row[columns.index("closed_at")] is None:
                        continue
                    db.execute("BEGIN")
                    try:
                        db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (changed(value), *row))
                    except sqlite3.IntegrityError:
                        db.execute("ROLLBACK")
                        continue  # the row's new key is another row's: SQLite itself refuses that
                    assert not sound(db), (table, column, row)
                    db.execute("ROLLBACK")
                    count += 1
        assert sound(db)
    assert count > 100


def test_every_row_is_missed(filled: File) -> None:
    with closing(in_memory(filled.path)) as db:
        for table in TABLES:
            columns = columns_of(db, table)
            for row in db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall():
                db.execute("BEGIN")
                db.execute(f"DELETE FROM {table} WHERE " + " AND ".join(f"{c} IS ?" for c in columns), row)
                assert not verify(db, KEYS).verified, (table, row)
                db.execute("ROLLBACK")


def test_a_changed_body_is_named(filled: File) -> None:
    with closing(in_memory(filled.path)) as db:
        body = db.execute(
            "SELECT body FROM event WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 2"
        ).fetchone()[0]
        db.execute("UPDATE event SET body = ? WHERE body = ?", (body.replace(b"c_1", b"c_2"), body))
        assert first(verify(db, KEYS)) == ("t_1", 2)


def test_a_changed_body_with_its_hash_is_named(filled: File) -> None:
    with closing(in_memory(filled.path)) as db:
        body = db.execute(
            "SELECT body FROM event WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 2"
        ).fetchone()[0]
        body = body.replace(b"c_1", b"c_2")
        db.execute(
            "UPDATE event SET body = ?, hash = ? WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 2",
            (body, merkle.leaf_hash(body)),
        )
        tree, index = first(verify(db, KEYS))
        assert tree == "t_1"
        assert index in (2, 3)


def test_removed_entries_are_named(filled: File) -> None:
    with closing(in_memory(filled.path)) as db:
        db.execute("DELETE FROM event WHERE tree = 't_1' AND place & 0xFFFFFFFFFF IN (3, 4)")
        assert first(verify(db, KEYS)) == ("t_1", 3)


def test_an_event_that_stands_in_no_log_is_found(filled: File) -> None:
    with closing(in_memory(filled.path)) as db:
        db.execute(
            "INSERT INTO event (place, tree, incident, seq, type, body, hash)"
            " SELECT place + (9 << 40), tree, 'inc_z', seq, type, body, hash"
            " FROM event WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 0"
        )
        assert "of the entries that are kept, 1 stand in no log" in verify(db, KEYS).problems[0].reason


@pytest.mark.parametrize("number", [0, -1, 1, 9, 1 << 23, 1 << 40])
def test_a_tree_under_another_number_is_found(filled: File, number: int) -> None:
    with closing(in_memory(filled.path)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("UPDATE tree SET number = 99 WHERE number = ?", (number,))
        db.execute("UPDATE tree SET number = ? WHERE tree = 't_1'", (number,))
        assert not verify(db, KEYS).verified


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO node VALUES ('t_1', 20000, 1, zeroblob(32))",
        "INSERT INTO node VALUES ('t_1', 1 << 62, 1, zeroblob(32))",
        "INSERT INTO node VALUES ('t_1', 4, -1, zeroblob(32))",
        "UPDATE checkpoint SET size = 1 << 62 WHERE tree = 't_1'",
        "INSERT INTO tree VALUES (8388607, 'evil')",
    ],
)
def test_a_forgery_beyond_all_bounds_is_a_finding_and_no_fault(filled: File, statement: str) -> None:
    with closing(in_memory(filled.path)) as db:
        db.execute(statement)
        assert not verify(db, KEYS).verified


@pytest.mark.parametrize("data", [b"{" * 3000, b"[" * 200_000])
def test_a_body_that_no_parser_takes_is_a_finding(filled: File, data: bytes) -> None:
    with closing(in_memory(filled.path)) as db:
        row = "tree = '_system' AND place & 0xFFFFFFFFFF = 1"
        body = db.execute(f"SELECT body FROM event WHERE {row}").fetchone()[0]
        body = data + body[body.index(b',"incident_id"') :]
        db.execute(f"UPDATE event SET body = ?, hash = ? WHERE {row}", (body, merkle.leaf_hash(body)))
        assert not verify(db, KEYS).verified


def test_a_guard_of_somebody_else_s_is_found(filled: File) -> None:
    filled.db.execute(
        "CREATE TRIGGER sqliteXspend AFTER UPDATE ON link BEGIN UPDATE link SET used_at = NULL; END"
    )
    assert "sqliteXspend does not belong here" in str(verify_file(filled.path, KEYS).problems[0])


def test_a_hash_of_no_entry_is_found(filled: File) -> None:
    with closing(in_memory(filled.path)) as db:
        db.execute("INSERT INTO node VALUES ('t_1', 0, -1, zeroblob(32))")
        assert not verify(db, KEYS).verified


def test_an_entry_in_another_tree_is_named_where_it_was(filled: File) -> None:
    with closing(in_memory(filled.path)) as db:
        db.execute("UPDATE event SET tree = 'a_1' WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 2")
        assert first(verify(db, KEYS)) == ("t_1", 2)


def test_two_entries_that_changed_places_are_named(filled: File) -> None:
    with closing(in_memory(filled.path)) as db:
        for source, target in ((1, 100), (5, 1), (100, 5)):
            db.execute(
                "UPDATE event SET place = place >> 40 << 40 | ? WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = ?",
                (target, source),
            )
        assert first(verify(db, KEYS)) == ("t_1", 1)


def cut(db: sqlite3.Connection, tree: str, size: int) -> None:
    """Everything after `size` goes, neatly, as if it had never been."""
    db.execute("DELETE FROM event WHERE tree = ? AND place & 0xFFFFFFFFFF >= ?", (tree, size))
    db.execute("DELETE FROM node WHERE tree = ? AND (idx + 1) << level > ?", (tree, size))
    db.execute("DELETE FROM milestone WHERE tree = ? AND size > ?", (tree, size))


def test_a_neatly_cut_end_is_found_without_anything_from_outside(filled: File) -> None:
    for size in range(8):
        with closing(in_memory(filled.path)) as db:
            cut(db, "t_1", size)
            assert first(verify(db, KEYS)) == ("t_1", size)


def test_a_cut_back_to_a_kept_checkpoint_needs_one_that_was_seen_later(filled: File) -> None:
    with closing(in_memory(filled.path)) as db:
        old = db.execute("SELECT note FROM checkpoint WHERE tree = 't_1'").fetchone()[0]
    filled.event("t_1", "inc_a", EventType.ALERT_FAILED)
    with closing(in_memory(filled.path)) as db:
        seen = head(db)
        cut(db, "t_1", 8)
        db.execute("UPDATE checkpoint SET size = 8, note = ? WHERE tree = 't_1'", (old,))
        assert verify(db, KEYS).verified
        report = verify(db, KEYS, [seen])
        assert first(report) == ("t_1", 8)
        assert "had 9 entries when this checkpoint was seen; now it has 8" in report.problems[0].reason


def test_a_whole_log_that_vanished_is_found(filled: File) -> None:
    for tree in ("t_1", "_system"):
        with closing(in_memory(filled.path)) as db:
            for table in TABLES:
                db.execute(f"DELETE FROM {table} WHERE tree = ?", (tree,))
            assert first(verify(db, KEYS)) == (tree, 0)


def rewrite(db: sqlite3.Connection, signer: Any, tree: str, index: int) -> None:
    """Change one body and make everything after it consistent again, as far as this key can sign."""
    rows = db.execute(
        "SELECT incident, seq, type, body FROM event WHERE tree = ? ORDER BY place", (tree,)
    ).fetchall()
    if signer is None:
        kept = db.execute("SELECT * FROM checkpoint WHERE tree = ?", (tree,)).fetchall()
        kept_stones = db.execute("SELECT * FROM milestone WHERE tree = ?", (tree,)).fetchall()
    for table in TABLES:
        db.execute(f"DELETE FROM {table} WHERE tree = ?", (tree,))
    ledger = Ledger(db, signer or SIGNER, HOST)
    heads: dict[str, str] = {}
    for n, (incident, seq, kind, body) in enumerate(rows):
        if n == index:
            body = (
                body.replace(b"critical", b"harmless")
                .replace(b'"c_', b'"d_')
                .replace(b'"data":{}', b'"data":{"x":1}')
            )
        before = body.index(b'"prev_hash":"') + 13
        body = body[:before] + heads.get(incident, "").encode() + body[body.index(b'"', before) :]

        class Kind:
            type = kind

        leaf = ledger._add(tree, incident, seq, Kind, body)  # type: ignore[arg-type]
        heads[incident] = leaf.hex()
    ledger.keep()
    ledger.sign()
    if signer is None:
        db.execute("DELETE FROM milestone WHERE tree = ?", (tree,))
        db.execute("DELETE FROM checkpoint WHERE tree = ?", (tree,))
        db.executemany("INSERT INTO checkpoint VALUES (?, ?, ?)", kept)
        db.executemany("INSERT INTO milestone VALUES (?, ?, ?)", kept_stones)


@pytest.mark.parametrize(("index", "part"), [(0, 0), (3, 0), (4, 4), (7, 4)])
def test_a_log_rewritten_without_the_key_is_found_and_the_part_named(
    filled: File, index: int, part: int
) -> None:
    with closing(in_memory(filled.path)) as db:
        rewrite(db, None, "t_1", index)
        report = verify(db, KEYS)
        assert first(report) == ("t_1", part)
        assert "not those that were signed" in report.problems[0].reason


def test_a_log_rewritten_with_another_key_is_found(filled: File) -> None:
    with closing(in_memory(filled.path)) as db:
        rewrite(db, OTHER, "t_1", 3)
        assert "no trusted key" in verify(db, KEYS).problems[0].reason


def test_a_log_rewritten_with_the_very_key_contradicts_what_was_seen(filled: File) -> None:
    with closing(in_memory(filled.path)) as db:
        seen = head(db)
        assert verify(db, KEYS, [seen]).verified
        rewrite(db, SIGNER, "t_1", 3)
        assert verify(db, KEYS).verified
        report = verify(db, KEYS, [seen])
        assert not report.verified
        assert "the first 8 entries are not those" in report.problems[0].reason


def test_what_was_seen_of_a_log_that_is_gone_is_missed(filled: File) -> None:
    seen = Checkpoint(f"{HOST}/log/t_9", 3, bytes(32))
    assert first(verify_file(filled.path, KEYS, [seen])) == ("t_9", 0)


def test_an_early_checkpoint_still_fits_later(file: File) -> None:
    seen = []
    for n in range(12):
        file.event("t_1", "inc_a", EventType.ALERT_FAILED if n else EventType.INCIDENT_DETECTED, **DETECTED)
        seen.append(head(file.db))
    assert verify_file(file.path, KEYS, seen).verified
    forged = Checkpoint(seen[4].origin, 5, seen[5].root)
    assert not verify_file(file.path, KEYS, [forged]).verified


DETECTED = {"service_id": "s", "service": "pay", "severity": "critical", "title": "slow"}


def test_dropped_guards_are_noticed(filled: File) -> None:
    filled.db.execute("DROP TRIGGER event_unchanged")
    filled.db.execute("CREATE TABLE extra (x)")
    reasons = [str(problem) for problem in verify_file(filled.path, KEYS).problems]
    assert reasons == [
        f"{filled.path} is damaged: trigger event_unchanged is missing or changed",
        f"{filled.path} is damaged: table extra does not belong here",
    ]


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"\0" * 5000])
def test_a_file_that_is_no_store_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    report = verify_file(path, KEYS)
    assert not report.verified
    assert str(path) in str(report.problems[0])


def test_a_missing_file_is_named_and_not_made(tmp_path: Path) -> None:
    report = verify_file(tmp_path / "none.db", KEYS)
    assert not report.verified
    assert not (tmp_path / "none.db").exists()


def test_a_damaged_page_anywhere_is_found_or_harmless(filled: File, tmp_path: Path) -> None:
    """Bytes of free space may change unnoticed; nothing that is read may."""
    filled.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = filled.path.read_bytes()
    whole = verify_file(filled.path, KEYS)
    chance = random.Random(3)
    copy = tmp_path / "copy.db"
    found = 0
    for _ in range(60):
        at = chance.randrange(len(data))
        copy.write_bytes(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])
        report = verify_file(copy, KEYS)
        found += not report.verified
        assert not report.verified or report == whole
    assert found


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET body = x'00' WHERE place & 0xFFFFFFFFFF = 0",
        "DELETE FROM event WHERE place & 0xFFFFFFFFFF = 0",
        "INSERT OR REPLACE INTO event (place, tree, incident, seq, type, body, hash)"
        " SELECT place, tree, incident, seq, type, x'00', hash FROM event WHERE place & 0xFFFFFFFFFF = 0",
        "INSERT OR REPLACE INTO event (place, tree, incident, seq, type, body, hash)"
        " SELECT next_place.place, tree, incident, seq, type, x'00', hash"
        " FROM event JOIN next_place USING (tree) WHERE event.place & 0xFFFFFFFFFF = 0",
        "UPDATE node SET hash = zeroblob(32)",
        "DELETE FROM node",
        "INSERT OR REPLACE INTO node SELECT tree, level, idx, zeroblob(32) FROM node",
        "INSERT INTO node VALUES ('t_1', 0, 0, zeroblob(32))",
        "DELETE FROM checkpoint",
        "UPDATE checkpoint SET note = x'00'",
        "UPDATE checkpoint SET size = size - 1",
        "INSERT OR REPLACE INTO checkpoint VALUES ('t_1', 7, x'00')",
        "DELETE FROM milestone",
        "UPDATE milestone SET note = x'00'",
        "INSERT OR REPLACE INTO milestone SELECT tree, size, x'00' FROM milestone",
        "UPDATE checkpoint SET size = size + 1",
        "INSERT INTO event (place, tree, incident, seq, type, body, hash)"
        " SELECT place + 99, tree, incident, 99, type, body, hash"
        " FROM event WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 0",
        "INSERT INTO event (place, tree, incident, seq, type, body, hash)"
        " SELECT place + (9 << 40), 't_9', incident, 1, type, body, hash"
        " FROM event WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 0",
        "INSERT INTO event (place, tree, incident, seq, type, body, hash)"
        " SELECT next_place.place, 't_2', incident, 1, type, body, hash"
        " FROM event JOIN next_place USING (tree) WHERE tree = 't_1' AND event.place & 0xFFFFFFFFFF = 0",
        "INSERT INTO node SELECT '_system', 0, place, hash FROM event WHERE tree = 't_2' AND place & 0xFFFFFFFFFF = 0",
        "UPDATE tree SET tree = 't_9' WHERE tree = 't_1'",
        "DELETE FROM tree",
        "INSERT OR REPLACE INTO tree VALUES (9, 't_1')",
        "INSERT OR REPLACE INTO tree VALUES (1, 't_9')",
        "UPDATE tree SET number = 9 WHERE tree = 't_1'",
    ],
)
def test_the_schema_itself_refuses(filled: File, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="ledger:"):
        filled.db.execute(statement)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM incident WHERE id = 'inc_a'", "has events and is not listed (inc_a)"),
        ("UPDATE incident SET id = 'inc_x' WHERE id = 'inc_a'", "listed that has no events (inc_x)"),
        (
            "UPDATE incident SET closed_at = 'now' WHERE id = 'inc_b'",
            "closed against its events (inc_b)",
        ),
        ("INSERT INTO execution VALUES ('t_1', 'inc_a', 1, 'e_1')", "listed that nobody authorized (e_1)"),
    ],
)
def test_rows_kept_for_look_ups_must_follow_from_the_events(
    filled: File, statement: str, reason: str
) -> None:
    filled.db.execute(statement)
    problem = verify_file(filled.path, KEYS).problems[0]
    assert reason in str(problem)


def test_a_run_that_was_authorized_must_be_listed(filled: File) -> None:
    authorized(filled)
    assert verify_file(filled.path, KEYS).verified
    filled.db.execute("DELETE FROM execution")
    assert "an authorized run is not listed (inc_a)" in str(verify_file(filled.path, KEYS).problems[0])
