"""WhatsApp messages by Sent.dm."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from alertengine.channels import exchange
from alertengine.channels.whatsapp import check_number, template_values
from alertengine.core.message import Message
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, Fault
from alertengine.http import Response
from alertengine.ports import Receipt, Traits
from alertengine.tools import Tools


class Config(BaseModel):
    """`template` names the approved template of messages with a link, `update_template` of those without.

    Without a template the text is sent as it is, which WhatsApp takes within 24 hours of the contact's last
    message only. `phone_id` goes along as the profile that sends.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["whatsapp_sent"]
    api_key: Annotated[SecretStr, Field(min_length=1)]
    template: str | None = None
    update_template: str | None = None
    phone_id: str | None = None
    base_url: Annotated[str, Field(pattern=r"^https?://")] = "https://api.sent.dm"


EXAMPLE = """
[channels.whatsapp]
kind = "whatsapp_sent"
api_key = "..."                      # or: api_key_file, or the environment: SENT_API_KEY
template = "ae_incident"             # the approved template; docs/channels.md has its text
update_template = "ae_update"
"""


class SentWhatsAppChannel:
    kind = "whatsapp_sent"
    traits = Traits(idempotent=True)

    def __init__(self, name: str, config: Config, tools: Tools) -> None:
        self.name = name
        self._config = config
        self._tools = tools
        self._api = f"{config.base_url.rstrip('/')}/v3"

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
