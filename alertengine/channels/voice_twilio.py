"""Telephone calls by Twilio: the alert, spoken."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape, quoteattr

from pydantic import ConfigDict, Field

from alertengine.channels.twilio import Account, AccountConfig
from alertengine.channels.whatsapp import check_number, number_complaint
from alertengine.core.fit import clip, flatten
from alertengine.core.message import URGENT, Message
from alertengine.core.model import Contact
from alertengine.core.taps import Verb, button
from alertengine.errors import Fault
from alertengine.ports import Call, Examination, Receipt, Reply, Report, Tap, Traits
from alertengine.tools import Tools

ACKNOWLEDGE_KEY = "1"
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
account_sid = "AC00000000000000000000000000000000"   # or the environment: TWILIO_ACCOUNT_SID
auth_token = "..."                   # or: auth_token_file, TWILIO_AUTH_TOKEN
from = "+14155550100"
"""


class TwilioVoiceChannel:
    kind = "voice_twilio"
    provider = "twilio"
    traits = Traits(idempotent=False, calls=True, kinds=URGENT, receipts=True, per_s=1, burst=1)

    def __init__(self, name: str, config: Config, tools: Tools) -> None:
        self.name = name
        self._config = config
        self._account = Account(config, tools)

    def complaint(self, contact: Contact) -> str | None:
        return number_complaint(contact.address)

    async def examine(self) -> Examination:
        return await self._account.examine()

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        form = [
            ("To", check_number(contact.address)),
            ("From", self._config.sender),
            ("Twiml", _twiml(message, self._account.callback)),
            ("Timeout", str(RING_S)),
            ("MachineDetection", "Enable"),  # a mailbox that listened is nobody
        ]
        if self._account.callback:
            form += [("StatusCallback", self._account.callback), ("StatusCallbackMethod", "POST")]
            form += [("StatusCallbackEvent", event) for event in EVENTS]
        made = await self._account.post("Calls", form)
        return Receipt(provider_message_id=made["sid"])

    @property
    def is_called(self) -> bool:
        return self._account.callback is not None

    def read_call(self, call: Call) -> tuple[Report | Tap, ...] | None:
        form = self._account.genuine(call)
        if form is None or "CallSid" not in form:
            return None
        if "Digits" in form:
            return _pressed(call, form)
        report = _report(form.get("CallSid", ""), form.get("CallStatus", ""), form.get("AnsweredBy"))
        return (report,) if report else ()

    async def answer(self, tap: Tap, reply: Reply) -> None:
        """Nothing more is said: the call ends with the key."""

    async def look_up(self, message_id: str) -> Report | None:
        made = await self._account.get("Calls", message_id)
        return _report(message_id, str(made.get("status")), made.get("answered_by"))


def _report(sid: str, status: str, answered_by: object) -> Report | None:
    """A call that ended is heard only where a person answered it."""
    if status == "completed":
        if answered_by == "human":
            return Report(message_id=sid, outcome="delivered")
        return Report(message_id=sid, outcome="failed", fault=Fault.RECIPIENT, reason="no person answered")
    if status in ("busy", "no-answer", "failed", "canceled"):
        return Report(
            message_id=sid, outcome="failed", fault=Fault.UNKNOWN, reason=f"the call ended as {status}"
        )
    return None


def _pressed(call: Call, form: dict[str, str]) -> tuple[Report | Tap, ...]:
    """Only a person presses a key, so the call was heard as well."""
    heard = Report(message_id=form["CallSid"], outcome="delivered")
    link = dict(parse_qsl(urlsplit(call.url).query)).get("link")
    if form["Digits"] != ACKNOWLEDGE_KEY or link is None:
        return (heard,)
    number = form.get("To", "")
    return (heard, Tap(sender=number, chat=number, text=button(Verb.ACKNOWLEDGE, link)))


def _twiml(message: Message, callback: str | None) -> str:
    """With `callback`, a key acknowledges; what is to be run is decided where it can be read."""
    said = escape(clip(spoken(message), SPOKEN_LIMIT))
    voice = quoteattr(message.words.voice or "en-US")
    if callback is None or message.reference is None:
        return f'<Response><Say loop="2" language={voice}>{said}</Say><Pause length="1"/><Hangup/></Response>'
    key = escape(message.words("voice.ack", key=ACKNOWLEDGE_KEY))
    action = quoteattr(f"{callback}?link={message.reference}")
    return (
        f'<Response><Gather input="dtmf" numDigits="1" timeout="8" method="POST" action={action}>'
        f'<Say loop="2" language={voice}>{said} {key}</Say></Gather><Hangup/></Response>'
    )


def spoken(message: Message) -> str:
    """The message as a voice reads it: no signs, no addresses, "percent" for %."""
    words = message.words
    said = " ".join((words("voice.greeting"), message.title, *message.body))
    said = "".join(c for c in flatten(said) if unicodedata.category(c) not in ("So", "Mn") and c != '"')
    said = re.sub(r"\s*%", f" {words('voice.percent')}", said).replace("/", " ").replace("·", ",")
    said = re.sub(r"\b[0-9]{6}\b", lambda code: " ".join(code[0]), said)
    where = f" {words('voice.link')}" if message.url else ""
    return " ".join(said.split()) + where
