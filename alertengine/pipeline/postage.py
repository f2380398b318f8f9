"""What messages may cost in a month: at the cap the person's cheapest address is used, and never silence."""

from __future__ import annotations

from datetime import datetime

from alertengine.core.events import EventType, NewEvent, SystemEventType
from alertengine.core.message import ASKS
from alertengine.core.model import Contact
from alertengine.core.people import may_decide
from alertengine.core.postage import cost_of, millionths
from alertengine.errors import Fault
from alertengine.pipeline.audience import other_addresses
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import tell
from alertengine.store import directory, outbox, postage, tellings
from alertengine.store.base import Transaction
from alertengine.store.log import SYSTEM_TREE
from alertengine.store.outbox import Delivery


def month_of(now: datetime) -> str:
    return f"{now:%Y-%m}"


def cost(engine: Engine, contact: Contact) -> int:
    channel = engine.channel_of(contact)
    return millionths(cost_of(channel.name, channel.kind, engine.prices)) if channel else 0


def afford(engine: Engine, tx: Transaction, delivery: Delivery, contact: Contact) -> bool:
    """Count the message that is about to leave. False where it goes to a cheaper address instead.

    Where there is no cheaper one it leaves all the same: a cap is no reason for silence.
    """
    price, now = cost(engine, contact), tx.now(engine.now())
    if not price:
        return True
    tenant, month = delivery.tenant_id, month_of(now)
    cap = engine.policy.spend_cap
    if postage.charge(tx, tenant, month, price, None if cap is None else millionths(cap)):
        return True
    if postage.reach_cap(tx, tenant, month):
        data = {"tenant_id": tenant, "month": month, "cap": cap}
        event = NewEvent(type=SystemEventType.SPEND_CAP_REACHED, data=data)
        tx.append(SYSTEM_TREE, f"postage {tenant} {month}", [event], 0, now)
    cheaper = _cheaper(engine, tx, delivery, contact, price)
    if cheaper is None:
        return postage.charge(tx, tenant, month, price, None)
    _send_by(engine, tx, delivery, contact, cheaper)
    return False


def give_back(engine: Engine, tx: Transaction, delivery: Delivery) -> None:
    """The provider refused it: it cost nothing."""
    contact = tx.fetch(directory.addressee(delivery.tenant_id, delivery.contact_id))
    price = cost(engine, contact) if contact else 0
    if price:
        postage.give_back(tx, delivery.tenant_id, month_of(tx.now(engine.now())), price)


def _cheaper(
    engine: Engine, tx: Transaction, delivery: Delivery, contact: Contact, price: int
) -> Contact | None:
    """An address of the person where as much can be decided, and where this telling has not failed."""
    if delivery.copy or delivery.follows is not None:
        return None  # nobody is asked by it, or it stands in for what failed elsewhere, be it there
    others = other_addresses(engine, tx, contact, delivery.kind)
    used = tx.fetch(tellings.used(delivery, [other.id for other in others]))
    decides = may_decide(contact) and delivery.kind in ASKS
    own = [
        other
        for other in others
        if engine.channel_of(other) is not None
        and cost(engine, other) < price
        and used.get(other.id, True)
        and (may_decide(other) or not decides)
    ]
    return min(own, key=lambda other: cost(engine, other), default=None)


def _send_by(engine: Engine, tx: Transaction, delivery: Delivery, contact: Contact, cheaper: Contact) -> None:
    reason = f"the month's spend cap of {engine.policy.spend_cap:g} is reached; it goes by {cheaper.channel}"
    # Where it is told by that address anyway, it is not told there twice.
    doubled = tx.fetch(tellings.doubled(delivery, cheaper.id))
    kind = EventType.ALERT_DEAD if doubled else EventType.ALERT_FAILED
    data = {"error": reason, "fault": str(Fault.EXHAUSTED), "permanent": doubled}
    tell(engine, tx, delivery, kind, delivery.attempts + doubled, **data)
    if doubled:
        outbox.give_up(tx, delivery, contact.channel, contact.name, reason, tx.now(engine.now()))
    else:
        outbox.redirect(tx, delivery, cheaper.id)
