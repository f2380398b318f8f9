"""Tenants, services and contacts, changed by the operator and by a tenant's key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network

import pytest
from asking import Asking, asking

from alertengine.core.given import Given
from alertengine.pipeline.poll import poll
from alertengine.store import directory, system
from alertengine.testing import RecordingChannel, critical_report
from world import World

PUBLIC = "https://status.example.com/health/alerts"


@pytest.fixture
async def ask(world: World) -> AsyncIterator[Asking]:
    async with asking(world.engine) as opened:
        yield opened


async def test_a_suspended_tenant_stands_still_until_it_is_resumed(ask: Asking, world: World) -> None:
    incident = await world.fail()
    token, key = world.channel.last_token, world.onboarded.api_key
    link = f"/action/recover/confirm?token={token}"
    before = await world.types(incident)
    said = await ask("POST", f"/tenant/{world.tenant}/suspend", {"reason": "unpaid"})
    assert said.json()["status"] == "suspended"

    assert await world.engine.store.fetch(directory.services()) == []
    assert (await ask("GET", f"/tenant/{world.tenant}", key=key)).status_code == 401
    refused = await ask("POST", link, key=None)
    assert (refused.status_code, refused.json()["code"]) == (409, "TENANT_SUSPENDED")
    page = await ask("GET", f"/action/recover?token={token}", key=None, accept="text/html")
    assert "suspended" in page.text
    assert page.headers["content-type"].startswith("text/html")
    world.clock.advance(200)
    await world.settle()
    assert "recovery_authorized" not in await world.types(incident)
    assert "incident_escalated" not in await world.types(incident)

    await ask("POST", f"/tenant/{world.tenant}/resume")
    assert (await ask("POST", link, key=None)).status_code == 200
    assert len(await world.types(incident)) > len(before)
    history = (await ask("GET", f"/tenant/{world.tenant}/history")).json()["events"]
    assert [e["type"] for e in history] == ["tenant_onboarded", "tenant_suspended", "tenant_resumed"]
    assert history[1]["data"]["reason"] == "unpaid"


async def test_what_a_tenant_names_is_no_link(ask: Asking, world: World) -> None:
    path, key = f"/tenant/{world.tenant}/services", world.onboarded.api_key
    service = {"service_name": "cheap", "health_url": PUBLIC}
    for more in (
        {"service_name": "payments: approve at https://evil.example/a now"},
        {"value": {"POST /pay": {"noun": "payments, see https://evil.example"}}},
        {"value": {"POST /pay": {"noun": "payments\nApproved"}}},
    ):
        assert (await ask("POST", path, service | more, key=key)).status_code == 422


async def test_a_tenant_chooses_no_plan(ask: Asking, world: World) -> None:
    path, key = f"/tenant/{world.tenant}", world.onboarded.api_key
    for where in ("plan", "suspend", "resume"):
        assert (await ask("POST", f"{path}/{where}", {"plan": "scale"}, key=key)).status_code == 403
    for body in ({"plan": "scale"}, {"service_name": "x", "health_url": PUBLIC, "plan": "scale"}):
        assert (await ask("POST", f"{path}/services", body, key=key)).status_code == 422
    assert (await ask("GET", "/tenants", key=key)).status_code == 403
    assert (await ask("GET", f"{path}/history", key=key)).status_code == 403

    assert (await ask("POST", f"{path}/plan", {"plan": "gold"})).status_code == 422
    assert (await ask("POST", f"{path}/plan", {"plan": "solo"})).json()["plan"] == "solo"
    assert (await ask("GET", path, key=key)).json()["plan"] == "solo"


async def test_a_tenant_s_key_names_public_places_alone(ask: Asking, world: World) -> None:
    path, key = f"/tenant/{world.tenant}/services", world.onboarded.api_key
    body = {"service_name": "web", "health_url": "http://10.0.0.7/health/alerts"}
    refused = await ask("POST", path, body, key=key)
    assert (refused.status_code, "allow_private" in refused.json()["detail"]) == (422, True)

    made = (await ask("POST", path, {**body, "health_url": PUBLIC}, key=key)).json()
    assert made["given_by"] == "tenant"
    service = await world.engine.store.fetch(directory.service(world.tenant, made["service_id"]))
    assert service is not None
    assert service.given_by is Given.TENANT
    theirs = {**body, "service_name": "inner"}
    assert (await ask("POST", path, theirs)).json()["given_by"] == "operator"


async def test_what_the_operator_lists_a_tenant_may_name(world: World) -> None:
    engine = replace(world.engine, private=(ip_network("10.0.0.0/24"),))
    async with asking(engine) as ask:
        body = {"service_name": "web", "health_url": "http://10.0.0.7/health/alerts"}
        path = f"/tenant/{world.tenant}/services"
        assert (await ask("POST", path, body, key=world.onboarded.api_key)).status_code == 201


async def test_a_service_is_changed_and_removed_on_record(ask: Asking, world: World) -> None:
    path = f"/tenant/{world.tenant}/services"
    made = (await ask("POST", path, {"service_name": "Café", "health_url": PUBLIC})).json()
    again = await ask("POST", path, {"service_name": "CAFE\u0301", "health_url": PUBLIC})
    assert again.status_code == 422  # the same name, spelt otherwise
    one = f"{path}/{made['service_id']}"
    changed = await ask("PATCH", one, {"service_name": "bar", "thresholds": {"confirmations": 3}})
    assert changed.json()["thresholds"] == {"confirmations": 3}

    assert (await ask("DELETE", one)).json()["removed"] is True
    assert (await ask("DELETE", one)).status_code == 404
    incident = await world.fail()
    held = await ask("DELETE", f"{path}/{world.service.id}")
    assert (held.status_code, incident in held.json()["detail"]) == (409, True)


async def test_a_secret_stays_with_the_place_it_was_given_for(ask: Asking, world: World) -> None:
    path, key = f"/tenant/{world.tenant}/services", world.onboarded.api_key
    body = {"service_name": "web", "health_url": PUBLIC, "service_secret": "a-secret-of-the-sdk"}
    one = f"{path}/{(await ask('POST', path, body)).json()['service_id']}"

    assert (await ask("PATCH", one, {"health_url": f"{PUBLIC}/v2"}, key=key)).json()["signed"] is True
    moved = await ask("PATCH", one, {"health_url": "https://evil.example.com/"}, key=key)
    assert moved.json()["signed"] is False


async def test_own_thresholds_come_with_the_plan_and_go_with_it(ask: Asking, world: World) -> None:
    path, plan = f"/tenant/{world.tenant}/services", f"/tenant/{world.tenant}/plan"
    patient = {"thresholds": {"confirmations": 3}}
    await ask("POST", plan, {"plan": "startup"})
    refused = await ask("PATCH", f"{path}/{world.service.id}", patient)
    assert (refused.json()["code"], refused.json()["upgrade_to"]) == ("PLAN_FEATURE_UNAVAILABLE", "scale")
    await ask("POST", plan, {"plan": "scale"})
    assert (await ask("PATCH", f"{path}/{world.service.id}", patient)).status_code == 200

    service = await world.engine.store.fetch(directory.service(world.tenant, world.service.id))
    assert service is not None
    world.source.report = critical_report()
    assert [await poll(world.engine, service) is not None for _ in range(3)] == [False, False, True]


async def test_a_tenant_s_key_makes_nobody_an_approver(ask: Asking, world: World) -> None:
    path, key = f"/tenant/{world.tenant}/contacts", world.onboarded.api_key
    person = {"name": "Rudo", "channel": "console", "address": "x"}
    assert (await ask("POST", path, person, key=key)).status_code == 422
    made = (await ask("POST", path, {**person, "role": "viewer"}, key=key)).json()
    assert made["verified"] is False
    [tariro] = [c for c in (await ask("GET", path)).json()["contacts"] if c["name"] == "Tariro"]
    for who, change in (
        (made, {"role": "approver"}),
        (tariro, {"address": "mine"}),
        (tariro, {"role": "viewer"}),
    ):
        answer = await ask("PATCH", f"{path}/{who['contact_id']}", change, key=key)
        assert answer.status_code == 422
    assert (await ask("PATCH", f"{path}/{made['contact_id']}", {"role": "approver"})).status_code == 200


async def test_by_what_somebody_is_known_is_said_by_the_operator_and_on_record(
    ask: Asking, world: World
) -> None:
    told = {"channel": "console", "address": "x"}
    own = [{**told, "name": "Rudo", "email": "R@example.com"}, {**told, "name": "#ops", "shared": True}]
    made = await ask.onboard(contacts=own)
    path = f"/tenant/{made['tenant_id']}/contacts"
    rudo, ops = (await ask("GET", path)).json()["contacts"]
    assert (rudo["email"], rudo["shared"]) == ("r@example.com", False)
    assert (ops["email"], ops["shared"]) == (None, True)

    kept = await ask("PATCH", f"{path}/{ops['contact_id']}", {"language": "sn"})
    assert kept.json()["shared"] is True, "a change of something else leaves it as it is"
    taken = {**told, "name": "Chipo", "email": "r@example.com"}
    assert (await ask("POST", path, taken)).status_code == 422
    assert len((await ask("GET", path)).json()["contacts"]) == 2, "nothing of what was refused is kept"
    viewer = {**told, "name": "Chipo", "role": "viewer"}
    for more in ({"email": "c@example.com"}, {"shared": True}):
        assert (await ask("POST", path, {**viewer, **more}, key=made["api_key"])).status_code == 422

    changed = await ask("PATCH", f"{path}/{rudo['contact_id']}", {"email": "", "shared": True})
    assert (changed.json()["email"], changed.json()["shared"]) == (None, True)
    events = await world.engine.store.fetch(system.about(rudo["contact_id"], 9))
    assert [e.data.get("changed") for e in events] == [["shared", "email"]]
    assert "r@example.com" not in str(events[0].data)


async def test_whoever_is_removed_is_told_nothing_and_decides_nothing(ask: Asking, world: World) -> None:
    path = f"/tenant/{world.tenant}/contacts"
    incident = await world.fail()
    token = world.channel.last_token
    sent = len(world.channel.sent)
    [tariro] = (await ask("GET", path)).json()["contacts"]
    assert (await ask("DELETE", f"{path}/{tariro['contact_id']}")).json()["removed"] is True

    answer = await ask("POST", f"/action/recover/confirm?token={token}", key=None)
    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_INVALID")
    await world.heal()
    assert len(world.channel.sent) == sent
    assert (await world.incident(incident)).stage == "RESOLVED"
    assert (await ask("GET", path)).json()["contacts"] == []
    assert (await ask("POST", path, {"name": "Tariro", "channel": "console"})).status_code == 201


async def test_a_new_address_is_verified_anew(world: World) -> None:
    channels = {"console": world.channel, "telegram": RecordingChannel(name="telegram", kind="telegram")}
    async with asking(replace(world.engine, channels=channels)) as ask:
        path = f"/tenant/{world.tenant}/contacts"
        [tariro] = (await ask("GET", path)).json()["contacts"]
        moved = await ask("PATCH", f"{path}/{tariro['contact_id']}", {"channel": "telegram", "address": "77"})
        assert moved.json()["verified"] is False
        await world.settle()
        assert "code" in channels["telegram"].sent[-1][1].title
        named = await ask("PATCH", f"{path}/{tariro['contact_id']}", {"role": "admin"})
        assert (named.json()["role"], named.json()["verified"]) == ("admin", False)
