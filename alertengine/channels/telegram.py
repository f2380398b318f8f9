"""Messages by a Telegram bot."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from alertengine.channels import exchange
from alertengine.channels.telegram_text import UPDATES, alert_body, amended_body, reply_body, tap_of
from alertengine.core.message import Message
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, Fault
from alertengine.http import Response
from alertengine.ports import Call, Examination, Receipt, Reply, Tap, Traits
from alertengine.settings.url import WebUrl
from alertengine.tools import Tools

HOST = "https://api.telegram.org"
LISTEN_S = 25.0
INVITING = "https://t.me/"
WEBHOOK_CHECK_S = 3600.0
_CHAT = re.compile(r"-?[0-9]{1,19}|@[A-Za-z0-9_]{4,40}")


class Config(BaseModel):
    """`bot_token` is what @BotFather gave. A contact's address is the number of their chat with the bot.

    `updates`: how answers come in. "polling" works behind a firewall; "webhook" needs `server.base_url` in public.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["telegram"]
    bot_token: Annotated[SecretStr, Field(min_length=3)]
    updates: Literal["polling", "webhook"] = "polling"
    base_url: WebUrl = HOST


EXAMPLE = """
[channels.telegram]
kind = "telegram"
bot_token = "123456789:..."          # or: bot_token_file = "/etc/alertengine/telegram.token"
"""


