"""What is old leaves into the archive, and what stays still verifies."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from alertengine.core.events import EventType, NewEvent
from alertengine.ledger import bundle
from alertengine.pipeline.retention import Retention
from alertengine.store import incidents
from alertengine.store.base import Query
from alertengine.store.sqlite import SqliteStore
from world import World

DAY_S = 86_400.0
MARKER = "a word that stands nowhere else"


async def closed(world: World, name: str) -> str:
    detected = {"service_id": f"svc_{name}", "service": name, "severity": "critical", "title": MARKER}
    events = [
        NewEvent(type=EventType.INCIDENT_DETECTED, data=detected),
        NewEvent(type=EventType.INCIDENT_RESOLVED),
    ]
    now = world.engine.now()
    await world.engine.store.transact(lambda tx: tx.append(world.tenant, f"inc_{name}", events, 0, now))
    return f"inc_{name}"


async def pruned(world: World) -> list[str]:
    query = Query(
        sql="SELECT CAST(body AS TEXT) FROM event WHERE tree = ? AND type = 'incident_pruned' ORDER BY place",
        params=(world.tenant,),
        decode=lambda rows: [row[0] for row in rows],
    )
    return await world.engine.store.fetch(query)


@pytest.fixture
async def retention(world: World, tmp_path: Path) -> Retention:
    retention = Retention(world.engine, 7, tmp_path / "archive")
    assert await retention.run() == 0
    return retention


async def test_an_old_closed_incident_goes_into_the_archive(
    world: World, retention: Retention, tmp_path: Path
) -> None:
    old = await closed(world, "old")
    world.clock.advance(6.9 * DAY_S)
    young = await closed(world, "young")
    assert await retention.run() == 0
    world.clock.advance(0.2 * DAY_S)
    assert await retention.run() == 1
    store = world.engine.store
    assert await store.fetch(incidents.incident(world.tenant, old)) is None
    assert await store.fetch(incidents.incident(world.tenant, young)) is not None
    assert await store.fetch(incidents.owner(old)) is None
    (told,) = await pruned(world)
    assert old in told
    assert "closed more than 7 days ago" in told
    data = (tmp_path / "archive" / world.tenant / f"{old}.html").read_bytes()
    assert [e["type"] for e in bundle.check(data).events] == ["incident_detected", "incident_resolved"]
    report = await store.verify()
    assert report.problems == ()
    assert sum(tree.pruned for tree in report.trees) == 2


async def test_nothing_of_a_pruned_incident_stays_on_the_disk(world: World, tmp_path: Path) -> None:
    retention = Retention(world.engine, 7, None)
    await retention.run()
    await closed(world, "old")
    world.clock.advance(8 * DAY_S)
    assert await retention.run() == 1
    assert isinstance(world.engine.store, SqliteStore)
    for file in world.engine.store.path.parent.iterdir():
        if file.is_file():
            assert MARKER.encode() not in file.read_bytes(), file


async def test_an_open_incident_stays_however_old(world: World, retention: Retention) -> None:
    incident = await world.fail()
    world.clock.advance(400 * DAY_S)
    assert await retention.run() == 0
    assert await world.engine.store.fetch(incidents.incident(world.tenant, incident)) is not None


async def test_a_log_with_gaps_goes_on_and_is_exported(world: World, retention: Retention) -> None:
    await closed(world, "one")
    await closed(world, "two")
    world.clock.advance(3 * DAY_S)
    late = await closed(world, "three")
    world.clock.advance(4.5 * DAY_S)
    assert await retention.run() == 2
    data = await world.engine.store.bundle(world.tenant, late)
    assert len(bundle.check(data).events) == 2
    assert (await world.engine.store.verify()).verified


async def test_an_archive_that_cannot_be_written_keeps_the_incident(world: World, tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file where the folder should be")
    retention = Retention(world.engine, 7, tmp_path / "archive")
    await retention.run()
    old = await closed(world, "old")
    world.clock.advance(8 * DAY_S)
    with pytest.raises(OSError, match="archive"):
        await retention.run()
    assert await world.engine.store.fetch(incidents.incident(world.tenant, old)) is not None


async def test_a_clock_that_jumped_erases_nothing(world: World, retention: Retention) -> None:
    old = await closed(world, "old")
    world.clock.set_wall(world.clock.now() + timedelta(days=400))
    assert await retention.run() == 0
    assert await world.engine.store.fetch(incidents.incident(world.tenant, old)) is not None


async def test_one_run_forgets_little_over_a_day(world: World, retention: Retention) -> None:
    for day in range(4):
        await closed(world, f"day_{day}")
        world.clock.advance(DAY_S)
    world.clock.advance(100 * DAY_S)
    assert await retention.run() == 2
    assert await retention.run() == 2
    assert await retention.run() == 0
