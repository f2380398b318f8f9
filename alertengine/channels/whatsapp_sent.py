"""WhatsApp messages by Sent.dm."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from alertengine.channels import exchange
from alertengine.channels.whatsapp import check_number, number_complaint, template_values
from alertengine.core.message import Message
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, Fault
from alertengine.http import Response
from alertengine.ports import Call, Examination, Receipt, Report, Traits
from alertengine.settings.url import WebUrl
from alertengine.signing import webhook_verified
from alertengine.tools import Tools


class Config(BaseModel):
    """`template` names the approved template of messages with a link, `update_template` of those without.

    Without a template the text is sent as it is, which WhatsApp takes within 24 hours of the contact's last
    message only. `webhook_secret` is that of the webhook to /hooks/sent; without it, receipts are asked for.
    `phone_id` goes along as the profile that sends.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["whatsapp_sent"]
    api_key: Annotated[SecretStr, Field(min_length=1)]
    template: str | None = None
    update_template: str | None = None
    webhook_secret: SecretStr | None = None
    phone_id: str | None = None
    base_url: WebUrl = "https://api.sent.dm"


EXAMPLE = """
[channels.whatsapp]
kind = "whatsapp_sent"
api_key = "..."                      # or: api_key_file, or the environment: SENT_API_KEY
template = "ae_incident"             # the approved template; docs/channels.md has its text
update_template = "ae_update"
"""


NO_TEMPLATE = (
    "Without template and update_template messages arrive within 24 hours of the contact's last one only."
)


class SentWhatsAppChannel:
    kind = "whatsapp_sent"
    provider = "sent"
    traits = Traits(idempotent=True, receipts=True, per_s=1, burst=50)

    def __init__(self, name: str, config: Config, tools: Tools) -> None:
        self.name = name
        self._config = config
        self._tools = tools
        self._api = f"{config.base_url.rstrip('/')}/v3"

    def complaint(self, contact: Contact) -> str | None:
        return number_complaint(contact.address)

    async def examine(self) -> Examination:
        answer = await exchange.ask(self._tools, "GET", f"{self._api}/me", headers=self._headers())
        if not answer.ok:
            raise _refused(answer, self._tools)
        config = self._config
        remedy = None if config.template and config.update_template else NO_TEMPLATE
        return Examination(detail="the API key is accepted", at=exchange.clock_of(answer), remedy=remedy)

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        body = {
            "to": [check_number(contact.address)],
            # Unpinned, it may come as a text message; several channels would be several messages.
            "channel": ["whatsapp"],
            **self._content(message),
        }
        answer = await exchange.ask(
            self._tools,
            "POST",
            f"{self._api}/messages",
            headers={**self._headers(), "idempotency-key": idempotency_key},
            body=json.dumps(body, ensure_ascii=False).encode(),
        )
        if not answer.ok:
            raise _refused(answer, self._tools)
        return Receipt(provider_message_id=_message_id(exchange.answered_object(answer)))

    @property
    def is_called(self) -> bool:
        return self._config.webhook_secret is not None

    def read_call(self, call: Call) -> tuple[Report, ...] | None:
        secret = self._config.webhook_secret
        if secret is None:
            return None
        # Standard Webhooks under another name.
        headers = {f"webhook-{part}": call.headers.get(f"x-webhook-{part}", "") for part in _SIGNED}
        now = self._tools.clock.wall().timestamp()
        if not webhook_verified(secret.get_secret_value(), headers, call.body, now):
            return None
        payload = _object(_parsed(call.body).get("payload"))
        report = _report(str(payload.get("message_id")), payload.get("message_status"), payload)
        return (report,) if report else ()

    async def look_up(self, message_id: str) -> Report | None:
        url = f"{self._api}/messages/{quote(message_id, safe='')}"
        answer = await exchange.ask(self._tools, "GET", url, headers=self._headers())
        if not answer.ok:
            raise _refused(answer, self._tools)
        data = _object(exchange.answered_object(answer).get("data"))
        return _report(message_id, data.get("status"), data)

    def _headers(self) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "x-api-key": self._config.api_key.get_secret_value(),
        }
        if self._config.phone_id:
            headers["x-profile-id"] = self._config.phone_id
        return headers

    def _content(self, message: Message) -> dict[str, Any]:
        name = self._config.template if message.url else self._config.update_template
        if name is None:
            return {"text": message.text}
        return {"template": {"name": name, "parameters": template_values(message)}}


