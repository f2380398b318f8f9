"""The messages of one run as chats and the terminal show them: python tests/browser/chats.py docs/images

Drawn from what the providers' servers took, in two languages; the looks of the chats are our own sketch.
"""

from __future__ import annotations

import asyncio
import base64
import html
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from phone import phone

from alertengine.core.cost import Value
from alertengine.core.model import rfc3339
from alertengine.pipeline import approve
from channels import benches
from channels.wired import Wired, wired
from world import World, open_world

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "tests" / "contract" / "health_report.json"
WIDTH, HEIGHT = 1340, 600
BENCHES = {
    "telegram": benches.TELEGRAM,
    "wa": benches.WHATSAPP_TWILIO,
    "slack": benches.SLACK_BOT,
    "voice": benches.VOICE_TWILIO,
    "teams": benches.TEAMS,
    "discord": benches.DISCORD,
    "pagerduty": benches.PAGERDUTY,
}
PEOPLE = (
    ("Tariro", "telegram", "1001"),
    ("Rudo", "wa", benches.PHONE),
    ("Payments team", "slack", "C0001"),
    ("Chipo", "spare", ""),
    ("Farai", "voice", benches.PHONE),
    ("The office", "teams", ""),
    ("The workshop", "discord", ""),
    ("The rota", "pagerduty", ""),
)
NAMES = {"whatsapp": "WhatsApp", "pagerduty": "PagerDuty"}
SINCE = re.compile(r'"since": "[^"]*"')
STYLE = """<!doctype html><meta charset="utf-8"><style>
body{margin:0;padding:14px;background:#dcdcdc;font:13px/1.4 system-ui,sans-serif;color:#111}
section{display:grid;grid-template-columns:repeat(4,1fr);gap:12px;margin-bottom:14px;align-items:start}
h2{font-size:13px;margin:0 0 6px;color:#444;font-weight:600} article{padding:10px;border-radius:8px}
.b{background:#fff;border-radius:3px 12px 12px;padding:9px 11px;margin-bottom:8px;overflow-wrap:anywhere;
white-space:pre-line} .k{display:block;text-align:center;border-radius:7px;padding:6px;margin-top:4px}
.telegram{background:#cfe0ea}.telegram .k{background:#5b8fb0;color:#fff}
.whatsapp{background:#e9e1d6}.whatsapp .k{border-top:1px solid #ddd;color:#0b6fb5;border-radius:0}
.slack{background:#fff;border:1px solid #ccc}.slack .b{padding:0}.slack .k{display:inline-block;border:1px solid #999;
padding:4px 10px;margin-right:6px}.slack small{color:#666}.terminal{background:#181c20;color:#dde3e6;
font:11.5px/1.45 ui-monospace,monospace}.terminal .b{background:none;padding:0}.telephone{background:#e3e8d8}
.teams{background:#e8e8f4}.teams .k{border:1px solid #99c}.discord{background:#313338;color:#dbdee1}
.discord .b{background:none;padding:0}.pagerduty{background:#dcebdf}.pagerduty .k{border:1px solid #7a9}
</style>"""


@dataclass(frozen=True)
class Run:
    """What the providers had when people were asked, and in the end; and what stood on the terminal."""

    asked: Mapping[str, list[dict[str, Any]]]
    after: Mapping[str, list[dict[str, Any]]]
    written: list[str]


async def run(world: World, language: str) -> Run:
    """It fails, is approved on the page and heals; in one language."""
    world.engine = replace(
        world.engine, values={"payments": {"POST /pay": Value(noun="payments", amount=2.5, currency="USD")}}
    )
    async with wired(world, **BENCHES) as line:
        line.servers["telegram"].chats = {1001}
        for name, channel, address in PEOPLE:
            await line.add(name, channel, address, language=language)
        began = rfc3339(world.clock.now() - timedelta(seconds=3))
        world.source.report = json.loads(SINCE.sub(f'"since": "{began}"', REPORT.read_text(encoding="utf-8")))
        await world.tick()
        await world.tick()
        asked = {name: _taken(line, name) for name in BENCHES}
        await approve.confirm(world.engine, line.spare.last_token, {})
        await world.settle()
        await world.heal()
        after = {name: _taken(line, name) for name in BENCHES}
        return Run(asked, after, [message.text for _, message, _ in line.spare.sent])


def _taken(line: Wired, name: str) -> list[dict[str, Any]]:
    server = line.servers[name]
    taken = server.calls if name == "voice" else server.messages
    return json.loads(json.dumps(list(taken.values()) if isinstance(taken, dict) else taken))


