"""Facts that change materially are read once more; nothing else asks again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from model_benches import TERMS, diagnoses, failing, modelled, opened, queued_after, types

from alertengine.core.diagnosis.change import materially
from alertengine.core.diagnosis.rules import diagnose
from alertengine.pipeline.deliver import deliver_due
from alertengine.pipeline.poll import poll
from alertengine.store import spending
from alertengine.testing import critical_report
from alertengine.testing.wire.loopback import Reply, Request

pytest.importorskip("anthropic")
PATIENT = replace(TERMS, deadline_s=5.0)


def test_what_is_material() -> None:
    pool, late = diagnose(failing_report("pool_exhaustion")), diagnose(failing_report("loop_block"))
    assert materially({"cause": "unclear"}, pool)
    assert materially({"cause": "disk_full"}, late)
    assert not materially({"cause": "pool_exhaustion"}, pool)
    assert not materially({"cause": "pool_exhaustion"}, diagnose({}))
    assert not materially({"cause": pool.alternatives[0][0]}, pool)


def failing_report(cause: str):  # type: ignore[no-untyped-def]
    from alertengine.testing import FakeClock

    return failing(FakeClock(), cause)


async def test_what_was_not_clear_is_told_when_it_is(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=PATIENT) as (world, server):
        clear, world.source.report = world.source.report, critical_report()
        incident = await opened(world)
        await queued_after(world, incident)
        await world.settle()
        assert (await diagnoses(world, incident))[0]["cause"] == "unclear"
        world.source.report = clear
        for _ in range(6):
            await world.tick()
        found = await diagnoses(world, incident)
        state = await world.incident(incident)

    assert [(d["source"], d["cause"], d["look"]) for d in found][2:] == [
        ("rules", "pool_exhaustion", 2),
        ("claude-haiku-5-5", "pool_exhaustion", 2),
    ]
    assert len(server.requests) == 2
    assert "Likely: database connections are used up" in world.channel.sent[1][1].text
    assert state.round == 1
    assert world.channel.kinds[:2] == ["alert", "diagnosis"]


async def test_a_late_answer_about_the_first_look_says_nothing_of_the_second(tmp_path: Path) -> None:
    """It is paid for and left at that: people have the newer reading."""
    async with modelled(tmp_path, terms=replace(TERMS, deadline_s=0.05, limit_s=8.0)) as (world, server):
        clear, world.source.report = world.source.report, critical_report()
        late = asyncio.Event()

        async def respond(request: Request) -> Reply:
            if request is server.requests[0]:
                await late.wait()
            return server.answer(request)  # type: ignore[no-any-return]

        server.respond = respond
        incident = await opened(world)
        await queued_after(world, incident)
        await deliver_due(world.engine)
        world.source.report = clear
        first = set(world.engine.memory.asking)
        assert len(first) == 1
        while (await diagnoses(world, incident))[-1].get("look", 1) < 2:
            world.clock.advance(5)
            await poll(world.engine, world.service)
            await world.advance(incident)
        world.engine.memory.thinking.add((incident, 2))
        for task in world.engine.memory.asking - first:
            await task
        before = await types(world, incident)
        spent = await world.engine.store.fetch(spending.spent(world.tenant, world.engine.now()))
        world.engine.memory.thinking.add((incident, 2))
        late.set()
        for task in first:
            await task
        assert await types(world, incident) == before
        assert world.engine.memory.thinking == {(incident, 2)}, "who waits for the second goes on waiting"
        settled = await world.engine.store.fetch(spending.spent(world.tenant, world.engine.now()))

    assert settled.tokens < spent.tokens, "what was booked at most is booked as what it was"


async def test_the_same_facts_are_not_read_twice(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=PATIENT) as (world, server):
        incident = await opened(world)
        await queued_after(world, incident)
        for seed in range(8):
            world.source.report = failing(world.clock, "pool_exhaustion", seed)
            await world.tick()
        assert len(server.requests) == 1
        assert len(await diagnoses(world, incident)) == 2


async def test_however_often_the_facts_change_there_is_one_more_call(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=PATIENT) as (world, server):
        await queued_after(world, await opened(world))
        for cause in ("disk_full", "loop_block", "memory_leak", "disk_full", "upstream_5xx") * 2:
            world.source.report = failing(world.clock, cause)
            await world.tick()
        assert len(server.requests) == 2
