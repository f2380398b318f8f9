"""Five ways to decide, twenty taps by each at once: one run, and every other copy says who did it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from alertengine.pipeline.taps import hear
from channels import benches
from channels.wired import PUBLIC, Wired, wired
from world import World

TAPS = 20
CHAT, NUMBER, OTHER_NUMBER = 1001, benches.PHONE, "+263772222222"


async def test_five_channels_and_a_hundred_taps_are_one_run(world: World) -> None:
    async with wired(
        world,
        telegram=benches.TELEGRAM,
        slack=benches.SLACK_BOT,
        twilio=benches.WHATSAPP_TWILIO,
        sent=benches.WHATSAPP_SENT,
        hook=benches.WEBHOOK,
    ) as line:
        line.servers["slack"].channels = {"U0001"}
        people = [("A", "telegram", str(CHAT)), ("B", "slack", "U0001"), ("C", "twilio", NUMBER)]
        people += [("D", "sent", OTHER_NUMBER), ("E", "hook", "")]
        for name, channel, address in people:
            await line.add(name, channel, address)
        incident = await world.fail()
        await _see(line)
        links = [m["url"].partition("token=")[2] for m in line.servers["hook"].messages.values() if m["url"]]
        links.append(_sent_link(line))
        await asyncio.gather(
            *(_telegram(line) for _ in range(TAPS)),
            *(_slack(line) for _ in range(TAPS)),
            *(_whatsapp(line) for _ in range(TAPS)),
            *(_page(line, token) for token in links for _ in range(TAPS)),
        )
        await _hear_telegram(line)
        await world.settle()

        assert len(world.action.runs) == 1
        assert (await world.types(incident)).count("recovery_authorized") == 1
        [event] = [e for e in await world.events(incident) if e.type == "recovery_authorized"]
        winner = event.actor.name
        copies = {"telegram": line.servers["telegram"].messages[0]["text"]}
        copies["slack"] = str(line.servers["slack"].messages[0]["blocks"])
        assert all(f"{winner} authorized restart-pool" in text for text in copies.values())
        assert "reply_markup" not in line.servers["telegram"].messages[0]
        # Those whose first message cannot be amended are told in another.
        told = [str(m.get("ContentVariables", "")) for m in line.servers["twilio"].messages.values()]
        told += [str(m) for m in line.servers["sent"].messages.values()]
        told += [str(m) for m in line.servers["hook"].messages.values()]
        assert sum(f"{winner} authorized restart-pool" in text for text in told) == 3
        assert all(server.problems == [] for server in line.servers.values())


async def _see(line: Wired) -> None:
    """The first of the two steps, in each chat."""
    server = line.servers["telegram"]
    rows = server.messages[0]["reply_markup"]["inline_keyboard"]
    await server.press(next(b["callback_data"] for b in rows[1] if b["text"] == "Decide here"), CHAT)
    await _hear_telegram(line)
    slack = line.servers["slack"]
    await slack.press(
        f"{PUBLIC}/hooks/slack", _value(slack.messages[0], "Decide here"), "U0001", 0, _now(line)
    )
    code = _code(line)
    await line.servers["twilio"].write(f"{PUBLIC}/hooks/twilio", NUMBER, code)
    await line.world.settle()


def _now(line: Wired) -> float:
    return line.world.clock.now().timestamp()


def _value(message: dict[str, Any], label: str) -> str:
    elements = [e for block in message["blocks"] if block["type"] == "actions" for e in block["elements"]]
    return str(next(e["value"] for e in elements if e["text"]["text"] == label))


def _code(line: Wired) -> str:
    [asked] = [m for m in line.servers["twilio"].messages.values() if "ContentVariables" in m][:1]
    found = re.search(r"reply ([0-9]{4}) here", asked["ContentVariables"])
    assert found
    return found[1]


def _sent_link(line: Wired) -> str:
    [asked] = [m for m in line.servers["sent"].messages.values() if m["template"]["name"] == "ae_incident"]
    return str(asked["template"]["parameters"]["link"]).partition("token=")[2]


async def _telegram(line: Wired) -> None:
    server = line.servers["telegram"]
    rows = server.messages[-1]["reply_markup"]["inline_keyboard"]
    await server.press(rows[0][0]["callback_data"], CHAT)


async def _hear_telegram(line: Wired) -> None:
    channel: Any = line.world.engine.channels["telegram"]
    taps = await channel.listen()
    await asyncio.gather(*(hear(line.world.engine, channel, tap) for tap in taps))


async def _slack(line: Wired) -> None:
    slack = line.servers["slack"]
    place = next(n for n, m in enumerate(slack.messages) if "This would run" in m["text"])
    value = _value(slack.messages[place], "Run restart-pool now")
    await slack.press(f"{PUBLIC}/hooks/slack", value, "U0001", place, _now(line))


async def _whatsapp(line: Wired) -> None:
    await line.servers["twilio"].write(f"{PUBLIC}/hooks/twilio", NUMBER, f"{_code(line)} YES")


async def _page(line: Wired, token: str) -> None:
    form = {"token": token}
    answer = await line.http.post("/action/recover/confirm", data=form)
    assert answer.status_code in (200, 409, 429), answer.text
