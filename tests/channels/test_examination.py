"""Every channel can be tried without anybody noticing, and says what is wrong with it."""

from __future__ import annotations

import pytest

from alertengine.errors import DeliveryError, Fault
from alertengine.testing.wire import slack, telegram, twilio
from alertengine.testing.wire.loopback import Misbehave, Reply, replied
from channels.benches import BENCHES, SLACK_BOT, TELEGRAM, WHATSAPP_TWILIO, Bench, opened

every_channel = pytest.mark.parametrize("bench", BENCHES.values(), ids=BENCHES.keys())


@every_channel
async def test_a_sound_channel_is_examined_and_nobody_gets_a_message(bench: Bench) -> None:
    async with opened(bench) as bench_open:
        seen = await bench_open.channel.examine()

        assert seen.detail
        assert bench_open.taken == 0
        assert bench_open.server.problems == []


# Copies go to services of any kind, which cannot be asked without sending them something.
@pytest.mark.parametrize("bench", [b for b in BENCHES.values() if b.kind != "apprise"], ids=lambda b: b.kind)
async def test_a_provider_that_is_down_is_found(bench: Bench) -> None:
    async with opened(bench) as bench_open:
        bench_open.server.plan = [Reply(status=503), Reply(status=503)]
        with pytest.raises(DeliveryError):
            await bench_open.channel.examine()

        bench_open.server._server.close()
        with pytest.raises(DeliveryError):
            await bench_open.channel.examine()


@pytest.mark.parametrize(
    "name", ["telegram", "whatsapp_twilio", "voice_twilio", "whatsapp_sent", "slack_bot"]
)
async def test_a_key_that_is_not_accepted_is_found(name: str) -> None:
    bench = BENCHES[name]
    refused = {
        "telegram": telegram.refused(401, "Unauthorized"),
        "slack_bot": replied({"ok": False, "error": "invalid_auth"}),
        "whatsapp_sent": replied({"error": {"code": "AUTH_002"}}, 401),
    }.get(name, twilio.failed(401, 20003))
    async with opened(bench) as bench_open:
        bench_open.server.plan = [refused]
        with pytest.raises(DeliveryError) as told:
            await bench_open.channel.examine()

    assert told.value.fault is Fault.CONFIG
    assert not any(secret in str(told.value) for secret in bench.secrets)


async def test_a_template_that_was_rejected_is_found() -> None:
    async with opened(WHATSAPP_TWILIO) as bench_open:
        bench_open.server.approvals[twilio.UPDATE_TEMPLATE] = "rejected"
        with pytest.raises(DeliveryError, match="update_content_sid is rejected"):
            await bench_open.channel.examine()


async def test_an_account_that_is_suspended_is_found() -> None:
    async with opened(WHATSAPP_TWILIO) as bench_open:
        bench_open.server.account_status = "suspended"
        with pytest.raises(DeliveryError, match="the account is suspended"):
            await bench_open.channel.examine()


async def test_the_bot_says_its_name() -> None:
    async with opened(TELEGRAM) as bench_open:
        assert (await bench_open.channel.examine()).detail == "bot @rehearsal_bot"
    async with opened(SLACK_BOT) as bench_open:
        assert (await bench_open.channel.examine()).detail == "alertengine in Rehearsal"


async def test_a_webhook_that_is_gone_is_found() -> None:
    async with opened(BENCHES["slack"]) as bench_open:
        bench_open.server.plan = [slack.word(404, "no_service")]
        with pytest.raises(DeliveryError, match="no_service"):
            await bench_open.channel.examine()


async def test_garbage_is_no_good_answer() -> None:
    for name in ("telegram", "whatsapp_twilio", "slack_bot", "slack"):
        async with opened(BENCHES[name]) as bench_open:
            bench_open.server.plan = [Misbehave.GARBAGE]
            with pytest.raises(DeliveryError):
                await bench_open.channel.examine()
