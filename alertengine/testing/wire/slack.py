"""Slack: incoming webhooks and the Web API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from alertengine.channels.slack import signature
from alertengine.testing.wire.loopback import LoopbackServer, Reply, Request, replied

WEBHOOK_PATH = "/services/T0001/B0001/secretpathforrehearsals"
BOT_TOKEN = "xoxb-slack-token-for-rehearsals"  # noqa: S105 - opens nothing
SIGNING_SECRET = "slack-signing-secret-for-rehearsals"  # noqa: S105 - opens nothing
CONTROL = re.compile(r"<[!@#]|<(?!https?://)")


class SlackServer(LoopbackServer):
    """`messages` are the bodies that were posted."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = {"C0001"}
        self.messages: list[dict[str, Any]] = []

    @property
    def webhook_url(self) -> str:
        return self.url + WEBHOOK_PATH

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/services/"):
            return self._webhook(request)
        if request.path == "/api/chat.postMessage":
            return self._post_message(request)
        if request.path == "/api/chat.update":
            return self._update(request)
        if request.path == "/api/auth.test":
            return self._auth_test(request)
        return Reply(status=404)

    async def press(
        self, url: str, value: str, user: str, message: int, now: float, secret: str = SIGNING_SECRET
    ) -> int:
        """Somebody presses a button under message number `message`; the app's address answers an HTTP status."""
        shown = self.messages[message]
        payload = {
            "type": "block_actions",
            "team": {"id": "T0001"},
            "user": {"id": user, "username": user.lower()},
            "container": {"message_ts": shown["ts"], "channel_id": shown["channel"]},
            "channel": {"id": shown["channel"]},
            "actions": [{"action_id": "pressed", "value": value}],
        }
        body, stamp = urlencode({"payload": json.dumps(payload)}).encode(), str(int(now))
        signed = signature(secret, stamp, body)
        return await self.call(url, body, x_slack_request_timestamp=stamp, x_slack_signature=signed)

    def _update(self, request: Request) -> Reply:
        body = request.json()
        found = [
            m
            for m in self.messages
            if (m.get("channel"), m.get("ts")) == (body.get("channel"), body.get("ts"))
        ]
        wrong = message_fault(body)
        if not found or wrong:
            return replied({"ok": False, "error": "invalid_blocks" if wrong else "message_not_found"})
        found[0].update(body)
        return replied({"ok": True, "channel": body["channel"], "ts": body["ts"]})

    def _auth_test(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {BOT_TOKEN}":
            return replied({"ok": False, "error": "invalid_auth"})
        return replied({"ok": True, "team": "Rehearsal", "user": "alertengine", "bot_id": "B0001"})

    def _webhook(self, request: Request) -> Reply:
        if request.path != WEBHOOK_PATH:
            return word(404, "no_service")
        body = request.json()
        if not body:
            return word(400, "no_text")
        wrong = message_fault(body)
        if wrong:
            self.problem(wrong)
            return word(400, "invalid_blocks")
        self.messages.append(body)
        return word(200, "ok")

    def _post_message(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {BOT_TOKEN}":
            return replied({"ok": False, "error": "invalid_auth"})
        body = request.json()
        if body.get("channel") not in self.channels:
            return replied({"ok": False, "error": "channel_not_found"})
        wrong = message_fault(body)
        if wrong:
            self.problem(wrong)
            return replied({"ok": False, "error": "invalid_blocks"})
        stamp = f"1767323045.{len(self.messages) + 1:06d}"
        self.messages.append({**body, "ts": stamp})
        return replied(
            {"ok": True, "channel": body["channel"], "ts": stamp, "message": {"text": body["text"]}}
        )


def word(status: int, text: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, body=text.encode(), headers={"content-type": "text/plain", **named})


def message_fault(body: dict[str, Any]) -> str | None:
    """How the body breaks Slack's rules or ours; None where it is fine."""
    if not body.get("text") or len(body["text"]) > 40_000:
        return "text is missing or too long"
    if body.get("unfurl_links") is not False or body.get("unfurl_media") is not False:
        return "link previews were not switched off"
    if CONTROL.search(body["text"]):
        return "text holds an unescaped control sequence"
    blocks = body.get("blocks", [])
    if len(blocks) > 50:
        return "more than 50 blocks"
    return next((fault for block in blocks for fault in _block_faults(block)), None)


def _block_faults(block: dict[str, Any]) -> Iterator[str]:
    kind = block.get("type")
    if kind == "header":
        yield from _text_faults(block["text"], "plain_text", 150)
    elif kind == "section":
        yield from _text_faults(block["text"], "mrkdwn", 3000)
    elif kind == "context":
        for element in block["elements"]:
            yield from _text_faults(element, "mrkdwn", 3000)
    elif kind == "actions":
        for button in block["elements"]:
            yield from _button_faults(button)
    else:
        yield f"no such block: {kind}"


def _text_faults(text: dict[str, Any], kind: str, limit: int) -> Iterator[str]:
    if text.get("type") != kind or not 1 <= len(text.get("text", "")) <= limit:
        yield f"a {kind} of 1 to {limit} characters is needed"
    elif kind == "mrkdwn" and CONTROL.search(text["text"]):
        yield "mrkdwn holds an unescaped control sequence"


def _button_faults(button: dict[str, Any]) -> Iterator[str]:
    yield from _text_faults(button["text"], "plain_text", 75)
    if len(button.get("url", "")) > 3000 or len(button.get("value", "")) > 2000:
        yield "a button's url has at most 3000 characters, its value 2000"
