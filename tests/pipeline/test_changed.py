"""An open incident whose facts become others: what it is called follows them, by an event."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from alertengine.core.audience import BEARABLE
from alertengine.core.detection import MOST_CHANGES
from alertengine.core.diagnosis.change import LOOKS
from alertengine.core.diagnosis.model import FetchError
from alertengine.core.language import ENGLISH, words
from alertengine.core.message import Message
from alertengine.core.snapshot import unreachable
from alertengine.core.trouble import began, title
from alertengine.ports import Traits
from alertengine.store import incidents
from alertengine.testing import RecordingChannel, critical_report
from world import World

SLOW = {"type": "latency_spike", "route": "GET /items", "value": 2900.0, "usual": 40.0}
FAILING = {"type": "error_anomaly", "route": "POST /pay", "value": 0.999, "usual": 0.002}


def report(*alerts: dict[str, Any]) -> dict[str, Any]:
    told = {"severity": "critical", "message": "it is bad", "since": "2026-01-02T03:03:50Z"}
    return critical_report(alerts=[told | alert for alert in alerts])


@dataclass
class Amended(RecordingChannel):
    shown: list[Message] = field(default_factory=list)

    async def amend(self, message_id: str, message: Message) -> None:
        self.shown.append(message)


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
    assert (await world.engine.store.verify()).problems == ()

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


async def test_trouble_that_moves_about_is_bearable_and_the_model_is_asked_no_more_often(
    world: World,
) -> None:
    incident = await opened(world, FAILING)
    began_at, asked = world.clock.now(), world.channel.kinds
    for n in range(110):
        graver = FAILING if n // 6 % 2 else SLOW
        world.source.report = report(graver | {"route": f"GET /r{n // 6}"})
        await world.tick()
    state = await world.incident(incident)
    within = [m.kind for _, m, _ in world.channel.sent if m.at - began_at < timedelta(minutes=9)]
    looks = [e.data["look"] for e in await world.events(incident) if e.type == "diagnosis_completed"]

    assert asked == ["alert"]
    assert state.changes == MOST_CHANGES
    assert len(within) <= 2 * BEARABLE
    assert "diagnosis" in within
    assert max(looks) <= LOOKS


async def test_whoever_is_spared_a_message_sees_it_in_the_question(world: World) -> None:
    chat = Amended(traits=Traits(idempotent=True, amends=True))
    world.engine = replace(world.engine, channels={"console": chat})
    incident = await opened(world, FAILING)
    for n in range(50):
        world.source.report = report(FAILING | {"route": f"GET /r{n // 7}"})
        await world.tick()

    assert chat.kinds.count("diagnosis") + chat.kinds.count("escalation") == BEARABLE - 1
    now = (await world.incident(incident)).title
    assert now in chat.shown[-1].title
    assert now not in chat.last.title
