"""Queueing messages in the transaction of the event that caused them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from alertengine.core.events import Event, EventType, NewEvent
from alertengine.core.incident import Incident
from alertengine.core.message import MessageKind, may_ask
from alertengine.core.model import Contact, Role
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, incidents, outbox
from alertengine.store.base import Transaction
from alertengine.store.outbox import Delivery

ARRIVES_WITHIN_S = 60.0
"""What has not arrived by then goes to the person's next address."""


async def record(
    engine: Engine, incident: Incident, events: Sequence[NewEvent], message: MessageKind | None = None
) -> list[Event]:
    """Append `events` to what was read as `incident`, and queue the message they call for. One transaction.

    Raises `Stale` where the incident went on meanwhile.
    """

    def work(tx: Transaction) -> list[Event]:
        return append(engine, tx, incident, events, message)

    appended = await engine.store.transact(work)
    if message is not None:
        engine.memory.outbox.set()
    return appended


def append(
    engine: Engine,
    tx: Transaction,
    incident: Incident,
    events: Sequence[NewEvent],
    message: MessageKind | None = None,
    only: Contact | None = None,
    follows: tuple[Delivery, str] | None = None,
) -> list[Event]:
    """The same inside a transaction. `only`: the message goes to this contact alone; `follows`: in place of that
    delivery, for that reason."""
    appended = tx.append(incident.tenant_id, incident.id, events, incident.version, engine.now())
    if message is None:
        return appended
    state = tx.fetch(incidents.incident(incident.tenant_id, incident.id))
    assert state is not None
    people = (only,) if only else audience(engine, tx, state, message)
    return appended + _queue(engine, tx, state, message, people, follows)


def audience(engine: Engine, tx: Transaction, incident: Incident, kind: MessageKind) -> tuple[Contact, ...]:
    """Everybody, each at their first address that takes such a message; at all of them when nobody has answered."""
    found = [c for c in tx.fetch(directory.contacts(incident.tenant_id)) if takes(engine, c, kind)]
    if kind is MessageKind.ESCALATION:
        return tuple(found)
    first = {contact.name: contact for contact in reversed(found)}
    return tuple(contact for contact in found if first[contact.name] is contact)


def takes(engine: Engine, contact: Contact, kind: MessageKind) -> bool:
    """Nothing goes to an address that was not verified, and nobody is telephoned to hear that all is well."""
    channel = engine.channel_of(contact)
    return contact.verified_at is not None and (channel is None or kind in channel.traits.kinds)


def _queue(
    engine: Engine,
    tx: Transaction,
    incident: Incident,
    kind: MessageKind,
    people: Sequence[Contact],
    follows: tuple[Delivery, str] | None,
) -> list[Event]:
    now = tx.now(engine.now())
    deliveries = []
    for contact in people:
        delivery = Delivery(
            id=engine.new_id("msg"),
            tenant_id=incident.tenant_id,
            incident_id=incident.id,
            contact_id=contact.id,
            kind=kind,
            jti=engine.new_id("lnk"),
            seq=incident.version + 1,
            queued_at=now,
            follows=follows[0].id if follows else None,
        )
        outbox.queue(tx, delivery, now + timedelta(seconds=ARRIVES_WITHIN_S))
        deliveries.append({"delivery_id": delivery.id, "contact": contact.name, "channel": contact.channel})
    data = {
        "message": str(kind),
        "asks": may_ask(kind, incident) or kind is MessageKind.ALERT,
        "round": incident.round,
        "deliveries": deliveries,
    }
    if follows:
        data |= {"follows": follows[0].id, "reason": follows[1]}
    queued = NewEvent(type=EventType.ALERT_QUEUED, data=data)
    return tx.append(incident.tenant_id, incident.id, [queued], incident.version, now)


def tell(
    engine: Engine,
    tx: Transaction,
    delivery: Delivery,
    kind: EventType,
    attempt: int,
    **more: Any,
) -> None:
    """Record what became of a delivery. An incident that was pruned meanwhile is told nothing more."""
    incident = tx.fetch(incidents.incident(delivery.tenant_id, delivery.incident_id))
    contact = tx.fetch(directory.contact(delivery.tenant_id, delivery.contact_id))
    if incident is None:
        return
    data = {
        "delivery_id": delivery.id,
        "message": str(delivery.kind),
        "contact": contact.name if contact else delivery.contact_id,
        "channel": contact.channel if contact else "",
        "attempt": attempt,
        "asks": may_ask(delivery.kind, incident) or delivery.kind is MessageKind.ALERT,
        **more,
    }
    append(engine, tx, incident, [NewEvent(type=kind, data=data)])


def may_decide(contact: Contact) -> bool:
    return contact.verified_at is not None and contact.role is not Role.VIEWER
