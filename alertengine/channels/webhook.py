"""Messages as signed webhooks (Standard Webhooks)."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from alertengine.core.message import Message
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, HttpError
from alertengine.http import Response
from alertengine.ports import Receipt
from alertengine.signing import webhook_headers
from alertengine.tools import Tools

TIMEOUT_S = 10.0


class Config(BaseModel):
    """`url` takes a POST with the message as JSON; `secret` ("whsec_" and base64) signs it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["webhook"]
    url: str
    secret: SecretStr
    form: Literal["standard"] = "standard"


EXAMPLE = """
[channels.ops]
kind = "webhook"
url = "https://ops.example.com/alerts"
secret = "whsec_..."          # or: secret_file = "/etc/alertengine/ops.secret"
"""


class WebhookChannel:
    kind = "webhook"

    def __init__(self, name: str, config: Config | None, tools: Tools) -> None:
        """Without `config`, each contact brings its URL, and the tenant's own secret signs."""
        self.name = name
        self._config = config
        self._http = tools.http
        self._clock = tools.clock
        self._webhook_secret = tools.webhook_secret

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        url, secret = self._target(contact)
        body = json.dumps(message.to_json(), ensure_ascii=False).encode()
        stamp = int(self._clock.now().timestamp())
        headers = {
            "content-type": "application/json",
            **webhook_headers(secret, idempotency_key, stamp, body),
        }
        try:
            answer = await self._http.fetch("POST", url, timeout_s=TIMEOUT_S, headers=headers, body=body)
        except HttpError as error:
            raise DeliveryError(str(error), permanent=error.kind == "blocked") from error
        _check(answer)
        return Receipt(provider_message_id=idempotency_key)

    def _target(self, contact: Contact) -> tuple[str, str]:
        """(URL, signing secret) for this contact."""
        secret = (
            self._config.secret.get_secret_value()
            if self._config
            else self._webhook_secret(contact.tenant_id)
        )
        if contact.address.startswith(("http://", "https://")):
            return contact.address, secret
        if self._config is None:
            raise DeliveryError(
                "this contact has no URL and no webhook channel is configured", permanent=True
            )
        return self._config.url, secret


def _check(answer: Response) -> None:
    if answer.ok:
        return
    # 410 is the receiver's word that the endpoint is gone; other 4xx do not get better by repeating,
    # except time-outs and rate limits.
    permanent = 300 <= answer.status < 500 and answer.status not in (408, 409, 425, 429)
    raise DeliveryError(
        f"the webhook answered HTTP {answer.status}",
        permanent=permanent,
        retry_after_s=_retry_after(answer.headers.get("retry-after", "")),
    )


def _retry_after(value: str) -> float | None:
    return float(value) if value.isascii() and value.isdigit() else None
