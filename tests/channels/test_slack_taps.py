"""Decisions in Slack, by an app's signed buttons."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels import benches
from channels.wired import PUBLIC, Wired, wired
from world import World

HOOK = f"{PUBLIC}/hooks/slack"


@pytest.fixture
async def line(world: World) -> AsyncIterator[Wired]:
    """The channel C0001 of the team, and Tariro, who is U0001."""
    async with wired(world, slack=benches.SLACK_BOT) as opened:
        opened.servers["slack"].channels = {"C0001", "U0001"}
        await opened.add("ops", "slack", "C0001")
        await opened.add("Tariro", "slack", "U0001")
        yield opened


def messages(line: Wired) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = line.servers["slack"].messages
    return found


def values(message: dict[str, Any]) -> dict[str, str]:
    elements = [e for block in message["blocks"] if block["type"] == "actions" for e in block["elements"]]
    return {e["text"]["text"]: e["value"] for e in elements if "value" in e}


async def press(line: Wired, label: str, user: str = "U0001", message: int = 0) -> dict[str, Any]:
    """Press a button of a message; answer the newest message then."""
    now = line.world.clock.now().timestamp()
    value = values(messages(line)[message])[label]
    assert await line.servers["slack"].press(HOOK, value, user, message, now) == 204
    await line.world.settle()
    return messages(line)[-1]


async def test_first_it_is_shown_then_it_is_confirmed(line: Wired) -> None:
    incident = await line.world.fail()
    shown = await press(line, "Decide here")
    assert "This would run: restart-pool" in shown["text"]
    assert shown["thread_ts"] == messages(line)[0]["ts"]

    await press(line, "Run restart-pool now", message=messages(line).index(shown))
    assert len(line.world.action.runs) == 1
    [event] = [e for e in await line.world.events(incident) if e.type == "recovery_authorized"]
    assert (event.actor.name, event.data["sender"]) == ("Tariro", "U0001")
    assert "Tariro authorized restart-pool" in messages(line)[0]["text"]
    assert values(messages(line)[0]) == {}
    assert line.servers["slack"].problems == []


async def test_another_member_of_the_channel_decides_nothing(line: Wired) -> None:
    incident = await line.world.fail()

    assert "Only a verified approver" in (await press(line, "Decide here", "U0666"))["text"]
    assert "authorization_refused" in await line.world.types(incident)


async def test_a_press_that_is_forged_or_old_is_refused(line: Wired) -> None:
    await line.world.fail()
    server, now = line.servers["slack"], line.world.clock.now().timestamp()
    value = values(messages(line)[0])["Acknowledge"]

    assert await server.press(HOOK, value, "U0001", 0, now, secret="another") == 401
    assert await server.press(HOOK, value, "U0001", 0, now - 301) == 401
    assert await server.press(HOOK, value, "U0001", 0, now) == 204
