"""How often one may ask, what is recorded of refusals, and from where a request comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network

import pytest
from asking import ADMIN, Asking, asking

from alertengine.core.limit import Limit
from alertengine.pipeline import limits
from alertengine.web.caller import household
from world import World


@pytest.fixture
async def ask(world: World) -> AsyncIterator[Asking]:
    async with asking(world.engine) as opened:
        yield opened


def tighten(monkeypatch: pytest.MonkeyPatch, kind: str, burst: int) -> None:
    monkeypatch.setattr(limits, "LIMITS", {**limits.LIMITS, kind: Limit(per_s=0.1, burst=burst)})


async def test_a_key_is_limited_and_told_when_to_come_again(
    ask: Asking, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tighten(monkeypatch, "key", 3)
    path, key = f"/tenant/{world.tenant}", world.onboarded.api_key
    answers = [await ask("GET", path, key=key) for _ in range(5)]

    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].json()["code"] == "RATE_LIMITED"
    assert answers[-1].headers["retry-after"] == "10"
    world.clock.advance(10)
    assert (await ask("GET", path, key=key)).status_code == 200
    assert (await ask("GET", path, key=ADMIN)).status_code == 200


async def test_what_a_key_changes_is_limited_and_what_it_reads_is_not(
    ask: Asking, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tighten(monkeypatch, "change", 2)
    path, key = f"/tenant/{world.tenant}", world.onboarded.api_key
    quiet = {"reason": "deploying", "for_s": 60}
    answers = [(await ask("POST", f"{path}/silences", quiet, key=key)).status_code for _ in range(3)]
    assert answers == [201, 201, 429]
    named = {"service_name": "another"}
    assert (await ask("PATCH", f"{path}/services/{world.service.id}", named, key=key)).status_code == 429
    assert (await ask("GET", f"{path}/silences", key=key)).status_code == 200
    assert (await ask("POST", f"{path}/silences", quiet)).status_code == 201, "the operator's own are not"


async def test_a_restart_resets_nothing(ask: Asking, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tighten(monkeypatch, "test", 2)
    path, key = f"/tenant/{world.tenant}/test", world.onboarded.api_key
    for status in (202, 202, 429):
        assert (await ask("POST", path, key=key)).status_code == status
    await limits.keep(world.engine)
    world.engine.memory.limits.clear()
    await limits.load(world.engine)

    assert (await ask("POST", path, key=key)).status_code == 429
    world.clock.advance(11)
    assert (await ask("POST", path, key=key)).status_code == 202


async def test_no_key_rings_people_for_tests_without_end(ask: Asking, world: World) -> None:
    path, key = f"/tenant/{world.tenant}/test", world.onboarded.api_key
    accepted = 0
    for _ in range(30):
        for _ in range(3):
            accepted += (await ask("POST", path, key=key)).status_code == 202
        await world.tick(60)
    assert 10 <= accepted <= 16
    assert (await ask("POST", path)).status_code == 202, "the operator's own are free"


async def test_a_clock_that_was_set_back_shuts_nobody_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tighten(monkeypatch, "verify", 2)
    for _ in range(2):
        limits.spend(world.engine, "verify", "192.0.2.1")
    await limits.keep(world.engine)
    world.engine.memory.limits.clear()
    monkeypatch.setattr(world.clock, "_start", world.clock._start - timedelta(days=1))
    await limits.load(world.engine)
    world.clock.advance(21)

    limits.spend(world.engine, "verify", "192.0.2.1")


async def test_a_flood_of_forged_links_locks_nobody_out(
    ask: Asking, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tighten(monkeypatch, "stranger", 20)
    incident = await world.fail()
    token = world.channel.last_token
    head, _, signature = token.rpartition(".")
    forged = f"/action/recover/confirm?token={head}.{signature[::-1]}"
    statuses = [(await ask("POST", forged, key=None)).status_code for _ in range(200)]
    assert statuses == [401] * 20 + [429] * 180

    assert (await ask("POST", f"/action/recover/confirm?token={token}", key=None)).status_code == 200
    assert (await world.types(incident)).count("recovery_authorized") == 1


async def test_every_refusal_is_on_record_and_a_flood_is_a_count(ask: Asking, world: World) -> None:
    other = await ask.onboard()
    for _ in range(50):
        await ask("GET", "/status", key="nonsense")
    await ask("GET", f"/tenant/{world.tenant}", key=other["api_key"])
    world.clock.advance(61)
    await ask("GET", "/status", key="nonsense")
    await world.settle()
    rows = [r["data"] for r in (await ask("GET", "/refusals")).json()["refusals"]]

    unknown = [r for r in rows if r["code"] == "UNAUTHORIZED"]
    assert sum(r["count"] for r in unknown) == 51
    assert len(unknown) < 8
    assert unknown[0]["operation"] == "GET /status"
    assert unknown[0]["address"] == "192.0.2.1"
    [foreign] = [r for r in rows if r["code"] == "FORBIDDEN"]
    assert foreign["tenant_id"] == other["tenant_id"]
    assert "nonsense" not in str(rows)
    assert (await ask("GET", "/refusals", key=other["api_key"])).status_code == 403


async def test_only_a_named_proxy_is_believed(world: World) -> None:
    chain = "203.0.113.5, 198.51.100.7"
    for proxies, seen in (((), "192.0.2.1"), ((ip_network("192.0.2.0/24"),), "198.51.100.7")):
        async with asking(world.engine, trusted_proxies=proxies) as ask:
            await ask("GET", "/status", key="nonsense", **{"x-forwarded-for": chain})
            await world.settle()
            newest = (await ask("GET", "/refusals")).json()["refusals"][-1]["data"]
            assert newest["address"] == seen


async def test_what_no_proxy_would_write_is_not_believed(world: World) -> None:
    async with asking(world.engine, trusted_proxies=(ip_network("192.0.2.0/24"),)) as ask:
        await ask("GET", "/status", key="x", **{"x-forwarded-for": "198.51.100.7, <script>"})
        await world.settle()
        assert (await ask("GET", "/refusals")).json()["refusals"][-1]["data"]["address"] == "192.0.2.1"


def test_a_customer_s_addresses_count_as_one() -> None:
    assert household("2001:db8:1:2:3::4") == household("2001:db8:1:2:ffff::1")
    assert household("2001:db8:1:2::1") != household("2001:db8:1:3::1")
    assert household("::ffff:192.0.2.1") == household("192.0.2.1") == "192.0.2.1"
