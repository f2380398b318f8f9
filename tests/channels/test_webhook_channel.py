"""Webhooks: verifiable by anybody's library, one id over all tries, and the right lesson from each refusal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from alertengine.channels.webhook import Config, WebhookChannel
from alertengine.clock import SystemClock
from alertengine.core.letter import Letter, compose
from alertengine.core.message import Message, MessageKind
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, HttpError
from alertengine.http import Response
from alertengine.testing import START, make_incident

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OWN = "whsec_dGVuYW50LXNlY3JldC10ZW5hbnQtc2VjcmV0"
OWN_BEFORE = "whsec_b3duLWJlZm9yZS1vZi10aGlzLXRlc3Q="
URL = "https://ops.example/alerts"
LINK = "http://127.0.0.1:9000/action/recover?token=abc"
TARIRO = Contact(id="con_1", tenant_id="ten_1", name="Tariro", channel="hook")


class Wire:
    def __init__(self, status: int = 204, **headers: str) -> None:
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.failure: HttpError | None = None
        self.sent: list[dict[str, Any]] = []

    async def fetch(self, method: str, url: str, **more: Any) -> Response:
        self.sent.append({"url": url, **more})
        if self.failure:
            raise self.failure
        return Response(status=self.status, headers=self.headers, body=b"")


@pytest.fixture
def message() -> Message:
    letter = Letter(recipient="Tariro", now=START, queued_at=START, url=LINK)
    return compose(MessageKind.ALERT, make_incident(), letter)


def channel(wire: Wire, *, configured: bool = True) -> WebhookChannel:
    tools = SimpleNamespace(
        http=wire,
        clock=SystemClock(),
        tenant_secrets=lambda purpose, tenant: (OWN, OWN_BEFORE),
        new_id=lambda prefix: prefix,
    )
    config = Config(kind="webhook", url=URL, secret=SECRET) if configured else None
    return WebhookChannel("hook", config, tools)


async def failure(wire: Wire, message: Message) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel(wire).send(TARIRO, message, "msg_1")
    return caught.value


async def test_a_message_verifies_and_carries_its_link(message: Message) -> None:
    wire = Wire()
    await channel(wire).send(TARIRO, message, "msg_1")

    [sent] = wire.sent
    body = Webhook(SECRET).verify(sent["body"], sent["headers"])
    assert sent["url"] == URL
    assert body["type"] == "incident.alert"
    assert body["url"] == LINK
    assert LINK in body["text"]
    with pytest.raises(WebhookVerificationError):
        Webhook(OWN).verify(sent["body"], sent["headers"])
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(sent["body"] + b" ", sent["headers"])


async def test_the_id_is_the_same_for_every_try(message: Message) -> None:
    wire = Wire(500)
    for _ in range(3):
        await failure(wire, message)

    assert {sent["headers"]["webhook-id"] for sent in wire.sent} == {"msg_1"}


async def test_a_contact_with_a_url_of_its_own_is_signed_for_its_tenant(message: Message) -> None:
    """With each of its secrets while the daemon's is changed: a receiver knows the one or the other."""
    wire = Wire()
    contact = Contact(id="c", tenant_id="ten_1", name="T", channel="webhook", address="https://t.example/in")
    await channel(wire, configured=False).send(contact, message, "msg_1")

    assert wire.sent[0]["url"] == "https://t.example/in"
    for secret in (OWN, OWN_BEFORE):
        assert Webhook(secret).verify(wire.sent[0]["body"], wire.sent[0]["headers"])


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 410, 413, 422])
async def test_some_refusals_are_final(status: int, message: Message) -> None:
    error = await failure(Wire(status), message)

    assert error.permanent
    assert str(status) in str(error)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
async def test_others_are_tried_again(status: int, message: Message) -> None:
    assert not (await failure(Wire(status), message)).permanent


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("0", 0.0), ("", None), ("soon", None), ("-3", None), ("٣", None)]
)
async def test_the_receiver_says_how_long_to_wait(
    value: str, seconds: float | None, message: Message
) -> None:
    assert (await failure(Wire(429, retry_after=value), message)).retry_after_s == seconds


@pytest.mark.parametrize(("kind", "permanent"), [("refused", False), ("timeout", False), ("blocked", True)])
async def test_no_answer_is_tried_again_unless_it_never_could_be_asked(
    kind: str, permanent: bool, message: Message
) -> None:
    wire = Wire()
    wire.failure = HttpError(kind, "no", sent=False)

    assert (await failure(wire, message)).permanent is permanent
