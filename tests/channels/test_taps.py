"""Decisions in a Telegram chat: two steps, by somebody who is known, one winner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from alertengine.core.model import Role
from alertengine.core.taps import Command, Verb, parse
from alertengine.pipeline.taps import hear
from alertengine.ports import Tap
from alertengine.store import directory
from alertengine.testing import RESTART_POOL
from channels import benches
from channels.wired import PUBLIC, Wired, wired
from world import World

TARIRO, RUDO, GROUP, STRANGER = 1001, 1002, -1003, 4004


@pytest.fixture
async def line(world: World) -> AsyncIterator[Wired]:
    async with wired(world, telegram=benches.TELEGRAM) as opened:
        opened.servers["telegram"].chats = {TARIRO, RUDO, GROUP, STRANGER}
        await opened.add("Tariro", "telegram", str(TARIRO))
        await opened.add("Rudo", "telegram", str(RUDO))
        yield opened


def messages(line: Wired, chat: int = TARIRO) -> list[dict[str, Any]]:
    return [m for m in line.servers["telegram"].messages if m["chat"]["id"] == chat]


def buttons(message: dict[str, Any]) -> dict[str, str]:
    """The data of each button, by its label."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return {b["text"]: b["callback_data"] for row in rows for b in row if "callback_data" in b}


async def heard(line: Wired) -> None:
    engine = line.world.engine
    channel: Any = engine.channels["telegram"]
    for tap in await channel.listen():
        await hear(engine, channel, tap)
    await line.world.settle()


async def press(line: Wired, data: str, user: int = TARIRO, chat: int | None = None) -> dict[str, Any]:
    """Press, and answer what the chat says then."""
    await line.servers["telegram"].press(data, user, chat=chat)
    await heard(line)
    return messages(line, chat or user)[-1]


async def write(line: Wired, text: str, user: int = TARIRO) -> dict[str, Any]:
    await line.servers["telegram"].write(text, user)
    await heard(line)
    return messages(line, user)[-1]


def fresh(line: Wired, user: int = TARIRO) -> dict[str, str]:
    return buttons(messages(line, user)[-1])


async def test_first_it_is_shown_then_it_is_confirmed(line: Wired) -> None:
    incident = await line.world.fail()
    shown = await press(line, fresh(line)["Decide here"])
    assert "recovery restart-pool inside the app" in shown["text"]
    assert "closes 12 idle connections" in shown["text"]
    assert line.world.action.runs == []

    await press(line, buttons(shown)["Run restart-pool now"])
    assert len(line.world.action.runs) == 1
    types = await line.world.types(incident)
    assert types.index("recovery_previewed") < types.index("recovery_authorized")
    [event] = [e for e in await line.world.events(incident) if e.type == "recovery_authorized"]
    assert (event.actor.name, event.data["channel"], event.data["sender"]) == ("Tariro", "telegram", "1001")
    assert line.servers["telegram"].problems == []
    assert line.servers["telegram"].answered == ["77", "77"]


async def test_the_other_copies_say_who_did_it_and_have_nothing_to_press(line: Wired) -> None:
    await line.world.fail()
    shown = await press(line, fresh(line)["Decide here"])
    await press(line, buttons(shown)["Run restart-pool now"])

    for person in (TARIRO, RUDO):
        first = messages(line, person)[0]
        assert "Tariro authorized restart-pool" in first["text"]
        assert "payments: POST /pay is failing" in first["text"]
        assert "reply_markup" not in first


async def test_it_can_be_typed_where_no_page_opens(line: Wired) -> None:
    await line.world.fail()
    code = messages(line)[0]["text"].partition("Or reply ")[2][:4]
    shown = await write(line, f"{code} YES")
    assert "This would run" in shown["text"], "not seen yet, so it is shown first"
    assert line.world.action.runs == []

    await write(line, f"{code} yes")
    assert len(line.world.action.runs) == 1


