"""Messages to Slack: by an incoming webhook, or by an app's bot."""

from __future__ import annotations

import hmac
import json
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from alertengine.channels import exchange
from alertengine.core.fit import clip, fit, flatten
from alertengine.core.given import Given
from alertengine.core.message import Message
from alertengine.core.model import Contact
from alertengine.core.taps import Verb
from alertengine.core.taps import button as data
from alertengine.errors import DeliveryError, Fault
from alertengine.http import Response
from alertengine.ports import Call, Examination, Receipt, Reply, Tap, Traits
from alertengine.settings.url import WebUrl
from alertengine.tools import Tools

HEADER_LIMIT = 150
SECTION_LIMIT = 3000
TEXT_LIMIT = 3000
BUTTON_LIMIT = 75
TOLERANCE_S = 300


class Config(BaseModel):
    """`webhook_url` writes to the one place it was made for. `bot_token` writes to any channel or person: a
    contact's address is then the id in Slack (C..., D... or U...). With the app's `signing_secret` its buttons
    answer, by way of /hooks/slack.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["slack"]
    webhook_url: Annotated[SecretStr, Field(min_length=8)] | None = None
    bot_token: Annotated[SecretStr, Field(min_length=1)] | None = None
    signing_secret: Annotated[SecretStr, Field(min_length=1)] | None = None
    base_url: WebUrl = "https://slack.com/api"

    @model_validator(mode="after")
    def one_way(self) -> Config:
        if (self.webhook_url is None) == (self.bot_token is None):
            raise ValueError("give webhook_url or bot_token, one of them")
        if self.signing_secret is not None and self.bot_token is None:
            raise ValueError("signing_secret goes with bot_token")
        return self


EXAMPLE = """
[channels.slack]
kind = "slack"
webhook_url = "https://hooks.slack.com/services/..."     # or: bot_token = "xoxb-..." and signing_secret
"""


class SlackChannel:
    kind = "slack"
    provider = "slack"

    def __init__(self, name: str, config: Config | None, tools: Tools) -> None:
        """Without `config`, each contact brings the URL of an incoming webhook."""
        self.name = name
        self._api = config.base_url.rstrip("/") if config else ""
        self._url = config.webhook_url.get_secret_value() if config and config.webhook_url else None
        self._token = config.bot_token.get_secret_value() if config and config.bot_token else None
        self._secret = config.signing_secret.get_secret_value() if config and config.signing_secret else None
        self.traits = Traits(idempotent=False, per_s=1, burst=5, amends=self._token is not None)
        self._tools = tools

    def complaint(self, contact: Contact) -> str | None:
        address, url = self._tools.opened(contact)
        if url or self._url:
            return None
        if self._token is None:
            return "no slack channel is configured, so it needs a webhook URL of its own"
        return None if address else "give the id of a channel or a person in Slack as the address"

    async def examine(self) -> Examination:
        """The bot's own name; or the webhook's word for a message without text, which is shown nowhere."""
        if self._token is not None:
            told = await self._call("auth.test", {})
            return Examination(detail=f"{told.get('user')} in {told.get('team')}")
        if self._url is None:
            return Examination(detail=exchange.BROUGHT)
        answer = await self._post(self._url, {}, {})
        said = answer.body[:100].decode("utf-8", "replace").strip()
        if said not in ("no_text", "invalid_payload", "missing_text_or_fallback_or_attachments"):
            raise self._refused(answer, said)
        return Examination(detail="the webhook is there", at=exchange.clock_of(answer))

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        address, own = self._tools.opened(contact)
        url = own or self._url
        if url:
            return await self._by_webhook(url, message, contact.given_by if own else Given.OPERATOR)
        if self._token is None:
            raise DeliveryError("no slack channel is configured", fault=Fault.CONFIG)
        return await self._by_bot(address, message)

    def read_call(self, call: Call) -> tuple[Tap, ...] | None:
        stamp, given = (
            call.headers.get(f"x-slack-{name}", "") for name in ("request-timestamp", "signature")
        )
        if self._secret is None or not (stamp.isascii() and stamp.isdigit()):
            return None
        if abs(self._tools.clock.wall().timestamp() - int(stamp[:15])) > TOLERANCE_S:
            return None
        if not hmac.compare_digest(given.encode(), signature(self._secret, stamp, call.body).encode()):
            return None
        tap = _tap(call.body)
        return (tap,) if tap else ()

    async def answer(self, tap: Tap, reply: Reply) -> None:
        """In the thread of the message, so that the channel stays readable."""
        body = {"channel": tap.chat, **_reply(reply)}
        if tap.message_id:
            body["thread_ts"] = tap.message_id.rpartition(":")[2]
        await self._call("chat.postMessage", body)

    async def amend(self, message_id: str, message: Message) -> None:
        channel, _, stamp = message_id.rpartition(":")
        await self._call(
            "chat.update",
            {"channel": channel, "ts": stamp, **_message(message, answers=self._secret is not None)},
        )

    async def _by_webhook(self, url: str, message: Message, given: Given) -> Receipt:
        answer = await self._post(url, {}, _message(message, answers=False), given)
        said = answer.body[:100].decode("utf-8", "replace").strip()
        if not answer.ok or said != "ok":
            raise self._refused(answer, said)
        return Receipt()

    async def _by_bot(self, address: str, message: Message) -> Receipt:
        shown = _message(message, answers=self._secret is not None)
        place, _, stamp = (message.thread or "").rpartition(":")
        thread = {"thread_ts": stamp} if place else {}
        told = await self._call("chat.postMessage", {"channel": address, **shown, **thread})
        return Receipt(provider_message_id=f"{told.get('channel')}:{told.get('ts')}")

    async def _call(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self._token}"}
        answer = await self._post(f"{self._api}/{method}", headers, body)
        told = exchange.answered_object(answer)
        if not answer.ok or told.get("ok") is not True:  # it says 200 to refusals as well
            raise self._refused(answer, str(told.get("error", "")))
        return told

    async def _post(
        self, url: str, headers: dict[str, str], body: dict[str, Any], given: Given = Given.OPERATOR
    ) -> Response:
        return await exchange.ask(
            self._tools,
            "POST",
            url,
            headers={"content-type": "application/json; charset=utf-8", **headers},
            body=json.dumps(body, ensure_ascii=False).encode(),
            given=given,
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


def signature(secret: str, stamp: str, body: bytes) -> str:
    """Slack's own scheme, version 0."""
    signed = b":".join((b"v0", stamp.encode(), body))
    return "v0=" + hmac.new(secret.encode(), signed, "sha256").hexdigest()


