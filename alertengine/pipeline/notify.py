"""Queueing messages in the transaction of the event that caused them."""

from __future__ import annotations

from collections.abc import Sequence

from alertengine.core.events import Event, EventType, NewEvent
from alertengine.core.incident import Incident
from alertengine.core.message import MessageKind, may_ask
from alertengine.core.model import Contact, Role
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, incidents, outbox
from alertengine.store.base import Transaction


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
) -> list[Event]:
    """The same inside a transaction. `only`: the message goes to this contact alone."""
    appended = tx.append(incident.tenant_id, incident.id, events, incident.version, engine.now())
    if message is None:
        return appended
    state = tx.fetch(incidents.incident(incident.tenant_id, incident.id))
    assert state is not None
    people = [only] if only else tx.fetch(directory.contacts(incident.tenant_id))
    return appended + _queue(engine, tx, state, message, [p for p in people if _told(engine, p, message)])


def _told(engine: Engine, contact: Contact, kind: MessageKind) -> bool:
    """Nothing goes to an address that was not verified, and nobody is telephoned to hear that all is well."""
    channel = engine.channel_of(contact)
    return contact.verified_at is not None and (channel is None or kind in channel.traits.kinds)


def _queue(
    engine: Engine, tx: Transaction, incident: Incident, kind: MessageKind, people: Sequence[Contact]
) -> list[Event]:
    now = tx.now(engine.now())
    deliveries = []
    for contact in people:
        delivery = outbox.Delivery(
            id=engine.new_id("msg"),
            tenant_id=incident.tenant_id,
            incident_id=incident.id,
            contact_id=contact.id,
            kind=kind,
            jti=engine.new_id("lnk"),
            seq=incident.version + 1,
            queued_at=now,
        )
        outbox.queue(tx, delivery)
        deliveries.append({"delivery_id": delivery.id, "contact": contact.name, "channel": contact.channel})
    data = {
        "message": str(kind),
        "asks": may_ask(kind, incident) or kind is MessageKind.ALERT,
        "round": incident.round,
        "deliveries": deliveries,
    }
    queued = NewEvent(type=EventType.ALERT_QUEUED, data=data)
    return tx.append(incident.tenant_id, incident.id, [queued], incident.version, now)


def may_decide(contact: Contact) -> bool:
    return contact.verified_at is not None and contact.role is not Role.VIEWER
