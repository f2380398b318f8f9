"""`doctor`: what is wrong is found, with what to do; what is right is not called wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from alertengine.core.diagnosis.model import FetchError
from alertengine.core.snapshot import unreachable
from alertengine.errors import DeliveryError
from alertengine.http import Http
from alertengine.pipeline.doctor import Check, State, examine
from alertengine.ports import Examination
from alertengine.testing import RecordingChannel
from alertengine.testing.wire.loopback import LoopbackServer, Reply, Request, replied
from world import World


async def seen(world: World) -> Mapping[str, Check]:
    return {check.name: check for check in await examine(world.engine)}


async def test_each_part_is_named_and_nobody_is_told(world: World) -> None:
    checks = await seen(world)

    assert list(checks) == [
        *(
            "store",
            "clock",
            "base URL",
            "channel console",
            "service payments",
            "diagnosis",
            "contacts",
            "policy",
        )
    ]
    assert checks["store"].state is checks["contacts"].state is State.OK
    assert all(check.remedy for check in checks.values() if check.state is not State.OK)
    assert world.channel.sent == []


async def test_links_that_open_on_this_machine_alone_are_warned_of(world: World) -> None:
    check = (await seen(world))["base URL"]

    assert check.state is State.WARNING
    assert "base_url" in str(check.remedy)


async def test_a_base_url_that_leads_elsewhere_is_found(world: World) -> None:
    class Elsewhere(LoopbackServer):
        def answer(self, request: Request) -> Reply:
            return replied({"hello": "world"}) if request.path == "/health" else Reply(status=404)

    async with Elsewhere() as server:
        # A name, not a loopback address: what the phone would use.
        world.engine = replace(world.engine, base_url="http://alerts.example.com", http=_sent_to(server.url))
        check = (await seen(world))["base URL"]

    assert (check.state, "not as AlertEngine" in check.detail) == (State.FAILED, True)


def _sent_to(url: str) -> Http:
    class Rerouted(Http):
        async def fetch(self, method: str, asked: str, **more):  # type: ignore[no-untyped-def,override]
            return await super().fetch(method, url + "/health", **more)

    return Rerouted()


async def test_a_service_that_does_not_answer_is_found(world: World) -> None:
    world.source.report = lambda: unreachable(
        world.clock.now(), FetchError(kind="refused", detail="connection refused")
    )
    check = (await seen(world))["service payments"]

    assert check.state is State.FAILED
    assert "nothing answers" in check.detail


async def test_a_channel_that_fails_breaks_or_hangs_is_found_and_hides_no_other(world: World) -> None:
    class Broken(RecordingChannel):
        async def examine(self) -> Examination:
            raise {"refused": DeliveryError("the token is not accepted")}.get(self.name, ValueError("secret"))

    broken = {name: Broken(name=name) for name in ("refused", "broken")}
    world.engine = replace(world.engine, channels={**world.engine.channels, **broken})
    checks = await seen(world)

    assert checks["channel refused"].detail == "the token is not accepted"
    assert "ValueError" in checks["channel broken"].detail
    assert "secret" not in checks["channel broken"].detail
    assert checks["channel console"].state is State.OK


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(1, State.OK), (30, State.WARNING), (-30, State.WARNING), (-600, State.FAILED)]
)
async def test_a_clock_that_is_off_is_found_by_what_others_say(
    world: World, ahead_s: float, state: State
) -> None:
    class Punctual(RecordingChannel):
        async def examine(self) -> Examination:
            return Examination(detail="here", at=world.clock.now() + timedelta(seconds=ahead_s))

    world.engine = replace(world.engine, channels={"console": Punctual()})
    assert (await seen(world))["clock"].state is state


async def test_a_tenant_that_nobody_would_be_told_of_is_found(world: World) -> None:
    await world.engine.store.transact(lambda tx: tx.execute("UPDATE contact SET verified_at = NULL"))
    check = (await seen(world))["contacts"]

    assert check.state is State.FAILED
    assert "payments" in check.detail
