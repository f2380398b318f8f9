"""Telegram's Bot API."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from alertengine.core.fit import units
from alertengine.testing.wire.loopback import LoopbackServer, Reply, Request, replied

TOKEN = "123456789:telegram-token-for-rehearsals"  # noqa: S105 - opens nothing
TAGS = {"b", "strong", "i", "em", "u", "s", "code", "pre", "a", "blockquote", "tg-spoiler"}
FIELDS = {
    "sendMessage": {
        *("chat_id", "message_thread_id", "text", "parse_mode", "entities", "link_preview_options"),
        *("disable_notification", "protect_content", "reply_parameters", "reply_markup"),
    },
    "editMessageText": {
        "chat_id",
        "message_id",
        "text",
        "parse_mode",
        "link_preview_options",
        "reply_markup",
    },
    "answerCallbackQuery": {"callback_query_id", "text", "show_alert"},
    "getUpdates": {"offset", "limit", "timeout", "allowed_updates"},
    "setWebhook": {"url", "secret_token", "allowed_updates", "max_connections"},
    "deleteWebhook": {"drop_pending_updates"},
    "getMe": set(),
    "getWebhookInfo": set(),
}

METHODS = {
    "sendMessage": "send_message",
    "editMessageText": "edit_message_text",
    "answerCallbackQuery": "answer_callback_query",
    "getUpdates": "get_updates",
    "setWebhook": "set_webhook",
    "deleteWebhook": "delete_webhook",
    "getMe": "get_me",
    "getWebhookInfo": "get_webhook_info",
}


class TelegramServer(LoopbackServer):
    """`chats` are the chats the bot may write to; `messages` what stands in them, in order."""

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.token = token
        self.chats: set[int] = {1001}
        self.moved: dict[int, int] = {}
        """Groups that became supergroups, with their new numbers."""
        self.messages: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self.answered: list[str] = []
        """The presses that were answered."""
        self.webhook: dict[str, Any] | None = None
        self.username = "rehearsal_bot"
        self.webhook_trouble: dict[str, Any] = {}
        """What Telegram would tell of calls to the webhook that failed."""
        self._happened = asyncio.Event()

    def answer(self, request: Request) -> Reply:
        match = re.fullmatch(r"/bot([^/]+)/(\w+)", request.path)
        if match is None:
            return refused(404, "Not Found")
        if match[1] != self.token:
            return refused(401, "Unauthorized")
        method = match[2]
        if method not in FIELDS:
            return refused(404, "Not Found")
        body = request.json()
        for name in sorted(body.keys() - FIELDS[method]):
            self.problem(f"{method}: there is no field {name}")
        reply: Reply = getattr(self, f"_{METHODS[method]}")(body)
        return reply

    async def respond(self, request: Request) -> Reply:
        if request.path.endswith("/getUpdates") and not self._newer(request.json()):
            with suppress(TimeoutError):
                async with asyncio.timeout(request.json().get("timeout", 0)):
                    await self._happened.wait()
        return self.answer(request)

    async def press(
        self, data: str, user: int = 1001, message: int = 1, chat: int | None = None
    ) -> int | None:
        """Somebody presses a button under a message."""
        shown = {"message_id": message, "chat": {"id": chat or user}, "date": 1767323045}
        return await self._happen(
            {"callback_query": {"id": "77", "from": {"id": user}, "message": shown, "data": data}}
        )

    async def write(self, text: str, user: int = 1001) -> int | None:
        """Somebody writes to the bot."""
        return await self._happen(
            {
                "message": {
                    "message_id": 9,
                    "from": {"id": user},
                    "chat": {"id": user},
                    "date": 1,
                    "text": text,
                }
            }
        )

    async def _happen(self, update: dict[str, Any]) -> int | None:
        """Kept for getUpdates; or told to the webhook, which answers an HTTP status."""
        numbered = {"update_id": len(self.updates) + 500, **update}
        self.updates.append(numbered)
        self._happened.set()
        if self.webhook is None:
            return None
        secret = self.webhook.get("secret_token", "")
        body = json.dumps(numbered).encode()
        return await self.call(self.webhook["url"], body, x_telegram_bot_api_secret_token=secret)

    def _newer(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        return [update for update in self.updates if update["update_id"] >= body.get("offset", 0)]

    def _get_updates(self, body: dict[str, Any]) -> Reply:
        if self.webhook is not None:
            return refused(409, "Conflict: can't use getUpdates method while webhook is active")
        self._happened.clear()
        return replied({"ok": True, "result": self._newer(body)})

    def _get_me(self, body: dict[str, Any]) -> Reply:
        bot = {"id": 123456789, "is_bot": True, "first_name": "Rehearsal", "username": self.username}
        return replied({"ok": True, "result": bot})

    def _get_webhook_info(self, body: dict[str, Any]) -> Reply:
        url = (self.webhook or {}).get("url", "")
        info = {"url": url, "has_custom_certificate": False, "pending_update_count": 0}
        return replied({"ok": True, "result": info | self.webhook_trouble})

    def _set_webhook(self, body: dict[str, Any]) -> Reply:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", body.get("secret_token", "")):
            return refused(400, "Bad Request: secret token contains unallowed characters")
        self.webhook = body
        return replied({"ok": True, "result": True})

    def _delete_webhook(self, body: dict[str, Any]) -> Reply:
        self.webhook = None
        return replied({"ok": True, "result": True})

    def _answer_callback_query(self, body: dict[str, Any]) -> Reply:
        self.answered.append(body["callback_query_id"])
        return replied({"ok": True, "result": True})

    def _edit_message_text(self, body: dict[str, Any]) -> Reply:
        found = [
            m
            for m in self.messages
            if (m["chat"]["id"], m["message_id"]) == (body["chat_id"], body["message_id"])
        ]
        wrong = text_fault(body) or _keyboard_fault(body.get("reply_markup"))
        if not found or wrong:
            return refused(400, f"Bad Request: {wrong or 'message to edit not found'}")
        if body.items() <= found[0].items() and body.get("reply_markup") == found[0].get("reply_markup"):
            return refused(
                400, "Bad Request: message is not modified: specified new message content is the same"
            )
        if "reply_markup" not in body:
            found[0].pop("reply_markup", None)
        found[0].update(body)
        return replied({"ok": True, "result": True})

    def _send_message(self, body: dict[str, Any]) -> Reply:
        chat = body.get("chat_id")
        if chat in self.moved:
            description = "Bad Request: group chat was upgraded to a supergroup chat"
            return refused(400, description, migrate_to_chat_id=self.moved[chat])
        if chat not in self.chats:
            return refused(400, "Bad Request: chat not found")
        wrong = text_fault(body) or _keyboard_fault(body.get("reply_markup"))
        if wrong:
            self.problem(wrong)
            return refused(400, f"Bad Request: {wrong}")
        if not body.get("link_preview_options", {}).get("is_disabled"):
            self.problem("a link preview was not switched off")
        message = {"message_id": len(self.messages) + 1, "date": 1767323045, "chat": {"id": chat}}
        self.messages.append({**message, **body})
        return replied({"ok": True, "result": {**message, "text": body["text"]}})


def refused(code: int, description: str, **parameters: Any) -> Reply:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    if parameters:
        body["parameters"] = parameters
    headers = {"retry_after": str(parameters["retry_after"])} if "retry_after" in parameters else {}
    return replied(body, code, **headers)


def text_fault(body: dict[str, Any]) -> str | None:
    """Why Telegram would refuse the text; None where it would not."""
    text = body.get("text")
    if not isinstance(text, str) or not text.strip():
        return "message text is empty"
    shown = _Shown()
    if body.get("parse_mode") == "HTML":
        shown.feed(text)
        shown.close()
        if shown.open or shown.wrong:
            return f"can't parse entities: unsupported or unclosed tag {[*shown.open, *shown.wrong][0]}"
    elif "parse_mode" in body:
        return "only HTML is expected here"
    if units(shown.text or text) > 4096:
        return "message is too long"
    return None


class _Shown(HTMLParser):
    """What is left to read of Telegram's HTML, and which tags are unknown or open."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        (self.open if tag in TAGS else self.wrong).append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1:] == [tag]:
            self.open.pop()
        else:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def _keyboard_fault(markup: Any) -> str | None:
    rows = markup.get("inline_keyboard", []) if isinstance(markup, dict) else []
    for button in (button for row in rows for button in row):
        url, data = button.get("url"), button.get("callback_data")
        if not button.get("text") or (url is None) == (data is None):
            return "a button needs a text and one of url and callback_data"
        if url is not None and "." not in (urlsplit(url).hostname or ""):
            return f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL"
        if data is not None and not 1 <= len(data.encode()) <= 64:
            return "BUTTON_DATA_INVALID"
    return None
