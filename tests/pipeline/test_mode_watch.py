from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import sys
from dataclasses import replace
from typing import cast

import pytest

from alertengine.channels.console import Config as ConsoleConfig
from alertengine.channels.console import ConsoleChannel
from alertengine.core.message import Message
from alertengine.core.mode import LEAVE_AFTER_S
from alertengine.core.model import Contact
from alertengine.errors import StoreUnavailable
from alertengine.pipeline.mode import look
from alertengine.pipeline.onboard import Application, NewContact, onboard
from alertengine.pipeline.poll import poll
from alertengine.pipeline.status import status
from alertengine.ports import Receipt
from alertengine.store import directory
from alertengine.store.base import Query, Transaction
from alertengine.testing import RecordingChannel, critical_report, healthy_report
from alertengine.tools import Tools
from world import World


def full(tx: Transaction) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


async def modes(world: World) -> list[str]:
    query = Query(
        sql="SELECT CAST(body AS TEXT) FROM event WHERE type = 'mode_changed' ORDER BY place",
        params=(),
        decode=lambda rows: [json.loads(row[0])["data"]["mode"] for row in rows],
    )
    return await world.engine.store.fetch(query)


async def settle(world: World) -> None:
    for task in list(world.engine.memory.tasks):
        await task


async def test_a_store_that_cannot_be_written_is_an_emergency_that_people_hear_of(world: World) -> None:
    store = world.engine.store
    with pytest.raises(StoreUnavailable):
        await store.transact(full)
    assert (await status(world.engine))["mode"] == "EMERGENCY"
    await settle(world)
    (_, message, _) = world.channel.sent[-1]
    assert message.title == "AlertEngine cannot record anything"
    assert "disk is full" in message.text
    assert message.url is None
    assert await modes(world) == []
    await store.probe()
    assert store.trouble is None
    assert (await status(world.engine))["mode"] == "EMERGENCY"
    world.clock.advance(LEAVE_AFTER_S)
    assert (await status(world.engine))["mode"] == "NORMAL"
    await settle(world)
    assert world.channel.sent[-1][1].title == "AlertEngine records again"
    assert await modes(world) == ["EMERGENCY", "NORMAL"]
    assert (await store.verify()).verified


async def test_people_hear_of_an_emergency_once_also_those_who_name_a_kind(world: World) -> None:
    world.engine = replace(world.engine, channels={"pager": world.channel})
    world.engine.store.seal("the ledger does not verify")
    for _ in range(3):
        await asyncio.gather(*(look(world.engine) for _ in range(3)))
        await settle(world)
    assert len(world.channel.sent) == 1
    assert (await status(world.engine))["reasons"] == ["the ledger does not verify"]


class Broken(RecordingChannel):
    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        raise ValueError("a channel's own fault")


async def test_no_broken_channel_keeps_an_emergency_from_the_other_tenants(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("orders", "stock"):
        rudo = NewContact(name="Rudo", channel="console")
        health = "http://127.0.0.1:1/health/alerts"
        await onboard(world.engine, Application(service_name=name, health_url=health, contacts=[rudo]))
    first, second, _ = sorted(t.id for t in await world.engine.store.fetch(directory.tenants()))
    full = open("/dev/full", "w")  # noqa: SIM115
    monkeypatch.setattr(sys, "stdout", full)
    others = {"bad": Broken(), "full": ConsoleChannel("full", ConsoleConfig(), cast(Tools, None))}
    world.engine = replace(world.engine, channels={"console": world.channel, **others})

    def move(tx: Transaction) -> None:
        tx.execute("UPDATE contact SET channel = 'bad' WHERE tenant = ?", first)
        tx.execute("UPDATE contact SET channel = 'full' WHERE tenant = ?", second)

    await world.engine.store.transact(move)
    world.engine.store.seal("the ledger does not verify")
    await look(world.engine)
    await settle(world)
    with contextlib.suppress(OSError):
        full.close()

    assert [message.title for _, message, _ in world.channel.sent] == ["AlertEngine cannot record anything"]
    told = [record.getMessage() for record in caplog.records if "told directly" in record.getMessage()]
    assert len(told) == 2
    assert "standard output cannot be written to" in "".join(told)


async def test_a_failing_channel_degrades_and_tells_nobody(world: World) -> None:
    await world.fail()
    await world.engine.store.transact(
        lambda tx: tx.execute("UPDATE attempt SET outcome = 'dead', error = 'refused'")
    )
    before = len(world.channel.sent)
    found = await status(world.engine)
    assert (found["mode"], found["reasons"]) == ("DEGRADED", ["channel console: refused"])
    await settle(world)
    assert len(world.channel.sent) == before
    assert await modes(world) == ["DEGRADED"]


async def test_a_service_whose_redis_fails_degrades_until_it_has_been_well_for_a_while(world: World) -> None:
    service = world.service.id
    world.source.report = healthy_report(storage={"mode": "redis", "state": "degraded", "dropped": 0})
    await world.tick()
    found, *_ = await asyncio.gather(*(status(world.engine) for _ in range(3)))
    reason = f"{service}: its redis storage fails, it measures from memory"
    assert (found["mode"], found["reasons"]) == ("DEGRADED", [reason])
    world.source.report = healthy_report()
    await world.tick()
    assert (await status(world.engine))["mode"] == "DEGRADED"
    await world.tick(LEAVE_AFTER_S)
    assert (await status(world.engine))["mode"] == "NORMAL"
    assert await modes(world) == ["DEGRADED", "NORMAL"]


async def test_a_loop_that_stands_still_degrades(world: World) -> None:
    await world.tick()
    world.clock.advance(100)
    assert (await status(world.engine))["mode"] == "DEGRADED"


async def test_trouble_that_cannot_be_recorded_is_still_told(world: World) -> None:
    world.engine.store.seal("the ledger does not verify")
    world.source.report = critical_report()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await poll(world.engine, world.service)
        await settle(world)
    ((contact, message, _),) = world.channel.sent
    assert contact.name == "Tariro"
    assert message.url is None
    assert "nothing will be run" in message.text
    assert "POST /pay" in message.title
    world.clock.advance(301)
    with pytest.raises(StoreUnavailable):
        await poll(world.engine, world.service)
    await settle(world)
    assert len(world.channel.sent) == 2
