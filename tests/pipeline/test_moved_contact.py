"""A contact who leaves an address, a lost phone say: what is there decides nothing and is shown nothing more."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from alertengine.core.escalation import EscalationStep
from alertengine.core.message import Message
from alertengine.core.model import Actor, Contact
from alertengine.core.policy import Policy
from alertengine.errors import DeliveryError, Fault, TokenInvalid
from alertengine.pipeline import approve, contacts
from alertengine.pipeline.contacts import ContactChange
from alertengine.pipeline.viewing import new_link, read_link
from alertengine.ports import Receipt, Traits
from alertengine.store import directory
from alertengine.testing import RecordingChannel
from team import Team, gather_team
from world import World

PAYMENTS = ("payments",)
OPERATOR = Actor(kind="operator", id="os:ops", name="ops")


@dataclass
class Amending(RecordingChannel):
    """Names each message by where it went, and keeps what it was amended to."""

    traits: Traits = field(default_factory=lambda: Traits(idempotent=True, amends=True))
    amended: list[tuple[str, Message]] = field(default_factory=list)
    answers_lost: int = 0

    async def send(self, contact: Contact, message: Message, idempotency_key: str) -> Receipt:
        await super().send(contact, message, idempotency_key)
        if self.answers_lost:
            self.answers_lost -= 1
            raise DeliveryError("no answer", fault=Fault.UNKNOWN)
        return Receipt(provider_message_id=f"{contact.address} {len(self.sent)}")

    async def amend(self, message_id: str, message: Message) -> None:
        self.amended.append((message_id, message))


@pytest.fixture
def chat() -> Amending:
    return Amending(name="chat", kind="telegram")


@pytest.fixture
async def team(world: World, chat: Amending) -> Team:
    found = await gather_team(world)
    found.chats_by(chat)
    tariro_and_rudo = EscalationStep(who=("Tariro", "Rudo"))
    found.policy(Policy(steps=(tariro_and_rudo, EscalationStep(after_s=60))))
    return found


async def contact(team: Team, contact_id: str) -> Contact:
    found = await team.world.engine.store.fetch(directory.contact(team.world.tenant, contact_id))
    assert found is not None
    return found


async def move(team: Team, address: str = "a new phone") -> Contact:
    """Tariro gives another chat, and proves it."""
    engine, wanted = team.world.engine, ContactChange(address=address)
    after = await contacts.change(engine, team.world.onboarded.tenant, "con_Tariro_chat", wanted, OPERATOR)
    for task in list(engine.memory.tasks):
        await task
    assert after.verified_at is None
    now = team.world.clock.now()
    await engine.store.transact(lambda tx: directory.verify(tx, after, address, now))
    team.forget()
    return after


async def test_the_old_address_is_shown_nothing_more(team: Team, chat: Amending) -> None:
    (incident,) = await team.tick(failing=PAYMENTS)
    await move(team)
    await team.wait(70, failing=PAYMENTS)
    rudo = next(m for c, m, _ in reversed(chat.sent) if c.name == "Rudo" and m.url)
    assert rudo.url is not None
    token = rudo.url.partition("token=")[2]
    await approve.acknowledge(team.world.engine, approve.read(team.world.engine, token), {})
    await team.world.settle()
    shown = {message_id.rpartition(" ")[0] for message_id, _ in chat.amended}
    assert shown == {"a new phone", "Rudo at chat", "Chipo at chat"}
    assert (await team.world.incident(incident)).acknowledged_by is not None


async def test_the_links_that_went_there_open_nothing(team: Team) -> None:
    await team.tick(failing=PAYMENTS)
    engine = team.world.engine
    mine = next(m for c, m, _ in team.chat.sent if c.name == "Tariro")
    assert mine.url is not None
    token = mine.url.partition("token=")[2]
    listed = await new_link(engine, team.world.tenant, await contact(team, "con_Tariro_chat"))
    await approve.open_link(engine, token)
    await read_link(engine, listed.partition("token=")[2])

    await move(team)
    with pytest.raises(TokenInvalid):
        await approve.confirm(engine, token, {})
    with pytest.raises(TokenInvalid):
        await read_link(engine, listed.partition("token=")[2])


async def test_a_message_that_is_tried_again_at_the_new_address_revives_no_link_of_the_old_one(
    team: Team, chat: Amending
) -> None:
    """It arrived at the old one, though nobody said so."""
    engine = team.world.engine
    chat.answers_lost = 2
    await team.tick(failing=PAYMENTS)
    (old,) = [m for c, m, _ in chat.sent if c.name == "Tariro"]
    await move(team)
    await team.wait(30, failing=PAYMENTS)
    (new,) = [m for c, m, _ in chat.sent if c.address == "a new phone"]
    assert old.url is not None
    assert new.url is not None
    with pytest.raises(TokenInvalid):
        await approve.open_link(engine, old.url.partition("token=")[2])
    await approve.open_link(engine, new.url.partition("token=")[2])
