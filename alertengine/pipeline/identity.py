"""By what people are known beside their addresses: mailbox and PIN. On record is that it changed, not to what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.model import Actor, Contact
from alertengine.errors import Invalid
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, people, system
from alertengine.store.base import Transaction


def put_mailbox(tx: Transaction, tenant: str, name: str, email: str | None) -> None:
    """Which mailbox this person signs in with; empty or None: they do not."""
    if not people.set_email(tx, tenant, name, email or None):
        raise Invalid(f"email: somebody else of this tenant signs in with {email}")


async def set_mailbox(engine: Engine, contact: Contact, email: str | None, actor: Actor) -> None:
    def work(tx: Transaction) -> None:
        put_mailbox(tx, contact.tenant_id, contact.name, email)
        note(engine, tx, contact, SystemEventType.CONTACT_CHANGED, actor, ("email",))

    await engine.store.transact(work)


async def set_pin(engine: Engine, contact: Contact, sealed: str | None, actor: Actor) -> None:
    def work(tx: Transaction) -> None:
        people.set_pin(tx, contact.tenant_id, contact.name, sealed)
        note(engine, tx, contact, SystemEventType.CONTACT_CHANGED, actor, ("pin",))

    await engine.store.transact(work)


async def share(engine: Engine, contacts: Sequence[Contact], actor: Actor, *, shared: bool) -> None:
    """Whether several people read at these addresses."""

    def work(tx: Transaction) -> None:
        for contact in contacts:
            directory.share(tx, contact, shared=shared)
            note(engine, tx, contact, SystemEventType.CONTACT_CHANGED, actor, ("shared",))

    await engine.store.transact(work)


def note(
    engine: Engine,
    tx: Transaction,
    contact: Contact,
    kind: SystemEventType,
    actor: Actor,
    changed: Sequence[str] = (),
) -> None:
    data: dict[str, Any] = {
        "tenant_id": contact.tenant_id,
        "contact_id": contact.id,
        "name": contact.name,
        "channel": contact.channel,
        "role": str(contact.role),
    }
    told = data | ({"changed": list(changed)} if changed else {})
    system.note(tx, contact.id, NewEvent(type=kind, data=told, actor=actor), engine.now())
