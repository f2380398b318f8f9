"""Who leaves a tenant, and what of them stays: nothing."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asking import Asking, asking

from alertengine.app import load_settings
from alertengine.core.given import Given
from alertengine.core.model import Contact, Role
from alertengine.daemon import running
from alertengine.store import directory, people
from alertengine.store.people import Person
from world import World

MAILBOX = "tariro@example.com"


@pytest.fixture
async def ask(world: World) -> AsyncIterator[Asking]:
    async with asking(world.engine) as opened:
        yield opened


async def _person(world: World, name: str) -> Person | None:
    return await world.engine.store.fetch(people.person(world.tenant, name))


async def _sign_up(world: World, name: str) -> None:
    await world.engine.store.transact(lambda tx: people.set_email(tx, world.tenant, name, MAILBOX))
    await world.engine.store.transact(lambda tx: people.set_pin(tx, world.tenant, name, "sealed"))


async def _join(world: World, name: str, role: Role, given: Given = Given.TENANT) -> Contact:
    contact = Contact(
        id=f"con_{name.lower()}",
        tenant_id=world.tenant,
        name=name,
        channel="console",
        address="x",
        role=role,
        given_by=given,
    )
    await world.engine.store.transact(lambda tx: directory.add_contact(tx, contact))
    return contact


async def test_a_tenant_s_key_removes_its_own_viewers_alone(ask: Asking, world: World) -> None:
    path, key = f"/tenant/{world.tenant}/contacts", world.onboarded.api_key
    viewer = await _join(world, "Vimbai", Role.VIEWER)
    rudo = await _join(world, "Rudo", Role.VIEWER, Given.OPERATOR)
    [tariro] = [c for c in (await ask("GET", path)).json()["contacts"] if c["name"] == "Tariro"]

    for theirs in (tariro["contact_id"], rudo.id):
        refused = await ask("DELETE", f"{path}/{theirs}", key=key)
        assert (refused.status_code, "operator" in refused.json()["detail"]) == (422, True)
    assert (await ask("DELETE", f"{path}/{viewer.id}", key=key)).status_code == 200
    await world.fail()
    assert world.channel.sent[-1][0].name == "Tariro"


async def test_a_policy_that_names_somebody_who_left_keeps_no_daemon_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def settings(who: str):  # type: ignore[no-untyped-def]
        file = tmp_path / "alertengine.toml"
        file.write_text(f'[server]\nport = 0\n[[policy.steps]]\nafter_s = 0\nwho = ["{who}"]\n')
        return load_settings(file, {"HOME": str(tmp_path)}, {"data_dir": tmp_path / "data"})

    async with running(settings("everyone")) as daemon, asking(daemon.engine) as ask:
        await ask.onboard(contacts=[{"name": "Tariro", "channel": "console"}])
    with caplog.at_level(logging.WARNING, "alertengine.daemon"):
        async with running(settings("Rudo")):
            pass
    assert "there is no contact 'Rudo'; known are Tariro" in caplog.text


async def test_a_namesake_inherits_neither_pin_nor_mailbox(ask: Asking, world: World) -> None:
    path = f"/tenant/{world.tenant}/contacts"
    await _sign_up(world, "Tariro")
    [one] = (await ask("GET", path)).json()["contacts"]
    two = (await ask("POST", path, {"name": "TARIRO", "channel": "console"})).json()
    await _join(world, "TaRiRo", Role.VIEWER, Given.TENANT)

    await ask("DELETE", f"{path}/{one['contact_id']}")
    assert await _person(world, "Tariro") is not None, "one address is left"
    await ask("DELETE", f"{path}/{two['contact_id']}")
    assert await _person(world, "Tariro") is None
    assert await world.engine.store.fetch(people.with_email(MAILBOX)) == []


async def test_what_an_earlier_life_left_of_a_person_goes_when_the_name_comes_back(
    ask: Asking, world: World
) -> None:
    await _sign_up(world, "Rudo")
    await ask("POST", f"/tenant/{world.tenant}/contacts", {"name": "Rudo", "channel": "console"})
    assert await _person(world, "Rudo") is None


async def test_pin_and_mailbox_go_along_with_a_new_name(ask: Asking, world: World) -> None:
    path = f"/tenant/{world.tenant}/contacts"
    await _sign_up(world, "Tariro")
    [one] = (await ask("GET", path)).json()["contacts"]
    await ask("PATCH", f"{path}/{one['contact_id']}", {"name": "Tariro M."})
    found = await _person(world, "Tariro M.")
    assert found is not None
    assert (found.email, found.pin) == (MAILBOX, "sealed")
    assert await _person(world, "Tariro") is None


async def test_nobody_takes_over_a_person_by_taking_the_name(ask: Asking, world: World) -> None:
    """A viewer with a mailbox is not renamed with the tenant's key to who may decide, nor to who ever might."""
    viewer = await _join(world, "Vimbai", Role.VIEWER)
    await _sign_up(world, "Vimbai")
    path = f"/tenant/{world.tenant}/contacts/{viewer.id}"
    listed, key = f"/tenant/{world.tenant}/contacts", world.onboarded.api_key
    [tariro] = [c for c in (await ask("GET", listed)).json()["contacts"] if c["name"] == "Tariro"]
    for _ in range(2):
        renamed = await ask("PATCH", path, {"name": " TARIRO"}, key=key)
        assert (renamed.status_code, "another name" in renamed.json()["detail"]) == (422, True)
        new = {"name": "Ｔariro", "channel": "console", "address": "y", "role": "viewer"}
        assert (await ask("POST", listed, new, key=key)).status_code == 422
        await ask("DELETE", f"{listed}/{tariro['contact_id']}")
    assert await _person(world, "Tariro") is None
    assert (await ask("POST", listed, {**new, "name": "Nyasha"}, key=key)).status_code == 201


async def test_a_mailbox_with_letters_that_look_alike_is_another(world: World) -> None:
    store, tenant = world.engine.store, world.tenant
    await store.transact(lambda tx: people.set_email(tx, tenant, "Tariro", "Sarah@kiosk.example"))
    assert [p.name for p in await store.fetch(people.with_email("sarah@KIOSK.example"))] == ["tariro"]
    for alike in ("ſarah@kiosk.example", "sarah@\u212aiosk.example"):
        assert await store.fetch(people.with_email(alike)) == []


async def test_by_a_tenant_s_key_nothing_goes_along(ask: Asking, world: World) -> None:
    """Whoever the operator names so later must not find somebody else's mailbox under their name."""
    viewer = await _join(world, "Vimbai", Role.VIEWER)
    await _sign_up(world, "Vimbai")
    path = f"/tenant/{world.tenant}/contacts/{viewer.id}"
    await ask("PATCH", path, {"name": "Rudo"}, key=world.onboarded.api_key)
    assert await _person(world, "Rudo") is None
