"""Whatever the machine's clock is set to: no link revived, none dead on arrival, nothing waits, nothing is erased."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alertengine.app import load_settings, open_engine, signer
from alertengine.core.events import Event, NewEvent, SystemEventType
from alertengine.core.model import rfc3339
from alertengine.core.steady import BELIEVE_AFTER_S
from alertengine.errors import DeliveryError, TokenExpired, TokenInvalid
from alertengine.pipeline import keys
from alertengine.pipeline.approve import confirm
from alertengine.pipeline.deliver import deliver_due
from alertengine.pipeline.mode import look
from alertengine.pipeline.retention import HOLD_S, Retention
from alertengine.pipeline.status import status
from alertengine.store import api_keys, incidents, life, offline, people, system
from alertengine.store.base import Query, Transaction
from alertengine.store.log import decode_event
from alertengine.testing import FakeClock
from world import World, open_world

DAYS = timedelta(days=400)


def set_clock(world: World, by: timedelta) -> None:
    world.clock.set_wall(world.clock.wall() + by)


async def believe(world: World) -> None:
    """Look at the clock for as long as a jump is doubted."""
    for _ in range(3):
        await look(world.engine)
        world.clock.advance(BELIEVE_AFTER_S / 2)


async def jumps(world: World) -> list[Event]:
    query = Query(
        sql="SELECT body, hash FROM event WHERE type = 'clock_jumped' ORDER BY place",
        params=(),
        decode=lambda rows: [decode_event(body, leaf) for body, leaf in rows],
    )
    return await world.engine.store.fetch(query)


@pytest.mark.parametrize("by", [-DAYS, -timedelta(hours=1), timedelta(hours=1), DAYS])
async def test_a_link_works_while_the_clock_is_wrong(world: World, by: timedelta) -> None:
    set_clock(world, by)
    incident = await world.fail()
    await confirm(world.engine, world.channel.last_token, {})
    await world.settle()
    assert "recovery_succeeded" in await world.types(incident)


@pytest.mark.parametrize("by", [-DAYS, DAYS])
async def test_a_link_ends_on_time_however_the_clock_is_set_meanwhile(world: World, by: timedelta) -> None:
    await world.fail()
    world.clock.advance(200)
    set_clock(world, by)
    world.clock.advance(99)
    await world.engine.store.transact(lambda tx: None)
    world.clock.advance(2)
    with pytest.raises(TokenExpired):
        await confirm(world.engine, world.channel.last_token, {})


async def test_a_link_made_after_a_jump_was_taken_back_lives(world: World) -> None:
    """The record went ahead with a wrong clock; what is sent afterwards is not dead on arrival."""
    set_clock(world, DAYS)
    await believe(world)
    assert world.engine.now() == world.clock.wall()
    set_clock(world, -DAYS)
    incident = await world.fail()
    world.clock.advance(290)
    await confirm(world.engine, world.channel.last_token, {})
    await world.settle()
    assert "recovery_succeeded" in await world.types(incident)


async def test_a_jump_that_is_believed_expires_with_a_word(world: World) -> None:
    incident = await world.fail()
    token = world.channel.last_token
    set_clock(world, DAYS)
    await world.settle()
    assert (await world.incident(incident)).stage == "ALERTED"
    await believe(world)
    await world.settle()
    assert (await world.incident(incident)).stage == "EXPIRED"
    assert world.channel.kinds[-1] == "expired"
    with pytest.raises((TokenExpired, TokenInvalid)):
        await confirm(world.engine, token, {})


async def test_the_outbox_goes_on_at_its_pace_with_the_clock_set_back(world: World) -> None:
    world.channel.failures = [DeliveryError("busy")]
    await world.fail()
    assert world.channel.sent == []
    set_clock(world, -DAYS)
    world.clock.advance(60)
    await deliver_due(world.engine)
    assert world.channel.kinds == ["alert"]


async def test_a_jump_is_told_and_recorded_and_so_is_its_end(world: World) -> None:
    set_clock(world, DAYS)
    found = await status(world.engine)
    assert found["mode"] == "DEGRADED"
    assert "jumped ahead by 400 days" in found["reasons"][0]
    set_clock(world, -DAYS)
    await look(world.engine)
    assert [round(event.data["ahead_s"] / 86400) for event in await jumps(world)] == [400, 0]
    assert (await world.engine.store.verify()).verified


async def test_a_believed_jump_erases_nothing_for_a_day_and_little_afterwards(
    world: World, tmp_path: Path
) -> None:
    retention = Retention(world.engine, 7, tmp_path / "archive")
    await retention.run()
    incident = await world.fail()
    await world.heal()
    set_clock(world, DAYS)
    await believe(world)
    for _ in range(int(HOLD_S / 3600)):
        assert await retention.run() == 0
        world.clock.advance(3600)
    assert await world.engine.store.fetch(incidents.incident(world.tenant, incident)) is not None
    assert await retention.run() == 1


async def reopened_at(folder: Path, wall: datetime) -> tuple[datetime, str | None]:
    settings = load_settings(None, {"HOME": str(folder)}, {"data_dir": folder / "data"})
    async with open_engine(settings, clock=FakeClock(wall)) as engine:
        return engine.now(), engine.clock.look().trouble


async def test_a_restart_with_the_clock_set_back_goes_on_from_the_record(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await world.fail()
        newest = await world.engine.store.fetch(life.newest())
    assert newest is not None
    now, trouble = await reopened_at(tmp_path, newest - DAYS)
    assert now == newest
    assert "behind the record" in str(trouble)
    # The operator says that the clock is right and the record is not.
    settings = load_settings(None, {"HOME": str(tmp_path)}, {"data_dir": tmp_path / "data"})
    offline.accept(settings.store_path, signer(settings), "the clock was wrong", newest - DAYS)
    assert await reopened_at(tmp_path, newest - DAYS + timedelta(hours=1)) == (
        newest - DAYS + timedelta(hours=1),
        None,
    )


@pytest.mark.parametrize(("ahead", "state"), [(1000 * DAYS, "expired"), (timedelta(0), "valid")])
async def test_what_a_wrong_clock_let_in_or_shut_ends_with_it(
    tmp_path: Path, ahead: timedelta, state: str
) -> None:
    """Where the record was never ahead, in a copy that was put back, what was to end later does so."""
    async with open_world(tmp_path) as world:
        wrong = world.engine.now() + 1000 * DAYS

        def work(tx: Transaction) -> None:
            new = keys.issue(tx, world.tenant, world.engine.now())
            api_keys.retire_others(tx, world.tenant, new.id, wrong)
            people.set_pin(tx, world.tenant, "Tariro", "sealed")
            tariro = tx.fetch(people.person(world.tenant, "Tariro"))
            assert tariro is not None
            assert people.claim_try(tx, tariro, wrong, 1, wrong)
            system.note(tx, "x", NewEvent(type=SystemEventType.MODE_CHANGED), world.engine.now() + ahead)

        await world.engine.store.transact(work)
        tenant, now = world.tenant, world.engine.now()
    settings = load_settings(None, {"HOME": str(tmp_path)}, {"data_dir": tmp_path / "data"})
    offline.accept(settings.store_path, signer(settings), "the clock was wrong", now)
    async with open_engine(settings, clock=FakeClock(now)) as engine:
        kept = await engine.store.fetch(api_keys.of_tenant(tenant))
        tariro = await engine.store.fetch(people.person(tenant, "Tariro"))
        assert {key.state(now) for key in kept if key.expires_at} == {state}
        assert tariro is not None
        assert tariro.locked_till is not None
        assert (tariro.locked_till <= now) is bool(ahead)


async def test_an_incident_of_a_time_to_come_holds_back_no_other(world: World) -> None:
    await world.fail()
    await world.heal()
    store, service, now = world.engine.store, world.service, world.engine.now()
    future = rfc3339(now + 1000 * DAYS)
    await store.transact(
        lambda tx: tx.execute("UPDATE incident SET opened_at = ?, closed_at = ?", future, future)
    )
    assert await store.fetch(incidents.last_closed_at(world.tenant, service.id, now)) is None
    since = now - timedelta(hours=1)
    assert await store.fetch(incidents.opened_between(world.tenant, service.id, since, now)) == []
