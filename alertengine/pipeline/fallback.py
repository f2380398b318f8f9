"""The person's next address, when a message did not arrive at one."""

from __future__ import annotations

from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.message import ASKS, MessageKind
from alertengine.core.model import Contact
from alertengine.core.people import may_decide
from alertengine.pipeline.audience import other_addresses
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import append
from alertengine.store import directory, incidents, outbox, receipts, tellings
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
    """The address that this telling has not used; one where as much can be decided before one where it cannot."""
    contact = tx.fetch(directory.addressee(delivery.tenant_id, delivery.contact_id))
    if contact is None:
        return None
    others = other_addresses(engine, tx, contact, delivery.kind)
    used = tx.fetch(tellings.used(delivery, [other.id for other in others]))
    unused = sorted((c for c in others if c.id not in used), key=lambda other: not may_decide(other))
    same = [contact] if again and delivery.follows is None else []
    return next(iter(unused + same), None)
