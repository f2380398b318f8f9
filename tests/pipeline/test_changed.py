"""An open incident whose facts become others: what it is called follows them, by an event."""

from __future__ import annotations

from typing import Any

import pytest

from alertengine.core.diagnosis.model import FetchError
from alertengine.core.language import ENGLISH, words
from alertengine.core.snapshot import unreachable
from alertengine.core.trouble import began, title
from alertengine.store import incidents
from alertengine.testing import critical_report
from world import World

SLOW = {"type": "latency_spike", "route": "GET /items", "value": 2900.0, "usual": 40.0}
FAILING = {"type": "error_anomaly", "route": "POST /pay", "value": 0.999, "usual": 0.002}


def report(*alerts: dict[str, Any]) -> dict[str, Any]:
    told = {"severity": "critical", "message": "it is bad", "since": "2026-01-02T03:03:50Z"}
    return critical_report(alerts=[told | alert for alert in alerts])


async def opened(world: World, *alerts: dict[str, Any]) -> str:
    world.source.report = report(*alerts)
    incident = await world.tick()
    assert incident is not None
    return incident


async def test_what_breaks_worse_is_what_everybody_hears_of(world: World) -> None:
    incident = await opened(world, SLOW)
    began_at = began(await world.incident(incident))
    world.source.report = report(SLOW, FAILING | {"since": "2026-01-02T03:09:00Z"})
    for _ in range(4):
        await world.tick()
    state, kinds = await world.incident(incident), list(world.channel.kinds)
    told = world.channel.last
    for _ in range(40):
        await world.tick()
    [row] = await world.engine.store.fetch(incidents.listing(world.tenant, limit=5, before=None))
    named = await world.engine.store.fetch(incidents.named(world.tenant, [incident]))

    assert kinds == ["alert", "diagnosis"]
    assert told.title.endswith("More is known: payments: POST /pay is failing")
    assert "100 % of requests fail, usually 0.2 %, since 03:09 UTC." in told.body
    assert (row.title, title(state, ENGLISH)) == 2 * ("payments: POST /pay is failing",)
    assert title(named[incident], words("fr")) == title(state, words("fr"))
    assert began(state) == began_at
    assert (await world.types(incident)).count("incident_changed") == 1
    assert "escalation" in world.channel.kinds
    assert "POST /pay is failing" in world.channel.last.title


async def test_what_is_over_gives_way_to_what_is_left_and_lesser_trouble_beside_it_does_not(
    world: World,
) -> None:
    incident = await opened(world, FAILING)
    world.source.report = report(FAILING, SLOW)
    for _ in range(4):
        await world.tick()
    assert (await world.incident(incident)).changes == 0

    world.source.report = report(SLOW)
    await world.tick()
    await world.tick()
    assert (await world.incident(incident)).title == "payments: GET /items is slow"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("refused", "payments cannot be reached"),
        ("not_json", "payments answers, but not with a health report"),
    ],
)
async def test_a_service_that_falls_silent_is_worse_than_one_that_fails(
    world: World, kind: str, name: str
) -> None:
    incident = await opened(world, FAILING)
    world.source.report = lambda: unreachable(world.clock.now(), FetchError(kind=kind))
    for _ in range(5):
        await world.tick()
    down = await world.incident(incident)
    world.source.report = report(FAILING)
    for _ in range(10):
        await world.tick()

    assert (down.title, down.detected["kind"]) == (name, "outage")
    assert (await world.incident(incident)).title == "payments: POST /pay is failing"


@pytest.mark.parametrize("alert", [FAILING | {"route": None}, FAILING])
async def test_the_same_trouble_is_no_change(world: World, alert: dict[str, Any]) -> None:
    incident = await opened(world, FAILING)
    world.source.report = report(alert)
    for _ in range(4):
        await world.tick()

    assert "incident_changed" not in await world.types(incident)
