"""Queueing messages in the transaction of the event that caused them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from alertengine.core.audience import Audience
from alertengine.core.events import Event, EventType, NewEvent
from alertengine.core.incident import Incident
from alertengine.core.message import MessageKind, may_ask
from alertengine.core.model import Contact, rfc3339
from alertengine.pipeline.audience import audience
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, incidents, outbox
from alertengine.store.base import Transaction
from alertengine.store.outbox import Delivery

ARRIVES_WITHIN_S = 60.0
"""What has not arrived by then goes to the person's next address."""
TOGETHER = frozenset(
    {
        MessageKind.ALERT,
        MessageKind.ESCALATION,
        MessageKind.REMINDER,
        MessageKind.ACKNOWLEDGED,
        MessageKind.EXPIRED,
        MessageKind.HEALED,
    }
)
"""Kinds of which one message can tell about several incidents."""


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
    people = Audience(contacts=(only,)) if only else audience(engine, tx, state, message)
    return appended + queue(engine, tx, state, message, people, follows)


def queue(
    engine: Engine,
    tx: Transaction,
    incident: Incident,
    kind: MessageKind,
    people: Audience,
    follows: tuple[Delivery, str] | None = None,
    woken: Sequence[str] = (),
) -> list[Event]:
    """Queue the message for these people, and say so. Where there is nobody, only what asks is worth an event."""
    now = tx.now(engine.now())
    due_at = now + timedelta(seconds=hold_s(engine, tx, incident, kind))
    place = partial(_place, engine, tx, incident, kind, now, due_at, follows)
    asks = may_ask(kind, incident) or kind is MessageKind.ALERT
    queued = []
    if people.contacts or asks or kind is MessageKind.REMINDER:
        deliveries = [place(contact) for contact in people.contacts]
        queued.append(_queued(incident, kind, people, deliveries, asks, follows, woken))
    if people.copies:
        queued.append(_copied(incident, kind, [place(contact, copy=True) for contact in people.copies]))
    return tx.append(incident.tenant_id, incident.id, queued, incident.version, now) if queued else []


def _queued(
    incident: Incident,
    kind: MessageKind,
    people: Audience,
    deliveries: list[dict[str, Any]],
    asks: bool,
    follows: tuple[Delivery, str] | None,
    woken: Sequence[str],
) -> NewEvent:
    data = {
        "message": str(kind),
        "asks": asks,
        "round": incident.round,
        "deliveries": deliveries,
    }
    if people.held:
        data["held"] = [{"contact": name, "until": rfc3339(end)} for name, end in people.held.items()]
    if people.spared:
        data["spared"] = list(people.spared)
    if woken:
        data["woken"] = list(woken)
    if follows:
        data |= {"follows": follows[0].id, "reason": follows[1]}
    return NewEvent(type=EventType.ALERT_QUEUED, data=data)


def _copied(incident: Incident, kind: MessageKind, deliveries: list[dict[str, Any]]) -> NewEvent:
    """An event of its own: what is told to people does not hang on it."""
    data = {
        "message": str(kind),
        "asks": False,
        "copies": True,
        "round": incident.round,
        "deliveries": deliveries,
    }
    return NewEvent(type=EventType.ALERT_QUEUED, data=data)


def _place(
    engine: Engine,
    tx: Transaction,
    incident: Incident,
    kind: MessageKind,
    now: datetime,
    due_at: datetime,
    follows: tuple[Delivery, str] | None,
    contact: Contact,
    *,
    copy: bool = False,
) -> dict[str, Any]:
    """A message of its own, or a line in one to the same person that is about to leave."""
    new = Delivery(
        id=engine.new_id("msg"),
        tenant_id=incident.tenant_id,
        incident_id=incident.id,
        contact_id=contact.id,
        kind=kind,
        jti=engine.new_id("lnk"),
        seq=incident.version + 1,
        queued_at=now,
        follows=follows[0].id if follows else None,
        copy=copy,
    )
    shared = None if incident.is_test or kind not in TOGETHER else tx.fetch(outbox.joinable(new))
    if shared is None:
        outbox.queue(tx, new, due_at, due_at + timedelta(seconds=ARRIVES_WITHIN_S))
    else:
        outbox.join(tx, shared, new)
    told = {"delivery_id": shared or new.id, "contact": contact.name, "channel": contact.channel}
    return told | ({"shared": True} if shared else {})


def hold_s(engine: Engine, tx: Transaction, incident: Incident, kind: MessageKind) -> float:
    """How long a message waits for others of its kind: not at all where no other service could have any."""
    if incident.is_test or kind not in TOGETHER or not engine.policy.group_s:
        return 0.0
    others = tx.fetch(directory.services(incident.tenant_id))
    if kind is MessageKind.ALERT:
        return engine.policy.group_s if len(others) > 1 else 0.0
    return engine.policy.group_s if tx.fetch(incidents.others_open(incident.tenant_id, incident.id)) else 0.0


def tell(
    engine: Engine,
    tx: Transaction,
    delivery: Delivery,
    kind: EventType,
    attempt: int,
    **more: Any,
) -> None:
    """Record what became of a delivery, with each incident that it is about and that was not pruned meanwhile."""
    contact = tx.fetch(directory.addressee(delivery.tenant_id, delivery.contact_id))
    for incident_id, _ in tx.fetch(outbox.about(delivery)):
        incident = tx.fetch(incidents.incident(delivery.tenant_id, incident_id))
        if incident is None:
            continue
        data = {
            "delivery_id": delivery.id,
            "message": str(delivery.kind),
            "contact": contact.name if contact else delivery.contact_id,
            "channel": contact.channel if contact else "",
            "attempt": attempt,
            "asks": not delivery.copy
            and (may_ask(delivery.kind, incident) or delivery.kind is MessageKind.ALERT),
            **({"copies": True} if delivery.copy else {}),
            **more,
        }
        append(engine, tx, incident, [NewEvent(type=kind, data=data)])
