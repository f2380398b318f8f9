"""What the ledger remembers of an action reaches the message and the record."""

from __future__ import annotations

import pytest

from alertengine.pipeline import approve, findings
from alertengine.pipeline.onboard import Application, NewContact, onboard
from alertengine.pipeline.poll import poll
from alertengine.testing import critical_report
from world import World


async def test_the_next_alert_says_how_often_the_proposal_helped(world: World) -> None:
    first = await world.fail()
    assert "Helped" not in world.channel.last.text
    assert (await world.incident(first)).diagnosis["experience"] is None  # type: ignore[index]
    await approve.confirm(world.engine, world.channel.last_token, {"address": "127.0.0.1"})
    await world.settle()
    await world.heal()
    world.clock.advance(600)
    second = await world.fail()

    known = (await world.incident(second)).diagnosis["experience"]  # type: ignore[index]
    assert (known["action"], known["tried"], known["helped"]) == ("restart-pool", 1, 1)
    assert (
        "Proposed: restart-pool, “recycle the connection pool”. Helped 1 of 1 time" in world.channel.last.text
    )


async def test_another_service_teaches_nothing(world: World) -> None:
    await world.fail()
    await approve.confirm(world.engine, world.channel.last_token, {"address": "127.0.0.1"})
    await world.settle()
    await world.heal()
    other = await onboard(
        world.engine,
        Application(
            service_name="orders",
            health_url="http://127.0.0.1:1/health/alerts",
            contacts=[NewContact(name="Rudo", channel="console")],
        ),
    )
    world.source.report = critical_report()
    opened = await poll(world.engine, other.service)
    await world.settle()

    assert opened is not None
    assert "orders" in world.channel.last.text
    assert "Helped" not in world.channel.last.text


async def test_a_record_that_cannot_be_read_holds_up_no_alert(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("action")

    monkeypatch.setattr(findings, "experience", broken)
    await world.fail()

    assert world.channel.kinds == ["alert"]
    assert "what restart-pool did before cannot be told" in caplog.text
