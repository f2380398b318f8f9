"""Copies by apprise: information alone. Nobody is asked there, and nobody counts as told."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from alertengine import registry
from alertengine.channels import apprise, exchange
from alertengine.core.events import Stage
from alertengine.core.given import Given
from alertengine.core.model import Role
from alertengine.core.policy import Policy
from alertengine.errors import ConfigError, DeliveryError, Fault, Invalid
from alertengine.pipeline import approve
from alertengine.pipeline.doctor import State, examine
from alertengine.pipeline.onboard import NewContact, new_contact
from alertengine.store.base import Query
from alertengine.testing.wire import webhooks
from alertengine.testing.wire.loopback import Misbehave, Reply
from channels.benches import APPRISE, opened
from channels.letters import KEY, alert, failure
from channels.wired import Wired, wired
from world import World

pytest.importorskip("apprise", reason="pip install 'alertengine[apprise]'")


def titles(wire: Wired) -> list[str]:
    return [message["title"] for message in wire.servers["board"].messages]


async def test_a_copy_tells_and_asks_nothing(world: World) -> None:
    async with wired(world, board=APPRISE) as wire:
        await wire.add("Tariro", "spare")
        await wire.add("Board", "board", role=Role.VIEWER)
        incident = await world.fail()
        await approve.confirm(world.engine, wire.spare.last_token, {})
        await world.settle()
        await world.heal()

        told = wire.servers["board"].messages
        assert wire.servers["board"].problems == []
        assert [message["type"] for message in told] == ["failure", "info", "success"]
        assert "payments" in told[0]["title"]
        text = "\n".join(f"{message['title']}\n{message['message']}" for message in told)
        assert "http" not in text
        assert "token" not in text
        link = wire.spare.sent[0][1]
        assert link.code is not None
        assert link.code not in text
        queued = await wire.told(incident, "alert_queued")
        assert [(q["message"], q["asks"]) for q in queued if q.get("copies")] == [
            ("alert", False),
            ("authorized", False),
            ("recovered", False),
        ]


async def test_a_copy_is_no_link_even_to_who_may_decide(world: World) -> None:
    async with wired(world, board=APPRISE) as wire:
        await wire.add("Tariro", "board", role=Role.APPROVER)
        incident = await world.fail()
        sql = "SELECT count(*) FROM link"
        links = await world.engine.store.fetch(Query(sql=sql, params=(), decode=lambda rows: rows[0][0]))

        assert links == 0
        assert len(titles(wire)) == 1
        assert (await world.incident(incident)).open


async def test_whom_only_a_copy_reaches_was_not_told(world: World) -> None:
    """The incident waits as one that nobody heard of, and the doctor says so."""
    async with wired(world, board=APPRISE) as wire:
        await wire.add("Board", "board", role=Role.VIEWER)
        incident = await world.fail()
        seen = await world.incident(incident)
        asked = next(q for q in await wire.told(incident, "alert_queued") if not q.get("copies"))
        check = next(check for check in await examine(world.engine) if check.name == "contacts")

        assert titles(wire)
        assert seen.stage is Stage.DIAGNOSED
        assert seen.hopeful == frozenset()
        assert asked["deliveries"] == []
        assert check.state is State.FAILED


async def test_it_is_no_next_address_and_no_step(world: World) -> None:
    world.engine = replace(world.engine, policy=Policy(escalate_after_s=30.0))
    async with wired(world, board=APPRISE) as wire:
        await wire.add("Tariro", "spare")
        await wire.add("Tariro", "board", role=Role.VIEWER)
        wire.spare.failures = [DeliveryError("blocked", fault=Fault.RECIPIENT)]
        incident = await world.fail()
        world.clock.advance(31)
        await world.settle()
        copied = [q for q in await wire.told(incident, "alert_queued") if q.get("copies")]

        assert len(titles(wire)) == 1, "the alert; no fallback, no escalation"
        assert [q["message"] for q in copied] == ["alert"]
        passed = await wire.told(incident, "incident_escalated")
        assert [p["channels"] for p in passed] == [["spare"]] * len(passed)
        assert passed


async def test_a_copy_that_dies_changes_nothing(world: World) -> None:
    async with wired(world, board=APPRISE) as wire:
        await wire.add("Tariro", "spare")
        await wire.add("Board", "board", role=Role.VIEWER)
        wire.servers["board"].plan = [Reply(status=500)] * 50
        incident = await world.fail()
        for _ in range(12):
            world.clock.advance(700)
            await world.settle()
        dead = await wire.told(incident, "alert_dead")

        assert [d["copies"] for d in dead] == [True]
        assert (await world.incident(incident)).lost == 0


async def test_several_services_and_only_those_again_that_did_not_take_it() -> None:
    async with opened(APPRISE) as bench, webhooks.AppriseReceiver() as other:
        urls = [*APPRISE.settings(bench.server)["urls"], *APPRISE.settings(other)["urls"]]
        config = apprise.Config.model_validate({"kind": "apprise", "urls": "\n".join(urls)})
        channel = apprise.AppriseChannel("board", config, bench.tools)
        other.plan = [Reply(status=503)]
        with pytest.raises(DeliveryError, match="1 of 2 services") as caught:
            await channel.send(bench.contact, alert(), KEY)
        await channel.send(bench.contact, alert(), KEY)

        assert caught.value.fault is Fault.RETRY
        assert (len(bench.server.messages), len(other.messages)) == (1, 1)


async def test_a_service_that_hangs_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TIMEOUT_S", 0.1)
    monkeypatch.setattr(apprise, "THREADS", 2)
    async with opened(APPRISE) as bench:
        bench.server.plan = [Misbehave.HANG, Misbehave.HANG]
        first = [await failure(bench), await failure(bench)]
        refused = await failure(bench)

        assert [error.fault for error in first] == [Fault.UNKNOWN] * 2
        assert refused.fault is Fault.RETRY
        assert "hang" in str(refused)


async def test_redirections_are_not_followed() -> None:
    async with opened(APPRISE) as bench, webhooks.AppriseReceiver() as elsewhere:
        bench.server.plan = [Reply(status=307, headers={"location": elsewhere.url})]
        await failure(bench)

        assert elsewhere.requests == []


def test_without_the_package_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    config = registry.config_model(registry.CHANNELS, "apprise")(kind="apprise", urls=["json://127.0.0.1"])
    with pytest.raises(ConfigError, match=r"channels\.board: .* pip install 'alertengine\[apprise\]'"):
        registry.load(registry.CHANNELS, "apprise")("board", config, None)


def test_a_url_that_is_none_is_told_by_its_place_alone() -> None:
    config = apprise.Config(kind="apprise", urls=["json://127.0.0.1", "nonsense-secretword"])
    with pytest.raises(ConfigError, match=r"urls\[1\]") as caught:
        apprise.AppriseChannel("board", config, None)  # type: ignore[arg-type]
    assert "secretword" not in str(caught.value)


async def test_where_copies_go_is_the_operator_s_word(world: World) -> None:
    async with wired(world, board=APPRISE):
        made = new_contact(
            world.engine,
            world.tenant,
            NewContact(name="Board", channel="board", role=Role.APPROVER),
            Given.OPERATOR,
        )
        assert (made.role, made.verified_at) == (Role.VIEWER, world.engine.now())
        with pytest.raises(Invalid, match="operator"):
            new_contact(world.engine, world.tenant, NewContact(name="B", channel="board"), Given.TENANT)
