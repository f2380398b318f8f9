"""A part of AlertEngine that breaks is told of like everything else that fails."""

from __future__ import annotations

import os

import pytest

from alertengine.core.snapshot import Snapshot
from alertengine.errors import StoreUnavailable
from alertengine.pipeline import bounded, mode
from alertengine.pipeline.bounded import Bounded
from alertengine.pipeline.emergency import remember
from alertengine.pipeline.status import status
from alertengine.store import incidents
from alertengine.store.sqlite import SqliteStore
from world import World


def broken() -> Snapshot:
    raise AttributeError("a reader's own fault")


async def test_a_reader_that_raises_is_an_outage(world: World) -> None:
    world.source.report = broken
    opened = [incident for _ in range(6) if (incident := await world.tick())]
    incident = await world.incident(opened[0])
    assert "could not be read by AlertEngine itself (AttributeError)" in incident.detected["reason"]
    assert world.channel.kinds[0] == "alert"


async def test_recoveries_that_cannot_be_read_stop_no_poll(world: World) -> None:
    world.source.recoveries = broken  # type: ignore[assignment,method-assign]
    assert await world.fail()


async def test_a_store_that_cannot_be_read_is_an_emergency_that_people_hear_of(world: World) -> None:
    store = world.engine.store
    assert isinstance(store, SqliteStore)
    await mode.look(world.engine)

    await remember(world.engine)
    await store._reader.close()
    with pytest.raises(StoreUnavailable):
        await store.fetch(incidents.open_incidents())
    after = await mode.look(world.engine)
    assert after.mode == "EMERGENCY"
    assert "cannot be read" in after.reasons[0]
    for task in list(world.engine.memory.tasks):
        await task
    assert world.channel.last.title == "AlertEngine cannot record anything"
    assert store.trouble is None
    assert (await status(world.engine))["mode"] == "EMERGENCY"


async def test_the_status_of_a_store_that_was_cut_off_tells_what_was_known_and_that(world: World) -> None:
    assert (await status(world.engine))["mode"] == "NORMAL"
    store = world.engine.store
    assert isinstance(store, SqliteStore)
    os.truncate(store.path.with_name(f"{store.path.name}-wal"), 0)
    for _ in range(2):
        seen = await status(world.engine)
        assert seen["mode"] == "EMERGENCY"
        assert [row["service"] for row in seen["services"]] == [world.service.name]
    assert "cannot be read" in seen["reasons"][0]


def test_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "KEPT", 3)
    kept: Bounded[int, int] = Bounded()
    for n in range(10):
        kept[n] = n
    assert list(kept) == [7, 8, 9]
