"""Decisions on WhatsApp: quick replies, and codes for a phone that opens no page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from channels import benches
from channels.wired import PUBLIC, Wired, wired
from world import World

HOOK = f"{PUBLIC}/hooks/twilio"
PHONE = benches.PHONE


@pytest.fixture
async def line(world: World) -> AsyncIterator[Wired]:
    async with wired(world, whatsapp=benches.WHATSAPP_TWILIO) as opened:
        await opened.add("Tariro", "whatsapp", PHONE)
        yield opened


def sent(line: Wired) -> list[dict[str, str]]:
    return list(line.servers["whatsapp"].messages.values())


def code(line: Wired) -> str:
    proposal = json.loads(sent(line)[0]["ContentVariables"])["4"]
    return str(proposal.partition("Or reply ")[2][:4])


async def write(line: Wired, text: str = "", number: str = PHONE, **more: str) -> str:
    """Answer what the chat says then."""
    assert await line.servers["whatsapp"].write(HOOK, number, text, **more) == 204
    await line.world.settle()
    return sent(line)[-1].get("Body", "")


async def test_a_code_shows_it_and_yes_confirms_it(line: Wired) -> None:
    incident = await line.world.fail()
    assert "This would run: restart-pool" in await write(line, code(line))
    assert line.world.action.runs == []

    await write(line, f"{code(line)} YES")
    assert len(line.world.action.runs) == 1
    [event] = [e for e in await line.world.events(incident) if e.type == "recovery_authorized"]
    assert (event.actor.name, event.data["channel"], event.data["sender"]) == ("Tariro", "whatsapp", PHONE)
    assert line.servers["whatsapp"].problems == []


async def test_yes_without_having_seen_it_shows_it(line: Wired) -> None:
    await line.world.fail()

    assert "This would run" in await write(line, f"{code(line)} YES")
    assert line.world.action.runs == []


async def test_a_quick_reply_belongs_to_the_message_it_is_under(line: Wired) -> None:
    incident = await line.world.fail()
    [sid] = line.servers["whatsapp"].messages
    assert "This would run" in await write(line, button="see", answers=sid)
    await write(line, button="ack", answers=sid)

    assert "incident_acknowledged" in await line.world.types(incident)


async def test_what_is_under_no_message_of_ours_does_nothing(line: Wired) -> None:
    incident = await line.world.fail()
    before = await line.world.types(incident)
    await write(line, button="ack", answers="SM" + "e" * 32)
    await write(line, button="ack")
    await write(line, "hello")

    assert await line.world.types(incident) == before


async def test_another_number_decides_nothing(line: Wired) -> None:
    incident = await line.world.fail()
    [sid] = line.servers["whatsapp"].messages
    before = len(sent(line))
    await write(line, f"{code(line)} YES", "+263770000000")
    assert len(sent(line)) == before, "a stranger's code names nothing"

    assert "Only a verified approver" in await write(line, "", "+263770000000", button="see", answers=sid)
    assert "authorization_refused" in await line.world.types(incident)
    assert line.world.action.runs == []


async def test_a_forged_answer_is_refused(line: Wired) -> None:
    await line.world.fail()

    assert await line.servers["whatsapp"].write(HOOK, PHONE, f"{code(line)}", token="another") == 401


async def test_a_key_on_the_telephone_acknowledges_and_runs_nothing(world: World) -> None:
    async with wired(world, whatsapp=benches.WHATSAPP_TWILIO, phone=benches.VOICE_TWILIO) as line:
        await line.add("Rudo", "phone", PHONE)
        incident = await world.fail()
        server = line.servers["phone"]
        [sid] = server.calls
        assert await server.press_key(sid, "1", token="another") == 401
        assert await server.press_key(sid, "7") == 204
        assert "incident_acknowledged" not in await world.types(incident)
        assert await server.press_key(sid, "1") == 200
        await world.settle()
        assert "You are on it" in server.calls[sid]["Twiml"]

        types = await world.types(incident)
        assert types.count("alert_delivered") == types.count("incident_acknowledged") == 1
        assert world.action.runs == []
        assert server.problems == []


async def test_a_key_on_the_telephone_tells_the_proposal_and_still_runs_nothing(world: World) -> None:
    async with wired(world, phone=benches.VOICE_TWILIO) as line:
        await line.add("Rudo", "phone", PHONE, language="pt")
        await world.fail()
        server = line.servers["phone"]
        [sid] = server.calls
        assert "Prima 2 para ouvir a proposta" in server.calls[sid]["Twiml"]
        for _ in range(2):
            assert await server.press_key(sid, "2") == 200
            await world.settle()
            said = server.calls[sid]["Twiml"]
            assert 'language="pt-PT"' in said
            assert "Isto correria: restart-pool: recovery restart-pool inside the app" in said
            assert "Nada é executado por telefone" in said
            assert "YES" not in said
        assert world.action.runs == []
        assert server.problems == []


async def test_messages_and_calls_of_one_account_keep_their_receipts_apart(world: World) -> None:
    async with wired(world, phone=benches.VOICE_TWILIO, whatsapp=benches.WHATSAPP_TWILIO) as line:
        await line.add("Tariro", "whatsapp", PHONE)
        await line.add("Rudo", "phone", PHONE)
        incident = await world.fail()
        [call], [message] = line.servers["phone"].calls, line.servers["whatsapp"].messages
        await line.servers["phone"].report(call, "completed", answered_by="human")
        await line.servers["whatsapp"].report(message, "delivered")

        assert (await world.types(incident)).count("alert_delivered") == 2


async def test_without_a_public_address_no_answer_is_asked_for(world: World) -> None:
    async with wired(world, public=False, whatsapp=benches.WHATSAPP_TWILIO) as line:
        await line.add("Tariro", "whatsapp", PHONE)
        await world.fail()

        assert "Or reply" not in sent(line)[0]["ContentVariables"]
