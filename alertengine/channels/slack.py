"""Messages to Slack: by an incoming webhook, or by an app's bot."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from alertengine.channels import exchange
from alertengine.core.fit import clip, fit, flatten
from alertengine.core.message import REVIEW, Message
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, Fault
from alertengine.http import Response
from alertengine.ports import Receipt, Traits
from alertengine.tools import Tools

HEADER_LIMIT = 150
SECTION_LIMIT = 3000
TEXT_LIMIT = 3000


class Config(BaseModel):
    """`webhook_url` writes to the one place it was made for. `bot_token` writes to any channel or person: a
    contact's address is then the id in Slack (C..., D... or U...)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["slack"]
    webhook_url: Annotated[SecretStr, Field(min_length=8)] | None = None
    bot_token: Annotated[SecretStr, Field(min_length=1)] | None = None
    base_url: Annotated[str, Field(pattern=r"^https?://")] = "https://slack.com/api"

    @model_validator(mode="after")
    def one_way(self) -> Config:
        if (self.webhook_url is None) == (self.bot_token is None):
            raise ValueError("give webhook_url or bot_token, one of them")
        return self


EXAMPLE = """
[channels.slack]
kind = "slack"
webhook_url = "https://hooks.slack.com/services/..."     # or: bot_token = "xoxb-..."
"""


class SlackChannel:
    kind = "slack"
    traits = Traits(idempotent=False, per_s=1, burst=5)

    def __init__(self, name: str, config: Config | None, tools: Tools) -> None:
        """Without `config`, each contact brings the URL of an incoming webhook."""
        self.name = name
        self._api = config.base_url.rstrip("/") if config else ""
        self._url = config.webhook_url.get_secret_value() if config and config.webhook_url else None
        self._token = config.bot_token.get_secret_value() if config and config.bot_token else None
        self._tools = tools

    def complaint(self, contact: Contact) -> str | None:
        address, url = self._tools.opened(contact)
        if url or self._url:
            return None
        if self._token is None:
            return "no slack channel is configured, so it needs a webhook URL of its own"
        return None if address else "give the id of a channel or a person in Slack as the address"

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        address, own = self._tools.opened(contact)
        url = own or self._url
        if url:
            return await self._by_webhook(url, message)
        if self._token is None:
            raise DeliveryError("no slack channel is configured", fault=Fault.CONFIG)
        return await self._by_bot(self._token, address, message)

    async def _by_webhook(self, url: str, message: Message) -> Receipt:
        answer = await self._post(url, {}, _message(message))
        said = answer.body[:100].decode("utf-8", "replace").strip()
        if not answer.ok or said != "ok":
            raise self._refused(answer, said)
        return Receipt()

    async def _by_bot(self, token: str, address: str, message: Message) -> Receipt:
        headers = {"authorization": f"Bearer {token}"}
        body = {"channel": address, **_message(message)}
        answer = await self._post(f"{self._api}/chat.postMessage", headers, body)
        told = exchange.answered_object(answer)
        if not answer.ok or told.get("ok") is not True:  # it says 200 to refusals as well
            raise self._refused(answer, str(told.get("error", "")))
        return Receipt(provider_message_id=f"{told.get('channel')}:{told.get('ts')}")

    async def _post(self, url: str, headers: dict[str, str], body: dict[str, Any]) -> Response:
        return await exchange.ask(
            self._tools,
            "POST",
            url,
            headers={"content-type": "application/json; charset=utf-8", **headers},
            body=json.dumps(body, ensure_ascii=False).encode(),
        )

    def _refused(self, answer: Response, word: str) -> DeliveryError:
        fault = FAULTS.get(word)
        if fault is not None:
            return exchange.refusal(answer, self._tools.clock, f"Slack says {word}", fault)
        fault = Fault.UNKNOWN if answer.ok else None
        return exchange.refusal(answer, self._tools.clock, f"Slack answered HTTP {answer.status}", fault)


_RETRY = (
    *("rollup_error", "ratelimited", "rate_limited", "internal_error", "fatal_error"),
    *("service_unavailable", "request_timeout"),
)
_RECIPIENT = (
    *("channel_not_found", "no_service", "no_active_hooks", "channel_is_archived", "is_archived"),
    *("not_in_channel",),
)
_CONFIG = (
    *("invalid_payload", "invalid_blocks", "invalid_blocks_format", "no_text", "too_many_attachments"),
    *("missing_text_or_fallback_or_attachments", "invalid_token", "user_not_found", "action_prohibited"),
    *("posting_to_general_channel_denied", "no_team", "team_disabled", "invalid_auth", "not_authed"),
    *("account_inactive", "token_revoked", "token_expired", "missing_scope", "msg_too_long"),
    *("restricted_action",),
)
FAULTS = {
    **dict.fromkeys(_RETRY, Fault.RETRY),
    **dict.fromkeys(_RECIPIENT, Fault.RECIPIENT),
    **dict.fromkeys(_CONFIG, Fault.CONFIG),
}


def _message(message: Message) -> dict[str, Any]:
    title = clip(flatten(message.title), HEADER_LIMIT)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": title}}]
    lines = fit([flatten(line) for line in message.body], SECTION_LIMIT, _measure)
    if lines:
        words = {"type": "mrkdwn", "text": _escaped("\n".join(lines)), "verbatim": True}
        blocks.append({"type": "section", "text": words})
    if message.url:
        button = {
            "type": "button",
            "action_id": "review",
            "style": "primary",
            "text": {"type": "plain_text", "text": REVIEW},
            "url": message.url,
        }
        blocks.append({"type": "actions", "elements": [button]})
    footer = _escaped(clip(flatten(message.footer), TEXT_LIMIT // 2))
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": footer, "verbatim": True}]})
    text = _escaped("\n".join(fit([title, *lines], TEXT_LIMIT, _measure)))
    return {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _escaped(text: str) -> str:
    """Without this a service named <!channel> would ring everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _measure(text: str) -> int:
    return len(_escaped(text).encode("utf-16-le", "surrogatepass")) // 2
