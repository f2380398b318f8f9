"""WhatsApp messages by Twilio: approved templates, so that they arrive outside the 24-hour window too."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from alertengine.channels.twilio import Account, AccountConfig, classified, code_of
from alertengine.channels.whatsapp import check_number, number_complaint, template_values, typed
from alertengine.core.fit import fit, flatten, units
from alertengine.core.message import ASKS, Message
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, Fault
from alertengine.ports import Call, Examination, Receipt, Reply, Report, Tap, Traits
from alertengine.tools import Tools

BODY_LIMIT = 1600
ASK_LIFE_S = 300
"""A question that waited longer with the provider would come with a link that is over."""
NEWS_LIFE_S = 3600

ContentSid = Annotated[str, Field(pattern=r"^HX[0-9a-fA-F]{32}$")]


class Config(AccountConfig):
    """`from` is the WhatsApp sender ("whatsapp:+14155238886") or a messaging service ("MG...").

    `content_sid`: the approved template of messages with a link, `update_content_sid`: of those without. Without
    a template the text is sent as it is, which WhatsApp takes within 24 hours of the contact's last message only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Literal["whatsapp_twilio"]
    sender: Annotated[
        str, Field(alias="from", pattern=r"^(whatsapp:)?\+[1-9][0-9]{6,14}$|^MG[0-9a-fA-F]{32}$")
    ]
    content_sid: ContentSid | None = None
    update_content_sid: ContentSid | None = None


EXAMPLE = """
[channels.whatsapp]
kind = "whatsapp_twilio"
account_sid = "AC00000000000000000000000000000000"   # or the environment: TWILIO_ACCOUNT_SID
auth_token = "..."                   # or: auth_token_file, TWILIO_AUTH_TOKEN
from = "whatsapp:+14155238886"       # or: TWILIO_WHATSAPP_FROM
content_sid = "HX00000000000000000000000000000000"   # the approved template; docs/channels.md has its text
update_content_sid = "HX11111111111111111111111111111111"
"""


class TwilioWhatsAppChannel:
    kind = "whatsapp_twilio"
    provider = "twilio"
    traits = Traits(idempotent=False, receipts=True, invites=True, per_s=40, burst=80)

    def __init__(self, name: str, config: Config, tools: Tools) -> None:
        self.name = name
        self._config = config
        self._account = Account(config, tools)
        # Answers come to the sender's webhook in Twilio's console, which needs a public address.
        self._hears = tools.public_url is not None

    def complaint(self, contact: Contact) -> str | None:
        return number_complaint(contact.address)

    async def invitation(self, contact: Contact, word: str) -> str | None:
        """Writing to the sender proves the number, is their consent, and opens the 24-hour window."""
        number = self._config.sender.removeprefix("whatsapp:")
        if not self._hears or number.startswith("MG"):
            return None
        return f"https://wa.me/{number.removeprefix('+')}?text=VERIFY%20{word}"

    async def examine(self) -> Examination:
        """The account, and whether WhatsApp approved the templates."""
        seen = await self._account.examine()
        named = {
            "content_sid": self._config.content_sid,
            "update_content_sid": self._config.update_content_sid,
        }
        judged = {key: await self._account.approval(sid) for key, sid in named.items() if sid}
        wrong = {key: said for key, said in judged.items() if said != "approved"}
        if wrong:
            told = ", ".join(f"{key} is {said}" for key, said in wrong.items())
            raise DeliveryError(f"WhatsApp has not approved the template: {told}", fault=Fault.CONFIG)
        if len(judged) < len(named):
            missing = " and ".join(key for key in named if key not in judged)
            remedy = f"Without {missing} messages arrive only within 24 hours of the contact's last one."
            return replace(seen, remedy=remedy)
        return replace(seen, detail=f"{seen.detail}, both templates are approved")

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        number = check_number(contact.address)
        form = [("To", f"whatsapp:{number}"), *self._from(), *self._content(message)]
        form.append(("ValidityPeriod", str(ASK_LIFE_S if message.kind in ASKS else NEWS_LIFE_S)))
        if self._account.callback:
            form.append(("StatusCallback", self._account.callback))
        try:
            made = await self._account.post("Messages", form)
        except DeliveryError as error:
            if error.fault is not Fault.TEMPLATE:
                raise
            raise DeliveryError(
                f"{error}: set content_sid and update_content_sid", fault=Fault.CONFIG
            ) from None
        return Receipt(provider_message_id=made["sid"])

    @property
    def is_called(self) -> bool:
        return self._account.callback is not None

    def read_call(self, call: Call) -> tuple[Report | Tap, ...] | None:
        form = self._account.genuine(call)
        if form is None or "MessageSid" not in form:
            return None  # a call's, perhaps: the account has one address for both
        if form.get("SmsStatus") == "received":
            return (_tap(form),)
        report = _report(form.get("MessageSid", ""), form.get("MessageStatus", ""), form.get("ErrorCode"))
        return (report,) if report else ()

    async def answer(self, tap: Tap, reply: Reply) -> None:
        """As free text: who has just written has opened the 24-hour window."""
        text = "\n".join(fit([flatten(line) for line in reply.written], BODY_LIMIT))
        form = [("To", f"whatsapp:{tap.chat}"), *self._from(), ("Body", text)]
        await self._account.post("Messages", form)

    async def look_up(self, message_id: str) -> Report | None:
        made = await self._account.get("Messages", message_id)
        return _report(message_id, str(made.get("status")), made.get("error_code"))

    def _from(self) -> list[tuple[str, str]]:
        sender = self._config.sender
        if sender.startswith("MG"):
            return [("MessagingServiceSid", sender)]
        return [("From", f"whatsapp:{sender.removeprefix('whatsapp:')}")]

    def _content(self, message: Message) -> list[tuple[str, str]]:
        template = self._config.content_sid if message.url else self._config.update_content_sid
        if template is None:
            return [("Body", _text(message, answers=self._hears))]
        values = template_values(message, answers=self._hears)
        variables = {str(n): value for n, value in enumerate(values.values(), 1)}
        return [("ContentSid", template), ("ContentVariables", json.dumps(variables, ensure_ascii=False))]


def _report(sid: str, status: str, code: object) -> Report | None:
    """None while nothing is known that was not known when it was taken."""
    if status in ("delivered", "read"):
        return Report(message_id=sid, outcome=status)
    if status not in ("failed", "undelivered", "canceled"):
        return None
    number = code_of(code)
    fault, reason = classified(number) if number else (Fault.UNKNOWN, f"Twilio says {status}")
    if fault is Fault.TEMPLATE:
        fault, reason = Fault.CONFIG, f"{reason}: set content_sid and update_content_sid"
    return Report(message_id=sid, outcome="failed", fault=fault or Fault.CONFIG, reason=reason)


def _tap(form: dict[str, str]) -> Tap:
    """What somebody wrote, or the quick reply that they pressed under one of our messages."""
    number = form.get("From", "").removeprefix("whatsapp:")
    text = form.get("ButtonPayload") or form.get("Body", "")
    return Tap(sender=number, chat=number, text=text, message_id=form.get("OriginalRepliedMessageSid"))


def _text(message: Message, *, answers: bool) -> str:
    title, footer = flatten(message.title), flatten(message.footer)
    link = list(message.link)
    link += [typed(message)] if answers and message.code else []
    room = BODY_LIMIT - sum(units(part) + 1 for part in link)
    return "\n".join((*fit([title, *map(flatten, message.body), footer], room), *link))
