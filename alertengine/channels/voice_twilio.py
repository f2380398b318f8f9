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
from alertengine.core.language import Words
from alertengine.core.language import words as words_of
from alertengine.core.message import URGENT, Message
from alertengine.core.model import Contact
from alertengine.core.taps import Verb, button
from alertengine.errors import Fault
from alertengine.ports import Call, Examination, Receipt, Reply, Report, Tap, Traits
from alertengine.tools import Tools

KEYS = {"1": Verb.ACKNOWLEDGE, "2": Verb.SEE}
"""No key runs anything: that is decided where it can be read."""
HOLD = b'<Response><Pause length="20"/></Response>'
"""What is said next takes a moment to find."""
ENGLISH_VOICE = "en-US"
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

    def meanwhile(self, call: Call) -> bytes | None:
        pressed = dict(parse_qsl(call.body.decode("utf-8", "replace"))).get("Digits")
        return HOLD if pressed in KEYS else None

    async def answer(self, tap: Tap, reply: Reply) -> None:
        """Into the same call, which then waits for the next key."""
        sid, _, voice = tap.handle.partition(" ")
        callback, reference = self._account.callback, tap.text.split(":")[1]
        if not sid or callback is None:
            return
        words = words_of(voice.partition("-")[0])
        said = [aloud(" ".join(reply.lines), words)]
        if tap.text.startswith(Verb.SEE):
            said += [words("voice.never"), words("voice.ack", key="1"), words("voice.again", key="2")]
        elif reply.buttons:
            said.append(words("voice.proposal", key="2"))
        twiml = _asking(escape(clip(" ".join(said), SPOKEN_LIMIT)), voice, f"{callback}?link={reference}", 1)
        await self._account.post(f"Calls/{sid}", [("Twiml", twiml)])

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
    asked = dict(parse_qsl(urlsplit(call.url).query))
    link, verb = asked.get("link"), KEYS.get(form["Digits"])
    if verb is None or link is None:
        return (heard,)
    number, voice = form.get("To", ""), asked.get("voice", ENGLISH_VOICE)
    handle = f"{form['CallSid']} {voice}"
    return (heard, Tap(sender=number, chat=number, text=button(verb, link), handle=handle))


def _twiml(message: Message, callback: str | None) -> str:
    """With `callback`, keys acknowledge and tell more; what is to be run is decided where it can be read."""
    words, voice = message.words, message.words.voice or ENGLISH_VOICE
    said = escape(clip(spoken(message), SPOKEN_LIMIT))
    if callback is None or message.reference is None:
        language = quoteattr(voice)
        return (
            f'<Response><Say loop="2" language={language}>{said}</Say><Pause length="1"/><Hangup/></Response>'
        )
    keys = escape(f"{words('voice.ack', key='1')} {words('voice.proposal', key='2')}")
    return _asking(f"{said} {keys}", voice, f"{callback}?link={message.reference}", 2)


def _asking(said: str, voice: str, action: str, times: int) -> str:
    """`said`, and the next key awaited at `action`."""
    where, language = quoteattr(f"{action}&voice={voice}"), quoteattr(voice)
    return (
        f'<Response><Gather input="dtmf" numDigits="1" timeout="8" method="POST" action={where}>'
        f'<Say loop="{times}" language={language}>{said}</Say></Gather><Hangup/></Response>'
    )


def spoken(message: Message) -> str:
    """The message as a voice reads it."""
    words = message.words
    lines = [line for line in message.body if "://" not in line]
    said = aloud(" ".join((words("voice.greeting"), message.title, *lines)), words)
    return f"{said} {words('voice.link')}" if message.url else said


def aloud(text: str, words: Words) -> str:
    """No signs, no addresses, "percent" for %."""
    said = "".join(
        c for c in flatten(text) if unicodedata.category(c) not in ("So", "Mn") and c not in '"“”«»'
    )
    said = re.sub(r"\s*%", f" {words('voice.percent')}", said).replace("/", " ").replace("·", ",")
    said = re.sub(r"\b[0-9]{6}\b", lambda code: " ".join(code[0]), said)
    return " ".join(said.split())
