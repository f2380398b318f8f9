"""Several people and services around one world."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from alertengine.core.message import URGENT
from alertengine.core.model import Contact, Role, Service
from alertengine.core.policy import Policy
from alertengine.pipeline.poll import poll
from alertengine.ports import Traits
from alertengine.store import directory
from alertengine.testing import RecordingChannel, critical_report, healthy_report
from world import World


@dataclass
class Team:
    """Tariro and Rudo on the chat and on the telephone, and the admin Chipo on the chat, in this order."""

    world: World
    chat: RecordingChannel
    phone: RecordingChannel
    services: dict[str, Service] = field(default_factory=dict)
    reports: dict[str, Any] = field(default_factory=dict)

    @property
    def sent(self) -> list[tuple[str, str]]:
        """(person, kind) of every message in its order."""
        return [(contact.name, str(message.kind)) for contact, message, _ in self._all()]

    @property
    def texts(self) -> list[str]:
        return [message.text for _, message, _ in self._all()]

    def _all(self) -> list[Any]:
        return sorted(self.chat.sent + self.phone.sent, key=lambda one: one[1].at)

    def forget(self) -> None:
        self.chat.sent.clear()
        self.phone.sent.clear()

    def policy(self, policy: Policy) -> None:
        self.world.engine = replace(self.world.engine, policy=policy)

    def chats_by(self, channel: RecordingChannel) -> None:
        """The chat goes by this channel from here on."""
        self.chat = channel
        self.world.engine = replace(self.world.engine, channels={"chat": channel, "phone": self.phone})

    async def add_service(self, name: str) -> Service:
        engine = self.world.engine
        service = replace(self.world.service, id=engine.new_id("svc"), name=name)
        await engine.store.transact(lambda tx: directory.add_service(tx, service))
        self.services[name] = service
        return service

    async def tick(self, seconds: float = 5.0, *, failing: tuple[str, ...] = ()) -> list[str]:
        """Every service is polled once; those named are failing."""
        self.world.clock.advance(seconds)
        found = []
        for name, service in self.services.items():
            self.world.source.report = critical_report() if name in failing else healthy_report()
            incident = await poll(self.world.engine, service)
            found += [incident] if incident else []
        await self.world.settle()
        return found

    async def wait(self, seconds: float, step: float = 10.0, *, failing: tuple[str, ...] = ()) -> None:
        for _ in range(round(seconds / step)):
            await self.tick(step, failing=failing)


async def gather_team(world: World) -> Team:
    chat = RecordingChannel(name="chat", kind="telegram")
    traits = Traits(idempotent=True, calls=True, kinds=URGENT)
    phone = RecordingChannel(name="phone", kind="voice_twilio", traits=traits)
    world.engine = replace(world.engine, channels={"chat": chat, "phone": phone})
    people = [
        ("Tariro", "chat", Role.APPROVER),
        ("Tariro", "phone", Role.APPROVER),
        ("Rudo", "chat", Role.APPROVER),
        ("Rudo", "phone", Role.APPROVER),
        ("Chipo", "chat", Role.ADMIN),
    ]
    contacts = [
        Contact(
            id=f"con_{name}_{channel}",
            tenant_id=world.tenant,
            name=name,
            channel=channel,
            address=f"{name} at {channel}",
            role=role,
            verified_at=world.clock.now() - timedelta(days=1),
        )
        for name, channel, role in people
    ]

    def work(tx: Any) -> None:
        tx.execute("DELETE FROM contact")
        for contact in contacts:
            directory.add_contact(tx, contact)

    await world.engine.store.transact(work)
    return Team(world, chat, phone, {world.service.name: world.service})
