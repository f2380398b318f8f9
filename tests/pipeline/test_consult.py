"""A diagnosis on demand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alertengine.core.diagnosis.model import FetchError
from alertengine.core.snapshot import unreachable
from alertengine.errors import NotFound
from alertengine.pipeline.consult import consult
from alertengine.pipeline.onboard import Application, NewContact, onboard
from alertengine.store import incidents
from alertengine.testing import critical_report
from world import World

FIELDS = ("cause", "confidence", "summary", "evidence", "recommended_action", "source")


async def nothing_happened(world: World) -> bool:
    """No incident was opened and nobody was told."""
    return not (await world.engine.store.fetch(incidents.open_incidents()) or world.channel.sent)


@pytest.mark.parametrize("known_by", [lambda s: s.name, lambda s: s.id], ids=["name", "id"])
async def test_a_service_is_asked_now(world: World, known_by: Callable[..., str]) -> None:
    world.source.report = critical_report()
    told = await consult(world.engine, known_by(world.service))
    await world.settle()

    assert told.keys() >= {*FIELDS}
    assert (told["source"], told["health"]["health"], told["incident_id"]) == ("rules", "critical", None)
    assert told["recommended_action"] == "restart-pool"
    assert await nothing_happened(world)
    assert world.engine.watch(world.service.id).last is None


async def test_what_is_well_gets_no_recovery(world: World) -> None:
    told = await consult(world.engine, "payments")

    assert told["health"]["health"] == "ok"
    assert (told["recommended_action"], told["action"], told["experience"]) == (None, None, None)


async def test_what_does_not_answer_is_a_diagnosis_too(world: World) -> None:
    world.source.report = lambda: unreachable(world.clock.now(), FetchError(kind="refused", detail="refused"))
    told = await consult(world.engine, "payments")

    assert (told["cause"], told["health"]["health"]) == ("service_down", "unreachable")
    assert await nothing_happened(world)


async def test_an_incident_answers_with_what_was_found_then(world: World) -> None:
    incident = await world.fail()
    before = await world.types(incident)
    world.source.report = critical_report(alerts=[])
    told = await consult(world.engine, incident)

    state = await world.incident(incident)
    assert state.diagnosis is not None
    assert {key: told[key] for key in state.diagnosis} == dict(state.diagnosis)
    assert (told["incident_id"], told["health"]["health"]) == (incident, "critical")
    assert await world.types(incident) == before


async def test_what_is_not_one_thing_is_refused_with_what_to_do(world: World) -> None:
    with pytest.raises(NotFound, match=r"no service and no incident nobody"):
        await consult(world.engine, "nobody")
    twin = Application(
        service_name="payments",
        health_url="http://127.0.0.1:1/health/alerts",
        contacts=[NewContact(name="Rudo", channel="console")],
    )
    other = await onboard(world.engine, twin)
    with pytest.raises(NotFound, match=r"Several services are called payments; give the id") as refused:
        await consult(world.engine, "payments")

    assert other.service.id in str(refused.value)
    assert (await consult(world.engine, other.service.id))["tenant_id"] == other.tenant.id
