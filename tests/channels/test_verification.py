"""Nothing is sent to an address before its owner has proved that it is theirs."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from alertengine.pipeline.verify import LIFE_S
from alertengine.store import directory
from channels import benches
from channels.wired import ADMIN, Wired, wired
from world import World

OPERATOR = {"authorization": f"Bearer {ADMIN}"}
PHONE = benches.PHONE


@pytest.fixture
async def line(world: World) -> AsyncIterator[Wired]:
    channels = {"whatsapp": benches.WHATSAPP_SENT, "telegram": benches.TELEGRAM, "slack": benches.SLACK}
    async with wired(world, **channels, phone=benches.VOICE_TWILIO) as opened:
        yield opened


async def onboarded(line: Wired, **body: Any) -> dict[str, Any]:
    given = {"service_name": "orders", "health_url": "http://127.0.0.1:2/health/alerts", **body}
    answer = await line.http.post("/onboard", json=given, headers=OPERATOR)
    assert answer.status_code == 201, answer.text
    await line.world.settle()
    made: dict[str, Any] = answer.json()
    return made


def code_in(text: str) -> str:
    found = re.search(r"\b[0-9]{6}\b", text)
    assert found is not None, text
    return found[0]


def whatsapp_code(line: Wired) -> str:
    message = list(line.servers["whatsapp"].messages.values())[-1]
    return code_in(message["template"]["parameters"]["what"])


async def verified(line: Wired, phone: str, code: str) -> httpx2.Response:
    return await line.http.post("/verify", json={"phone": phone, "code": code})


async def contacts(line: Wired, made: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await line.http.get(f"/tenant/{made['tenant_id']}/contacts", headers=OPERATOR)
    found: list[dict[str, Any]] = answer.json()["contacts"]
    return found


async def test_a_number_is_verified_by_the_code_that_was_sent_there(line: Wired) -> None:
    made = await onboarded(line, whatsapp_numbers=[PHONE])
    assert (made["status"], made["contacts_pending"]) == ("pending_verification", [PHONE])

    answer = await verified(line, PHONE, whatsapp_code(line))
    assert answer.status_code == 200
    assert answer.json()["verified"] is True
    assert [c["verified"] for c in await contacts(line, made)] == [True]
    assert (await verified(line, PHONE, whatsapp_code(line))).status_code == 400, "a code is used once"


async def test_before_that_nothing_is_sent_to_it(line: Wired) -> None:
    made = await onboarded(line, whatsapp_numbers=[PHONE])
    test = f"/tenant/{made['tenant_id']}/test"
    await line.http.post(test, headers=OPERATOR)
    await line.world.settle()
    assert len(line.servers["whatsapp"].messages) == 1, "the code alone"

    await verified(line, PHONE, whatsapp_code(line))
    await line.http.post(test, headers=OPERATOR)
    await line.world.settle()
    assert len(line.servers["whatsapp"].messages) == 2
    assert line.servers["whatsapp"].problems == []


async def test_wrong_over_and_unknown_are_answered_alike(line: Wired) -> None:
    await onboarded(line, whatsapp_numbers=[PHONE])
    code = whatsapp_code(line)
    wrong = await verified(line, PHONE, "x" + code[1:])
    unknown = await verified(line, "+263770000000", code)
    line.world.clock.advance(LIFE_S)
    over = await verified(line, PHONE, code)

    assert {a.status_code for a in (wrong, unknown, over)} == {400}
    assert wrong.content == unknown.content == over.content


async def test_five_tries_a_code_then_a_new_one_is_needed(line: Wired) -> None:
    made = await onboarded(line, whatsapp_numbers=[PHONE])
    code = whatsapp_code(line)
    for _ in range(5):
        assert (await verified(line, PHONE, "000000" if code != "000000" else "111111")).status_code == 400
    assert (await verified(line, PHONE, code)).status_code == 400

    [contact] = await contacts(line, made)
    again = f"/tenant/{made['tenant_id']}/contacts/{contact['contact_id']}/code"
    assert (await line.http.post(again, headers=OPERATOR)).status_code == 429
    line.world.clock.advance(31)
    assert (await line.http.post(again, headers=OPERATOR)).json()["problem"] is None
    assert (await verified(line, PHONE, whatsapp_code(line))).status_code == 200


async def test_five_codes_an_hour(line: Wired) -> None:
    made = await onboarded(line, whatsapp_numbers=[PHONE])
    [contact] = await contacts(line, made)
    again = f"/tenant/{made['tenant_id']}/contacts/{contact['contact_id']}/code"
    statuses = []
    for _ in range(6):
        line.world.clock.advance(31)
        statuses.append((await line.http.post(again, headers=OPERATOR)).status_code)
    line.world.clock.advance(3600)

    assert statuses == [202, 202, 202, 202, 429, 429]
    assert (await line.http.post(again, headers=OPERATOR)).status_code == 202


async def test_a_code_that_went_to_a_wrong_number_proves_nothing_after_it_was_corrected(line: Wired) -> None:
    made = await onboarded(line, whatsapp_numbers=["+263771999999"])
    strangers = whatsapp_code(line)
    [contact] = await contacts(line, made)
    at = f"/tenant/{made['tenant_id']}/contacts/{contact['contact_id']}"
    answer = await line.http.patch(at, json={"address": PHONE}, headers=OPERATOR)
    assert answer.status_code == 200, answer.text
    await line.world.settle()

    # A new one went to the right number at once, and is another.
    assert list(line.servers["whatsapp"].messages.values())[-1]["to"] == [PHONE]
    for who in (PHONE, contact["contact_id"], "+263771999999"):
        assert (await verified(line, who, strangers)).status_code == 400
    assert (await verified(line, PHONE, whatsapp_code(line))).status_code == 200


async def test_who_tries_too_fast_is_slowed_down(line: Wired) -> None:
    statuses = [(await verified(line, "+26377000000", "000000")).status_code for _ in range(25)]

    assert statuses == [400] * 20 + [429] * 5


async def test_a_code_can_be_heard(line: Wired) -> None:
    await onboarded(line, contacts=[{"name": "Rudo", "channel": "phone", "address": PHONE}])
    [call] = line.servers["phone"].calls.values()
    spoken = re.search(r"your code is ((?:[0-9] ){6})", call["Twiml"].replace(".", " ."))

    assert spoken is not None, call["Twiml"]
    assert (await verified(line, PHONE, spoken[1].replace(" ", ""))).status_code == 200


async def test_every_field_of_its_own_makes_a_contact(line: Wired) -> None:
    made = await onboarded(
        line,
        whatsapp_numbers=[PHONE, "+263779999999"],
        telegram_chat_id=1001,
        slack_webhook_url=line.servers["slack"].webhook_url,
    )
    found = await contacts(line, made)
    assert [c["channel"] for c in found] == ["whatsapp", "whatsapp", "telegram", "slack"]
    code = code_in(line.servers["telegram"].messages[0]["text"])
    assert (await verified(line, "1001", code)).status_code == 200
    code = code_in(line.servers["slack"].messages[0]["text"])
    assert (await verified(line, found[3]["contact_id"], code)).status_code == 200


async def test_a_contacts_own_secrets_are_sealed(line: Wired) -> None:
    url = line.servers["slack"].webhook_url
    made = await onboarded(
        line, telegram_chat_id="1001", telegram_bot_token="999:token", slack_webhook_url=url
    )
    stored = await line.world.engine.store.fetch(directory.contacts(made["tenant_id"]))
    shown = str(await contacts(line, made))

    for secret in (url, "999:token"):
        assert secret not in str(stored)
        assert secret not in shown
        assert secret not in str(made)
    assert "/bot999:token/" in line.servers["telegram"].requests[0].target, "the contact's own bot speaks"


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        ({"whatsapp_numbers": ["0771234567"]}, "+263771234567"),
        ({"telegram_chat_id": "not a chat"}, "number of a chat"),
        ({"contacts": [{"name": "Rudo", "channel": "phone", "address": "12"}]}, "+263771234567"),
    ],
)
async def test_an_address_that_is_none_is_refused(line: Wired, body: dict[str, Any], remedy: str) -> None:
    given = {"service_name": "orders", "health_url": "http://127.0.0.1:2/health/alerts", **body}
    answer = await line.http.post("/onboard", json=given, headers=OPERATOR)

    assert answer.status_code == 422
    assert remedy in answer.json()["detail"]


async def test_a_code_that_cannot_be_sent_says_why(line: Wired) -> None:
    made = await onboarded(line, telegram_chat_id="2002")
    [contact] = await contacts(line, made)
    line.world.clock.advance(31)
    again = f"/tenant/{made['tenant_id']}/contacts/{contact['contact_id']}/code"
    answer = await line.http.post(again, headers=OPERATOR)

    assert "must press Start" in answer.json()["problem"]
