"""The sweep goes on from what it knew: it reads what is new of an open incident, and forgets one that is over."""

from __future__ import annotations

from pathlib import Path

from alertengine.core.events import EventType, NewEvent
from alertengine.core.incident import Incident
from alertengine.pipeline.advance import sweep
from alertengine.store import incidents
from world import open_world


async def test_what_the_sweep_knows_is_what_the_record_says(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        incident = await world.fail()
        known = world.engine.memory.folded
        for _ in range(3):
            await sweep(world.engine)
            await world.settle()
            await sweep(world.engine)
            assert known == {(world.tenant, incident): await world.incident(incident)}
            await _note(world.engine, await world.incident(incident))

        await world.heal()
        await sweep(world.engine)
        assert (await world.types(incident))[-3:].count("incident_resolved") == 1
        assert known == {}


async def test_a_sweep_reads_nothing_of_an_incident_again(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        incident = await world.fail()
        await sweep(world.engine)
        await world.settle()
        await sweep(world.engine)
        version = world.engine.memory.folded[(world.tenant, incident)].version
        again = incidents.events(world.tenant, incident, version)
        assert await world.engine.store.fetch(again) == []
        assert version == len(await world.events(incident))


async def _note(engine, state: Incident) -> None:  # type: ignore[no-untyped-def]
    """Something that another part of the daemon records."""
    seen = NewEvent(type=EventType.RECOVERY_PREVIEWED, data={"by": "somebody"})
    await engine.store.transact(
        lambda tx: tx.append(state.tenant_id, state.id, [seen], state.version, engine.now())
    )
