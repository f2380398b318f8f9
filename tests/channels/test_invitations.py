"""Links by which a person proves an address: Telegram's opens the bot, WhatsApp's writes to the sender."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from alertengine.core.model import Contact, Role
from alertengine.errors import TokenInvalid
from alertengine.pipeline.taps import hear
from alertengine.pipeline.viewing import new_link, read_link
from alertengine.store import directory
from channels import benches
from channels.wired import ADMIN, PUBLIC, Wired, wired
from world import World

CHAT = 1001


@pytest.fixture
async def line(world: World) -> AsyncIterator[Wired]:
    async with wired(world, telegram=benches.TELEGRAM, wa=benches.WHATSAPP_TWILIO) as opened:
        opened.servers["telegram"].chats = {CHAT, 5, -1003}
        yield opened


async def onboarded(line: Wired, **contact: Any) -> tuple[dict[str, Any], str]:
    body = {
        "service_name": "orders",
        "health_url": "http://127.0.0.1:2/h",
        "contacts": [{"name": "Tariro", **contact}],
    }
    made = await line.http.post("/onboard", json=body, headers={"authorization": f"Bearer {ADMIN}"})
    assert made.status_code == 201, made.text
    await line.world.settle()
    return made.json(), made.json()["contact_links"]["Tariro"]


async def only(line: Wired, made: dict[str, Any]) -> Contact:
    [contact] = await line.world.engine.store.fetch(directory.contacts(made["tenant_id"]))
    return contact


async def heard(line: Wired) -> None:
    channel: Any = line.world.engine.channels["telegram"]
    for tap in await channel.listen():
        await hear(line.world.engine, channel, tap)


async def test_opening_the_bot_by_the_link_binds_the_chat(line: Wired) -> None:
    made, url = await onboarded(line, channel="telegram", language="fr")
    assert url.startswith("https://t.me/rehearsal_bot?start=")
    word = parse_qs(urlsplit(url).query)["start"][0]
    assert len(word) <= 64
    assert (await only(line, made)).verified_at is None
    assert line.servers["telegram"].messages == []

    await line.servers["telegram"].write(f"/start {word}", CHAT)
    await heard(line)
    contact = await only(line, made)
    assert (contact.address, contact.verified_at is not None) == (str(CHAT), True)
    [said] = line.servers["telegram"].messages
    assert "Les alertes sur orders arrivent ici" in said["text"]

    await line.servers["telegram"].write(f"/start {word}", 5)
    await heard(line)
    assert (await only(line, made)).address == str(CHAT), "it works once"


async def test_a_word_that_is_wrong_over_or_guessed_binds_nothing(line: Wired) -> None:
    made, url = await onboarded(line, channel="telegram")
    word = parse_qs(urlsplit(url).query)["start"][0]
    server = line.servers["telegram"]
    for tried in (
        word[:-1] + ("A" if word[-1] != "A" else "B"),
        "0" * 20 + "-" + "x" * 24,
        "",
        "a b",
        "-" * 40,
    ):
        await server.write(f"/start {tried}", 5)
    line.world.clock.advance(601)
    await server.write(f"/start {word}", CHAT)
    await heard(line)

    assert (await only(line, made)).verified_at is None
    assert all("over or was used" in m["text"] for m in server.messages)
    assert len(server.messages) == 3, "chatter is passed over"


async def test_five_tries_end_a_word_and_a_flood_is_not_answered(line: Wired) -> None:
    made, url = await onboarded(line, channel="telegram")
    word = parse_qs(urlsplit(url).query)["start"][0]
    server = line.servers["telegram"]
    for n in range(30):
        await server.write(f"/start {word[:21]}{n:024d}", 5)
    await server.write(f"/start {word}", CHAT)
    await heard(line)

    assert (await only(line, made)).verified_at is None
    assert len(server.messages) <= 8


async def test_in_a_group_the_group_is_bound(line: Wired) -> None:
    made, url = await onboarded(line, channel="telegram")
    word = parse_qs(urlsplit(url).query)["start"][0]
    await line.servers["telegram"]._happen(
        {
            "message": {
                "message_id": 3,
                "from": {"id": CHAT},
                "chat": {"id": -1003},
                "text": f"/start@rehearsal_bot {word}",
            }
        }
    )
    await heard(line)

    assert (await only(line, made)).address == "-1003"


async def test_writing_the_code_to_the_sender_proves_the_number(line: Wired) -> None:
    made, url = await onboarded(line, channel="wa", address=benches.PHONE)
    assert url.startswith("https://wa.me/14155238886?text=VERIFY%20")
    code = url[-6:]
    for _ in range(5):  # no try is left after that
        typed = await line.http.post("/verify", json={"phone": benches.PHONE, "code": code})
        assert typed.status_code == 400, "who has the link alone has not read what was sent"
    server, hook = line.servers["wa"], f"{PUBLIC}/hooks/twilio"
    await server.write(hook, "+263779999999", f"VERIFY {code}")
    await line.world.settle()
    assert (await only(line, made)).verified_at is None, "another number's word is nothing"

    assert await server.write(hook, benches.PHONE, f"verify {code}", token="forged") == 401
    await server.write(hook, benches.PHONE, f"verify {code}")
    await line.world.settle()
    assert (await only(line, made)).verified_at is not None
    assert "belongs to Tariro" in list(server.messages.values())[-1]["Body"]


async def test_a_fresh_link_can_be_had_and_not_all_the_time(line: Wired) -> None:
    made, _ = await onboarded(line, channel="telegram")
    contact = await only(line, made)
    path = f"/tenant/{made['tenant_id']}/contacts/{contact.id}/code"
    admin = {"authorization": f"Bearer {ADMIN}"}
    assert (await line.http.post(path, headers=admin)).status_code == 429
    line.world.clock.advance(31)
    fresh = await line.http.post(path, headers=admin)

    assert fresh.json()["url"].startswith("https://t.me/rehearsal_bot?start=")
    word = parse_qs(urlsplit(fresh.json()["url"]).query)["start"][0]
    await line.servers["telegram"].write(f"/start {word}", CHAT)
    await heard(line)
    assert (await only(line, made)).verified_at is not None


async def test_a_tenant_s_key_is_given_no_link_and_asks_nobody_but_its_own_viewers(line: Wired) -> None:
    made, url = await onboarded(line, channel="telegram", role="admin")
    approver, path = await only(line, made), f"/tenant/{made['tenant_id']}/contacts"
    key = {"authorization": f"Bearer {made['api_key']}"}
    own = []
    for new in ({"channel": "telegram"}, {"channel": "wa", "address": benches.PHONE}):
        answer = await line.http.post(path, json={"name": "Nyasha", "role": "viewer", **new}, headers=key)
        own.append(answer.json()["contact_id"])
    await line.world.settle()
    line.world.clock.advance(31)

    refused = await line.http.post(f"{path}/{approver.id}/code", headers=key)
    assert (refused.status_code, "url" in refused.json()) == (422, False)
    by_link, by_code = [(await line.http.post(f"{path}/{c}/code", headers=key)).json() for c in own]
    assert (by_link["url"], "operator" in by_link["problem"]) == (None, True)
    assert (by_code["url"], by_code["problem"]) == (None, None)
    sent = re.findall(r"\b[0-9]{6}\b", str(list(line.servers["wa"].messages.values())[-1]))[0]
    typed = await line.http.post("/verify", json={"phone": benches.PHONE, "code": sent})
    assert typed.json()["name"] == "Nyasha"

    await line.servers["telegram"].write(f"/start {parse_qs(urlsplit(url).query)['start'][0]}", CHAT)
    await heard(line)
    everybody = await line.world.engine.store.fetch(directory.contacts(made["tenant_id"]))
    assert next(c for c in everybody if c.id == approver.id).verified_at, "the operator's link still works"


async def test_whoever_was_removed_is_asked_no_code_and_comes_back_by_none(line: Wired) -> None:
    world, admin = line.world, {"authorization": f"Bearer {ADMIN}"}
    chipo = await line.add("Chipo", "wa", benches.PHONE, role=Role.ADMIN)
    await line.add("Rudo", "spare", "x")
    waiting = await line.add("Nyasha", "wa", "+263779999999", verified_at=None)
    await world.fail()
    token = re.search(r"token=([\w.-]+)", str(list(line.servers["wa"].messages.values())))[1]  # type: ignore[index]
    store, path = world.engine.store, f"/tenant/{world.tenant}/contacts"
    view = parse_qs(urlsplit(await new_link(world.engine, world.tenant, chipo)).query)["token"][0]
    assert (await line.http.post(f"{path}/{waiting.id}/code", headers=admin)).json()["problem"] is None
    code = re.findall(r"\b[0-9]{6}\b", str(list(line.servers["wa"].messages.values())[-1]))[0]
    for who in (chipo, waiting):
        assert (await line.http.delete(f"{path}/{who.id}", headers=admin)).status_code == 200

    assert (await line.http.post(f"{path}/{chipo.id}/code", headers=admin)).status_code == 404
    typed = await line.http.post("/verify", json={"phone": waiting.id, "code": code})
    assert typed.status_code == 400
    with pytest.raises(TokenInvalid):
        await read_link(world.engine, view)
    # Whatever was forgotten to be taken back: the row itself is nobody.
    assert not await store.transact(lambda tx: directory.verify(tx, chipo, benches.PHONE, world.engine.now()))
    await store.transact(lambda tx: tx.execute("UPDATE contact SET verified_at = '2026-01-01T00:00:00Z'"))
    answer = await line.http.post("/action/recover/confirm", params={"token": token})
    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_INVALID")
    assert await store.fetch(directory.verified_at(benches.PHONE, ("wa",))) == []


async def test_an_alert_goes_nowhere_before_the_link_was_opened(line: Wired) -> None:
    await onboarded(line, channel="telegram")
    await line.world.fail()

    assert line.servers["telegram"].messages == []
