"""A telling uses a person's addresses one after the other: each once, the cap and the spelling notwithstanding."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import pytest

from alertengine.core.escalation import EVERY_ADDRESS, EscalationStep
from alertengine.core.message import Message
from alertengine.core.model import Contact
from alertengine.core.policy import Policy
from alertengine.errors import DeliveryError, Fault
from alertengine.ports import Receipt
from alertengine.store import tellings
from alertengine.store.dead import letters
from alertengine.testing import RecordingChannel
from team import Team, gather_team
from world import World

PAYMENTS = ("payments",)
TARIRO = (EscalationStep(who=("Tariro",)),)


@dataclass
class Blocked(RecordingChannel):
    """Takes nothing for anybody."""

    tries: int = 0

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        self.tries += 1
        raise DeliveryError("blocked", fault=Fault.RECIPIENT)


@pytest.fixture
def chat() -> Blocked:
    return Blocked(name="chat", kind="telegram")


@pytest.fixture
async def team(world: World, chat: Blocked) -> Team:
    found = await gather_team(world)
    channels = {"chat": chat, "phone": found.phone}
    world.engine = replace(world.engine, channels=channels, prices={"phone": 0.10, "chat": 0.0})
    return found


async def change(team: Team, sql: str) -> None:
    await team.world.engine.store.transact(lambda tx: tx.execute(sql))


async def telephone_first(team: Team) -> None:
    await change(team, "UPDATE contact SET place = place + 10 WHERE channel = 'chat'")


async def test_at_the_cap_what_failed_at_the_cheap_address_goes_to_the_dear_one_once(
    team: Team, chat: Blocked
) -> None:
    team.policy(Policy(steps=TARIRO, spend_cap=0.0))
    (incident,) = await team.tick(failing=PAYMENTS)
    for _ in range(20):
        await team.tick(failing=PAYMENTS)
    assert team.sent == [("Tariro", "alert")]
    assert chat.tries == 1
    assert Counter(await team.world.types(incident))["alert_queued"] == 2


async def test_what_the_cap_sent_to_a_dead_cheap_address_comes_back(team: Team, chat: Blocked) -> None:
    await telephone_first(team)
    team.policy(Policy(steps=TARIRO, spend_cap=0.0))
    await team.tick(failing=PAYMENTS)
    await team.tick(failing=PAYMENTS)
    assert team.sent == [("Tariro", "alert")]
    assert chat.tries == 1


@pytest.mark.parametrize("dear_first", [True, False])
async def test_to_every_address_at_the_cap_somebody_is_told(team: Team, dear_first: bool) -> None:
    if dear_first:
        await telephone_first(team)
    everywhere = EscalationStep(who=("Tariro",), channels=(EVERY_ADDRESS,))
    team.policy(Policy(steps=(everywhere,), spend_cap=0.0))
    await team.tick(failing=PAYMENTS)
    await team.tick(failing=PAYMENTS)
    assert team.sent == [("Tariro", "alert")]
    engine = team.world.engine
    listed = await engine.store.fetch(letters(team.world.tenant, 9))
    assert len(listed) == (await engine.store.fetch(tellings.counts()))["dead"]


async def test_an_approver_is_not_sent_to_where_they_may_only_look_for_the_price(
    team: Team, chat: Blocked
) -> None:
    await telephone_first(team)
    await change(team, "UPDATE contact SET role = 'viewer' WHERE id = 'con_Tariro_chat'")
    team.policy(Policy(steps=TARIRO, spend_cap=0.0))
    await team.tick(failing=PAYMENTS)
    assert [(c.channel, bool(m.url)) for c, m, _ in team.phone.sent] == [("phone", True)]
    assert chat.tries == 0


async def test_a_call_that_fails_falls_back_to_the_address_before_it(world: World) -> None:
    team = await gather_team(world)
    team.phone.failures = [DeliveryError("no such number", fault=Fault.RECIPIENT)]
    team.policy(Policy(steps=(EscalationStep(who=("Tariro",), channels=("phone",)),)))
    await team.tick(failing=PAYMENTS)
    await team.tick(failing=PAYMENTS)
    assert [(c.name, c.channel) for c, _, _ in team.chat.sent] == [("Tariro", "chat")]


async def test_two_spellings_of_a_name_are_one_person(team: Team) -> None:
    await change(team, "UPDATE contact SET name = 'ＴＡＲＩＲＯ ' WHERE id = 'con_Tariro_phone'")
    team.policy(Policy(steps=TARIRO))
    await team.tick(failing=PAYMENTS)
    await team.tick(failing=PAYMENTS)
    assert [c.id for c, _, _ in team.phone.sent] == ["con_Tariro_phone"]
