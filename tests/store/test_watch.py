"""What happens to the file from outside is noticed while the store runs, and old copies are known at the start."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from test_life import AT, SIGNER, add, opened

from alertengine.app import load_settings, open_engine
from alertengine.errors import DataDirectoryHeld, StoreDamaged, StoreUnavailable
from alertengine.ledger.mark import Mark
from alertengine.store import incidents, links, offline
from alertengine.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "alertengine.db"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return tmp_path / "second.mark"


async def refused(store: SqliteStore) -> str:
    with pytest.raises(StoreDamaged) as refusal:
        await add(store, "inc_late")
    return str(refusal.value)


def by_hand(path: Path, *statements: str) -> None:
    """Edit the file as somebody who drops every guard first and puts it back afterwards."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as db:
        guards = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        db.execute("BEGIN IMMEDIATE")
        for name, _ in guards:
            db.execute(f"DROP TRIGGER {name}")
        for sql in statements:
            db.execute(sql)
        for _, sql in guards:
            db.execute(sql)
        db.execute("COMMIT")


def exchange(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


def move_away(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (Path.unlink, "was taken away while it was in use"),
        (move_away, "was taken away while it was in use"),
        (exchange, "was exchanged while it was in use"),
        (lambda path: path.with_name(f"{path.name}-wal").unlink(), "was taken away while it was in use"),
        (lambda path: path.with_name(f"{path.name}-shm").unlink(), "was taken away while it was in use"),
    ],
)
async def test_a_file_that_goes_is_noticed_at_the_next_look(
    path: Path, harm: Callable[[Path], None], said: str
) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
        await store.watch()
        assert store.trouble is None
        harm(path)
        await store.watch()
        assert said in await refused(store)
        assert "restore FILE" in str(store.trouble)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO event (place, tree, incident, seq, type, body, hash)"
        " SELECT place + 3, tree, incident, 2, type, body, hash"
        " FROM event WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 0",
        "DELETE FROM event WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 2",
        "UPDATE event SET body = x'7b7d' WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 2",
        "UPDATE event SET hash = zeroblob(32) WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 2",
        "UPDATE event SET tree = 't_2', seq = 9 WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 2",
        "DELETE FROM checkpoint WHERE tree = 't_1'",
        "UPDATE checkpoint SET note = CAST(replace(CAST(note AS TEXT), '/t_1', '/t_9') AS BLOB) WHERE tree = 't_1'",
        "UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE tree = '_system') WHERE tree = 't_1'",
    ],
)
async def test_an_edit_of_the_newest_entries_is_noticed_at_the_next_look(path: Path, statement: str) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
        assert (await store.verify()).verified
        await add(store, "inc_b")
        await store.watch()
        assert store.trouble is None
        await add(store, "inc_c")
        by_hand(path, statement)
        await store.watch()
        assert "does not verify" in await refused(store)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO event (place, tree, incident, seq, type, body, hash)"
        " SELECT place + 1, tree, incident, 2, type, body, hash"
        " FROM event WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 0",
        "INSERT INTO tree VALUES (9, 't_9')",
    ],
)
async def test_what_is_slipped_in_without_a_signature_is_noticed(path: Path, statement: str) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
        assert (await store.verify()).verified
        await store.watch()
        assert store.trouble is None
        by_hand(path, statement)
        await store.watch()
        assert "does not verify" in await refused(store)


