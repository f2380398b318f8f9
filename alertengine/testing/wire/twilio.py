"""Twilio: WhatsApp messages and calls."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from alertengine.channels.twilio import signature
from alertengine.testing.wire.loopback import LoopbackServer, Reply, Request, replied
from alertengine.testing.wire.sent import value_fault

ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "twilio-auth-token-for-rehearsals"  # noqa: S105 - opens nothing
SENDER = "+14155238886"
ASK_TEMPLATE = "HX" + "a" * 32
UPDATE_TEMPLATE = "HX" + "b" * 32
VARIABLES = {ASK_TEMPLATE: 5, UPDATE_TEMPLATE: 2}
WHATSAPP = re.compile(r"whatsapp:\+[1-9][0-9]{6,14}")
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
MESSAGE_FIELDS = {
    *("To", "From", "MessagingServiceSid", "Body", "ContentSid", "ContentVariables", "StatusCallback"),
    *("ValidityPeriod",),
}
CALL_FIELDS = {
    *(
        "To",
        "From",
        "Twiml",
        "Timeout",
        "MachineDetection",
        "StatusCallback",
        "StatusCallbackMethod",
        "StatusCallbackEvent",
    ),
}
VERBS = {"Response", "Say", "Pause", "Hangup", "Gather"}


class TwilioServer(LoopbackServer):
    """`messages` and `calls` by SID, each with the fields it was made with and its `status`."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, dict[str, Any]] = {}
        self.calls: dict[str, dict[str, Any]] = {}
        self.account_status = "active"
        self.approvals = dict.fromkeys(VARIABLES, "approved")
        """What WhatsApp says of each template."""
        self.reaches_callbacks = True
        """False: status callbacks are refused with error 21609."""

    def answer(self, request: Request) -> Reply:
        login = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {login}":
            return failed(401, 20003)
        if request.method == "GET" and request.path == f"/2010-04-01/Accounts/{ACCOUNT_SID}.json":
            return replied({"sid": ACCOUNT_SID, "status": self.account_status, "friendly_name": "Rehearsal"})
        template = re.fullmatch(r"/v1/Content/(\w+)/ApprovalRequests", request.path)
        if request.method == "GET" and template:
            return self._approval(template[1])
        root = f"/2010-04-01/Accounts/{ACCOUNT_SID}/"
        found = re.fullmatch(re.escape(root) + r"(?:Messages|Calls)/(\w+)\.json", request.path)
        if request.method == "GET" and found:
            return self._resource(found[1])
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            self.problem("a form was expected")
        form = dict(request.form)
        if "StatusCallback" in form and not self.reaches_callbacks:
            return failed(400, 21609)
        if request.method == "POST" and found and found[1] in self.calls:
            return self._redirected(found[1], form)
        if (request.method, request.path) == ("POST", f"{root}Messages.json"):
            return self._made(self.messages, "SM", form, message_fault(form))
        if (request.method, request.path) == ("POST", f"{root}Calls.json"):
            return self._made(self.calls, "CA", form, call_fault(form))
        return failed(404, 20404)

    async def report(
        self,
        sid: str,
        status: str,
        *,
        code: int | None = None,
        answered_by: str | None = None,
        token: str = AUTH_TOKEN,
    ) -> int | None:
        """A message or call goes on to `status`: kept, and told to its callback, which answers an HTTP status."""
        made = self.calls.get(sid) or self.messages[sid]
        made |= {"status": status, "error_code": code, "answered_by": answered_by}
        if "StatusCallback" not in made:
            return None
        form = _receipt(sid, made)
        signed = signature(token, made["StatusCallback"], form)
        kind = "application/x-www-form-urlencoded"
        return await self.call(
            made["StatusCallback"], urlencode(form).encode(), content_type=kind, x_twilio_signature=signed
        )

    async def press_key(self, sid: str, digits: str, token: str = AUTH_TOKEN) -> int:
        """The person who was called presses a key."""
        made = self.calls[sid]
        gather = ElementTree.fromstring(made["Twiml"]).find("Gather")  # noqa: S314 - our own client wrote it
        assert gather is not None, "nothing asks for a key"
        url = gather.attrib["action"]
        form = {"AccountSid": ACCOUNT_SID, "CallSid": sid, "CallStatus": "in-progress", "Digits": digits}
        fields = list({**form, "To": made["To"], "From": made["From"]}.items())
        kind, signed = "application/x-www-form-urlencoded", signature(token, url, fields)
        return await self.call(url, urlencode(fields).encode(), content_type=kind, x_twilio_signature=signed)

    async def write(
        self,
        url: str,
        number: str,
        text: str = "",
        *,
        button: str | None = None,
        answers: str | None = None,
        token: str = AUTH_TOKEN,
    ) -> int:
        """Somebody writes to the sender on WhatsApp, or presses a quick reply under one of its messages."""
        sid = f"SM{len(self.requests):031x}f"
        form = {
            "AccountSid": ACCOUNT_SID,
            "MessageSid": sid,
            "SmsSid": sid,
            "SmsStatus": "received",
            "Body": text,
        }
        form |= {
            "From": f"whatsapp:{number}",
            "To": f"whatsapp:{SENDER}",
            "WaId": number[1:],
            "NumMedia": "0",
        }
        form |= {"ButtonPayload": button, "MessageType": "button"} if button else {"MessageType": "text"}
        form |= {"OriginalRepliedMessageSid": answers} if answers else {}
        fields = list(form.items())
        kind, signed = "application/x-www-form-urlencoded", signature(token, url, fields)
        return await self.call(url, urlencode(fields).encode(), content_type=kind, x_twilio_signature=signed)

    def _redirected(self, sid: str, form: dict[str, str]) -> Reply:
        """A call that goes on with other words."""
        wrong = (
            (20001, "only Twiml is expected here") if form.keys() != {"Twiml"} else twiml_fault(form["Twiml"])
        )
        if wrong:
            self.problem(wrong[1])
            return failed(400, wrong[0])
        self.calls[sid]["Twiml"] = form["Twiml"]
        return replied(_resource(sid, self.calls[sid]))

    def _approval(self, sid: str) -> Reply:
        if sid not in self.approvals:
            return failed(404, 20404)
        judged = {"name": "ae_incident", "category": "UTILITY", "status": self.approvals[sid]}
        return replied({"sid": sid, "account_sid": ACCOUNT_SID, "whatsapp": judged})

    def _resource(self, sid: str) -> Reply:
        made = self.messages.get(sid) or self.calls.get(sid)
        return replied(_resource(sid, made)) if made else failed(404, 20404)

    def _made(
        self,
        kept: dict[str, dict[str, Any]],
        prefix: str,
        form: dict[str, str],
        fault: tuple[int, str] | None,
    ) -> Reply:
        if fault:
            self.problem(fault[1])
            return failed(400, fault[0])
        sid = f"{prefix}{len(kept) + 1:032x}"
        kept[sid] = {**form, "status": "queued"}
        return replied(_resource(sid, kept[sid]), 201)


