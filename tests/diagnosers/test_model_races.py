"""The model's answer against decisions, healing, the end and a long report."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from model_benches import TERMS, diagnoses, modelled, opened, queued_after

from alertengine.core.events import Stage
from alertengine.core.model import Actor
from alertengine.errors import NotFound
from alertengine.pipeline import approve
from alertengine.pipeline.consult import consult
from alertengine.pipeline.deliver import deliver_due
from alertengine.testing import RESTART_POOL
from alertengine.testing.wire.anthropic import agreeing
from alertengine.testing.wire.loopback import Reply, Request

pytest.importorskip("anthropic")
OPERATOR = Actor(kind="operator", id="os:rudo", name="rudo")
OTHER = replace(
    RESTART_POOL, name="flush-cache", description="drop the cache", params={"name": "flush-cache"}
)


async def asked(world: Any, server: Any) -> str:
    """An alert has left, and the model still thinks."""
    world.source.offers = (RESTART_POOL, OTHER)
    server.go = asyncio.Event()

    async def respond(request: Request) -> Reply:
        await server.go.wait()
        return server.answer(request)  # type: ignore[no-any-return]

    server.respond = respond
    server.says = lambda data: {**agreeing(data), "recommended_action": "flush-cache"}
    incident = await opened(world)
    await queued_after(world, incident)
    await deliver_due(world.engine)
    return incident


LATE = replace(TERMS, deadline_s=0.05, limit_s=8.0)


async def test_an_answer_after_the_decision_changes_no_decision(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=LATE) as (world, server):
        incident = await asked(world, server)
        how = {"channel": "terminal", "token": None, "note": ""}
        await approve.confirm_as(world.engine, world.tenant, incident, OPERATOR, how)
        server.go.set()
        await world.settle()
        state = await world.incident(incident)
        types = await world.types(incident)

    assert [run.incident_id for run in world.action.runs] == [incident]
    assert (state.action.name, state.round) == ("restart-pool", 1)
    assert types.count("diagnosis_completed") == 2
    assert types.count("recovery_started") == 1
    assert "diagnosis" not in world.channel.kinds


async def test_an_answer_for_what_healed_is_paid_and_told_nobody(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=LATE) as (world, server):
        incident = await asked(world, server)
        from alertengine.pipeline.poll import poll
        from alertengine.testing import healthy_report

        world.source.report = healthy_report()
        for _ in range(2):
            world.clock.advance(5)
            await poll(world.engine, world.service)
        await world.advance(incident)
        assert (await world.incident(incident)).stage is Stage.RESOLVED
        server.go.set()
        await world.settle()
        found = (await diagnoses(world, incident))[-1]
        state = await world.incident(incident)

    assert (found["model"]["state"], found["model"]["calls"][0]["counted"]) == ("answered", True)
    assert state.stage is Stage.RESOLVED
    assert world.channel.kinds == ["alert", "healed"]


async def test_after_people_were_asked_the_question_stays_as_it_was(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=LATE) as (world, server):
        incident = await asked(world, server)
        server.go.set()
        await world.settle()
        state = await world.incident(incident)

    assert (state.action.name, state.round) == ("restart-pool", 1)
    assert "The model would rather run flush-cache." in world.channel.last.text
    assert "Proposed is still restart-pool." in world.channel.last.text


async def test_the_model_chooses_where_the_rules_have_no_reason_for_theirs(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=replace(TERMS, deadline_s=5.0)) as (world, server):
        world.source.offers = (replace(OTHER, name="a", description="does a", params={"name": "a"}), OTHER)
        server.says = lambda data: {**agreeing(data), "recommended_action": "flush-cache"}
        incident = await opened(world)
        await queued_after(world, incident)
        assert (await world.incident(incident)).action.name == "flush-cache"


async def test_a_clock_that_jumps_holds_up_no_alert(tmp_path: Path) -> None:
    from datetime import timedelta

    async with modelled(tmp_path, terms=LATE) as (world, server):
        world.clock.set_wall(world.clock.now() + timedelta(days=400))
        await asked(world, server)
        assert world.channel.kinds == ["alert"]
        server.go.set()
        await world.settle()


async def test_ten_megabytes_of_evidence_are_bounded_on_every_way(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=replace(TERMS, limit_s=8.0)) as (world, server):
        report: dict[str, Any] = dict(world.source.report)
        row = {"type": "E" * 5000, "message": "m" * 50_000, "location": "l" * 50_000, "count": 1, "new": True}
        report["evidence"] = {
            **report["evidence"],
            "exceptions": [row] * 100,
            "noise": [["x" * 1000] * 10] * 1000,
        }
        world.source.report = report
        incident = await opened(world)
        await queued_after(world, incident)
        await world.settle()
        told = await consult(world.engine, incident, evidence=True)

    assert len(server.requests[0].body) < 40_000
    assert len(str(told["report"])) < 70_000
    assert len(told["asked"][0]["question"]) < 17_000
    assert len(str(without_evidence(told))) < 40_000


def without_evidence(told: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key not in ("report", "asked")}


async def test_by_hand_it_is_booked_and_nothing_else_happens(tmp_path: Path) -> None:
    from alertengine.store import incidents, spending

    async with modelled(tmp_path, terms=TERMS) as (world, _):
        told = await consult(world.engine, "payments", model=True)
        spent = await world.engine.store.fetch(spending.spent(world.tenant, world.clock.now()))
        assert not await world.engine.store.fetch(incidents.open_incidents())

    assert (told["source"], told["rules"]["source"], told["cause"]) == (
        "claude-haiku-5-5",
        "rules",
        "pool_exhaustion",
    )
    assert told["recommended_action"] == "restart-pool"
    assert spent.calls == 1
    assert world.channel.sent == []


async def test_a_past_incident_can_be_read_again(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=replace(TERMS, deadline_s=5.0)) as (world, server):
        incident = await opened(world)
        await queued_after(world, incident)
        await world.settle()
        before = await world.types(incident)
        told = await consult(world.engine, incident, model=True)
        assert (told["source"], told["cause"]) == ("claude-haiku-5-5", "pool_exhaustion")
        assert await world.types(incident) == before
        assert len(server.requests) == 2
        world.engine = replace(world.engine, model=None)
        rehearsal = await world.engine.store.transact(
            lambda tx: tx.execute("DELETE FROM evidence WHERE incident = ?", incident)
        )
        assert rehearsal == 1
        with pytest.raises(NotFound, match="is not kept"):
            await consult(world.engine, incident, evidence=True)
