"""What comes of an incident stands in the message by which people were asked, and no new message says it again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from model_benches import BENCHES, TERMS, built

from alertengine.pipeline.taps import hear
from alertengine.testing.wire.telegram import refused
from channels import benches
from channels.wired import Wired, wired
from world import World

TARIRO, RUDO = 1001, 1002


@pytest.fixture
async def line(world: World) -> AsyncIterator[Wired]:
    async with wired(
        world, telegram=benches.TELEGRAM, slack=benches.SLACK_BOT, wa=benches.WHATSAPP_SENT
    ) as opened:
        opened.servers["telegram"].chats = {TARIRO, RUDO}
        await opened.add("Tariro", "telegram", str(TARIRO))
        await opened.add("Rudo", "telegram", str(RUDO))
        await opened.add("ops", "slack", "C0001")
        await opened.add("Chipo", "wa", benches.PHONE)
        yield opened


def chat(line: Wired, person: int) -> list[dict[str, Any]]:
    return [m for m in line.servers["telegram"].messages if m["chat"]["id"] == person]


def labels(message: dict[str, Any]) -> list[str]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]


async def tap(line: Wired, label: str, user: int = TARIRO) -> None:
    server, channel = line.servers["telegram"], line.world.engine.channels["telegram"]
    message = next(m for m in reversed(chat(line, user)) if label in labels(m))
    rows = message["reply_markup"]["inline_keyboard"]
    data = next(b["callback_data"] for row in rows for b in row if b["text"] == label)
    await server.press(data, user)
    await _hear(line, channel)


async def _hear(line: Wired, channel: Any) -> None:
    for one in await channel.listen():
        await hear(line.world.engine, channel, one)
    await line.world.settle()


async def test_who_took_it_on_stands_in_the_question_which_still_can_be_answered(line: Wired) -> None:
    await line.world.fail()
    first = labels(chat(line, RUDO)[0])
    await tap(line, "Acknowledge")
    [message] = chat(line, RUDO)

    assert message["text"].startswith("<b>🔴 payments: POST /pay is failing</b>")
    assert "Tariro is on it" in message["text"]
    assert labels(message) == first
    assert "Tariro is on it" in chat(line, TARIRO)[0]["text"]


async def test_who_authorized_it_how_it_went_and_what_became_of_it(line: Wired) -> None:
    await line.world.fail()
    await tap(line, "Decide here")
    await tap(line, "Run restart-pool now")
    [message] = chat(line, RUDO)
    assert "Tariro authorized restart-pool" in message["text"]
    assert "It reports success: done" in message["text"]
    assert labels(message) == []

    await line.world.heal()
    first, end = chat(line, RUDO)
    assert end["reply_parameters"]["message_id"] == first["message_id"]
    assert "Recovered: payments is healthy" in end["text"]
    assert "Before: payments: POST /pay is failing" in first["text"]
    assert "Tariro authorized restart-pool via telegram" in first["text"]
    assert "Health verified" in first["text"]


async def test_in_slack_what_follows_stands_in_the_thread(line: Wired) -> None:
    await line.world.fail()
    await tap(line, "Decide here")
    await tap(line, "Run restart-pool now")
    await line.world.heal()
    first, end = line.servers["slack"].messages

    assert end["thread_ts"] == first["ts"]
    assert "Tariro authorized restart-pool" in str(first["blocks"])


async def test_a_channel_that_cannot_amend_gets_a_message_for_each(line: Wired) -> None:
    await line.world.fail()
    await tap(line, "Decide here")
    await tap(line, "Run restart-pool now")
    await line.world.heal()
    messages = [m["template"]["parameters"] for m in line.servers["wa"].messages.values()]
    _, authorized, recovered = messages

    assert "Tariro authorized restart-pool at" in authorized["what"]
    assert authorized["details"] == "Before: payments: POST /pay is failing."
    assert "payments is healthy" in recovered["what"]


async def test_what_cannot_be_amended_is_said_in_a_message(line: Wired) -> None:
    """Somebody deleted the question, or it is too old."""
    await line.world.fail()
    gone = refused(400, "Bad Request: message to edit not found")
    await tap(line, "Decide here")
    server = line.servers["telegram"]
    answer = server.answer
    server.answer = lambda request: gone if request.path.endswith("editMessageText") else answer(request)
    await tap(line, "Run restart-pool now")

    assert "Tariro authorized restart-pool" in chat(line, RUDO)[-1]["text"]
    assert len(chat(line, RUDO)) == 2


async def test_what_a_model_says_later_is_told_under_the_question_and_stands_in_it(line: Wired) -> None:
    bench = BENCHES["claude"]
    async with bench.server() as server, built(bench, server) as model:
        terms = replace(TERMS, deadline_s=0.0)
        line.world.engine = replace(line.world.engine, model=model, terms=terms)
        await line.world.fail()

    first, reply = chat(line, RUDO)
    assert reply["reply_parameters"]["message_id"] == first["message_id"]
    assert "not verified" in reply["text"]
    assert "not verified" in first["text"]
    assert "has not answered yet" not in first["text"]
    assert "Decide here" in labels(first)
    question, under = line.servers["slack"].messages
    assert under["thread_ts"] == question["ts"]
    assert "not verified" in str(question["blocks"])
