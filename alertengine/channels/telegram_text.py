"""What stands in a Telegram message, and what an update says that people did."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from alertengine.core.fit import clip, fit, flatten, units
from alertengine.core.message import Message
from alertengine.core.taps import Verb
from alertengine.core.taps import button as data
from alertengine.ports import Reply, Tap

TEXT_LIMIT = 4096
TITLE_LIMIT = 400
BUTTON_LIMIT = 60
UPDATES = ("message", "callback_query")


def alert_body(chat: str, message: Message, *, plain: bool, answers: bool) -> dict[str, Any]:
    """A message with its buttons. `answers`: somebody listens to those that are no links."""
    url = message.url
    pressable = not plain and url is not None and _takes_button(url)
    button = {"text": message.words("button.review"), "url": url or ""} if pressable else None
    typed = message.words("chat.code", code=message.code) if answers and message.code else None
    text = _text(message, () if button else message.link, typed, plain=plain)
    body: dict[str, Any] = {
        "chat_id": _number(chat),
        "text": text,
        # A preview would fetch the link, and show it to a whole group.
        "link_preview_options": {"is_disabled": True},
    }
    if not plain:
        body["parse_mode"] = "HTML"
    rows: list[list[dict[str, str]]] = [[button]] if button else []
    if answers and message.reference:
        here = [("button.ack", Verb.ACKNOWLEDGE), ("button.here", Verb.SEE)]
        rows.append([_press(message.words(key), data(verb, message.reference)) for key, verb in here])
    if rows:
        body["reply_markup"] = {"inline_keyboard": rows}
    first, _, number = (message.thread or "").rpartition(":")
    if first == chat:
        body["reply_parameters"] = {"message_id": int(number), "allow_sending_without_reply": True}
    return body


def reply_body(tap: Tap, reply: Reply) -> dict[str, Any]:
    lines = fit([flatten(line) for line in reply.written], TEXT_LIMIT)
    body: dict[str, Any] = {
        "chat_id": _number(tap.chat),
        "text": html.escape("\n".join(lines), quote=False),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
    if reply.buttons:
        body["reply_markup"] = {"inline_keyboard": [[_press(*button)] for button in reply.buttons]}
    return body


def amended_body(message_id: str, message: Message, *, answers: bool) -> dict[str, Any]:
    """With the buttons that the message now has: none, where nothing is left to press."""
    chat, _, number = message_id.rpartition(":")
    return {**alert_body(chat, message, plain=False, answers=answers), "message_id": int(number)}


def tap_of(update: Any) -> Tap | None:
    """What a person did, from an update; None for all else that happens in a chat."""
    try:
        if "callback_query" in update:
            pressed = update["callback_query"]
            chat, number = pressed["message"]["chat"]["id"], pressed["message"]["message_id"]
            return Tap(
                sender=str(pressed["from"]["id"]),
                chat=str(chat),
                text=str(pressed["data"]),
                message_id=f"{chat}:{number}",
                handle=str(pressed["id"]),
            )
        wrote = update["message"]
        return Tap(sender=str(wrote["from"]["id"]), chat=str(wrote["chat"]["id"]), text=str(wrote["text"]))
    except (KeyError, TypeError):
        return None


def _press(label: str, pressed: str) -> dict[str, str]:
    return {"text": clip(label, BUTTON_LIMIT), "callback_data": pressed}


def _number(chat: str) -> int | str:
    return int(chat) if chat.lstrip("-").isdigit() else chat


def _takes_button(url: str) -> bool:
    """Telegram refuses the whole message for a button on a host without a dot, such as localhost."""
    return "." in (urlsplit(url).hostname or "")


def _text(message: Message, link: Sequence[str], typed: str | None, *, plain: bool) -> str:
    def shown(text: str, tag: str) -> str:
        return text if plain else f"<{tag}>{html.escape(text, quote=False)}</{tag}>"

    title = clip(flatten(message.title), TITLE_LIMIT)
    footer = clip(flatten(message.footer), TITLE_LIMIT)
    link = [*link, *([typed] if typed else [])]
    room = TEXT_LIMIT - sum(units(part) + 1 for part in (title, footer, *link))
    lines = [*fit([flatten(line) for line in message.body], room), *link]
    if not plain:
        lines = [html.escape(line, quote=False) for line in lines]
    return "\n".join((shown(title, "b"), *lines, shown(footer, "i")))
