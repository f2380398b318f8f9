"""The person's next address, when a message did not arrive at one."""

from __future__ import annotations

from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.message import ASKS, MessageKind
from alertengine.core.model import Contact
from alertengine.pipeline.audience import takes
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import append
from alertengine.store import directory, incidents, outbox, receipts
from alertengine.store.base import Transaction
from alertengine.store.outbox import Delivery


def fall_back(
    engine: Engine, tx: Transaction, delivery: Delivery, reason: str, *, again: bool = False
) -> None:
    """Queue the message for the person's next address; once for each delivery, whoever notices first.

    `again`: where there is no other address, the same one is tried once more, with a new message.
    """
    if not receipts.stop_waiting(tx, delivery) or delivery.copy:
        return
    following = _next(engine, tx, delivery, again=again)
    for incident_id, _ in tx.fetch(outbox.about(delivery)):
        incident = tx.fetch(incidents.incident(delivery.tenant_id, incident_id))
        if following is None or incident is None or _is_moot(delivery, incident):
            continue
        append(engine, tx, incident, [], delivery.kind, only=following, follows=(delivery, reason))


def _is_moot(delivery: Delivery, incident: Incident) -> bool:
    """What it asked was decided meanwhile."""
    if delivery.kind is MessageKind.REMINDER:
        return not incident.open
    return delivery.kind in ASKS and incident.stage not in DECIDABLE


def _next(engine: Engine, tx: Transaction, delivery: Delivery, *, again: bool) -> Contact | None:
    people = tx.fetch(directory.contacts(delivery.tenant_id))
    place = next((n for n, contact in enumerate(people) if contact.id == delivery.contact_id), None)
    if place is None:
        return None
    for contact in people[place + 1 :]:
        if contact.name == people[place].name and takes(engine, contact, delivery.kind):
            return contact
    return people[place] if again and delivery.follows is None else None
