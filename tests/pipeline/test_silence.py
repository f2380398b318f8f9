"""Nobody is called, everything is recorded, and what is broken at the end is told then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alertengine.core.model import Actor
from alertengine.core.policy import Policy
from alertengine.core.silence import Silence, longest
from alertengine.errors import Invalid, NotFound
from alertengine.pipeline import approve, silence
from alertengine.ports import Outcome
from alertengine.store import incidents
from alertengine.store.log import SYSTEM_TREE
from alertengine.testing import START, make_incident
from team import Team, gather_team
from world import World

OPERATOR = Actor(kind="operator", id="os:ops", name="ops")
PAYMENTS = ("payments",)


@pytest.fixture
async def team(world: World) -> Team:
    return await gather_team(world)


async def hush(
    team: Team, seconds: float, service: str = "*", starts_in: float = 0, why: str = "deploying"
) -> Silence:
    engine = team.world.engine
    starts_at = engine.now() + timedelta(seconds=starts_in)
    return await silence.add(
        engine,
        team.world.tenant,
        OPERATOR,
        why,
        until=starts_at + timedelta(seconds=seconds),
        starts_at=starts_at,
        service=service,
    )


async def test_a_silenced_incident_is_opened_recorded_and_told_when_the_silence_ends(team: Team) -> None:
    await hush(team, 300)
    (incident,) = await team.tick(failing=PAYMENTS)
    await team.wait(280, failing=PAYMENTS)
    types = await team.world.types(incident)
    assert types == ["incident_detected", "diagnosis_completed", "incident_silenced"]
    event = (await team.world.events(incident))[-1]
    assert event.data["by"] == "ops"
    assert event.data["reason"] == "silenced by ops: deploying"
    assert team.sent == []

    await team.wait(20, failing=PAYMENTS)
    assert {kind for _, kind in team.sent} == {"alert"}


async def test_what_heals_in_silence_is_never_told(team: Team) -> None:
    await hush(team, 300)
    (incident,) = await team.tick(failing=PAYMENTS)
    await team.wait(600)
    assert team.sent == []
    assert (await team.world.incident(incident)).stage == "RESOLVED"


async def test_taking_a_silence_back_tells_at_once(team: Team) -> None:
    one = await hush(team, 3600)
    await team.tick(failing=PAYMENTS)
    await silence.remove(team.world.engine, team.world.tenant, one.id, OPERATOR)
    await team.tick(1, failing=PAYMENTS)
    assert {kind for _, kind in team.sent} == {"alert"}
    with pytest.raises(NotFound):
        await silence.remove(team.world.engine, team.world.tenant, one.id, OPERATOR)


async def test_silences_that_overlap_hold_until_the_last_is_over(team: Team) -> None:
    await hush(team, 100, why="first")
    await hush(team, 200, service="pay*", starts_in=50, why="second")
    (incident,) = await team.tick(failing=PAYMENTS)
    await team.wait(240, failing=PAYMENTS)
    assert team.sent == []
    reasons = [e.data["reason"] for e in await team.world.events(incident) if e.type == "incident_silenced"]
    assert reasons == ["silenced by ops: first", "silenced by ops: second"]
    await team.wait(20, failing=PAYMENTS)
    assert len(team.sent) == 3


async def test_a_window_that_begins_later_stops_steps_and_reminders_of_what_was_told(team: Team) -> None:
    team.policy(Policy(escalate_after_s=100, decision_timeout_s=5000))
    await hush(team, 1000, starts_in=50)
    (incident,) = await team.tick(failing=PAYMENTS)
    team.forget()
    await team.wait(900, failing=PAYMENTS)
    assert team.sent == []
    await team.wait(200, failing=PAYMENTS)
    assert {kind for _, kind in team.sent} == {"escalation"}
    assert "incident_silenced" in await team.world.types(incident)


async def test_another_service_is_not_silenced(team: Team) -> None:
    await hush(team, 300, service="orders")
    await team.tick(failing=PAYMENTS)
    assert team.sent


async def test_how_a_recovery_goes_is_told_in_silence_too(team: Team) -> None:
    (incident,) = await team.tick(failing=PAYMENTS)
    await hush(team, 3000)
    team.forget()
    world = team.world
    world.action.outcome = Outcome(status="failed", detail="exit 3", facts={})
    await approve.confirm_as(world.engine, world.tenant, incident, OPERATOR, {})
    await team.tick(failing=PAYMENTS)
    assert {kind for _, kind in team.sent} == {"authorized", "failed"}


async def test_a_silence_is_in_the_ledger_with_who_why_and_until(team: Team) -> None:
    one = await hush(team, 300)
    await silence.remove(team.world.engine, team.world.tenant, one.id, OPERATOR)
    added, removed = await team.world.engine.store.fetch(incidents.events(SYSTEM_TREE, one.id))
    assert (added.type, added.actor, added.data["reason"]) == ("silence_added", OPERATOR, "deploying")
    assert added.data["until"] > added.data["starts_at"]
    assert (removed.type, removed.actor) == ("silence_removed", OPERATOR)


@pytest.mark.parametrize(
    ("reason", "until_s", "starts_s", "word"),
    [
        (" ", 60, 0, "reason"),
        ("x", 0, 0, "until"),
        ("x", -60, -3600, "until"),
        ("x", 60, 120, "until"),
        ("x", 91 * 86400, 0, "90 days"),
    ],
)
async def test_a_silence_has_a_reason_and_an_end(
    team: Team, reason: str, until_s: float, starts_s: float, word: str
) -> None:
    now = team.world.engine.now()
    with pytest.raises(Invalid, match=word):
        await silence.add(
            team.world.engine,
            team.world.tenant,
            OPERATOR,
            reason,
            until=now + timedelta(seconds=until_s),
            starts_at=now + timedelta(seconds=starts_s),
        )


def one(until_s: float = 60, service: str = "*", route: str = "*") -> Silence:
    return Silence(
        id=f"sil_{until_s:g}",
        tenant_id="ten_1",
        service=service,
        route=route,
        reason="x",
        by="ops",
        starts_at=START,
        until=START + timedelta(seconds=until_s),
    )


def test_patterns_name_services_and_routes() -> None:
    incident = make_incident()
    assert one(service="PAY*").covers(incident, START)
    assert not one(service="pay").covers(incident, START)
    assert not one(route="POST /pay").covers(incident, START)
    on_route = make_incident()
    object.__setattr__(on_route, "detected", {**incident.detected, "snapshot": {"route": "POST /pay"}})
    assert one(route="post /p*").covers(on_route, START)
    assert not one(route="GET *").covers(on_route, START)
    assert not one().covers(incident, START + timedelta(seconds=60))
    assert longest([one(30), one(90), one(60)], incident, START) == one(90)
    assert longest([one(30)], incident, START + timedelta(seconds=31)) is None