_SIGNED = ("id", "timestamp", "signature")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        return _object(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _report(message_id: str, status: Any, told: dict[str, Any]) -> Report | None:
    """None while nothing is known that was not known when it was taken."""
    if status in ("DELIVERED", "READ"):
        return Report(message_id=message_id, outcome=status.lower())
    if status not in _LOST:
        return None
    code = told.get("reason_code")
    fault, reason = classified(code) if code in _KNOWN else (_LOST[status], f"Sent says {status}")
    if fault is Fault.TEMPLATE:
        fault = Fault.CONFIG  # there is no template to go on with
    return Report(message_id=message_id, outcome="failed", fault=fault, reason=reason)


_LOST = {
    "FAILED": Fault.UNKNOWN,
    "CANCELLED": Fault.UNKNOWN,
    "FILTERED": Fault.RECIPIENT,
    "BLOCKED": Fault.CONFIG,
}


def _message_id(answer: dict[str, Any]) -> str:
    """Raises `DeliveryError` for an answer that names no message: the same key tells again what became of it."""
    data = answer.get("data")
    recipients = data.get("recipients") if isinstance(data, dict) else None
    first = recipients[0] if isinstance(recipients, list) and recipients else None
    found = first.get("message_id") if isinstance(first, dict) else None
    if not isinstance(found, str):
        raise DeliveryError("Sent answered without a message id", fault=Fault.UNKNOWN)
    return found


def _refused(answer: Response, tools: Tools) -> DeliveryError:
    error = exchange.answered_object(answer).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(code, str) or code not in _KNOWN:
        return exchange.refusal(answer, tools.clock, f"Sent answered HTTP {answer.status}")
    fault, reason = classified(code)
    if fault is Fault.TEMPLATE:
        fault = Fault.CONFIG  # there is no template to go on with
    return exchange.refusal(answer, tools.clock, reason, fault)


_RETRY = (
    *("BUSINESS_002", "LIMIT_001", "CONFLICT_001", "SERVICE_001"),
    *(f"INTERNAL_00{n}" for n in range(1, 6)),
)
_CONFIG = (
    *(f"AUTH_00{n}" for n in (1, 2, 4, 5, 6, 7)),
    *(f"VALIDATION_00{n}" for n in range(1, 8)),
    *(f"RESOURCE_00{n}" for n in range(1, 9)),
    *(f"BUSINESS_0{n}" for n in ("03", "04", "05", "07", "08", "12", "14", "29")),
    *("ERR_TEMPLATE_PARAMS_INVALID", "ERR_ROUTE_DENIED"),
)
_KNOWN: dict[str, Fault] = {
    **dict.fromkeys(_RETRY, Fault.RETRY),
    **dict.fromkeys(_CONFIG, Fault.CONFIG),
    "WHATSAPP_TEMPLATE_REQUIRED": Fault.TEMPLATE,
    "CONVERSATION_TEMPLATE_REQUIRED": Fault.TEMPLATE,
    "ERR_CONSENT_BLOCKED": Fault.RECIPIENT,
}
_REMEDIES = {
    "AUTH_001": "the API key is missing",
    "AUTH_002": "the API key is not accepted; check api_key",
    "VALIDATION_002": "the contact's number is not valid",
    "BUSINESS_002": "too many requests",
    "LIMIT_001": "too many requests",
    "ERR_CONSENT_BLOCKED": "the contact opted out",
    "ERR_TEMPLATE_PARAMS_INVALID": "the template's parameters were refused; docs/channels.md lists them",
    "WHATSAPP_TEMPLATE_REQUIRED": "a template is needed; set template and update_template",
    "CONVERSATION_TEMPLATE_REQUIRED": "a template is needed; set template and update_template",
}


def classified(code: str) -> tuple[Fault, str]:
    """What an error code of Sent's means for the delivery."""
    meaning = _REMEDIES.get(code)
    return _KNOWN.get(code, Fault.CONFIG), f"Sent error {code}" + (f": {meaning}" if meaning else "")
