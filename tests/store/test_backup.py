"""Backup while writing, restore into an empty place, and what must not survive a restore."""

from __future__ import annotations

import asyncio
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alertengine.core.events import EventType, NewEvent
from alertengine.errors import ConfigError, Invalid, StoreDamaged
from alertengine.ledger import bundle
from alertengine.ledger.keys import open_signer, public_keys
from alertengine.ledger.verify import verify_file
from alertengine.store import links
from alertengine.store.backup import Place, back_up, restore
from alertengine.store.offline import accept, rotate
from alertengine.store.sqlite import SqliteStore, SqliteTransaction

AT = datetime(2026, 11, 24, 9, 41, tzinfo=UTC)
DETECTED = {"service_id": "s", "service": "pay", "severity": "critical", "title": "slow"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "secret").write_text("the secret of this installation\n")
    return Place(tmp_path / "data", tmp_path / "data" / "alertengine.db")


async def opened(place: Place) -> SqliteStore:
    signer = open_signer(place.ledger_key, "alerts.example.com")
    return await SqliteStore.open(place.store, signer, signer.key.name)


async def add(store: SqliteStore, incident: str, seq: int = 0) -> None:
    def work(tx: SqliteTransaction) -> None:
        kind = EventType.ALERT_ACCEPTED if seq else EventType.INCIDENT_DETECTED
        tx.append("t_1", incident, [NewEvent(type=kind, data={**DETECTED, "service_id": incident})], seq, AT)

    await store.transact(work)


def elsewhere(tmp_path: Path) -> Place:
    return Place(tmp_path / "new", tmp_path / "new" / "alertengine.db")


async def test_a_backup_of_a_store_at_work_restores(place: Place, tmp_path: Path) -> None:
    store = await opened(place)
    await add(store, "inc_a")

    async def work() -> None:
        for n in range(1, 60):
            await add(store, "inc_a", n)

    writing = asyncio.create_task(work())
    report = await asyncio.to_thread(back_up, place, tmp_path / "b.tar", AT)
    await writing
    await store.close()
    assert report.verified
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    new = elsewhere(tmp_path)
    assert restore(new, tmp_path / "b.tar", AT).size == report.size
    assert (new.data_dir / "secret").read_text() == "the secret of this installation\n"
    assert {file.stat().st_mode & 0o777 for file in new.data_dir.iterdir()} == {0o600}
    store = await opened(new)
    await add(store, "inc_b")
    assert store.trouble is None
    assert (await store.verify()).verified
    await store.close()


async def test_a_link_spent_after_the_backup_stays_spent(place: Place, tmp_path: Path) -> None:
    store = await opened(place)
    await add(store, "inc_a")
    await store.transact(lambda tx: links.offer(tx, "t_1", "inc_a", "c_1", 1, "jti_1", AT))
    back_up(place, tmp_path / "b.tar", AT)
    assert await store.transact(lambda tx: links.spend(tx, "t_1", "inc_a", "jti_1", AT))
    await store.close()
    new = elsewhere(tmp_path)
    restore(new, tmp_path / "b.tar", AT)
    store = await opened(new)
    assert not await store.transact(lambda tx: links.spend(tx, "t_1", "inc_a", "jti_1", AT))
    await store.close()


async def test_a_file_put_back_by_hand_asks_the_operator(place: Place, tmp_path: Path) -> None:
    store = await opened(place)
    await add(store, "inc_a")
    back_up(place, tmp_path / "b.tar", AT)
    await add(store, "inc_b")
    await store.close()
    with tarfile.open(tmp_path / "b.tar") as archive:
        member = archive.extractfile("store.db")
        assert member is not None
        place.store.write_bytes(member.read())
    store = await opened(place)
    with pytest.raises(StoreDamaged, match="alertengine ledger accept"):
        await add(store, "inc_c")
    await store.close()
    accept(place.store, open_signer(place.ledger_key, ""), "the disk was replaced", AT)
    store = await opened(place)
    await add(store, "inc_c")
    assert (await store.verify()).verified
    await store.close()


