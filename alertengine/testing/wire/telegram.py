"""Telegram's Bot API."""

from __future__ import annotations

import re
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
        return self._send_message(body)

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
