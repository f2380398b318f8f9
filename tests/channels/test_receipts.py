"""Accepted is not delivered: receipts, and what is done without them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from alertengine.ports import Report
from alertengine.testing.wire import sent, twilio
from alertengine.testing.wire.loopback import Misbehave, Reply
from channels import benches
from channels.wired import PUBLIC, Wired, wired
from world import World

PHONE = benches.PHONE


@pytest.fixture
async def line(world: World) -> AsyncIterator[Wired]:
    """Tariro on WhatsApp by Twilio, and at a second address."""
    async with wired(world, whatsapp=benches.WHATSAPP_TWILIO) as opened:
        await opened.add("Tariro", "whatsapp", PHONE)
        await opened.add("Tariro", "spare")
        yield opened


def messages(line: Wired) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = line.servers["whatsapp"].messages
    return found


async def alerted(line: Wired) -> tuple[str, str]:
    """(incident, SID of its alert)."""
    incident = await line.world.fail()
    [sid] = messages(line)
    return incident, sid


async def test_a_person_is_told_at_their_first_address(line: Wired) -> None:
    await alerted(line)

    assert line.spare.sent == []


async def test_what_was_delivered_and_read_is_recorded_once(line: Wired) -> None:
    incident, sid = await alerted(line)
    for status in ("sent", "delivered", "delivered", "read", "delivered", "sent", "read"):
        assert await line.servers["whatsapp"].report(sid, status) == 204
    await line.world.tick(120)

    types = await line.world.types(incident)
    assert types[-3:] == ["alert_accepted", "alert_delivered", "alert_read"]
    assert line.spare.sent == []


async def test_receipts_in_any_order_end_alike(line: Wired) -> None:
    incident, sid = await alerted(line)
    told = ["queued", "sent", "delivered", "read", "delivered", "read"]
    random.shuffle(told)
    for status in told:
        await line.servers["whatsapp"].report(sid, status)

    assert (await line.world.types(incident))[-1] == "alert_read"
    [attempt] = await _attempts(line, incident)
    assert attempt["outcome"] == "read"


async def _attempts(line: Wired, incident: str) -> list[dict[str, str]]:
    headers = {"authorization": "Bearer admin-key-of-this-test"}
    found: list[dict[str, str]] = (await line.http.get(f"/delivery/{incident}", headers=headers)).json()[
        "attempts"
    ]
    return found


async def test_a_forged_receipt_changes_nothing(line: Wired) -> None:
    incident, sid = await alerted(line)
    before = await line.world.types(incident)

    assert await line.servers["whatsapp"].report(sid, "delivered", token="another") == 401
    assert (await line.http.post("/hooks/twilio", content=b"MessageSid=" + sid.encode())).status_code == 401
    assert (await line.http.post("/hooks/nobody", content=b"{}")).status_code == 401
    assert await line.world.types(incident) == before


async def test_a_receipt_for_something_unknown_is_taken_and_forgotten(line: Wired) -> None:
    await alerted(line)
    server = line.servers["whatsapp"]
    server.messages["SM" + "f" * 32] = dict(next(iter(messages(line).values())))

    assert await server.report("SM" + "f" * 32, "delivered") == 204


async def test_a_receipt_may_be_faster_than_our_own_record(line: Wired) -> None:
    server = line.servers["whatsapp"]
    usual = server._made

    def eager(kept: object, prefix: str, form: dict[str, str], fault: object) -> Reply:
        reply: Reply = usual(kept, prefix, form, fault)
        channel = line.world.engine.channels["whatsapp"]
        sid = next(reversed(messages(line)))
        line.world.engine.memory.early[channel.kind, sid] = Report(message_id=sid, outcome="delivered")
        return reply

    server._made = eager
    incident, _ = await alerted(line)

    assert (await line.world.types(incident))[-1] == "alert_delivered"


async def test_an_undelivered_message_goes_to_the_next_address(line: Wired) -> None:
    incident, sid = await alerted(line)
    await line.servers["whatsapp"].report(sid, "undelivered", code=63003)
    await line.world.settle()

    [dead] = await line.told(incident, "alert_dead")
    assert (dead["fault"], dead["permanent"]) == ("recipient", True)
    assert "not on WhatsApp" in dead["error"]
    assert line.spare.kinds == ["alert"]
    assert line.spare.last.url is not None
    queued = (await line.told(incident, "alert_queued"))[-1]
    assert queued["follows"] == dead["delivery_id"]


async def test_what_was_not_delivered_in_time_goes_to_the_next_address_once(line: Wired) -> None:
    incident, sid = await alerted(line)
    await line.world.tick(30)
    assert line.spare.sent == []
    await line.world.tick(31)
    await line.world.tick(61)
    assert line.spare.kinds == ["alert"]

    await line.servers["whatsapp"].report(sid, "delivered")
    assert (await line.world.types(incident))[-1] == "alert_delivered"


async def test_a_channel_that_is_down_is_not_waited_for_longer_than_a_minute(line: Wired) -> None:
    line.servers["whatsapp"].plan = [Reply(status=503)] * 50
    await line.world.fail()
    for _ in range(4):
        await line.world.tick(16)

    assert line.spare.kinds == ["alert"]


async def test_with_no_other_address_a_lost_message_is_sent_once_more(world: World) -> None:
    async with wired(world, whatsapp=benches.WHATSAPP_TWILIO) as line:
        await line.add("Tariro", "whatsapp", PHONE)
        _, sid = await alerted(line)
        await line.servers["whatsapp"].report(sid, "failed", code=63018)
        await world.settle()
        second = next(reversed(messages(line)))
        assert second != sid
        await line.servers["whatsapp"].report(second, "failed", code=63018)
        await world.settle()

        assert len(messages(line)) == 2


async def test_without_a_public_address_receipts_are_asked_for(world: World) -> None:
    async with wired(world, public=False, whatsapp=benches.WHATSAPP_TWILIO) as line:
        await line.add("Tariro", "whatsapp", PHONE)
        incident, sid = await alerted(line)
        assert "StatusCallback" not in messages(line)[sid]
        await line.servers["whatsapp"].report(sid, "delivered")
        await world.tick(6)

        assert (await world.types(incident))[-1] == "alert_delivered"
        assert line.servers["whatsapp"].problems == []


async def test_before_giving_up_the_provider_is_asked_once(line: Wired) -> None:
    """A callback may be lost on the way; Twilio repeats none."""
    incident, sid = await alerted(line)
    messages(line)[sid]["status"] = "read"
    await line.world.tick(61)

    assert line.spare.sent == []
    assert (await line.world.types(incident))[-1] == "alert_read"


async def test_a_provider_that_does_not_answer_the_question_is_not_waited_for(line: Wired) -> None:
    await alerted(line)
    line.servers["whatsapp"].plan = [Misbehave.CUT]
    await line.world.tick(61)

    assert line.spare.kinds == ["alert"]


@pytest.mark.parametrize(
    ("status", "answered_by", "outcome"),
    [
        ("completed", "human", "alert_delivered"),
        ("completed", "machine_start", "alert_dead"),
        ("completed", "fax", "alert_dead"),
        ("completed", None, "alert_dead"),
        ("busy", None, "alert_dead"),
        ("no-answer", None, "alert_dead"),
        ("ringing", None, "alert_accepted"),
    ],
)
async def test_a_mailbox_is_nobody(world: World, status: str, answered_by: str | None, outcome: str) -> None:
    async with wired(world, phone=benches.VOICE_TWILIO) as line:
        await line.add("Tariro", "phone", PHONE)
        incident = await world.fail()
        [sid] = line.servers["phone"].calls
        assert await line.servers["phone"].report(sid, status, answered_by=answered_by) == 204

        types = [t for t in await world.types(incident) if t != "alert_queued"]
        assert types[-1] == outcome


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        ("DELIVERED", None, "alert_delivered"),
        ("READ", None, "alert_read"),
        ("FILTERED", None, "alert_dead"),
        ("BLOCKED", "BUSINESS_012", "alert_dead"),
        ("FAILED", "ERR_CONSENT_BLOCKED", "alert_dead"),
        ("SENT", None, "alert_accepted"),
    ],
)
async def test_sent_reports_by_signed_events(
    world: World, status: str, code: str | None, outcome: str
) -> None:
    async with wired(world, whatsapp=benches.WHATSAPP_SENT) as line:
        await line.add("Tariro", "whatsapp", PHONE)
        incident = await world.fail()
        server, url, now = line.servers["whatsapp"], f"{PUBLIC}/hooks/sent", world.clock.now().timestamp()
        [message_id] = server.messages
        assert await server.report(url, message_id, status, now - 301, code=code) == 401
        assert await server.report(url, message_id, status, now, code=code, secret="whsec_AAAA") == 401
        assert await server.report(url, message_id, status, now, code=code) == 204

        assert (await world.types(incident))[-1] == outcome


async def test_sent_is_asked_where_no_webhook_is_set_up(world: World) -> None:
    bench = benches.Bench(
        **{
            **vars(benches.WHATSAPP_SENT),
            "settings": lambda server: {"api_key": sent.API_KEY, "base_url": server.url},
        }
    )
    async with wired(world, whatsapp=bench) as line:
        await line.add("Tariro", "whatsapp", PHONE)
        incident = await world.fail()
        [message] = line.servers["whatsapp"].messages.values()
        message["status"] = "DELIVERED"
        await world.tick(6)

        assert (await world.types(incident))[-1] == "alert_delivered"


async def test_a_hook_takes_garbage_without_harm(line: Wired) -> None:
    await alerted(line)
    for provider in ("twilio", "sent"):
        for body in (
            b"",
            b"\xff\xfe",
            b"{" * 5000,
            b"a=" * 3000,
            b"AccountSid=" + twilio.ACCOUNT_SID.encode(),
        ):
            assert (await line.http.post(f"/hooks/{provider}", content=body)).status_code == 401
