"""An older copy of the store is recognised, and a disk that failed is not written to again."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alertengine.core.events import EventType, NewEvent
from alertengine.errors import Stale, StoreDamaged, StoreUnavailable
from alertengine.ledger.mark import Mark, Seen
from alertengine.ledger.note import CheckpointSigner
from alertengine.ledger.verify import verify_file
from alertengine.store import links
from alertengine.store.sqlite import SqliteStore, SqliteTransaction

AT = datetime(2026, 11, 24, 9, 41, tzinfo=UTC)
SIGNER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(b"1" * 32), "alerts.example.com")
DETECTED = {"service_id": "s", "service": "pay", "severity": "critical", "title": "slow"}


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path, SIGNER, SIGNER.key.name)
    try:
        yield store
    finally:
        await store.close()


def detect(tx: SqliteTransaction, incident: str, tenant: str = "t_1") -> None:
    event = NewEvent(type=EventType.INCIDENT_DETECTED, data={**DETECTED, "service_id": incident})
    tx.append(tenant, incident, [event], 0, AT)


async def add(store: SqliteStore, *incidents: str) -> None:
    for incident in incidents:
        await store.transact(lambda tx, i=incident: detect(tx, i))


async def refused(store: SqliteStore) -> str:
    with pytest.raises(StoreDamaged) as caught:
        await add(store, "inc_z")
    assert store.trouble == str(caught.value)
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alertengine.db"


async def test_a_store_that_goes_on_is_not_suspected(path: Path) -> None:
    for n in range(3):
        async with opened(path) as store:
            await add(store, f"inc_{n}")
            assert store.trouble is None
    assert verify_file(path, [SIGNER.vkey]).verified


async def test_an_older_copy_is_recognised(path: Path, tmp_path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
    shutil.copy(path, tmp_path / "copy")
    async with opened(path) as store:
        await add(store, "inc_b", "inc_c")
    shutil.copy(tmp_path / "copy", path)
    async with opened(path) as store:
        reason = await refused(store)
    assert "the store has 3 events, but 5 were acknowledged" in reason
    assert "alertengine ledger accept" in reason


async def test_a_copy_that_went_its_own_way_is_recognised(path: Path, tmp_path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
    for suffix in (".db", ".mark"):
        shutil.copy(path.with_suffix(suffix), tmp_path / f"copy{suffix}")
    async with opened(path) as store:
        await add(store, "inc_b")
    async with opened(tmp_path / "copy.db") as store:
        await add(store, "inc_x", "inc_y")
    shutil.copy(tmp_path / "copy.db", path)
    async with opened(path) as store:
        assert "are not those that were acknowledged" in await refused(store)


async def test_a_store_that_vanished_is_recognised(path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    async with opened(path) as store:
        assert "another copy" in await refused(store)


async def test_another_store_in_its_place_is_recognised(path: Path, tmp_path: Path) -> None:
    for place in (path, tmp_path / "other.db"):
        async with opened(place) as store:
            await add(store, "inc_a", "inc_b")
    shutil.copy(tmp_path / "other.db", path)
    async with opened(path) as store:
        assert "another copy" in await refused(store)


async def test_a_new_life_voids_every_link(path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
        await store.transact(lambda tx: links.offer(tx, "t_1", "inc_a", "c_1", 1, "jti_1", AT))
        await store.transact(lambda tx: tx.begin_life("a test", AT))
        assert not await store.transact(lambda tx: links.spend(tx, "t_1", "inc_a", "jti_1", AT))
        assert await store.fetch(links.used_at("t_1", "inc_a", "jti_1"))


async def test_a_mark_that_cannot_be_read_is_no_mark(path: Path) -> None:
    mark = path.with_suffix(".mark")
    assert Mark(mark).read() is None
    mark.write_text("nonsense\n")
    assert Mark(mark).read() is None
    seen = Seen("i", 5, "t_1", 4, bytes(32))
    held = Mark(mark)
    held.write(seen)
    held.close()
    held.close()
    assert Mark(mark).read() == seen
    mark.write_bytes(mark.read_bytes().replace(b" 5 ", b" 4 "))
    assert Mark(mark).read() is None


async def test_a_transaction_that_fails_leaves_no_trace_in_memory(path: Path) -> None:
    def work(tx: SqliteTransaction) -> None:
        detect(tx, "inc_a")
        raise LookupError("after the append")

    async with opened(path) as store:
        for _ in range(2):
            with pytest.raises(LookupError):
                await store.transact(work)
        await add(store, "inc_a")
        with pytest.raises(Stale):
            await add(store, "inc_a")
        await add(store, "inc_b")
    report = verify_file(path, [SIGNER.vkey])
    assert report.problems == ()
    assert {t.tree: t.size for t in report.trees} == {"_system": 2, "t_1": 2}


async def test_a_sealed_store_takes_no_write_and_can_be_read(path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
        store.seal("the ledger does not verify")
        assert await refused(store) == "the ledger does not verify"
        assert await store.fetch(links.offered("t_1", "inc_a", "jti")) is False


@pytest.mark.parametrize(
    ("code", "final"),
    [(sqlite3.SQLITE_IOERR_FSYNC, True), (sqlite3.SQLITE_FULL, False), (sqlite3.SQLITE_BUSY, False)],
)
async def test_only_a_failed_disk_is_final(path: Path, code: int, final: bool) -> None:
    def fail(tx: SqliteTransaction) -> None:
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode = code
        raise error

    async with opened(path) as store:
        await add(store, "inc_a")
        with pytest.raises(StoreUnavailable):
            await store.transact(fail)
        assert store.trouble
        if final:
            assert "disk failed" in await refused(store)
        else:
            await add(store, "inc_b")
            assert store.trouble is None


async def test_a_ledger_that_does_not_verify_seals_the_store(path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
        assert (await store.verify()).verified
        with closing(sqlite3.connect(path, isolation_level=None)) as forger:
            forger.execute("DROP TRIGGER event_unchanged")
            forger.execute("UPDATE event SET body = x'7b7d' WHERE tree = 't_1'")
        report = await store.verify()
        assert [problem.tree for problem in report.problems] == ["t_1", None]
        assert "does not verify" in await refused(store)
