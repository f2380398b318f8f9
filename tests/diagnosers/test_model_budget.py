"""Money: booked before it is spent, for each tenant and day, and shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from model_benches import FAULTS, TERMS, diagnoses, modelled, opened, queued_after

from alertengine.core.mode import LEAVE_AFTER_S
from alertengine.core.plans import PLANS
from alertengine.core.spend import Budget, Prices, Spent, Usage
from alertengine.pipeline import inquire
from alertengine.pipeline.status import status
from alertengine.store import spending
from alertengine.store.spending import Call
from world import World

pytest.importorskip("anthropic")
PATIENT = replace(TERMS, deadline_s=8.0, limit_s=8.0)


async def spent(world: World, at: datetime | None = None) -> Spent:
    return await world.engine.store.fetch(spending.spent(world.tenant, at or world.clock.now()))


async def asked(world: World) -> tuple[str, str]:
    """An incident from beginning to alert: its id and the message."""
    incident = await opened(world)
    await queued_after(world, incident)
    await world.settle()
    return incident, world.channel.sent[-1][1].text


async def healed(world: World) -> None:
    report = world.source.report
    await world.heal()
    world.clock.advance(600)
    world.source.report = report


def test_what_is_remembered_costs_a_tenth() -> None:
    prices = Prices(usd_in=3.0, usd_out=15.0)
    assert prices.cost(Usage(fresh=1_000_000, out=0)) == 3_000_000
    assert prices.cost(Usage(fresh=0, out=0, cached=1_000_000)) == 300_000
    assert prices.cost(Usage(fresh=0, out=1_000, remembered=1_000)) == 15_000 + 3_750


async def test_the_spend_is_on_the_record_and_in_the_status(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=PATIENT) as (world, _):
        incident, _text = await asked(world)
        model = (await diagnoses(world, incident))[-1]["model"]
        [call] = model["calls"]
        booked = await spent(world)
        shown = (await status(world.engine))["model"]
        [kept] = await world.engine.store.fetch(spending.kept(world.tenant, incident))

    assert (call["prompt"], len(call["input_sha256"]), call["counted"]) == ("1", 64, True)
    assert booked.to_json() == model["today"] == shown["today"]
    assert booked.calls == 1
    assert booked.to_json()["usd"] == call["cost_usd"] > 0
    assert booked.tokens == call["tokens_in"] + call["tokens_out"]
    assert (kept.sha256, kept.state, kept.cost) == (call["input_sha256"], "answered", booked.cost)
    assert kept.question.startswith("Data only")
    assert len(kept.question) <= 16_500


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        (Budget(tokens=100, usd=9.0), "today’s 100 tokens are used up"),
        (Budget(tokens=10**6, usd=0.0001), "0.0001 USD"),
    ],
)
async def test_past_the_budget_the_rules_go_on_alone(tmp_path: Path, budget: Budget, says: str) -> None:
    async with modelled(tmp_path, terms=replace(PATIENT, budget=budget)) as (world, server):
        incident, text = await asked(world)
        assert says in text
        assert (await diagnoses(world, incident))[0]["model"]["state"] == "not asked"
        assert (server.requests, await spent(world)) == ([], Spent())


async def test_midnight_gives_a_new_budget_and_a_late_answer_is_booked_on_its_own_day(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=replace(PATIENT, deadline_s=0.0)) as (world, _):
        world.clock.set_wall(datetime(2026, 1, 2, 23, 59, 50, tzinfo=UTC))
        incident = await opened(world)
        await queued_after(world, incident)
        world.clock.set_wall(datetime(2026, 1, 3, 0, 0, 5, tzinfo=UTC))
        await world.settle()
        before = await spent(world, datetime(2026, 1, 2, tzinfo=UTC))
        assert (before.calls, await spent(world)) == (1, Spent())
        assert before.cost == (await world.engine.store.fetch(spending.kept(world.tenant, incident)))[0].cost


async def test_a_clock_set_back_gives_no_second_budget(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=PATIENT) as (world, _):
        await asked(world)
        one = await spent(world)
        await healed(world)
        today = world.clock.now()
        world.engine = replace(
            world.engine, terms=replace(PATIENT, budget=Budget(tokens=one.tokens, usd=9.0))
        )
        world.clock.set_wall(today - timedelta(days=2))
        incident, _ = await asked(world)
        assert "tokens are used up" in (await diagnoses(world, incident))[0]["model"]["reason"]
        assert await spent(world, today) == one


async def test_an_answer_that_nobody_saw_stays_paid_and_is_not_asked_again(tmp_path: Path) -> None:
    """The daemon dies between the question and its answer."""
    async with modelled(tmp_path, terms=replace(TERMS, deadline_s=5.0, limit_s=5.0)) as (world, server):
        server.plan = [FAULTS["hang"]("claude").act]
        incident = await opened(world)
        driving = asyncio.create_task(world.advance(incident))
        while not server.requests:
            await asyncio.sleep(0.01)
        await driving
        for task in list(world.engine.memory.tasks):
            task.cancel()
        await asyncio.gather(*world.engine.memory.tasks, return_exceptions=True)
        taken = await spent(world)
        world.engine = replace(world.engine, boot="boot_next", memory=type(world.engine.memory)())

        assert await queued_after(world, incident) < 1.0
        await world.settle()
        [kept] = await world.engine.store.fetch(spending.kept(world.tenant, incident))
        assert (len(server.requests), kept.state, taken.calls) == (1, "asked", 1)
        assert await spent(world) == taken
        assert taken.cost == kept.cost > 0
        assert world.channel.kinds == ["alert"]


@pytest.mark.parametrize(
    ("fault", "free", "mode"),
    [
        ("401", True, "DEGRADED"),
        ("529", True, "DEGRADED"),
        ("truncation", False, "NORMAL"),
        ("cut", False, "DEGRADED"),
    ],
)
async def test_what_a_failure_costs_and_means(tmp_path: Path, fault: str, free: bool, mode: str) -> None:
    async with modelled(tmp_path, terms=PATIENT) as (world, server):
        server.plan = [FAULTS[fault]("claude").act]
        incident, _ = await asked(world)
        [call] = (await diagnoses(world, incident))[-1]["model"]["calls"]
        assert ((await spent(world)).cost == 0) is free
        assert call["counted"] is (fault != "cut")
        seen = await status(world.engine)
        assert seen["mode"] == mode
        assert seen["model"]["state"] == ("ok" if mode == "NORMAL" else "failing")
        assert mode == "NORMAL" or seen["reasons"][0].endswith("; the rules diagnose alone")


async def test_many_at_once_never_pass_the_budget(world: World) -> None:
    budget = Budget(tokens=1000, usd=9.0)

    def call(number: int) -> Call:
        return Call(
            tenant_id=world.tenant, incident_id=f"inc_{number}", look=1, lens="likeliest", provider="p", model="m",
            prompt="1", sha256="", question="", at_most=Usage(fresh=90, out=10), cost_at_most=5,
        )  # fmt: skip

    async def book(number: int) -> bool:
        _, why = await world.engine.store.transact(
            lambda tx: spending.reserve(tx, call(number % 40), budget, world.clock.now())
        )
        return why is None

    booked = await asyncio.gather(*(book(n) for n in range(80)))
    assert sum(booked) == 10
    assert await spent(world) == Spent(calls=10, tokens=1000, cost=50)


async def test_a_plan_without_it_asks_nothing(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=PATIENT) as (world, server):
        plain = replace(PLANS["enterprise"], features=frozenset())
        world.engine = replace(world.engine, plans={**PLANS, "enterprise": plain})
        _, text = await asked(world)
        assert "the plan enterprise does not include it" in text
        assert server.requests == []


async def test_a_provider_that_keeps_failing_is_left_alone(tmp_path: Path) -> None:
    async with modelled(tmp_path, terms=PATIENT) as (world, server):
        server.plan = [FAULTS["529"]("claude").act] * 9
        texts = []
        for _ in range(7):
            texts.append((await asked(world))[1])
            report: Any = world.source.report
            await world.heal()
            world.source.report = report
        assert len(server.requests) == 6  # five, and one after the pause
        assert "it is overloaded" in texts[4]
        assert "it keeps failing and is left alone for" in texts[6]
        assert (inquire.state(world.engine) or {})["state"] == "left alone"
        assert (await status(world.engine))["mode"] == "DEGRADED"
        server.plan = []
        world.clock.advance(60)
        assert "AI suggestion" in (await asked(world))[1]
        assert (await status(world.engine))["mode"] == "DEGRADED"
        world.clock.advance(LEAVE_AFTER_S)
        assert (await status(world.engine))["mode"] == "NORMAL"


async def test_a_second_opinion_says_whether_it_agrees(tmp_path: Path) -> None:
    from alertengine.testing.wire.anthropic import agreeing

    def says(data: Any) -> Any:
        doubting = "second opinion" in data["how to read it"]
        return {**agreeing(data), "cause": "db_slow", "confidence": 0.55} if doubting else agreeing(data)

    async with modelled(tmp_path, terms=replace(PATIENT, second_opinion=True)) as (world, server):
        server.says = says
        incident, text = await asked(world)
        found = (await diagnoses(world, incident))[-1]
        assert (found["second_opinion"]["cause"], found["second_opinion"]["agrees"]) == ("db_slow", False)
        assert "Its second look disagrees: database is slow (55 %)." in text
        assert len(found["model"]["calls"]) == len(server.requests) == 2
        assert (await spent(world)).calls == 2