async def test_what_the_guards_refuse_seals_the_store(path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
        by_hand(path, "UPDATE event SET place = place + 1 WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 0")
        for _ in range(2):
            assert "something else wrote to it" in await refused(store)


async def test_an_older_entry_that_was_changed_is_found_by_the_next_whole_verification(path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
        assert (await store.verify()).verified
        by_hand(path, "UPDATE event SET body = x'7b7d' WHERE tree = 't_1' AND place & 0xFFFFFFFFFF = 0")
        assert not (await store.verify()).verified
        assert "does not verify" in await refused(store)


async def test_a_history_that_is_signed_anew_contradicts_what_the_process_saw(path: Path) -> None:
    """Somebody with the key writes another history that verifies by itself."""
    async with opened(path) as store:
        for name in ("a", "b", "c"):
            await add(store, f"inc_{name}")
        assert (await store.verify()).verified
        other = path.with_name("other.db")
        async with opened(other) as forged:
            for name in ("x", "y", "z"):
                await add(forged, f"inc_{name}")
        tables = ("tree", "event", "node", "checkpoint", "milestone", "incident")
        copied = [
            sql
            for table in tables
            for sql in (f"DELETE FROM {table}", f"INSERT INTO {table} SELECT * FROM o.{table}")
        ]
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            guards = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            db.execute(f"ATTACH '{other}' AS o")
            for name, _ in guards:
                db.execute(f"DROP TRIGGER {name}")
            for sql in copied:
                db.execute(sql)
            for _, sql in guards:
                db.execute(sql)
        report = await store.verify()
        assert "not those of the checkpoint that was seen" in str(report.problems)


@contextmanager
def no_files_left() -> Iterator[None]:
    """Nothing can be opened, while what is open works on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_file_that_cannot_be_looked_at_is_written_to_again_once_it_can(path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
        assert (await store.verify()).verified
        with no_files_left():
            await store.watch()
            await store.watch()
            assert "cannot be read (unable to open database file)" in await refused(store)
            assert not (await store.verify()).verified
        await store.watch()
        await store.probe()
        assert store.trouble is None
        await add(store, "inc_b")
        store.seal("another reason")
        with no_files_left():
            await store.watch()
        await store.watch()
        assert await refused(store) == "another reason"


@pytest.mark.parametrize("link", [os.symlink, os.link])
async def test_two_folders_that_lead_to_one_file_are_not_two_daemons(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    one, two = (load_settings(None, {}, {"data_dir": tmp_path / name}) for name in ("one", "two"))
    async with open_engine(one):
        two.data_dir.mkdir()
        link(one.store_path, two.store_path)
        with pytest.raises(DataDirectoryHeld, match="Another AlertEngine uses"):
            async with open_engine(two):
                pass
    async with open_engine(one):
        pass


async def test_a_read_that_fails_is_trouble_until_one_succeeds(path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
        await store._reader.close()
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await store.fetch(incidents.open_incidents())
        assert "cannot be read" in str(store.trouble)
        await store.probe()
        assert store.trouble is None
        assert await store.fetch(incidents.open_incidents()) == [("t_1", "inc_a", 1)]


async def test_a_store_without_its_mark_is_not_trusted(path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
    path.with_suffix(".mark").unlink()
    async with opened(path) as store:
        assert "mark" in await refused(store)
    path.with_suffix(".mark").write_text("nonsense")
    async with opened(path) as store:
        assert "missing or unreadable" in await refused(store)
    offline.accept(path, SIGNER, "looked at", AT)
    async with opened(path) as store:
        await add(store, "inc_b")


async def test_a_store_that_died_before_its_first_event_opens(path: Path) -> None:
    async with opened(path):
        pass
    async with opened(path) as store:
        await add(store, "inc_a")


async def open_with(path: Path, elsewhere: Path) -> SqliteStore:
    return await SqliteStore.open(path, SIGNER, SIGNER.key.name, elsewhere)


async def test_a_whole_folder_put_back_is_known_by_the_mark_elsewhere(path: Path, elsewhere: Path) -> None:
    store = await open_with(path, elsewhere)
    await add(store, "inc_a")
    await store.transact(lambda tx: links.offer(tx, "t_1", "inc_a", "c_1", 1, "jti_1", AT))
    await store.close()
    shutil.copytree(path.parent, path.parent.with_name("kept"))

    store = await open_with(path, elsewhere)
    assert await store.transact(lambda tx: links.spend(tx, "t_1", "inc_a", "jti_1", AT))
    await add(store, "inc_b")
    await store.close()
    shutil.rmtree(path.parent)
    path.parent.with_name("kept").rename(path.parent)

    store = await open_with(path, elsewhere)
    assert "an older copy was put back" in await refused(store)
    assert len(await store.fetch(incidents.events("t_1", "inc_a"))) == 1
    await store.close()

    offline.accept(path, SIGNER, "the disk was lost", AT, elsewhere)
    store = await open_with(path, elsewhere)
    assert not await store.transact(lambda tx: links.spend(tx, "t_1", "inc_a", "jti_1", AT))
    await add(store, "inc_c")
    await store.close()


async def test_a_mark_elsewhere_may_come_later_but_may_not_go(path: Path, elsewhere: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
    store = await open_with(path, elsewhere)
    await add(store, "inc_b")
    await store.close()
    assert Mark(elsewhere).read() == Mark(path.with_suffix(".mark")).read()
    elsewhere.unlink()
    store = await open_with(path, elsewhere)
    assert "missing or unreadable" in await refused(store)
    await store.close()


async def test_a_mark_that_cannot_be_written_is_told_and_stops_nothing(path: Path, tmp_path: Path) -> None:
    store = await open_with(path, tmp_path / "no such folder" / "second.mark")
    await add(store, "inc_a")
    assert "cannot be written" in str(store.unease)
    assert store.trouble is None
    await store.close()