@pytest.mark.parametrize("proof", ["", ":0123456789ab"])
async def test_a_confirmation_of_something_that_was_not_seen_only_shows_it(line: Wired, proof: str) -> None:
    await line.world.fail()
    reference = fresh(line)["Decide here"].partition(":")[2]
    shown = await press(line, f"run:{reference}{proof}")

    assert "This would run" in shown["text"]
    assert line.world.action.runs == []


async def test_what_changed_since_it_was_seen_is_shown_again(line: Wired) -> None:
    incident = await line.world.fail()
    shown = await press(line, fresh(line)["Decide here"])
    state = await line.world.incident(incident)
    assert state.action == RESTART_POOL
    channel: Any = line.world.engine.channels["telegram"]
    stale = buttons(shown)["Run restart-pool now"][:-12] + "f" * 12
    await hear(line.world.engine, channel, Tap(sender=str(TARIRO), chat=str(TARIRO), text=stale))

    assert line.world.action.runs == []


async def test_a_stranger_is_refused_and_recorded(line: Wired) -> None:
    """A genuine press from Telegram says who pressed, not that they may."""
    incident = await line.world.fail()
    said = await press(line, fresh(line)["Decide here"], STRANGER)
    assert "Only a verified approver" in said["text"]
    assert "This would run" not in said["text"]

    [refused] = [e for e in await line.world.events(incident) if e.type == "authorization_refused"]
    assert (refused.data["code"], refused.data["sender"]) == ("NOT_AN_APPROVER", str(STRANGER))
    assert refused.actor.id == f"telegram:{STRANGER}"


async def test_in_a_group_the_one_who_presses_decides_and_must_be_known(line: Wired) -> None:
    await line.add("ops", "telegram", str(GROUP))
    incident = await line.world.fail()
    see = buttons(messages(line, GROUP)[-1])["Decide here"]
    assert "Only a verified approver" in (await press(line, see, STRANGER, chat=GROUP))["text"]

    shown = await press(line, see, RUDO, chat=GROUP)
    await press(line, buttons(shown)["Run restart-pool now"], RUDO, chat=GROUP)
    [event] = [e for e in await line.world.events(incident) if e.type == "recovery_authorized"]
    assert event.actor.name == "Rudo"


async def test_a_viewer_and_somebody_unverified_decide_nothing(line: Wired) -> None:
    await line.add("Viewer", "telegram", str(STRANGER), role=Role.VIEWER)
    await line.world.fail()
    see = fresh(line)["Decide here"]
    assert "Only a verified approver" in (await press(line, see, STRANGER))["text"]

    await line.world.engine.store.transact(
        lambda tx: tx.execute(
            "UPDATE contact SET role = 'approver', verified_at = NULL WHERE name = 'Viewer'"
        )
    )
    assert "Only a verified approver" in (await press(line, see, STRANGER))["text"]


async def test_an_approver_of_another_tenant_decides_nothing_here(line: Wired) -> None:
    made = await line.http.post(
        "/onboard",
        json={
            "service_name": "other",
            "health_url": "http://127.0.0.1:2/h",
            "contacts": [{"name": "Other", "channel": "telegram", "address": str(STRANGER)}],
        },
        headers={"authorization": "Bearer admin-key-of-this-test"},
    )
    tenant = made.json()["tenant_id"]
    [contact] = await line.world.engine.store.fetch(directory.contacts(tenant))
    now = line.world.engine.now()
    await line.world.engine.store.transact(lambda tx: directory.verify(tx, contact, contact.address, now))
    await line.world.fail()

    assert "Only a verified approver" in (await press(line, fresh(line)["Decide here"], STRANGER))["text"]


async def test_twenty_confirmations_at_once_are_one_run(line: Wired) -> None:
    incident = await line.world.fail()
    runs = []
    for person in (TARIRO, RUDO):
        shown = await press(line, buttons(messages(line, person)[0])["Decide here"], person)
        runs.append((person, buttons(shown)["Run restart-pool now"]))
    engine, channel = line.world.engine, line.world.engine.channels["telegram"]
    taps = [Tap(sender=str(person), chat=str(person), text=data) for person, data in runs * 10]
    await asyncio.gather(*(hear(engine, channel, tap) for tap in taps))  # type: ignore[arg-type]
    await line.world.settle()

    assert len(line.world.action.runs) == 1
    assert (await line.world.types(incident)).count("recovery_authorized") == 1


