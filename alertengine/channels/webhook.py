"""Messages as webhooks: signed by Standard Webhooks, or in the form of another service."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from alertengine.channels import exchange
from alertengine.channels.webhook_forms import FORMS, PAGERDUTY_URL
from alertengine.core.fit import clip, fit, units
from alertengine.core.given import Given
from alertengine.core.message import Message
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, Fault
from alertengine.http import Response
from alertengine.ports import Examination, Receipt, Traits
from alertengine.signing import WebhookSecret, webhook_headers
from alertengine.tools import Tools

GONE = 410
TEXT_LIMIT = 4000
VALUE_LIMIT = 1000
"""Receivers of Standard Webhooks may refuse more than 20 kB."""


class Config(BaseModel):
    """`url` takes a POST with the message as JSON; `secret` ("whsec_" and base64) signs it and is needed.

    `form` says in whose words: "pagerduty" (its routing key is the `secret`), "teams" and "discord" (their `url`
    is the secret, and they need no other). With `checkpoint_every_s` the ledger's signed checkpoints are posted to
    `url` too, no more often than this and only when there is news.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["webhook"]
    url: SecretStr | None = None
    secret: WebhookSecret | None = None
    form: Literal["standard", "pagerduty", "teams", "discord"] = "standard"
    checkpoint_every_s: Annotated[float, Field(ge=1, le=86400)] | None = None

    @model_validator(mode="after")
    def complete(self) -> Config:
        if self.url is None and self.form != "pagerduty":
            raise ValueError("url is missing")
        if self.url is not None and not self.url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("url must begin with http:// or https://")
        if self.secret is None and self.form in ("standard", "pagerduty"):
            raise ValueError("secret is missing")
        if self.checkpoint_every_s is not None and self.form != "standard":
            raise ValueError('checkpoint_every_s needs form = "standard"')
        return self


EXAMPLE = """
[channels.ops]
kind = "webhook"
url = "https://ops.example.com/alerts"
secret = "whsec_cmVwbGFjZSB0aGlz"          # or: secret_file = "/etc/alertengine/ops.secret"
# checkpoint_every_s = 60     # keep the ledger's signed checkpoints there too
# form = "pagerduty"          # secret: the routing key. Or "teams" or "discord", with the url they gave
"""


class WebhookChannel:
    kind = "webhook"

    def __init__(self, name: str, config: Config | None, tools: Tools) -> None:
        """Without `config`, each contact brings its URL, and the tenant's own secret signs."""
        self.name = name
        self._config = config
        self._tools = tools
        self._form = config.form if config else "standard"
        self.checkpoint_every_s = config.checkpoint_every_s if config else None
        self.traits = Traits(idempotent=self._form in ("standard", "pagerduty"))

    def complaint(self, contact: Contact) -> str | None:
        if self._config is None and not contact.address.startswith(("http://", "https://")):
            return "no webhook channel is configured, so it needs a URL of its own"
        return None

    async def examine(self) -> Examination:
        """By HEAD, which means nothing to a receiver: what it answers to it says little, that it answers enough."""
        if self._config is None:
            return Examination(detail=exchange.BROUGHT)
        url = self._config.url.get_secret_value() if self._config.url else PAGERDUTY_URL
        answer = await exchange.ask(self._tools, "HEAD", url)
        if answer.status >= 500 or answer.status == GONE:
            raise self._refused(answer)
        detail = f"the receiver is there (HTTP {answer.status} to HEAD)"
        return Examination(detail=detail, at=exchange.clock_of(answer))

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        url, secrets = self._target(contact)
        shown = _standard(message) if self._form == "standard" else FORMS[self._form](message, secrets[0])
        given = contact.given_by if url == contact.address else Given.OPERATOR
        await self._hand_over(url, secrets, shown, idempotency_key, given)
        return Receipt(provider_message_id=idempotency_key if self._form == "standard" else None)

    async def post(self, body: Mapping[str, Any], idempotency_key: str) -> None:
        config = self._config
        assert config is not None
        assert config.url is not None
        assert config.secret is not None
        url, secret = config.url.get_secret_value(), config.secret.get_secret_value()
        await self._hand_over(url, (secret,), body, idempotency_key, Given.OPERATOR)

    async def _hand_over(
        self, url: str, secrets: Sequence[str], shown: Mapping[str, Any], idempotency_key: str, given: Given
    ) -> None:
        body = json.dumps(shown, ensure_ascii=False).encode()
        headers = {"content-type": "application/json"}
        if self._form == "standard":
            stamp = int(self._tools.clock.wall().timestamp())
            secret, *before = secrets
            headers |= webhook_headers(secret, idempotency_key, stamp, body, before=before)
        answer = await exchange.ask(self._tools, "POST", url, headers=headers, body=body, given=given)
        if not answer.ok:
            raise self._refused(answer)

    def _target(self, contact: Contact) -> tuple[str, Sequence[str]]:
        """(URL, signing secrets) for this contact."""
        config = self._config
        secret = config.secret.get_secret_value() if config and config.secret else ""
        if contact.address.startswith(("http://", "https://")) and self._form == "standard":
            # What the operator signs with goes to where the operator says, and nowhere else.
            if contact.given_by is Given.TENANT or not secret:
                return contact.address, self._tools.tenant_secrets("webhook", contact.tenant_id)
            return contact.address, (secret,)
        if config is None:
            raise DeliveryError(
                "this contact has no URL and no webhook channel is configured", permanent=True
            )
        return config.url.get_secret_value() if config.url else PAGERDUTY_URL, (secret,)

    def _refused(self, answer: Response) -> DeliveryError:
        # 410 is the receiver's word that the endpoint is gone; other 4xx do not get better by repeating,
        # except time-outs and rate limits.
        gone = answer.status == GONE or (self._form in ("teams", "discord") and answer.status == 404)
        fault = Fault.RECIPIENT if gone else None
        reason = f"the webhook answered HTTP {answer.status}"
        wait = exchange.answered_object(answer).get("retry_after") if self._form == "discord" else None
        wait = float(wait) if isinstance(wait, (int, float)) and wait >= 0 else None
        return exchange.refusal(answer, self._tools.clock, reason, fault, wait)


def _standard(message: Message) -> dict[str, Any]:
    """Every fact, with none so long that the receiver would refuse them all."""
    shown = {key: clip(v, VALUE_LIMIT) if isinstance(v, str) else v for key, v in message.to_json().items()}
    room = TEXT_LIMIT - sum(units(line) + 1 for line in message.link)
    *lines, footer = fit((message.title, *message.body, message.footer), room) or ("",)
    return {**shown, "text": "\n".join((*lines, *message.link, footer))}
