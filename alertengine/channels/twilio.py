"""What both Twilio channels share: the account, one call of its API, its errors."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from alertengine.channels import exchange
from alertengine.errors import DeliveryError, Fault
from alertengine.http import Response
from alertengine.ports import Call, Examination
from alertengine.settings.url import WebUrl
from alertengine.tools import Tools

Sid = Annotated[str, Field(pattern=r"^AC[0-9A-Za-z]{1,62}$")]
HOST = "https://api.twilio.com"
CONTENT_HOST = "https://content.twilio.com"


class AccountConfig(BaseModel):
    """`account_sid` and `auth_token` stand on the first page of Twilio's console."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account_sid: Sid
    auth_token: Annotated[SecretStr, Field(min_length=1)]
    base_url: WebUrl = HOST


class Account:
    """One Twilio account. `post` answers the created object, `get` one that was created; or `DeliveryError`."""

    def __init__(self, config: AccountConfig, tools: Tools) -> None:
        self._tools = tools
        self._token = config.auth_token.get_secret_value()
        self._sid = config.account_sid
        self._root = f"{config.base_url.rstrip('/')}/2010-04-01/Accounts/{config.account_sid}"
        # The templates have a host of their own, except where everything is a rehearsal.
        self._content = CONTENT_HOST if config.base_url == HOST else config.base_url.rstrip("/")
        login = f"{config.account_sid}:{self._token}".encode()
        self._headers = {"authorization": "Basic " + base64.b64encode(login).decode()}
        self._refuses_callback = False

    @property
    def callback(self) -> str | None:
        """Where receipts are sent to, unless Twilio found that it cannot reach it."""
        public = self._tools.public_url
        return None if public is None or self._refuses_callback else f"{public}/hooks/twilio"

    async def post(self, resource: str, form: Sequence[tuple[str, str]]) -> dict[str, Any]:
        answer = await exchange.ask(
            self._tools,
            "POST",
            f"{self._root}/{resource}.json",
            headers={**self._headers, "content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
        )
        return self._read(answer)

    async def get(self, resource: str, sid: str) -> dict[str, Any]:
        url = f"{self._root}/{resource}/{sid}.json"
        return self._read(await exchange.ask(self._tools, "GET", url, headers=self._headers))

    async def examine(self) -> Examination:
        """The account itself. Raises `DeliveryError` where it is not active."""
        answer = await exchange.ask(self._tools, "GET", f"{self._root}.json", headers=self._headers)
        told = self._read(answer)
        if told.get("status") != "active":
            raise DeliveryError(f"the account is {told.get('status')}", fault=Fault.CONFIG)
        return Examination(detail="the account is active", at=exchange.clock_of(answer))

    async def approval(self, content_sid: str) -> str:
        """What WhatsApp says of a template: approved, pending, rejected, paused."""
        url = f"{self._content}/v1/Content/{content_sid}/ApprovalRequests"
        told = self._read(await exchange.ask(self._tools, "GET", url, headers=self._headers))
        judged = told.get("whatsapp")
        return str(judged.get("status", "")).lower() if isinstance(judged, dict) else "unsubmitted"

    def genuine(self, call: Call) -> dict[str, str] | None:
        """The form in a call that Twilio signed for this account; None for any other."""
        form = _form_of(call.body)
        if form is None or ("AccountSid", self._sid) not in form:
            return None
        given = call.headers.get("x-twilio-signature", "")
        known = hmac.compare_digest(given.encode(), signature(self._token, call.url, form).encode())
        return dict(form) if known else None

    def _read(self, answer: Response) -> dict[str, Any]:
        made = exchange.answered_object(answer)
        if not answer.ok or not isinstance(made.get("sid"), str):
            raise self._refused(answer, made)
        return made

    def _refused(self, answer: Response, told: dict[str, Any]) -> DeliveryError:
        code = _code(told)
        if code == BAD_CALLBACK and not self._refuses_callback:
            self._refuses_callback = True  # an alert without receipts is better than none
            return DeliveryError(
                "Twilio cannot reach server.base_url; sent without receipts", retry_after_s=0.0
            )
        fault, reason = classified(code) if code else (None, f"Twilio answered HTTP {answer.status}")
        if fault is None and answer.ok:
            fault = Fault.UNKNOWN
        return exchange.refusal(answer, self._tools.clock, reason, fault)


BAD_CALLBACK = 21609


def signature(token: str, url: str, form: Sequence[tuple[str, str]]) -> str:
    """Twilio's own scheme: the address as it called it, then every field by name."""
    signed = url + "".join(key + value for key, value in sorted(set(form)))
    return base64.b64encode(hmac.digest(token.encode(), signed.encode(), "sha1")).decode()


def _form_of(body: bytes) -> list[tuple[str, str]] | None:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return None


def _code(told: dict[str, Any]) -> int | None:
    """The error's number, from either of the two shapes that Twilio answers in."""
    several = told.get("errors")
    first = several[0] if isinstance(several, list) and several and isinstance(several[0], dict) else told
    code = first.get("code")
    return code if isinstance(code, int) else None


_RECIPIENT = (
    21211,
    21214,
    21217,
    21401,
    21604,
    21614,
    21610,
    63003,
    63024,
    63014,
    63033,
    63031,
    63015,
    32017,
)
_RETRY = (20429, 20500, 20503, 21611, 30001, 63009, 63010, 63012, 63017, 63018, 63023, 63029)
_EXHAUSTED = (63038, 60728)
_FAULTS = {
    **dict.fromkeys(_RECIPIENT, Fault.RECIPIENT),
    **dict.fromkeys(_RETRY, Fault.RETRY),
    **dict.fromkeys(_EXHAUSTED, Fault.EXHAUSTED),
    63016: Fault.TEMPLATE,
    30008: Fault.UNKNOWN,
}
_REMEDIES = {
    20003: "the account SID or the auth token is not accepted",
    20005: "the account is not active",
    20429: "too many requests",
    21211: "the contact's number is not valid",
    21215: "calls to this country are switched off in the console",
    21219: "a trial account calls verified numbers only",
    21408: "messages to this country are switched off in the console",
    21606: "`from` is not a sender of this account",
    21608: "a trial account writes to verified numbers only",
    21610: "the contact opted out with STOP",
    21656: "the template's variables were refused",
    63003: "the contact is not on WhatsApp",
    63007: "`from` is not a WhatsApp sender of this account",
    63013: "the message breaks WhatsApp's rules",
    63014: "the contact blocked the sender",
    63015: "the contact has not joined the sandbox",
    63016: "free text is taken only within 24 hours of the contact's last message; a template is needed",
    63018: "the sender's rate limit is reached",
    63038: "the account's daily limit is reached",
    63040: "the template was rejected",
    63041: "the template is paused",
    63042: "the template is disabled",
    63049: "WhatsApp chose not to deliver; is the template in the category UTILITY?",
}


def classified(code: int) -> tuple[Fault | None, str]:
    """What Twilio's error number means for the delivery; None where the answer's status has to say it."""
    meaning = _REMEDIES.get(code, f"see https://www.twilio.com/docs/errors/{code}")
    return _FAULTS.get(code), f"Twilio error {code}: {meaning}"


def code_of(value: object) -> int | None:
    """An error number as Twilio reports it: a number in its API, text in its calls."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else None