def drawn(run: Run) -> str:
    telegram = [*run.asked["telegram"][:1], *run.after["telegram"]]
    columns = {
        "telegram": "".join(_telegram(message) for message in telegram),
        "whatsapp": "".join(_whatsapp(message) for message in run.after["wa"]),
        "slack": "".join(_slack(message) for message in (*run.asked["slack"][:1], *run.after["slack"])),
        "terminal": "".join(f"<div class=b>{html.escape(_cut(text))}</div>" for text in run.written),
        "telephone": "".join(_telephone(message) for message in run.after["voice"]),
        "teams": "".join(_teams(message) for message in run.after["teams"]),
        "discord": "".join(_discord(message) for message in run.after["discord"]),
        "pagerduty": "".join(_pagerduty(message) for message in run.after["pagerduty"]),
    }
    return "<section>" + "".join(_column(name, text) for name, text in columns.items()) + "</section>"


def _column(name: str, text: str) -> str:
    return f"<div><h2>{NAMES.get(name, name.capitalize())}</h2><article class={name}>{text}</article></div>"


def _cut(text: str) -> str:
    """A long link is cut as chats cut it."""
    return re.sub(r"(https://\S{30})\S+", r"\1…", text)


def _telegram(message: dict[str, Any]) -> str:
    rows = (message.get("reply_markup") or {}).get("inline_keyboard", [])
    return f"<div class=b>{message['text']}{_keys(b['text'] for row in rows for b in row)}</div>"


def _whatsapp(message: dict[str, Any]) -> str:
    """The template as docs/channels.md has it, with this message's values."""
    values = json.loads(message["ContentVariables"])
    with_link = message["ContentSid"] == benches.WHATSAPP_TWILIO.settings(_Nowhere())["content_sid"]
    texts = re.findall(r"^> (.*)$", (ROOT / "docs" / "channels.md").read_text(encoding="utf-8"), re.MULTILINE)
    template = next(t for t in texts if ("{{4}}" in t) == with_link and "{{1}}" in t)
    text = re.sub(r"\{\{(\d)\}\}", lambda found: values[found[1]], template)
    return f"<div class=b>{html.escape(text)}{_keys(['Review and decide'] if with_link else [])}</div>"


class _Nowhere:
    url = ""


def _slack(message: dict[str, Any]) -> str:
    return f"<div class=b>{''.join(_block(block) for block in message['blocks'])}</div>"


def _block(block: dict[str, Any]) -> str:
    if block["type"] == "actions":
        return _keys(button["text"]["text"] for button in block["elements"]) + "\n"
    if block["type"] == "context":
        return f"<small>{block['elements'][0]['text']}</small>\n"
    text = re.sub(r"\*(.+?)\*", r"<b>\1</b>", block["text"]["text"])
    return f"<b>{text}</b>\n" if block["type"] == "header" else f"{text}\n"


def _telephone(message: dict[str, Any]) -> str:
    said = re.findall(r"<Say[^>]*>(.*?)</Say>", message["Twiml"], re.DOTALL)
    return "".join(f"<div class=b>“{text}”</div>" for text in said)


def _teams(message: dict[str, Any]) -> str:
    card = message["attachments"][0]["content"]
    first, *lines = (_marked(block["text"]) for block in card["body"])
    keys = _keys(action["title"] for action in card.get("actions", []))
    return f"<div class=b><b>{first}</b>\n{chr(10).join(lines)}{keys}</div>"


def _discord(message: dict[str, Any]) -> str:
    return f"<div class=b>{_marked(_cut(message['content']))}</div>"


def _marked(text: str) -> str:
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html.escape(text))
    return re.sub(r"\\(.)", r"\1", bold)


def _pagerduty(message: dict[str, Any]) -> str:
    payload = message.get("payload")
    if payload is None:
        return f"<div class=b><small>{message['event_action']}</small></div>"
    text = html.escape(payload["custom_details"]["text"])
    keys = _keys(link["text"] for link in message.get("links", []))
    return f"<div class=b><b>{html.escape(payload['summary'])}</b>\n{text}{keys}</div>"


def _keys(labels: Iterator[str] | list[str]) -> str:
    return "".join(f"<span class=k>{html.escape(label)}</span>" for label in labels)


def shoot(folder: Path, page: Path, to: Path) -> None:
    with phone(folder / "profile") as hand:
        hand.become(width=WIDTH, height=HEIGHT, scale=1)
        hand.open(page.as_uri())
        height = hand.evaluate("Math.ceil(document.body.getBoundingClientRect().height)")
        hand.become(width=WIDTH, height=height, scale=1)
        shot = hand._tell("Page.captureScreenshot", {"format": "webp", "quality": 60})
        to.write_bytes(base64.b64decode(shot["data"]))


async def main(to: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        for language in ("en", "pt"):
            (folder := Path(name, language)).mkdir()
            async with open_world(folder) as world:
                page = folder / "sheet.html"
                page.write_text(STYLE + drawn(await run(world, language)), encoding="utf-8")
            await asyncio.to_thread(shoot, folder, page, to / f"chats-{language}.webp")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