async def test_a_place_that_is_not_empty_is_left_alone(place: Place, tmp_path: Path) -> None:
    await (await opened(place)).close()
    back_up(place, tmp_path / "b.tar", AT)
    before = sorted(place.data_dir.iterdir())
    with pytest.raises(Invalid, match="is not empty"):
        restore(place, tmp_path / "b.tar", AT)
    assert sorted(place.data_dir.iterdir()) == before
    with pytest.raises(Invalid, match="is there already"):
        back_up(place, tmp_path / "b.tar", AT)


@pytest.mark.parametrize("at", [0.001, 0.2, 0.5, 0.9])
async def test_a_damaged_backup_is_refused_and_leaves_nothing(
    place: Place, tmp_path: Path, at: float
) -> None:
    store = await opened(place)
    await add(store, "inc_a")
    await store.close()
    back_up(place, tmp_path / "b.tar", AT)
    data = bytearray((tmp_path / "b.tar").read_bytes())
    data[int(len(data) * at)] ^= 0xFF
    (tmp_path / "b.tar").write_bytes(data)
    new = elsewhere(tmp_path)
    with pytest.raises((Invalid, StoreDamaged)):
        restore(new, tmp_path / "b.tar", AT)
    assert not new.data_dir.exists() or not any(new.data_dir.iterdir())


@pytest.mark.parametrize("content", [b"", b"nothing", b"\0" * 10240])
def test_what_is_no_backup_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.tar").write_bytes(content)
    with pytest.raises(Invalid, match="is no backup"):
        restore(elsewhere(tmp_path), tmp_path / "b.tar", AT)


async def test_a_store_that_does_not_verify_is_not_backed_up(place: Place, tmp_path: Path) -> None:
    store = await opened(place)
    await add(store, "inc_a")
    await store.close()
    with closing(sqlite3.connect(place.store)) as db:
        db.execute("DROP TRIGGER node_new")
    with pytest.raises(StoreDamaged, match="node_new"):
        back_up(place, tmp_path / "b.tar", AT)
    assert list(tmp_path.glob("*.tar")) == list(tmp_path.glob(".b*")) == []


async def test_keys_rotate_and_everything_before_and_after_verifies(place: Place) -> None:
    store = await opened(place)
    seen = []
    for n in range(4):
        await add(store, f"inc_{n}")
        seen.append((store._vkey, await store.bundle("t_1", f"inc_{n}")))
        await store.close()
        vkey = rotate(place.store, place.ledger_key, AT)
        store = await opened(place)
        assert store._vkey == vkey
        assert (await store.verify()).problems == ()
    await store.close()
    assert public_keys(place.ledger_key) == [vkey, *[key for key, _ in seen[::-1]]]
    for key, data in seen:
        assert bundle.check(data, [key]).trusted
        for other in {k for k, _ in seen} - {key}:
            with pytest.raises(bundle.BundleError):
                bundle.check(data, [other])
        # A retired key no longer vouches for the whole log.
        assert not verify_file(place.store, [key]).verified


async def test_a_rotation_that_was_cut_off_is_finished(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from alertengine.ledger import keys

    store = await opened(place)
    await add(store, "inc_a")
    await store.close()

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("take_over", "sync_directory"):
        with monkeypatch.context() as patch:
            patch.setattr(keys, step, cut_off)
            with pytest.raises(KeyboardInterrupt):
                rotate(place.store, place.ledger_key, AT)
        with pytest.raises(ConfigError, match="rotate-key"):
            open_signer(place.ledger_key, "")
    rotate(place.store, place.ledger_key, AT)
    assert len(public_keys(place.ledger_key)) == 2
    store = await opened(place)
    assert (await store.verify()).problems == ()
    await store.close()


async def test_the_old_key_can_sign_nothing_new(place: Place) -> None:
    """With the retired key in hand, a forger cuts the log back to before the rotation and signs that."""
    store = await opened(place)
    await add(store, "inc_a")
    await store.close()
    old_key = place.ledger_key.read_bytes()
    copy = place.store.read_bytes()
    vkey = rotate(place.store, place.ledger_key, AT)
    place.store.write_bytes(copy)
    place.ledger_key.write_bytes(old_key)
    assert not verify_file(place.store, [vkey]).verified