def _tap(body: bytes) -> Tap | None:
    """The button that somebody pressed; None for one that is only a link, and for all else."""
    try:
        payload = json.loads(dict(parse_qsl(body.decode(), max_num_fields=10))["payload"])
        action, channel = payload["actions"][0], payload["channel"]["id"]
        if payload["type"] != "block_actions" or "value" not in action:
            return None
        stamp = payload["container"]["message_ts"]
        return Tap(
            sender=str(payload["user"]["id"]),
            chat=str(channel),
            text=str(action["value"]),
            message_id=f"{channel}:{stamp}",
        )
    except (KeyError, IndexError, TypeError, ValueError, RecursionError):
        return None


def _reply(reply: Reply) -> dict[str, Any]:
    text = _escaped("\n".join(fit([flatten(line) for line in reply.written], SECTION_LIMIT, _measure)))
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
    ]
    if reply.buttons:
        blocks.append({"type": "actions", "elements": [_press(*pressed) for pressed in reply.buttons]})
    return {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _press(label: str, value: str) -> dict[str, Any]:
    words = {"type": "plain_text", "text": clip(label, BUTTON_LIMIT)}
    return {"type": "button", "action_id": value[:BUTTON_LIMIT], "text": words, "value": value}


def _message(message: Message, *, answers: bool) -> dict[str, Any]:
    """`answers`: somebody hears the buttons that are no links."""
    title = clip(flatten(message.title), HEADER_LIMIT)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": title}}]
    lines = fit([flatten(line) for line in message.body], SECTION_LIMIT, _measure)
    if lines:
        words = {"type": "mrkdwn", "text": _escaped("\n".join(lines)), "verbatim": True}
        blocks.append({"type": "section", "text": words})
    if message.url:
        button: dict[str, Any] = {
            "type": "button",
            "action_id": "review",
            "style": "primary",
            "text": {"type": "plain_text", "text": clip(message.words("button.review"), BUTTON_LIMIT)},
            "url": message.url,
        }
        elements = [button]
        if answers and message.reference:
            here = [("button.ack", Verb.ACKNOWLEDGE), ("button.here", Verb.SEE)]
            elements += [_press(message.words(key), data(verb, message.reference)) for key, verb in here]
        blocks.append({"type": "actions", "elements": elements})
    footer = _escaped(clip(flatten(message.footer), TEXT_LIMIT // 2))
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": footer, "verbatim": True}]})
    text = _escaped("\n".join(fit([title, *lines], TEXT_LIMIT, _measure)))
    return {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _escaped(text: str) -> str:
    """Without this a service named <!channel> would ring everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _measure(text: str) -> int:
    return len(_escaped(text).encode("utf-16-le", "surrogatepass")) // 2
