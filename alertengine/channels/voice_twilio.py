"""Telephone calls by Twilio: the alert, spoken."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal
from xml.sax.saxutils import escape

from pydantic import ConfigDict, Field

from alertengine.channels.twilio import Account, AccountConfig
from alertengine.channels.whatsapp import check_number
from alertengine.core.fit import clip, flatten
from alertengine.core.message import URGENT, Message
from alertengine.core.model import Contact
from alertengine.ports import Receipt, Traits
from alertengine.tools import Tools

RING_S = 25
"""Shorter than most mailboxes wait: a voicemail is nobody."""
SPOKEN_LIMIT = 600
EVENTS = ("initiated", "ringing", "answered", "completed")


class Config(AccountConfig):
    """`from` is a telephone number of the account."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Literal["voice_twilio"]
    sender: Annotated[str, Field(alias="from", pattern=r"^\+[1-9][0-9]{6,14}$")]


EXAMPLE = """
[channels.voice]
kind = "voice_twilio"
account_sid = "AC..."                # or the environment: TWILIO_ACCOUNT_SID
auth_token = "..."                   # or: auth_token_file, TWILIO_AUTH_TOKEN
from = "+14155550100"
"""


class TwilioVoiceChannel:
    kind = "voice_twilio"
    traits = Traits(idempotent=False, kinds=URGENT)

    def __init__(self, name: str, config: Config, tools: Tools) -> None:
        self.name = name
        self._config = config
        self._account = Account(config, tools)

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        form = [
            ("To", check_number(contact.address)),
            ("From", self._config.sender),
            ("Twiml", _twiml(message)),
            ("Timeout", str(RING_S)),
        ]
        if self._account.callback:
            form += [("StatusCallback", self._account.callback), ("StatusCallbackMethod", "POST")]
            form += [("StatusCallbackEvent", event) for event in EVENTS]
        made = await self._account.post("Calls", form)
        return Receipt(provider_message_id=made["sid"])


def _twiml(message: Message) -> str:
    words = escape(clip(spoken(message), SPOKEN_LIMIT))
    return f'<Response><Say loop="2">{words}</Say><Pause length="1"/><Hangup/></Response>'


def spoken(message: Message) -> str:
    """The message as a voice reads it: no signs, no addresses, "percent" for %."""
    said = " ".join(("Alert Engine.", message.title, *message.body))
    said = "".join(c for c in flatten(said) if unicodedata.category(c) not in ("So", "Mn") and c != '"')
    said = re.sub(r"\s*%", " percent", said).replace("/", " ").replace("·", ",")
    return " ".join(said.split()) + " The link to decide is in your messages."
