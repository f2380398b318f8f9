"""Sent.dm's API, version 3."""

from __future__ import annotations

import json
import re
from typing import Any

from alertengine.signing import webhook_signature
from alertengine.testing.wire.loopback import LoopbackServer, Reply, Request, replied

API_KEY = "sent-key-for-rehearsals"
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # noqa: S105 - opens nothing
TEMPLATES = {
    "ae_incident": {"what", "measured", "cause", "proposal", "link"},
    "ae_update": {"what", "details"},
}
META = {"request_id": "req_1", "timestamp": "2026-01-02T03:04:05Z", "version": "v3"}


class SentServer(LoopbackServer):
    """`messages` by id. One idempotency key is one message, whatever comes with it the second time."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, dict[str, Any]] = {}
        self._by_key: dict[str, Reply] = {}

    def answer(self, request: Request) -> Reply:
        if request.headers.get("x-api-key") != API_KEY:
            return failed(401, "AUTH_002")
        found = re.fullmatch(r"/v3/messages/([\w-]+)", request.path)
        if request.method == "GET" and found and found[1] in self.messages:
            status = self.messages[found[1]]["status"]
            return replied({"success": True, "data": {"id": found[1], "status": status}, "meta": META})
        if (request.method, request.path) == ("GET", "/v3/me"):
            return replied({"success": True, "data": {"id": "cus_1", "name": "Rehearsal"}, "meta": META})
        if (request.method, request.path) != ("POST", "/v3/messages"):
            return failed(404, "RESOURCE_001")
        key = request.headers.get("idempotency-key", "")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", key):
            self.problem("the Idempotency-Key is missing or malformed")
        if key in self._by_key:
            earlier = self._by_key[key]
            return Reply(
                status=earlier.status,
                body=earlier.body,
                headers={**earlier.headers, "idempotent-replayed": "true"},
            )
        wrong = _fault(request.json())
        if wrong:
            self.problem(wrong)
            return failed(400, "VALIDATION_001")
        reply = self._take(request.json())
        self._by_key[key] = reply
        return reply

    async def report(
        self,
        url: str,
        message_id: str,
        status: str,
        now: float,
        *,
        code: str | None = None,
        secret: str = SECRET,
    ) -> int:
        """A message goes on to `status`: kept, and told to the webhook at `url`, which answers an HTTP status."""
        self.messages[message_id]["status"] = status
        payload = {
            "message_id": message_id,
            "message_status": status,
            "channel": "whatsapp",
            "reason_code": code,
        }
        event = {"field": "message", "event": f"message.{status.lower()}", "payload": payload, **META}
        body, stamp = json.dumps(event).encode(), int(now)
        return await self.call(
            url,
            body,
            x_webhook_id="wh_1",
            x_webhook_event_id=f"evt_{message_id}_{status}",
            x_webhook_timestamp=str(stamp),
            x_webhook_signature=webhook_signature(secret, "wh_1", stamp, body),
        )

    def _take(self, body: dict[str, Any]) -> Reply:
        message_id = f"66666666-7777-4888-9999-{len(self.messages):012d}"
        self.messages[message_id] = {**body, "status": "QUEUED"}
        recipient = {"message_id": message_id, "to": body["to"][0], "channel": "whatsapp", "body": None}
        data = {"status": "QUEUED", "template_id": None, "template_name": None, "recipients": [recipient]}
        return replied({"success": True, "data": data, "error": None, "meta": META}, 202)


def failed(status: int, code: str, **headers: str) -> Reply:
    error = {"code": code, "message": "see the code", "details": None, "doc_url": None}
    return replied({"success": False, "data": None, "error": error, "meta": META}, status, **headers)


def _fault(body: dict[str, Any]) -> str | None:
    to, template = body.get("to"), body.get("template")
    if not isinstance(to, list) or len(to) != 1 or not re.fullmatch(r"\+[1-9][0-9]{6,14}", to[0]):
        return "to: one number in E.164"
    if body.get("channel") != ["whatsapp"]:
        return "channel: pinned to whatsapp alone"
    if body.keys() - {"to", "channel", "template", "text"} or (template is None) == ("text" not in body):
        return "template or text, one of them, and nothing unknown"
    if template is None:
        return None if body["text"] else "text is empty"
    return _template_fault(template)


def _template_fault(template: dict[str, Any]) -> str | None:
    values = template.get("parameters", {})
    if values.keys() != TEMPLATES.get(template.get("name", ""), set()):
        return f"template {template.get('name')}: its parameters are not {sorted(values)}"
    return next((fault for value in values.values() if (fault := value_fault(value))), None)


def value_fault(value: Any) -> str | None:
    """What WhatsApp refuses in a template's variable."""
    if not isinstance(value, str) or not value.strip():
        return "a template's value is never empty"
    if re.search(r"[\n\r\t]| {5}", value):
        return "a template's value has no line breaks, tabs or runs of spaces"
    return None
