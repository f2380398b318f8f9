"""What a tenant's key, or the years, must not make heavy: the sweep, the store and the daemon's memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from alertengine.core.model import Actor, Service
from alertengine.errors import Invalid
from alertengine.pipeline import approve, engine, silence
from alertengine.pipeline.advance import sweep
from alertengine.pipeline.poll import poll
from alertengine.scheduler import Scheduler
from alertengine.store import directory
from alertengine.store.base import Query
from alertengine.testing import critical_report
from world import World

SOMEBODY = Actor(kind="api_key", id="k", name="API key k")


async def failing(world: World, count: int) -> list[Service]:
    """So many services with an open incident each, told and waiting."""
    services = [replace(world.service, id=f"svc_{n}", name=f"s{n}") for n in range(count)]
    world.source.report = critical_report()
    for service in services:
        await world.engine.store.transact(lambda tx, new=service: directory.add_service(tx, new))  # type: ignore[misc]
    for _ in range(2):
        world.clock.advance(5)
        for service in services:
            await poll(world.engine, service)
    await world.settle()
    return services


class Counting:
    """A store that counts what is asked of it."""

    def __init__(self, store: object) -> None:
        self._store = store
        self.asked: list[str] = []

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        return getattr(self._store, name)

    async def fetch(self, query: Query) -> object:  # type: ignore[type-arg]
        self.asked.append(query.sql)
        return await self._store.fetch(query)  # type: ignore[attr-defined]


async def test_a_sweep_with_nothing_to_do_asks_as_little_for_many_as_for_one(world: World) -> None:
    await failing(world, 12)
    store = Counting(world.engine.store)
    quiet = replace(world.engine, store=store)
    await sweep(quiet)
    assert len(world.engine.memory.folded) == 12
    assert len(store.asked) <= 3, store.asked


async def test_what_is_new_or_due_is_done_by_the_same_sweep(world: World) -> None:
    [service] = await failing(world, 1)
    [(_, incident)] = world.engine.memory.folded
    before = len(await world.types(incident))
    await sweep(world.engine)
    assert len(await world.types(incident)) == before
    world.clock.advance(world.engine.policy.deadline_s + 1)
    await poll(world.engine, service)
    await sweep(world.engine)
    assert len(await world.types(incident)) > before


async def test_a_tenant_has_so_many_silences_and_no_more(world: World) -> None:
    until = world.engine.now() + timedelta(hours=1)
    made = [
        await silence.add(world.engine, world.tenant, SOMEBODY, "x", until=until)
        for _ in range(silence.AT_ONCE)
    ]
    with pytest.raises(Invalid, match="remove one"):
        await silence.add(world.engine, world.tenant, SOMEBODY, "x", until=until)
    await silence.remove(world.engine, world.tenant, made[0].id, SOMEBODY)
    await silence.add(world.engine, world.tenant, SOMEBODY, "x", until=until)


async def test_a_silence_is_looked_for_where_somebody_would_be_called(world: World) -> None:
    until = world.engine.now() + timedelta(hours=1)
    await silence.add(world.engine, world.tenant, SOMEBODY, "deploying", until=until)
    incident = await world.fail()
    assert "incident_silenced" in await world.types(incident)
    assert world.channel.sent == []


async def test_an_incident_closed_by_hand_is_forgotten(world: World) -> None:
    incident = await world.fail()
    await sweep(world.engine)
    assert len(world.engine.memory.folded) == 1
    await approve.close(world.engine, world.tenant, incident, SOMEBODY, "known")
    await sweep(world.engine)
    assert world.engine.memory.folded == {}


async def test_a_service_that_is_gone_leaves_nothing_in_memory(world: World) -> None:
    memory = world.engine.memory
    await world.tick()
    memory.offered["svc_gone"], memory.reread["svc_gone"] = (), world.engine.now()
    memory.watches["svc_gone"] = memory.watches[world.service.id]
    scheduler = Scheduler(world.engine, 60.0)
    await scheduler.refresh()
    await scheduler.stop()
    assert [*memory.watches] == [world.service.id]
    assert "svc_gone" not in {*memory.offered, *memory.reread}


async def test_counts_and_gates_are_kept_for_so_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "NOTED", 3)
    monkeypatch.setattr(engine, "GATES", 3)
    memory = world.engine.memory
    memory.noted.clear()
    for key in ("a", "b", "c", "a", "d"):
        world.engine.worth_noting(key, freely=1)
        memory.keep_gate(key, engine.Gate(per_s=1, burst=1, at=0.0))
    assert {*memory.noted} == {*memory.gates} == {"c", "a", "d"}
    assert world.engine.worth_noting("a", freely=1) == 0, "still counted"
