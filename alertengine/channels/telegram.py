"""Messages by a Telegram bot."""

from __future__ import annotations

import html
import json
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from alertengine.channels import exchange
from alertengine.core.fit import clip, fit, flatten, units
from alertengine.core.message import REVIEW, Message
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, Fault
from alertengine.http import Response
from alertengine.ports import Receipt, Traits
from alertengine.tools import Tools

HOST = "https://api.telegram.org"
TEXT_LIMIT = 4096
TITLE_LIMIT = 400
_CHAT = re.compile(r"-?[0-9]{1,19}|@[A-Za-z0-9_]{4,40}")


class Config(BaseModel):
    """`bot_token` is what @BotFather gave. A contact's address is the number of their chat with the bot."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["telegram"]
    bot_token: Annotated[SecretStr, Field(min_length=3)]
    base_url: Annotated[str, Field(pattern=r"^https?://")] = HOST


EXAMPLE = """
[channels.telegram]
kind = "telegram"
bot_token = "123456789:..."          # or: bot_token_file = "/etc/alertengine/telegram.token"
"""


class TelegramChannel:
    kind = "telegram"
    traits = Traits(idempotent=False, per_s=20, burst=30)

    def __init__(self, name: str, config: Config | None, tools: Tools) -> None:
        """Without `config`, each contact brings the token of a bot."""
        self.name = name
        self._tools = tools
        self._host = config.base_url.rstrip("/") if config else HOST
        self._token = config.bot_token.get_secret_value() if config else None
        self._moved: dict[str, str] = {}
        """Groups that became supergroups have a new number; Telegram tells it again whenever this is lost."""
        self._plain: dict[str, None] = {}
        """Messages whose markup or button was refused: the next try goes without."""

    def complaint(self, contact: Contact) -> str | None:
        address, token = self._tools.opened(contact)
        if not (token or self._token):
            return "no telegram channel is configured, so it needs the token of a bot"
        return None if _CHAT.fullmatch(address) else "the address is the number of a chat, e.g. 123456789"

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        address, own = self._tools.opened(contact)
        token = own or self._token
        if token is None:
            raise DeliveryError("no telegram channel is configured", fault=Fault.CONFIG)
        chat = self._moved.get(address, address)
        body = _message(chat, message, plain=idempotency_key in self._plain)
        answer = await self._call(token, "sendMessage", body)
        result = exchange.answered_object(answer).get("result")
        if not answer.ok or not isinstance(result, dict):
            raise self._refused(answer, address, idempotency_key)
        self._plain.pop(idempotency_key, None)
        return Receipt(provider_message_id=f"{chat}:{result.get('message_id')}")

    async def _call(self, token: str, method: str, body: dict[str, Any]) -> Response:
        # The token is in the path, as Telegram wants it: `Http` tells no URL in logs or errors.
        return await exchange.ask(
            self._tools,
            "POST",
            f"{self._host}/bot{token}/{method}",
            headers={"content-type": "application/json"},
            body=json.dumps(body, ensure_ascii=False).encode(),
        )

    def _refused(self, answer: Response, address: str, key: str) -> DeliveryError:
        told = exchange.answered_object(answer)
        parameters = told.get("parameters")
        parameters = parameters if isinstance(parameters, dict) else {}
        moved_to = parameters.get("migrate_to_chat_id")
        if isinstance(moved_to, int):
            self._moved[address] = str(moved_to)
            return DeliveryError("the group became a supergroup; its new number is used", retry_after_s=0.0)
        fault, reason = classified(answer.status, str(told.get("description", "")))
        if fault is Fault.TEMPLATE:
            self._plain[key] = None
            while len(self._plain) > 1000:
                self._plain.pop(next(iter(self._plain)))
        wait = parameters.get("retry_after")
        return exchange.refusal(
            answer, self._tools.clock, reason, fault, float(wait) if isinstance(wait, int) else None
        )


_REFUSALS: tuple[tuple[int, str, Fault, str], ...] = (
    (
        400,
        "chat not found",
        Fault.RECIPIENT,
        "there is no such chat; the contact must press Start in the bot",
    ),
    (400, "can't parse entities", Fault.TEMPLATE, "its formatting was refused; plain text is next"),
    (400, "button_url_invalid", Fault.TEMPLATE, "its button was refused; plain text is next"),
    (400, "inline keyboard button url", Fault.TEMPLATE, "its button was refused; plain text is next"),
    (401, "", Fault.CONFIG, "the bot token is not accepted; check bot_token"),
    (403, "blocked by the user", Fault.RECIPIENT, "the contact blocked the bot"),
    (403, "deactivated", Fault.RECIPIENT, "the contact's account is gone"),
    (403, "was kicked", Fault.RECIPIENT, "the bot was removed from the group"),
    (403, "not a member", Fault.RECIPIENT, "the bot is not in the group"),
    (403, "can't initiate", Fault.RECIPIENT, "the contact must press Start in the bot first"),
    (403, "", Fault.RECIPIENT, "the bot may not write to this chat"),
    (404, "", Fault.CONFIG, "there is no such bot; check bot_token and base_url"),
)


def classified(status: int, description: str) -> tuple[Fault, str]:
    said = description.lower()
    for code, phrase, fault, reason in _REFUSALS:
        if status == code and phrase in said:
            return fault, reason
    fault = Fault.UNKNOWN if 200 <= status < 300 else exchange.by_status(status)
    return fault, f"Telegram answered HTTP {status}"


def _message(chat: str, message: Message, *, plain: bool) -> dict[str, Any]:
    url = message.url
    button = None if plain or url is None or not _takes_button(url) else {"text": REVIEW, "url": url}
    text = _text(message, None if button else url, plain=plain)
    body: dict[str, Any] = {
        "chat_id": int(chat) if chat.lstrip("-").isdigit() else chat,
        "text": text,
        # A preview would fetch the link, and show it to a whole group.
        "link_preview_options": {"is_disabled": True},
    }
    if not plain:
        body["parse_mode"] = "HTML"
    if button:
        body["reply_markup"] = {"inline_keyboard": [[button]]}
    return body


def _takes_button(url: str) -> bool:
    """Telegram refuses the whole message for a button on a host without a dot, such as localhost."""
    return "." in (urlsplit(url).hostname or "")


def _text(message: Message, url: str | None, *, plain: bool) -> str:
    def shown(text: str, tag: str) -> str:
        return text if plain else f"<{tag}>{html.escape(text, quote=False)}</{tag}>"

    title = clip(flatten(message.title), TITLE_LIMIT)
    footer = clip(flatten(message.footer), TITLE_LIMIT)
    link = [f"{REVIEW}: {url}"] if url else []
    room = TEXT_LIMIT - sum(units(part) + 1 for part in (title, footer, *link))
    lines = [*fit([flatten(line) for line in message.body], room), *link]
    if not plain:
        lines = [html.escape(line, quote=False) for line in lines]
    return "\n".join((shown(title, "b"), *lines, shown(footer, "i")))
