"""Messages that are amended: within a deadline, noticed by the provider's gate, and never instead of an alarm."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from alertengine.core.escalation import EscalationStep
from alertengine.core.message import Message
from alertengine.core.model import Actor
from alertengine.core.policy import Policy
from alertengine.pipeline import approve, deliver, gates, progress
from alertengine.ports import Traits
from alertengine.store import directory
from alertengine.testing import RESTART_POOL, RecordingChannel
from team import Team, gather_team
from world import World

PAYMENTS = ("payments",)
OPERATOR = Actor(kind="operator", id="os:ops", name="ops")


@dataclass
class Amending(RecordingChannel):
    traits: Traits = field(default_factory=lambda: Traits(idempotent=True, amends=True))
    amended: list[str] = field(default_factory=list)
    hangs: bool = False

    async def amend(self, message_id: str, message: Message) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        self.amended.append(str(message.kind))


@pytest.fixture
def chat() -> Amending:
    return Amending(name="chat", kind="telegram")


@pytest.fixture
async def team(world: World, chat: Amending) -> Team:
    found = await gather_team(world)
    found.chats_by(chat)
    found.policy(Policy(steps=(EscalationStep(who=("Tariro",)), EscalationStep(after_s=600))))
    return found


def test_amending_and_sending_end_within_the_lease() -> None:
    assert progress.AMEND_DEADLINE_S + deliver.SEND_DEADLINE_S < deliver.LEASE_S - 10


async def test_a_provider_that_hangs_while_amending_is_given_up_and_the_news_is_sent(
    team: Team, chat: Amending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "AMEND_DEADLINE_S", 0.05)
    await team.tick(failing=PAYMENTS)
    engine = team.world.engine
    await approve.acknowledge(engine, approve.read(engine, chat.last_token), {})
    chat.hangs = True
    async with asyncio.timeout(5):
        await team.world.settle()
    assert team.sent == [("Tariro", "alert"), ("Tariro", "acknowledged")]


async def test_an_amendment_that_fails_is_noticed_by_the_providers_gate(
    team: Team, chat: Amending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "AMEND_DEADLINE_S", 0.05)
    (incident,) = await team.tick(failing=PAYMENTS)
    engine, told = team.world.engine, await team.world.incident(incident)
    tariro = await engine.store.fetch(directory.contact(team.world.tenant, "con_Tariro_chat"))
    assert tariro is not None
    chat.hangs = True
    assert await progress.show(engine, chat, tariro, told, chat.last) == 0
    assert gates.gate(engine, chat, tariro).failures == 1


async def test_an_authorization_that_was_seen_already_is_only_amended(team: Team, chat: Amending) -> None:
    (incident,) = await team.tick(failing=PAYMENTS)
    await approve.confirm_as(team.world.engine, team.world.tenant, incident, OPERATOR, {})
    await team.world.settle()
    assert "authorized" not in chat.kinds
    assert "authorized" in chat.amended


async def test_who_breaks_the_glass_is_told_of_to_everybody_in_a_message_of_its_own(
    team: Team, chat: Amending
) -> None:
    engine = team.world.engine
    team.world.engine = engine = replace(engine, rules=replace(engine.rules, break_glass=True))
    team.world.source.offers = (replace(RESTART_POOL, approvals=2),)
    (incident,) = await team.tick(failing=PAYMENTS)
    await approve.confirm_as(engine, team.world.tenant, incident, OPERATOR, {}, reason="customers cannot pay")
    await team.world.settle()
    aloud = [(c.name, m.text) for c, m, _ in chat.sent if m.kind == "authorized"]
    assert [name for name, _ in aloud] == ["Tariro", "Rudo", "Chipo"]
    assert all("customers cannot pay" in text for _, text in aloud)
