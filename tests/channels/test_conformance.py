"""What holds for every kind of channel, over the registry."""

from __future__ import annotations

import logging
import traceback

import pytest
import tomllib

from alertengine import registry
from alertengine.channels import exchange
from alertengine.core.language import LANGUAGES
from alertengine.core.message import Message
from alertengine.errors import Fault
from alertengine.testing.wire.loopback import Misbehave, Reply
from channels.benches import BENCHES, Bench, opened
from channels.letters import KEY, URL, alert, failure, hostile, recovered, worst

NO_PROVIDER = {"console"}
"""Kinds that ask nobody."""
every_channel = pytest.mark.parametrize("bench", BENCHES.values(), ids=BENCHES.keys())
_TELLING = {name: bench for name, bench in BENCHES.items() if bench.says_why}
every_telling_channel = pytest.mark.parametrize("bench", _TELLING.values(), ids=_TELLING.keys())


def test_every_kind_stands_on_a_bench() -> None:
    assert {bench.kind for bench in BENCHES.values()} == registry.CHANNELS.keys() - NO_PROVIDER


@pytest.mark.parametrize("kind", registry.CHANNELS)
def test_the_example_of_every_kind_is_complete(kind: str) -> None:
    [(_, table)] = tomllib.loads(registry.example(registry.CHANNELS, kind))["channels"].items()
    keys = {
        name
        for key, field in registry.config_model(registry.CHANNELS, kind).model_fields.items()
        for name in (key, field.alias)
    }

    assert table["kind"] == kind
    assert table.keys() <= keys


@every_channel
@pytest.mark.parametrize(
    "message", [alert(), alert(None), hostile(), recovered()], ids=["alert", "plain", "hostile", "recovered"]
)
async def test_a_message_is_taken_in_the_providers_own_format(bench: Bench, message: Message) -> None:
    async with opened(bench) as bench_open:
        await bench_open.channel.send(bench_open.contact, message, KEY)

        assert bench_open.server.problems == []
        assert bench_open.taken == 1
        assert len(bench_open.server.requests) == 1


@every_channel
@pytest.mark.parametrize("code", LANGUAGES)
async def test_the_worst_fits_in_every_language(bench: Bench, code: str) -> None:
    """Markup, bidi, emoji and ten thousand characters where a name, a reason and a cause are said."""
    async with opened(bench, "https://alerts.example.com") as bench_open:
        await bench_open.channel.send(bench_open.contact, worst(code), KEY)

        assert bench_open.server.problems == []
        assert bench_open.taken == 1


@every_telling_channel
async def test_every_refusal_is_taken_for_what_it_is(bench: Bench) -> None:
    async with opened(bench) as bench_open:
        for reply, fault in bench.refusals:
            bench_open.server.plan = [reply]
            error = await failure(bench_open)
            assert error.fault is fault, str(error)
            assert error.permanent == (fault in (Fault.RECIPIENT, Fault.CONFIG, Fault.EXHAUSTED))
        assert len(bench_open.server.requests) == len(bench.refusals), "a channel tries once"


@every_telling_channel
async def test_a_limit_says_how_long_to_wait(bench: Bench) -> None:
    async with opened(bench) as bench_open:
        bench_open.server.plan = [bench.limited]
        error = await failure(bench_open)

        assert (error.fault, error.retry_after_s) == (Fault.RETRY, 7.0)


@every_channel
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_an_answer_without_sense_is_tried_again(bench: Bench, status: int) -> None:
    async with opened(bench) as bench_open:
        bench_open.server.plan = [Reply(status=status, body=b"<html>bad gateway</html>")]

        assert (await failure(bench_open)).fault is Fault.RETRY


@every_telling_channel
@pytest.mark.parametrize("act", [Misbehave.HANG, Misbehave.DRIP, Misbehave.CUT])
async def test_no_whole_answer_is_an_unknown_outcome(
    bench: Bench, act: Misbehave, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "TIMEOUT_S", 0.2)
    async with opened(bench) as bench_open:
        bench_open.server.plan = [act]
        error = await failure(bench_open)

        assert error.fault is Fault.UNKNOWN
        assert not error.permanent


@every_channel
async def test_a_closed_port_is_tried_again_as_never_sent(bench: Bench) -> None:
    async with opened(bench) as bench_open:
        bench_open.server._server.close()
        assert (await failure(bench_open)).fault is Fault.RETRY


@pytest.mark.parametrize("name", ["whatsapp_sent", "webhook", "pagerduty"])
async def test_the_same_key_is_one_message_where_the_provider_can_tell(name: str) -> None:
    async with opened(BENCHES[name]) as bench_open:
        assert bench_open.channel.traits.idempotent
        bench_open.server.plan = [Misbehave.CUT]
        await failure(bench_open)
        await bench_open.channel.send(bench_open.contact, alert(), KEY)

        assert bench_open.taken == 1
        assert len(bench_open.server.requests) == 2


@every_channel
async def test_no_secret_is_in_an_error_a_repr_or_the_log(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even where the provider echoes the whole request, and the client logs all it can."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2"):  # `Http` raises these itself
        caplog.set_level(logging.WARNING, logger=name)
    async with opened(bench) as bench_open:
        told = [repr(bench_open.channel), str(bench_open.channel), repr(bench_open.bench.settings)]
        config = registry.config_model(registry.CHANNELS, bench.kind)
        told.append(repr(config.model_validate({"kind": bench.kind, **bench.settings(bench_open.server)})))
        echo = " ".join(bench.secrets).encode()
        bodies = [
            echo,
            b'{"ok": false, "description": "%b", "error": "%b", "code": "%b"}' % (echo, echo, echo),
        ]
        for body in bodies:
            for act in (Reply(status=400, body=body), Reply(status=500, body=body), Misbehave.CUT):
                bench_open.server.plan = [act]
                error = await failure(bench_open)
                told += [str(error), repr(error), "".join(traceback.format_exception(error))]
        bench_open.server._server.close()
        told.append("".join(traceback.format_exception(await failure(bench_open))))

    for secret in (*bench.secrets, URL):
        assert secret not in "\n".join([*told, caplog.text])
