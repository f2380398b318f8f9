"""How fast the outbox goes round: what cannot go now is neither lost nor tried all the time."""

from __future__ import annotations

import asyncio

from alertengine.core.gate import Gate
from alertengine.core.model import Actor
from alertengine.pipeline import tenants
from alertengine.pipeline.deliver import begin_due, deliver
from alertengine.pipeline.poll import poll
from alertengine.pipeline.receipts import watch
from alertengine.store import outbox, receipts
from alertengine.store.outbox import Delivery
from alertengine.testing import critical_report
from world import World


async def left_behind(world: World) -> Delivery:
    """A message that a sender which died was about to send, while the channel is shut."""
    await world.fail()
    engine = world.engine
    await engine.store.transact(lambda tx: tx.execute("UPDATE delivery SET state = 'sending'"))
    await engine.store.transact(lambda tx: outbox.reclaim(tx, engine.now()))
    shut = engine.clock.monotonic() + 15
    engine.memory.gates["console"] = Gate(per_s=20, burst=50, failures=5, shut_until=shut)
    (found,) = await engine.store.fetch(outbox.due(engine.now(), 50))
    return found


async def test_what_was_left_behind_waits_for_a_shut_channel_too(world: World) -> None:
    delivery = await left_behind(world)
    await deliver(world.engine, delivery)

    assert await world.engine.store.fetch(outbox.due(world.engine.now(), 50)) == []
    world.clock.advance(15)
    assert await world.engine.store.fetch(outbox.due(world.engine.now(), 50)) == [delivery]


async def test_what_waits_does_not_wake_the_outbox(world: World) -> None:
    await left_behind(world)
    wake = world.engine.memory.outbox
    wake.clear()
    await asyncio.gather(*await begin_due(world.engine))
    assert not wake.is_set()

    world.clock.advance(15)
    await asyncio.gather(*await begin_due(world.engine))
    assert wake.is_set()
    assert len(world.channel.sent) == 2


async def test_what_a_suspended_tenant_was_to_be_told_waits_and_then_has_its_time(world: World) -> None:
    engine, actor = world.engine, Actor(kind="operator", id="os:ops", name="ops")
    world.source.report = critical_report()
    incident = await poll(engine, world.service)
    assert incident is not None
    await world.advance(incident)
    await tenants.suspend(engine, world.tenant, actor, "unpaid")
    world.clock.advance(3600)
    await watch(engine)
    assert await engine.store.fetch(receipts.waiting(9)) == []
    await tenants.resume(engine, world.tenant, actor)
    await watch(engine)
    ((_, state, _, until),) = await engine.store.fetch(receipts.waiting(9))
    assert (state, until > world.clock.now()) == ("queued", True)
