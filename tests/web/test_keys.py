"""API keys: changed without an interruption, revoked, seen to be used."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from asking import Asking, asking

from alertengine.pipeline import limits
from world import World


@pytest.fixture
async def ask(world: World) -> AsyncIterator[Asking]:
    async with asking(world.engine) as opened:
        yield opened


async def test_the_old_key_is_valid_as_long_as_the_overlap(ask: Asking, world: World) -> None:
    path, old = f"/tenant/{world.tenant}", world.onboarded.api_key
    made = (await ask("POST", f"{path}/keys", {"overlap_s": 60}, key=old)).json()
    assert made["api_key"].startswith(f"aek_live_{made['key_id']}_")

    for key in (old, made["api_key"]):
        assert (await ask("GET", path, key=key)).status_code == 200
    world.clock.advance(61)
    assert (await ask("GET", path, key=old)).status_code == 401
    assert (await ask("GET", path, key=made["api_key"])).status_code == 200


async def test_a_revoked_key_opens_nothing_and_the_last_one_cannot_revoke_itself(
    ask: Asking, world: World
) -> None:
    path, old = f"/tenant/{world.tenant}/keys", world.onboarded.api_key
    [first] = (await ask("GET", path, key=old)).json()["keys"]
    assert (await ask("DELETE", f"{path}/{first['key_id']}", key=old)).status_code == 422
    new = (await ask("POST", path, key=old)).json()["api_key"]
    assert (await ask("DELETE", f"{path}/{first['key_id']}", key=new)).status_code == 200

    assert (await ask("GET", path, key=old)).status_code == 401
    states = {k["key_id"]: k["state"] for k in (await ask("GET", path, key=new)).json()["keys"]}
    assert states[first["key_id"]] == "revoked"
    assert sorted(states.values()) == ["revoked", "valid"]
    assert (await ask("DELETE", f"{path}/{first['key_id']}", key=new)).status_code == 404


async def test_the_last_use_is_shown_and_kept(ask: Asking, world: World) -> None:
    path, key = f"/tenant/{world.tenant}/keys", world.onboarded.api_key
    assert (await ask("GET", path)).json()["keys"][0]["last_used_at"] is None
    shown = (await ask("GET", path, key=key)).json()["keys"][0]["last_used_at"]
    assert shown is not None

    await limits.keep(world.engine)
    assert (await ask("GET", path)).json()["keys"][0]["last_used_at"] == shown


async def test_another_tenant_s_key_neither_sees_nor_changes_the_keys(ask: Asking, world: World) -> None:
    other = await ask.onboard()
    path = f"/tenant/{world.tenant}/keys"
    for method, where in (("GET", path), ("POST", path), ("DELETE", f"{path}/x")):
        assert (await ask(method, where, key=other["api_key"])).status_code == 403


async def test_there_are_never_more_than_a_few_at_once(ask: Asking, world: World) -> None:
    path, key = f"/tenant/{world.tenant}/keys", world.onboarded.api_key
    answers = [(await ask("POST", path, key=key)).status_code for _ in range(6)]

    assert answers == [201, 201, 201, 201, 429, 429]


async def test_what_a_key_does_is_on_record_as_a_program_s_act(ask: Asking, world: World) -> None:
    incident = await world.fail()
    path = f"/tenant/{world.tenant}/incidents/{incident}/close"
    assert (await ask("POST", path, {"note": "seen to"}, key=world.onboarded.api_key)).status_code == 200
    closed = (await world.events(incident))[-2]

    assert closed.type == "incident_resolved"
    assert closed.actor.kind == "api_key"
    assert not closed.actor.human
    history = (await ask("GET", f"/tenant/{world.tenant}/history")).json()["events"]
    assert [e["type"] for e in history] == ["tenant_onboarded"]


async def test_two_keys_in_one_request_are_none(ask: Asking, world: World) -> None:
    headers = [("authorization", f"Bearer {k}") for k in (world.onboarded.api_key, "another")]
    answer = await ask.http.get(f"/tenant/{world.tenant}", headers=headers)
    assert answer.status_code == 401
