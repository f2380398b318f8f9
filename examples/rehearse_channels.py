"""Rehearse a channel without an account: Telegram's place is taken by a local server that checks every request.

    python examples/rehearse_channels.py

A message is refused with a rate limit, cut off after it was taken, and then arrives; no request breaks the format.
"""

from __future__ import annotations

import asyncio

from alertengine.channels.telegram import Config, TelegramChannel
from alertengine.clock import SystemClock
from alertengine.core.language import words
from alertengine.core.letter import Letter, compose
from alertengine.core.message import MessageKind
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError
from alertengine.http import Http
from alertengine.signing import Vault
from alertengine.testing import make_incident
from alertengine.testing.wire.loopback import Misbehave
from alertengine.testing.wire.telegram import TOKEN, TelegramServer, refused
from alertengine.tools import Tools


async def main() -> None:
    http = Http()
    tools = Tools(
        http=http,
        clock=SystemClock(),
        vault=Vault("a secret of at least 32 characters, for rehearsals"),
        new_id=lambda prefix: f"{prefix}_1",
        webhook_secrets=lambda tenant: (),
    )
    async with TelegramServer() as telegram:
        telegram.plan = [refused(429, "Too Many Requests: retry after 7", retry_after=7), Misbehave.CUT]
        channel = TelegramChannel(
            "rehearsal", Config(kind="telegram", bot_token=TOKEN, base_url=telegram.url), tools
        )
        tariro = Contact(id="con_1", tenant_id="ten_1", name="Tariro", channel="rehearsal", address="1001")
        now = tools.clock.now()
        letter = Letter(recipient="Tariro", now=now, queued_at=now, words=words("en"))
        message = compose(MessageKind.ALERT, make_incident(), letter)
        for _ in range(3):
            try:
                await channel.send(tariro, message, "one key for all tries")
            except DeliveryError as error:
                wait = f"; wait {error.retry_after_s:g} s" if error.retry_after_s else ""
                print(f"{error.fault}: {error}{wait}\n")
        for shown in telegram.messages:
            print(shown["text"], end="\n\n")
        print("problems:", telegram.problems)
    await http.close()


asyncio.run(main())
