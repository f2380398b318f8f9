"""What is particular to one provider."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from alertengine.channels.voice_twilio import spoken
from alertengine.channels.whatsapp import link_suffix, template_values
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, Fault
from alertengine.testing.wire import telegram
from channels import benches
from channels.benches import opened
from channels.letters import KEY, URL, alert, failure, hostile, recovered


def someone(address: str) -> Contact:
    return Contact(id="con_2", tenant_id="ten_1", name="Rudo", channel="bench", address=address)


async def test_telegram_shows_a_button_and_no_preview() -> None:
    async with opened(benches.TELEGRAM) as bench:
        receipt = await bench.channel.send(bench.contact, alert(), KEY)
        [message] = bench.server.messages

    assert receipt.provider_message_id == "1001:1"
    assert message["reply_markup"]["inline_keyboard"] == [[{"text": "Review and decide", "url": URL}]]
    assert URL not in message["text"]


async def test_telegram_gets_a_plain_link_where_a_button_would_lose_the_message() -> None:
    local = "http://localhost:9000/action/recover?token=t"
    async with opened(benches.TELEGRAM) as bench:
        await bench.channel.send(bench.contact, alert(local), KEY)
        [message] = bench.server.messages

    assert "reply_markup" not in message
    assert local in message["text"]


@pytest.mark.parametrize("refusal", ["can't parse entities: x", "BUTTON_URL_INVALID"])
async def test_telegram_goes_on_in_plain_text_after_its_form_was_refused(refusal: str) -> None:
    async with opened(benches.TELEGRAM) as bench:
        bench.server.plan = [telegram.refused(400, f"Bad Request: {refusal}")]
        assert (await failure(bench)).fault is Fault.TEMPLATE
        await bench.channel.send(bench.contact, alert(), KEY)
        await bench.channel.send(bench.contact, alert(), "msg_another")
        plain, usual = bench.server.messages

    assert "parse_mode" not in plain
    assert URL in plain["text"]
    assert usual["parse_mode"] == "HTML"


async def test_telegram_follows_a_group_to_its_new_number() -> None:
    async with opened(benches.TELEGRAM) as bench:
        bench.server.moved = {1001: -1002000}
        bench.server.chats = {-1002000}
        error = await failure(bench)
        receipt = await bench.channel.send(bench.contact, alert(), KEY)

    assert (error.fault, error.retry_after_s) == (Fault.RETRY, 0.0)
    assert receipt.provider_message_id == "-1002000:1"


async def test_twilio_sends_without_receipts_where_it_cannot_reach_us() -> None:
    async with opened(benches.WHATSAPP_TWILIO, "https://alerts.example.com") as bench:
        bench.server.reaches_callbacks = False
        assert (await failure(bench)).retry_after_s == 0.0
        await bench.channel.send(bench.contact, alert(), KEY)
        [message] = bench.server.messages.values()

    assert "StatusCallback" not in message


async def test_whatsapp_messages_are_templates_with_the_facts_one_by_one() -> None:
    async with opened(benches.WHATSAPP_TWILIO) as bench:
        await bench.channel.send(bench.contact, alert(), KEY)
        await bench.channel.send(bench.contact, recovered(), KEY)
        asked, told = bench.server.messages.values()

    values = list(json.loads(asked["ContentVariables"]).values())
    assert values[0] == "🔴 payments: POST /pay is failing"
    assert "61 % of requests" in values[1]
    assert "Likely: database connections" in values[2]
    assert "restart-pool" in values[3]
    assert values[4] == URL.removeprefix("https://alerts.example.com/")
    assert asked["ValidityPeriod"] == "300"
    assert list(json.loads(told["ContentVariables"])) == ["1", "2"]


@pytest.mark.parametrize("address", ["", "0771234567", "+2637712345678901", "whatsapp:+12", "+26377123456x"])
@pytest.mark.parametrize("bench", [benches.WHATSAPP_TWILIO, benches.WHATSAPP_SENT, benches.VOICE_TWILIO])
async def test_a_number_that_is_none_is_never_sent(bench: benches.Bench, address: str) -> None:
    async with opened(bench) as open_bench:
        with pytest.raises(DeliveryError, match=r"\+263771234567"):
            await open_bench.channel.send(someone(address), alert(), KEY)
        assert open_bench.server.requests == []


def test_a_template_value_is_never_empty() -> None:
    for message in (alert(), alert(None), hostile(), recovered()):
        values = template_values(message)
        assert all(v.strip() and "\n" not in v and len(v) <= 600 for v in values.values())


def test_the_link_of_a_template_is_what_follows_the_host() -> None:
    assert link_suffix("https://a.example.com/action/recover?token=x") == "action/recover?token=x"


async def test_a_call_says_the_alert_twice_and_hangs_up() -> None:
    async with opened(benches.VOICE_TWILIO, "https://alerts.example.com") as bench:
        await bench.channel.send(bench.contact, hostile(), KEY)  # it names no link, so there is no key
        [call] = bench.server.calls.values()
        events = [value for name, value in bench.server.requests[0].form if name == "StatusCallbackEvent"]

    root = ElementTree.fromstring(call["Twiml"])
    assert [element.tag for element in root] == ["Say", "Pause", "Hangup"]
    assert root[0].attrib == {"loop": "2", "language": "en-US"}
    assert events == ["initiated", "ringing", "answered", "completed"]


def test_what_is_spoken_has_no_signs() -> None:
    said = spoken(alert())

    assert "61 percent of requests to POST pay fail" in said
    assert not set(said) & set('🔴%/"')


async def test_slack_shows_a_button_and_rings_nobody() -> None:
    async with opened(benches.SLACK) as bench:
        await bench.channel.send(bench.contact, hostile(), KEY)
        [message] = bench.server.messages

    assert message["blocks"][2]["elements"][0]["url"] == URL
    assert bench.server.problems == []


async def test_pagerduty_opens_and_closes_one_incident() -> None:
    async with opened(benches.PAGERDUTY) as bench:
        await bench.channel.send(bench.contact, alert(), KEY)
        await bench.channel.send(bench.contact, recovered(), KEY)
        trigger, resolve = bench.server.messages

    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"]
    assert trigger["payload"]["custom_details"]["cause"] == "pool_exhaustion"


async def test_a_webhook_contact_may_bring_its_own_url() -> None:
    async with opened(benches.WEBHOOK) as bench:
        await bench.channel.send(someone(bench.server.url + "/own"), alert(), KEY)

        assert bench.server.requests[0].path == "/own"
        assert bench.server.problems == []
