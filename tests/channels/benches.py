"""Each kind of channel on its bench: a server that speaks the provider's format, and what it says when it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from alertengine import registry
from alertengine.core.model import Contact
from alertengine.errors import Fault
from alertengine.http import Http
from alertengine.ports import Channel
from alertengine.signing import Vault
from alertengine.testing import START, FakeClock
from alertengine.testing.wire import sent, slack, telegram, twilio, webhooks
from alertengine.testing.wire.loopback import LoopbackServer, Reply, replied
from alertengine.tools import Tools

Settings = Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Bench:
    """`refusals`: what the provider says, and the fault it must be taken for. `secrets` must never be told."""

    kind: str
    server: Callable[[], LoopbackServer]
    settings: Settings
    address: str
    secrets: tuple[str, ...]
    limited: Reply
    """Too many requests, come back in 7 seconds."""
    refusals: tuple[tuple[Reply, Fault], ...]
    says_why: bool = True
    """A failure is told with its reason, so that what is next can be decided by it."""


@dataclass(frozen=True)
class Open:
    bench: Bench
    server: Any
    channel: Channel
    contact: Contact
    tools: Tools

    @property
    def taken(self) -> int:
        """How many messages the provider has."""
        return len(self.server.messages or getattr(self.server, "calls", {}))


@asynccontextmanager
async def opened(bench: Bench, public_url: str | None = None) -> AsyncIterator[Open]:
    if bench.kind == "apprise":
        pytest.importorskip("apprise", reason="pip install 'alertengine[apprise]'")
    http = Http()
    tools = Tools(
        http=http,
        clock=FakeClock(),
        vault=Vault("v" * 40),
        new_id=lambda prefix: f"{prefix}_1",
        tenant_secrets=lambda purpose, tenant: (webhooks.SECRET,),
        public_url=public_url,
    )
    try:
        async with bench.server() as server:
            config = registry.config_model(registry.CHANNELS, bench.kind)
            settings = config.model_validate({"kind": bench.kind, **bench.settings(server)})
            channel = registry.load(registry.CHANNELS, bench.kind)("bench", settings, tools)
            contact = Contact(
                id="con_1", tenant_id="ten_1", name="Tariro", channel="bench", address=bench.address
            )
            yield Open(bench, server, channel, contact, tools)
    finally:
        await http.close()


def _twilio_settings(server: Any) -> dict[str, Any]:
    account = {"account_sid": twilio.ACCOUNT_SID, "auth_token": twilio.AUTH_TOKEN, "base_url": server.url}
    return {**account, "from": twilio.SENDER}


def _whatsapp_settings(server: Any) -> dict[str, Any]:
    templates = {"content_sid": twilio.ASK_TEMPLATE, "update_content_sid": twilio.UPDATE_TEMPLATE}
    return {**_twilio_settings(server), **templates}


def _sent_settings(server: Any) -> dict[str, Any]:
    templates = {"template": "ae_incident", "update_template": "ae_update"}
    return {"api_key": sent.API_KEY, "base_url": server.url, "webhook_secret": sent.SECRET, **templates}


def _webhook(server: Any) -> dict[str, Any]:
    return {"url": server.url + webhooks.PATH, "secret": webhooks.SECRET}


def _apprise_settings(server: Any) -> dict[str, Any]:
    host = server.url.removeprefix("http://")
    return {"urls": [f"json://ops:{webhooks.ROUTING_KEY}@{host}{webhooks.PATH}"]}


def _form(form: str) -> Settings:
    return lambda server: {"url": server.url + webhooks.PATH, "secret": webhooks.ROUTING_KEY, "form": form}


PHONE = "+263771234567"
TELEGRAM = Bench(
    kind="telegram",
    server=telegram.TelegramServer,
    settings=lambda server: {"bot_token": telegram.TOKEN, "base_url": server.url},
    address="1001",
    secrets=(telegram.TOKEN,),
    limited=telegram.refused(429, "Too Many Requests: retry after 7", retry_after=7),
    refusals=(
        (telegram.refused(403, "Forbidden: bot was blocked by the user"), Fault.RECIPIENT),
        (telegram.refused(401, "Unauthorized"), Fault.CONFIG),
        (telegram.refused(400, "Bad Request: can't parse entities: byte 7"), Fault.TEMPLATE),
        (telegram.refused(502, "Bad Gateway"), Fault.RETRY),
    ),
)
WHATSAPP_TWILIO = Bench(
    kind="whatsapp_twilio",
    server=twilio.TwilioServer,
    settings=_whatsapp_settings,
    address=PHONE,
    secrets=(twilio.AUTH_TOKEN,),
    limited=twilio.failed(429, 20429, retry_after="7"),
    refusals=(
        (twilio.failed(400, 21610), Fault.RECIPIENT),
        (twilio.failed(401, 20003), Fault.CONFIG),
        (twilio.failed(400, 63016), Fault.CONFIG),
        (twilio.failed(503, 20503), Fault.RETRY),
        (twilio.failed(400, 63038), Fault.EXHAUSTED),
        (replied({"errors": [{"code": 63024, "message": "no", "infoUrl": "u"}]}, 400), Fault.RECIPIENT),
    ),
)
VOICE_TWILIO = Bench(
    kind="voice_twilio",
    server=twilio.TwilioServer,
    settings=_twilio_settings,
    address=PHONE,
    secrets=(twilio.AUTH_TOKEN,),
    limited=twilio.failed(429, 20429, retry_after="7"),
    refusals=(
        (twilio.failed(400, 21217), Fault.RECIPIENT),
        (twilio.failed(400, 21215), Fault.CONFIG),
        (twilio.failed(500, 20500), Fault.RETRY),
    ),
)
WHATSAPP_SENT = Bench(
    kind="whatsapp_sent",
    server=sent.SentServer,
    settings=_sent_settings,
    address=PHONE,
    secrets=(sent.API_KEY, sent.SECRET),
    limited=sent.failed(429, "BUSINESS_002", retry_after="7"),
    refusals=(
        (sent.failed(400, "ERR_CONSENT_BLOCKED"), Fault.RECIPIENT),
        (sent.failed(401, "AUTH_002"), Fault.CONFIG),
        (sent.failed(400, "WHATSAPP_TEMPLATE_REQUIRED"), Fault.CONFIG),
        (sent.failed(409, "CONFLICT_001"), Fault.RETRY),
        (sent.failed(503, "SERVICE_001"), Fault.RETRY),
    ),
)
SLACK = Bench(
    kind="slack",
    server=slack.SlackServer,
    settings=lambda server: {"webhook_url": server.webhook_url},
    address="",
    secrets=(slack.WEBHOOK_PATH,),
    limited=slack.word(429, "rate_limited", retry_after="7"),
    refusals=(
        (slack.word(404, "no_service"), Fault.RECIPIENT),
        (slack.word(410, "channel_is_archived"), Fault.RECIPIENT),
        (slack.word(403, "action_prohibited"), Fault.CONFIG),
        (slack.word(500, "rollup_error"), Fault.RETRY),
    ),
)
SLACK_BOT = Bench(
    kind="slack",
    server=slack.SlackServer,
    settings=lambda server: {
        "bot_token": slack.BOT_TOKEN,
        "signing_secret": slack.SIGNING_SECRET,
        "base_url": f"{server.url}/api",
    },
    address="C0001",
    secrets=(slack.BOT_TOKEN, slack.SIGNING_SECRET),
    limited=replied({"ok": False, "error": "ratelimited"}, 429, retry_after="7"),
    refusals=(
        (replied({"ok": False, "error": "channel_not_found"}), Fault.RECIPIENT),
        (replied({"ok": False, "error": "invalid_auth"}), Fault.CONFIG),
        (replied({"ok": False, "error": "internal_error"}), Fault.RETRY),
    ),
)
_HTTP = (
    (Reply(status=404), Fault.CONFIG),
    (Reply(status=503), Fault.RETRY),
    (Reply(status=302), Fault.CONFIG),
)
WEBHOOK = Bench(
    kind="webhook",
    server=lambda: webhooks.WebhookReceiver(START.timestamp()),
    settings=_webhook,
    address="",
    secrets=(webhooks.SECRET, webhooks.PATH),
    limited=Reply(status=429, headers={"retry-after": "7"}),
    refusals=((Reply(status=410), Fault.RECIPIENT), *_HTTP),
)
PAGERDUTY = Bench(
    kind="webhook",
    server=webhooks.PagerDutyServer,
    settings=_form("pagerduty"),
    address="",
    secrets=(webhooks.ROUTING_KEY,),
    limited=Reply(status=429, headers={"retry-after": "7"}),
    refusals=((replied({"status": "invalid event"}, 400), Fault.CONFIG), (Reply(status=500), Fault.RETRY)),
)
TEAMS = Bench(
    kind="webhook",
    server=webhooks.TeamsServer,
    settings=_form("teams"),
    address="",
    secrets=(webhooks.PATH,),
    limited=Reply(status=429, headers={"retry-after": "7"}),
    refusals=((Reply(status=404), Fault.RECIPIENT), (Reply(status=413), Fault.CONFIG)),
)
DISCORD = Bench(
    kind="webhook",
    server=webhooks.DiscordServer,
    settings=_form("discord"),
    address="",
    secrets=(webhooks.PATH,),
    limited=replied({"message": "You are being rate limited.", "retry_after": 7.0, "global": False}, 429),
    refusals=((replied({"code": 10015}, 404), Fault.RECIPIENT), (Reply(status=400), Fault.CONFIG)),
)
APPRISE = Bench(
    kind="apprise",
    server=webhooks.AppriseReceiver,
    settings=_apprise_settings,
    address="",
    secrets=(webhooks.ROUTING_KEY, webhooks.PATH),
    limited=Reply(status=429),
    refusals=(),
    says_why=False,
)
BENCHES: Mapping[str, Bench] = {
    "telegram": TELEGRAM,
    "whatsapp_twilio": WHATSAPP_TWILIO,
    "voice_twilio": VOICE_TWILIO,
    "whatsapp_sent": WHATSAPP_SENT,
    "slack": SLACK,
    "slack_bot": SLACK_BOT,
    "webhook": WEBHOOK,
    "pagerduty": PAGERDUTY,
    "teams": TEAMS,
    "discord": DISCORD,
    "apprise": APPRISE,
}
