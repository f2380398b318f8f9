"""The table of what each channel can do, in docs/channels.md, is drawn from the channels themselves.

Where this fails: `UPDATE_DOCS=1 pytest -n 0 tests/channels/test_channel_table.py` writes it anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from alertengine import registry
from alertengine.core.message import MessageKind
from alertengine.ports import Traits
from channels.benches import BENCHES, Bench, opened

DOCS = Path(__file__).parents[2] / "docs" / "channels.md"
BEGIN, END = "<!-- drawn from the channels: begin -->\n", "<!-- drawn from the channels: end -->\n"
NAMES = {
    "slack": "`slack`, webhook",
    "slack_bot": "`slack`, app",
    "webhook": "`webhook`",
    "pagerduty": "`webhook`, pagerduty",
    "teams": "`webhook`, teams",
    "discord": "`webhook`, discord",
}
TITLES = (
    "channel",
    "arrival is known",
    "repeated, once",
    "people answer",
    "first message amended",
    "proof by link",
)
HEAD = f"| {' | '.join((*TITLES, 'used for'))} |\n"


async def table() -> str:
    rows = [await _row(name, bench) for name, bench in BENCHES.items()]
    return HEAD + "|---" * 7 + "|\n" + "".join(rows)


async def _row(name: str, bench: Bench) -> str:
    async with opened(bench, "https://alerts.example.com") as bench_open:
        channel: Any = bench_open.channel
    traits: Traits = channel.traits
    cells = (
        NAMES.get(name, f"`{name}`"),
        _yes(traits.receipts),
        _yes(traits.idempotent),
        _yes(hasattr(channel, "answer") and (traits.chats or _hears(bench))),
        _yes(traits.amends),
        _yes(traits.invites),
        _use(traits),
    )
    return f"| {' | '.join(cells)} |\n"


def _use(traits: Traits) -> str:
    if traits.informs:
        return "information alone"
    return "what is urgent" if traits.kinds != frozenset(MessageKind) else "everything"


def _hears(bench: Bench) -> bool:
    """Its taps come as calls, for which it needs what signs them."""
    keys = bench.settings(_Anywhere())
    return bench.kind in ("whatsapp_twilio", "voice_twilio") or "signing_secret" in keys


class _Anywhere:
    url = webhook_url = "http://127.0.0.1:1"


def _yes(value: bool) -> str:
    return "yes" if value else "–"


async def test_the_table_in_the_documentation_is_true() -> None:
    text = DOCS.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    shown, _, after = rest.partition(END)
    drawn = await table()
    if os.environ.get("UPDATE_DOCS"):
        DOCS.write_text(before + BEGIN + drawn + END + after, encoding="utf-8")
        shown = drawn

    assert shown == drawn
    assert {bench.kind for bench in BENCHES.values()} | {"console"} == set(registry.CHANNELS)


async def test_a_channel_does_what_it_is_said_to() -> None:
    for bench in BENCHES.values():
        async with opened(bench, "https://alerts.example.com") as bench_open:
            channel: Any = bench_open.channel
            traits: Traits = channel.traits
            assert hasattr(channel, "look_up") >= traits.receipts
            assert hasattr(channel, "amend") >= traits.amends
            assert hasattr(channel, "listen") >= traits.chats
            assert hasattr(channel, "invitation") >= traits.invites