class TelegramChannel:
    kind = "telegram"
    provider = "telegram"

    def __init__(self, name: str, config: Config | None, tools: Tools) -> None:
        """Without `config`, each contact brings the token of a bot."""
        self.name = name
        self._tools = tools
        self._host = config.base_url.rstrip("/") if config else HOST
        self._token = config.bot_token.get_secret_value() if config else None
        self._by_webhook = config is not None and config.updates == "webhook"
        self._next_update = 0
        self.traits = Traits(
            idempotent=False,
            per_s=20,
            burst=30,
            chats=config is not None,
            amends=config is not None,
            invites=config is not None,
        )
        self._username: str | None = None
        self._moved: dict[str, str] = {}
        """Groups that became supergroups have a new number; Telegram tells it again whenever this is lost."""
        self._plain: dict[str, None] = {}
        """Messages whose markup or button was refused: the next try goes without."""

    def complaint(self, contact: Contact) -> str | None:
        address, token = self._tools.opened(contact)
        if not (token or self._token):
            return "no telegram channel is configured, so it needs the token of a bot"
        if not address and self.traits.invites:
            return None  # their link will tell
        return None if _CHAT.fullmatch(address) else "the address is the number of a chat, e.g. 123456789"

    async def invitation(self, contact: Contact, word: str) -> str | None:
        """Pressing Start in the bot writes it there. Who has named a chat is sent a code instead."""
        if self._token is None or contact.address:
            return None
        if self._username is None:
            me = exchange.answered_object(await self._say("getMe", {})).get("result")
            self._username = me.get("username") if isinstance(me, dict) else None
        return f"{INVITING}{self._username}?start={word}" if self._username else None

    async def examine(self) -> Examination:
        """The bot itself, and whether Telegram calls where we listen."""
        if self._token is None:
            return Examination(detail=exchange.BROUGHT)
        answer = await self._say("getMe", {})
        me = exchange.answered_object(answer).get("result")
        hook = exchange.answered_object(await self._say("getWebhookInfo", {})).get("result")
        name = me.get("username") if isinstance(me, dict) else None
        if not isinstance(name, str):
            raise DeliveryError("Telegram answered without the bot's name", fault=Fault.UNKNOWN)
        lost = hook.get("last_error_message") if isinstance(hook, dict) and self._by_webhook else None
        remedy = "Telegram could not call /hooks/telegram: is server.base_url reachable?" if lost else None
        return Examination(detail=f"bot @{name}", at=exchange.clock_of(answer), remedy=remedy)

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        address, own = self._tools.opened(contact)
        token = own or self._token
        if token is None:
            raise DeliveryError("no telegram channel is configured", fault=Fault.CONFIG)
        chat = self._moved.get(address, address)
        plain = idempotency_key in self._plain
        # Only the configured bot is listened to: another one's buttons would do nothing.
        body = alert_body(chat, message, plain=plain, answers=own is None and self.traits.chats)
        answer = await self._call(token, "sendMessage", body)
        result = exchange.answered_object(answer).get("result")
        if not answer.ok or not isinstance(result, dict):
            raise self._refused(answer, address, idempotency_key)
        self._plain.pop(idempotency_key, None)
        return Receipt(provider_message_id=f"{chat}:{result.get('message_id')}")

    async def listen(self) -> tuple[Tap, ...]:
        """In webhook mode, make sure that Telegram calls us; else ask for what people did."""
        if self._by_webhook:
            await self._say("setWebhook", self._webhook())
            await self._tools.clock.sleep(WEBHOOK_CHECK_S)
            return ()
        if not self._next_update:
            await self._say("deleteWebhook", {})
        asked = {"offset": self._next_update, "timeout": LISTEN_S, "allowed_updates": list(UPDATES)}
        answer = await self._say("getUpdates", asked, timeout_s=LISTEN_S + exchange.TIMEOUT_S)
        found = exchange.answered_object(answer).get("result")
        updates = [u for u in found if isinstance(u, dict)] if isinstance(found, list) else []
        # Asking for the next one tells Telegram that these were seen; a crash before that shows them again.
        self._next_update = max([1, self._next_update, *(int(u.get("update_id", 0)) + 1 for u in updates)])
        return tuple(tap for update in updates if (tap := tap_of(update)))

    def read_call(self, call: Call) -> tuple[Tap, ...] | None:
        given = call.headers.get("x-telegram-bot-api-secret-token", "")
        if not self._by_webhook or not hmac.compare_digest(given.encode(), self._webhook_secret().encode()):
            return None
        try:
            tap = tap_of(json.loads(call.body))
        except (ValueError, RecursionError):
            tap = None
        return (tap,) if tap else ()

    async def answer(self, tap: Tap, reply: Reply) -> None:
        if tap.handle:
            # The client spins until it gets this; too late is no harm, for what counts comes as a message.
            with contextlib.suppress(DeliveryError):
                await self._say("answerCallbackQuery", {"callback_query_id": tap.handle})
        await self._say("sendMessage", reply_body(tap, reply))

    async def amend(self, message_id: str, message: Message) -> None:
        assert self._token is not None
        body = amended_body(message_id, message, answers=self.traits.chats)
        answer = await self._call(self._token, "editMessageText", body)
        said = str(exchange.answered_object(answer).get("description", ""))
        if not answer.ok and "message is not modified" not in said:
            raise self._refused(answer, "", "")

    async def _say(self, method: str, body: dict[str, Any], timeout_s: float | None = None) -> Response:
        assert self._token is not None
        answer = await self._call(self._token, method, body, timeout_s)
        if not answer.ok:
            raise self._refused(answer, "", "")
        return answer

    def _webhook(self) -> dict[str, Any]:
        if self._tools.public_url is None:
            raise DeliveryError('updates = "webhook" needs server.base_url', fault=Fault.CONFIG)
        url = f"{self._tools.public_url}/hooks/telegram"
        return {"url": url, "secret_token": self._webhook_secret(), "allowed_updates": list(UPDATES)}

    def _webhook_secret(self) -> str:
        return hashlib.sha256(f"telegram webhook\n{self._token}".encode()).hexdigest()

    async def _call(
        self, token: str, method: str, body: dict[str, Any], timeout_s: float | None = None
    ) -> Response:
        # The token is in the path, as Telegram wants it: `Http` tells no URL in logs or errors.
        return await exchange.ask(
            self._tools,
            "POST",
            f"{self._host}/bot{token}/{method}",
            headers={"content-type": "application/json"},
            body=json.dumps(body, ensure_ascii=False).encode(),
            timeout_s=timeout_s,
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
        if fault is Fault.TEMPLATE and key:
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
    (409, "", Fault.RETRY, "another program reads this bot's messages; give each daemon a bot of its own"),
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
