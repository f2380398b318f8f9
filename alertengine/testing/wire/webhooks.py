"""Receivers of webhooks: Standard Webhooks, PagerDuty, Microsoft Teams, Discord; and what apprise sends as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from alertengine.signing import webhook_verified
from alertengine.testing.wire.loopback import LoopbackServer, Reply, Request, replied

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # noqa: S105 - opens nothing
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
PATH = "/sig-secretpathforrehearsals"


class WebhookReceiver(LoopbackServer):
    """Takes what is rightly signed, once for each id. `now` is the receiver's clock in Unix seconds."""

    def __init__(self, now: float, secret: str = SECRET) -> None:
        super().__init__()
        self.now = now
        self.secret = secret
        self.messages: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request) -> Reply:
        if request.method == "HEAD":
            return Reply(status=405)
        if not webhook_verified(self.secret, request.headers, request.body, self.now):
            self.problem("the signature or its time is wrong")
            return Reply(status=401)
        key = request.headers["webhook-id"]
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key) or len(request.body) > 20_000:
            self.problem("an id without dots and at most 20 kB are expected")
        self.messages[key] = request.json()
        return Reply(status=204)


class FormReceiver(LoopbackServer):
    """A service that takes webhooks in a form of its own. `messages` are the bodies it took."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []

    def fault(self, body: dict[str, Any]) -> str | None:
        """How the body breaks the service's format."""
        raise NotImplementedError

    def taken(self, body: dict[str, Any]) -> Reply:
        raise NotImplementedError

    def refused(self, wrong: str) -> Reply:
        return replied({"message": wrong}, 400)

    def answer(self, request: Request) -> Reply:
        if request.method == "HEAD":
            return Reply(status=405)
        body = request.json()
        wrong = self.fault(body)
        if wrong:
            self.problem(wrong)
            return self.refused(wrong)
        self.messages.append(body)
        return self.taken(body)


class PagerDutyServer(FormReceiver):
    def fault(self, body: dict[str, Any]) -> str | None:
        if body.get("routing_key") != ROUTING_KEY or not 1 <= len(body.get("dedup_key", "")) <= 255:
            return "routing_key and dedup_key are needed"
        action, payload = body.get("event_action"), body.get("payload")
        if action in ("acknowledge", "resolve"):
            return None if payload is None else "only a trigger has a payload"
        if action != "trigger" or not isinstance(payload, Mapping):
            return "event_action is trigger, acknowledge or resolve"
        if payload.get("severity") not in ("critical", "error", "warning", "info") or not payload.get(
            "source"
        ):
            return "a payload has a source and a severity"
        return None if 1 <= len(payload.get("summary", "")) <= 1024 else "summary: 1 to 1024 characters"

    def taken(self, body: dict[str, Any]) -> Reply:
        if self.messages.count(body) > 1:  # it is the same incident there
            self.messages.pop()
        return replied(
            {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}, 202
        )

    def refused(self, wrong: str) -> Reply:
        return replied(
            {"status": "invalid event", "message": "Event object is invalid", "errors": [wrong]}, 400
        )


class TeamsServer(FormReceiver):
    def fault(self, body: dict[str, Any]) -> str | None:
        attachments = body.get("attachments")
        if body.get("type") != "message" or not isinstance(attachments, list) or len(attachments) != 1:
            return "a message with one attachment"
        if attachments[0].get("contentType") != "application/vnd.microsoft.card.adaptive":
            return "the attachment is an adaptive card"
        card = attachments[0]["content"]
        if card.get("type") != "AdaptiveCard" or not card.get("version") or not card.get("body"):
            return "a card has a type, a version and a body"
        kinds = {block["type"] for block in card["body"]} | {a["type"] for a in card.get("actions", [])}
        return None if kinds <= {"TextBlock", "Action.OpenUrl"} else f"unknown elements: {kinds}"

    def taken(self, body: dict[str, Any]) -> Reply:
        return Reply(status=202)


class DiscordServer(FormReceiver):
    def fault(self, body: dict[str, Any]) -> str | None:
        if not 1 <= len(body.get("content", "")) <= 2000:
            return "content: 1 to 2000 characters"
        if body.get("allowed_mentions") != {"parse": []}:
            return "mentions are not switched off"
        return None if body.get("flags") == 4 else "embeds are not suppressed"

    def taken(self, body: dict[str, Any]) -> Reply:
        return Reply(status=204)


class AppriseReceiver(FormReceiver):
    """What apprise's `json://` notifies."""

    def fault(self, body: dict[str, Any]) -> str | None:
        if body.get("version") != "1.0" or body.get("type") not in ("info", "success", "warning", "failure"):
            return "version 1.0 and a type are needed"
        if body.get("attachments") != []:
            return "nothing is attached"
        title, text = body.get("title", ""), body.get("message", "")
        return (
            None
            if 1 <= len(title) <= 250 and 1 <= len(text) <= 1024
            else "title: 1 to 250, message: 1 to 1024"
        )

    def taken(self, body: dict[str, Any]) -> Reply:
        return Reply(status=200)
