"""Past the number of incidents that a plan includes, all is recorded and one a day is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from alertengine.core.message import Message
from alertengine.core.plans import PLANS
from alertengine.store import quotas
from alertengine.testing import START, healthy_report
from world import World

DAY = 86400.0


async def on_plan(world: World, incidents: int) -> None:
    world.engine = replace(
        world.engine, plans={**PLANS, "enterprise": replace(PLANS["enterprise"], incidents=incidents)}
    )


def messages(world: World, incident: str) -> list[Message]:
    return [message for _, message, _ in world.channel.sent if message.incident_id == incident]


async def outage(world: World) -> str:
    """One incident from beginning to end, long enough after the last that nothing cools down."""
    world.clock.advance(600)
    incident = await world.fail()
    await world.heal()
    return incident


async def test_past_the_number_one_a_day_is_told_and_all_are_on_the_record(world: World) -> None:
    await on_plan(world, 1)
    assert "quota" not in (await world.events(await outage(world)))[0].data

    told, quiet, quiet_too = [await outage(world) for _ in range(3)]
    assert "alert_accepted" in await world.types(told)
    alert = messages(world, told)[0]
    assert "Quota reached: incident 2 in 30 days, and the plan enterprise includes 1." in alert.text
    for incident in (quiet, quiet_too):
        types = await world.types(incident)
        assert types[-1] == "incident_resolved"
        assert "incident_silenced" in types
        assert not messages(world, incident)
    assert (await world.events(quiet_too))[0].data["quota"]["opened"] == 4

    world.clock.advance(DAY)
    assert "alert_accepted" in await world.types(await outage(world))


async def test_an_outage_that_lasts_is_told_when_the_day_is_over(world: World) -> None:
    await on_plan(world, 1)
    for _ in range(2):
        await outage(world)
    world.clock.advance(600)
    incident = await world.fail()
    for _ in range(3):
        await world.tick()
    types = await world.types(incident)
    assert types.count("incident_silenced") == 1
    assert "alert_queued" not in types

    await world.tick(DAY)
    assert "alert_accepted" in await world.types(incident)
    assert (await world.incident(incident)).stage == "ALERTED"


async def test_a_clock_set_back_silences_nothing_for_longer(world: World) -> None:
    await on_plan(world, 1)
    for _ in range(2):
        await outage(world)
    world.clock.advance(600)
    incident = await world.fail()
    world.clock.set_wall(START - timedelta(days=300))
    await world.tick()
    assert "alert_queued" not in await world.types(incident)
    await world.tick(DAY)

    assert "alert_queued" in await world.types(incident)


async def test_what_was_told_is_followed_up_whatever_the_number(world: World) -> None:
    await on_plan(world, 1)
    await outage(world)
    incident = await outage(world)
    assert [str(m.kind) for m in messages(world, incident)] == ["alert", "healed"]


async def counted(world: World, tenant: str = "t") -> int:
    return await world.engine.store.transact(lambda tx: quotas.count(tx, tenant, world.engine.now()))


async def test_the_number_starts_again_after_thirty_days_once(world: World) -> None:
    assert [await counted(world) for _ in range(3)] == [1, 2, 3]
    world.clock.advance(30 * DAY - 1)
    assert await counted(world) == 4
    world.clock.advance(1)
    both = await asyncio.gather(*(counted(world) for _ in range(40)))
    assert sorted(both) == list(range(1, 41))
    assert await counted(world, "another") == 1


async def test_a_clock_set_back_keeps_the_count_and_never_makes_the_period_longer(world: World) -> None:
    world.clock.set_wall(START + timedelta(days=400))
    assert [await counted(world) for _ in range(2)] == [1, 2]
    world.clock.set_wall(START)
    assert await counted(world) == 3
    world.clock.advance(30 * DAY)
    assert await counted(world) == 1


async def test_healthy_services_use_nothing_up(world: World) -> None:
    world.source.report = healthy_report()
    await world.tick()
    assert await world.engine.store.fetch(quotas.used(world.tenant, world.engine.now())) is None