async def test_who_is_on_it_stops_the_calls_and_is_told_to_all(line: Wired) -> None:
    incident = await line.world.fail()
    said = await press(line, fresh(line)["Acknowledge"])
    assert "You are on it" in said["text"] or "Tariro is on it" in said["text"]
    assert "Tariro is on it" in messages(line, RUDO)[-1]["text"]
    assert "already" in (await press(line, buttons(messages(line, RUDO)[0])["Acknowledge"], RUDO))["text"]
    await line.world.tick(200)

    types = await line.world.types(incident)
    assert types.count("incident_acknowledged") == 1
    assert "incident_escalated" not in types


async def test_a_decision_against_it(line: Wired) -> None:
    incident = await line.world.fail()
    shown = await press(line, fresh(line)["Decide here"])
    await press(line, buttons(shown)["Do not run"])

    assert (await line.world.incident(incident)).stage == "REJECTED"
    assert line.world.action.runs == []


async def test_a_link_that_is_over_can_be_had_anew_in_the_chat(line: Wired) -> None:
    await line.world.fail()
    shown = await press(line, fresh(line)["Decide here"])
    line.world.clock.advance(301)
    await press(line, buttons(shown)["Run restart-pool now"])
    said = next(m for m in messages(line) if "This link is over" in m["text"])
    await press(line, buttons(said)["Send me a new link"])
    newest = next(m for m in reversed(messages(line)) if "Your new link" in m["text"])
    shown = await press(line, buttons(newest)["Decide here"])
    await press(line, buttons(shown)["Run restart-pool now"])
    assert len(line.world.action.runs) == 1


async def test_chatter_is_passed_over(line: Wired) -> None:
    await line.world.fail()
    before = len(messages(line))
    for text in ("hello", "/start", "12345", "yes", "run:", "ack:" + "x" * 60):
        await line.servers["telegram"].write(text)
    await line.servers["telegram"].press("see:lnk_unknown", STRANGER)
    await heard(line)

    assert len(messages(line)) == before
    assert messages(line, STRANGER) == []


async def test_in_webhook_mode_telegram_calls_with_its_secret(world: World) -> None:
    bench = benches.Bench(
        **{
            **vars(benches.TELEGRAM),
            "settings": lambda server: {**benches.TELEGRAM.settings(server), "updates": "webhook"},
        }
    )
    async with wired(world, telegram=bench) as line:
        await line.add("Tariro", "telegram", str(TARIRO))
        channel: Any = world.engine.channels["telegram"]
        listening = asyncio.create_task(channel.listen())
        while line.servers["telegram"].webhook is None:
            await asyncio.sleep(0.01)
        listening.cancel()
        await world.fail()
        url = f"{PUBLIC}/hooks/telegram"
        forged = await line.servers["telegram"].call(url, b"{}", x_telegram_bot_api_secret_token="guess")
        assert forged == 401
        assert await line.servers["telegram"].press(fresh(line)["Decide here"]) == 204
        await world.settle()

        assert "This would run" in messages(line)[-1]["text"]


def test_what_is_meant_for_us() -> None:
    assert parse("ack:lnk_1") == Command(verb=Verb.ACKNOWLEDGE, reference="lnk_1")
    assert parse("run:lnk_1:0123456789ab") == Command(verb=Verb.RUN, reference="lnk_1", proof="0123456789ab")
    assert parse(" 4821  YES ") == Command(verb=Verb.RUN, code="4821")
    assert parse("4821") == Command(verb=Verb.SEE, code="4821")
    for text in ("", "48211", "yes", "run", "4821 maybe", "run:lnk_1:xyz"):
        assert parse(text) is None
