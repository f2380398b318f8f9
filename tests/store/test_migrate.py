"""Old files come up to date whole or not at all; newer ones are left alone; damaged ones are named."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from test_life import SIGNER, add, opened

from alertengine.errors import SchemaTooNew, StoreDamaged, StoreUnavailable
from alertengine.ledger import schema
from alertengine.ledger.bundle import check, render
from alertengine.ledger.export import export_file
from alertengine.ledger.mark import FRESH, Mark
from alertengine.ledger.verify import verify_file
from alertengine.store import incidents
from alertengine.store.sqlite import connect

DATABASES = sorted((Path(__file__).parent / "databases").glob("*.db.gz"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alertengine.db"


@pytest.mark.parametrize("stored", DATABASES, ids=lambda stored: stored.name)
async def test_a_store_of_every_released_schema_comes_up_to_date(stored: Path, path: Path) -> None:
    """Fails when a released schema changed without a new SCHEMA_VERSION: see make_database.py."""
    path.write_bytes(gzip.decompress(stored.read_bytes()))
    Mark(path.with_suffix(".mark")).write(FRESH)
    async with opened(path) as store:
        assert (await store.verify()).problems == ()
        assert [e.seq for e in await store.fetch(incidents.events("t_1", "inc_stored"))] == [1, 2, 3]
        await add(store, "inc_new")
        assert (await store.verify()).problems == ()


@pytest.mark.parametrize("stored", DATABASES, ids=lambda stored: stored.name)
def test_a_store_of_every_released_schema_is_read_as_it_is(stored: Path, path: Path) -> None:
    path.write_bytes(gzip.decompress(stored.read_bytes()))
    assert verify_file(path, [SIGNER.vkey]).problems == ()
    evidence = check(render(export_file(path, "inc_stored", [SIGNER.vkey])), [SIGNER.vkey])
    assert [event["seq"] for event in evidence.events] == [1, 2, 3]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET idx = idx | 1 << 40 WHERE tree = 't_1' AND idx = 2",
        "DELETE FROM tree WHERE tree = 't_1'",
    ],
)
async def test_an_entry_that_has_no_place_in_the_new_schema_is_not_dropped(
    path: Path, statement: str
) -> None:
    path.write_bytes(gzip.decompress(DATABASES[-1].read_bytes()))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute(statement)
    with pytest.raises(StoreDamaged, match="restore FILE"):
        connect(path)
    assert version(path) == schema.SCHEMA_VERSION - 1


def test_every_schema_before_this_one_is_stored() -> None:
    assert [stored.name for stored in DATABASES] == [
        f"schema_{version}.db.gz" for version in range(1, schema.SCHEMA_VERSION)
    ]


@pytest.fixture
def next_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program one schema ahead; answers the file with its step."""
    folder = tmp_path / "program"
    folder.mkdir()
    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    for name in ("schema.sql", *(f"migrate_{step}.sql" for step in range(2, schema.SCHEMA_VERSION))):
        (folder / name).write_text(schema.FOLDER.joinpath(name).read_text())
    monkeypatch.setattr(schema, "FOLDER", folder)
    return folder / f"migrate_{schema.SCHEMA_VERSION}.sql"


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        found: int = db.execute("PRAGMA user_version").fetchone()[0]
        return found


async def test_a_step_is_taken_once_and_a_copy_kept(path: Path, request: pytest.FixtureRequest) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
    step: Path = request.getfixturevalue("next_schema")
    step.write_text("CREATE TABLE more (x) STRICT;".replace("(x)", "(x TEXT)"))
    for _ in range(2):
        connect(path).close()
        assert version(path) == schema.SCHEMA_VERSION
    kept = path.with_name(f"{path.name}.schema-{schema.SCHEMA_VERSION - 1}")
    assert version(kept) == schema.SCHEMA_VERSION - 1
    assert kept.stat().st_mode & 0o777 == 0o600
    assert verify_file(kept, [SIGNER.vkey]).verified


async def test_a_step_that_fails_leaves_the_file_as_it_was(
    path: Path, request: pytest.FixtureRequest
) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
    step: Path = request.getfixturevalue("next_schema")
    step.write_text("CREATE TABLE more (x TEXT) STRICT; DROP TABLE nothing;")
    with pytest.raises((StoreUnavailable, StoreDamaged)):
        connect(path)
    assert version(path) == schema.SCHEMA_VERSION - 1
    assert verify_file(path, [SIGNER.vkey]).verified


async def test_a_newer_file_is_refused_and_not_touched(path: Path) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version={schema.SCHEMA_VERSION + 1}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    with pytest.raises(SchemaTooNew, match="was not touched"):
        async with opened(path):
            pass
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all" * 300, b"SQLite format 3\0" + b"\xff" * 9000])
async def test_a_damaged_file_is_named_with_the_remedy(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match=r"alertengine\.db is not a sound store.*alertengine restore FILE"):
        async with opened(path):
            pass
    assert path.read_bytes() == content


@pytest.mark.parametrize("table", ["event", "tree", "checkpoint", "meta"])
async def test_a_damaged_page_that_is_read_at_start_is_named_with_the_remedy(path: Path, table: str) -> None:
    async with opened(path) as store:
        await add(store, "inc_a")
    with closing(sqlite3.connect(path)) as db:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        page: int = db.execute(query, (table,)).fetchone()[0]
    data = path.read_bytes()
    path.write_bytes(data[: (page - 1) * 4096] + bytes(4096) + data[page * 4096 :])
    with pytest.raises(StoreDamaged, match=r"is not a sound store .*alertengine restore FILE"):
        async with opened(path):
            pass


async def test_a_store_that_cannot_be_opened_is_named(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreUnavailable, match=r"alertengine\.db cannot be opened"):
        async with opened(path):
            pass
