"""Alerts under faults: each arrives or is dead with its reason. `storm.py` runs it with any number."""

from __future__ import annotations

import pytest

from alertengine.channels import exchange
from alertengine.store.base import Query
from channels import benches
from channels.storm import storm
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
    assert found.faults > 10
    assert accepted <= found.taken <= accepted + found.without_answer, "no duplicate but where nobody knows"