def _receipt(sid: str, made: dict[str, Any]) -> list[tuple[str, str]]:
    """The fields of a status callback."""
    form = {
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "To": made["To"],
        "From": made.get("From", ""),
    }
    if sid.startswith("CA"):
        form |= {"CallSid": sid, "CallStatus": made["status"], "CallbackSource": "call-progress-events"}
        form |= {"AnsweredBy": made["answered_by"]} if made["answered_by"] else {}
    else:
        form |= {
            "MessageSid": sid,
            "SmsSid": sid,
            "MessageStatus": made["status"],
            "SmsStatus": made["status"],
        }
        form |= {"ErrorCode": str(made["error_code"])} if made["error_code"] else {}
    return list(form.items())


def _resource(sid: str, made: dict[str, Any]) -> dict[str, Any]:
    return {
        "sid": sid,
        "account_sid": ACCOUNT_SID,
        "status": made["status"],
        "to": made["To"],
        "from": made.get("From"),
        "error_code": made.get("error_code"),
        "answered_by": made.get("answered_by"),
        "error_message": None,
        "date_created": "Fri, 02 Jan 2026 03:04:05 +0000",
    }


def failed(status: int, code: int, **headers: str) -> Reply:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return replied(
        {"code": code, "message": "see the code", "more_info": more, "status": status}, status, **headers
    )


def message_fault(form: dict[str, str]) -> tuple[int, str] | None:
    """(error code, why) of a message that Twilio would refuse."""
    if form.keys() - MESSAGE_FIELDS:
        return 20001, f"no such fields: {sorted(form.keys() - MESSAGE_FIELDS)}"
    if not WHATSAPP.fullmatch(form.get("To", "")):
        return 21211, "To: whatsapp: and a number"
    if form.get("From") != f"whatsapp:{SENDER}":
        return 21606, "From is not a sender of this account"
    if ("Body" in form) == ("ContentSid" in form):
        return 21603, "Body or ContentSid, one of them"
    if not 1 <= int(form.get("ValidityPeriod", "300")) <= 36_000:
        return 20001, "ValidityPeriod: 1 to 36000 s"
    if "Body" in form:
        return None if 1 <= len(form["Body"]) <= 1600 else (21617, "Body: 1 to 1600 characters")
    return _content_fault(form)


def _content_fault(form: dict[str, str]) -> tuple[int, str] | None:
    count = VARIABLES.get(form["ContentSid"])
    if count is None:
        return 21655, "there is no such template"
    values = json.loads(form.get("ContentVariables", "{}"))
    if list(values) != [str(n) for n in range(1, count + 1)]:
        return 21656, f"the template has the variables 1 to {count}"
    wrong = next((fault for value in values.values() if (fault := value_fault(value))), None)
    if wrong:
        return 21656, wrong
    if sum(map(len, list(values.values())[:4])) > 1024:
        return 63021, "the filled template is longer than 1024 characters"
    return None


def call_fault(form: dict[str, str]) -> tuple[int, str] | None:
    if form.keys() - CALL_FIELDS:
        return 20001, f"no such fields: {sorted(form.keys() - CALL_FIELDS)}"
    if not NUMBER.fullmatch(form.get("To", "")) or form.get("From") != SENDER:
        return 21211, "To and From are numbers, From one of this account"
    if not 1 <= int(form.get("Timeout", "60")) <= 600:
        return 20001, "Timeout: 1 to 600 s"
    return twiml_fault(form.get("Twiml", ""))


def twiml_fault(twiml: str) -> tuple[int, str] | None:
    if len(twiml) > 4000:
        return 21205, "Twiml has at most 4000 characters"
    try:
        root = ElementTree.fromstring(twiml)  # noqa: S314 - our own client wrote it, and its size is bounded
    except ElementTree.ParseError as error:
        return 12100, f"Twiml is not XML: {error}"
    unknown = {element.tag for element in root.iter()} - VERBS
    if root.tag != "Response" or unknown or not root.findtext(".//Say"):
        return 12100, f"Twiml: a Response that says something; unknown: {sorted(unknown)}"
    return None
