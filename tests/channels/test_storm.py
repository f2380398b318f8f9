"""Alerts under faults: each arrives or is dead with its reason. `storm.py` runs it with any number."""

from __future__ import annotations

import pytest

from alertengine.channels import exchange
from alertengine.store.base import Query
from channels import benches
from channels.storm import crowd, storm
from channels.wired import wired
from world import World

TAKEN = Query(
    sql="SELECT count(*) FROM event WHERE type = 'alert_accepted'", params=(), decode=lambda rows: rows[0][0]
)


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_alert_arrives_or_is_dead_with_its_reason(
    world: World, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "TIMEOUT_S", 0.05)
    async with wired(world, whatsapp=benches.WHATSAPP_TWILIO, telegram=benches.TELEGRAM) as line:
        await line.add("Tariro", "whatsapp", benches.PHONE)
        await line.add("Tariro", "telegram", "1001")
        found = await storm(line, 30, seed)
        accepted = await world.engine.store.fetch(TAKEN)

    assert (found.open, found.nameless) == (0, 0)
    assert sum(found.chains.values()) == 30
    assert set(found.chains) <= {"read", "delivered", "accepted", "dead"}
    assert found.faults > 5
    assert accepted <= found.taken <= accepted + found.without_answer, "no duplicate but where nobody knows"


@pytest.mark.slow
async def test_when_a_crowd_fails_whoever_the_steps_name_is_told_in_few_messages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "TIMEOUT_S", 0.05)
    async with wired(world, whatsapp=benches.WHATSAPP_TWILIO, telegram=benches.TELEGRAM) as line:
        await line.add("Tariro", "whatsapp", benches.PHONE)
        await line.add("Tariro", "telegram", "1001")
        await line.add("Rudo", "telegram", "1002")
        found = await crowd(line, 4, 3)

    assert (found.incidents, found.open, found.escalations) == (4, 0, 4)
    for what in ("Tariro alert", "Rudo escalation"):
        assert found.told[f"{what} arrived"] + found.told[f"{what} dead"] >= 4
    assert sum(found.messages.values()) <= 3 * 4
