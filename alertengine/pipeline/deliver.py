"""Send what the outbox holds: claimed before it is sent, settled after, tried again with patience."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from alertengine.core import backoff
from alertengine.core.approval import Claims
from alertengine.core.events import EventType, NewEvent
from alertengine.core.incident import Incident
from alertengine.core.message import Letter, Message, compose, may_ask
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, Fault
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import append, may_decide
from alertengine.ports import Channel, Receipt
from alertengine.store import directory, incidents, links, outbox
from alertengine.store.base import Transaction
from alertengine.store.checkpoints import anchor
from alertengine.store.outbox import Delivery

log = logging.getLogger(__name__)

BATCH = 50
SEND_DEADLINE_S = 20.0
LEASE_S = 60.0
"""A sender that died is taken to be gone after this; its message is sent again with the same key."""


async def deliver_due(engine: Engine) -> int:
    """Send everything that is due, side by side. Answers how many there were."""
    due = await engine.store.fetch(outbox.due(engine.now(), BATCH))
    results = await asyncio.gather(*(deliver(engine, d) for d in due), return_exceptions=True)
    for delivery, result in zip(due, results, strict=True):
        if isinstance(result, BaseException):
            log.warning("%s could not be delivered: %s", delivery.id, result)
    return len(due)


async def deliver(engine: Engine, delivery: Delivery) -> None:
    tenant = delivery.tenant_id
    contact = await engine.store.fetch(directory.contact(tenant, delivery.contact_id))
    incident = await engine.store.fetch(incidents.incident(tenant, delivery.incident_id))
    if contact is None or incident is None:
        raise ValueError(f"{delivery.id} has lost its contact or incident")
    channel = engine.channel_of(contact)
    claims = _claims(engine, delivery, contact, incident)
    if not await _claim(engine, delivery, contact, channel, claims):
        return
    try:
        message = await _compose(engine, delivery, contact, incident, claims)
        receipt = await _send(channel, contact, message, delivery)
    except DeliveryError as error:
        await _failed(engine, delivery, contact, error)
    except Exception as error:  # a channel's own fault is a failed try like any other
        log.exception("%s: the channel broke", delivery.id)
        await _failed(engine, delivery, contact, DeliveryError(f"{type(error).__name__} in the channel"))
    else:
        await _accepted(engine, delivery, contact, receipt)


def _claims(engine: Engine, delivery: Delivery, contact: Contact, incident: Incident) -> Claims | None:
    """The link's claims, made anew for each try: it lives from when it was sent. None where nothing is asked."""
    if not may_ask(delivery.kind, incident) or not may_decide(contact) or incident.action is None:
        return None
    issued = datetime.fromtimestamp(int(engine.now().timestamp()), UTC)
    return Claims(
        issuer=engine.tokens.issuer,
        contact_id=contact.id,
        tenant_id=incident.tenant_id,
        incident_id=incident.id,
        round=incident.round,
        action=incident.action.name,
        digest=incident.action.digest(),
        jti=delivery.jti,
        issued_at=issued,
        expires_at=issued + timedelta(seconds=engine.policy.approval_timeout_s),
    )


async def _claim(
    engine: Engine, delivery: Delivery, contact: Contact, channel: Channel | None, claims: Claims | None
) -> bool:
    def work(tx: Transaction) -> bool:
        kind = channel.kind if channel else contact.channel
        now = engine.now()
        if not outbox.claim(tx, delivery, contact.channel, kind, contact.name, now, LEASE_S):
            return False
        if claims is not None:
            links.offer(
                tx,
                claims.tenant_id,
                claims.incident_id,
                contact.id,
                claims.round,
                claims.jti,
                claims.expires_at,
            )
        return True

    return await engine.store.transact(work)


async def _compose(
    engine: Engine, delivery: Delivery, contact: Contact, incident: Incident, claims: Claims | None
) -> Message:
    url = f"{engine.base_url}/action/recover?token={engine.tokens.sign(claims)}" if claims else None
    letter = Letter(
        recipient=contact.name,
        now=engine.now(),
        queued_at=delivery.queued_at,
        url=url,
        valid_until=claims.expires_at if claims else None,
        anchor=await engine.store.fetch(anchor(incident.tenant_id)),
    )
    return compose(delivery.kind, incident, letter)


async def _send(channel: Channel | None, contact: Contact, message: Message, delivery: Delivery) -> Receipt:
    if channel is None:
        raise DeliveryError(f"no channel {contact.channel!r} is configured", permanent=True)
    try:
        async with asyncio.timeout(SEND_DEADLINE_S):
            return await channel.send(contact, message, delivery.id)
    except TimeoutError:
        raise DeliveryError(f"no answer within {SEND_DEADLINE_S:g} s", fault=Fault.UNKNOWN) from None


async def _accepted(engine: Engine, delivery: Delivery, contact: Contact, receipt: Receipt) -> None:
    def work(tx: Transaction) -> None:
        outbox.settle(tx, delivery, "accepted", provider_message_id=receipt.provider_message_id)
        _tell(engine, tx, delivery, contact, EventType.ALERT_ACCEPTED, {})

    await engine.store.transact(work)


async def _failed(engine: Engine, delivery: Delivery, contact: Contact, error: DeliveryError) -> None:
    attempt = delivery.attempts + 1
    dead = error.permanent or attempt >= backoff.ATTEMPTS
    wait = _wait(engine, attempt, error)

    def work(tx: Transaction) -> None:
        again_at = None if dead else engine.now() + timedelta(seconds=wait)
        outcome = "dead" if dead else "failed"
        outbox.settle(tx, delivery, outcome, error=str(error), again_at=again_at)
        kind = EventType.ALERT_DEAD if dead else EventType.ALERT_FAILED
        _tell(
            engine,
            tx,
            delivery,
            contact,
            kind,
            {"error": str(error), "fault": str(error.fault), "permanent": error.permanent},
        )

    await engine.store.transact(work)


def _wait(engine: Engine, attempt: int, error: DeliveryError) -> float:
    """Seconds until the next try. The channel mended it: at once, but not for ever."""
    if attempt <= 2 and (error.fault is Fault.TEMPLATE or error.retry_after_s == 0):
        return 0.0
    return backoff.delay_s(attempt, engine.jitter(), error.retry_after_s)


def _tell(
    engine: Engine,
    tx: Transaction,
    delivery: Delivery,
    contact: Contact,
    kind: EventType,
    more: dict[str, Any],
) -> None:
    incident = tx.fetch(incidents.incident(delivery.tenant_id, delivery.incident_id))
    assert incident is not None
    data = {
        "delivery_id": delivery.id,
        "message": str(delivery.kind),
        "contact": contact.name,
        "channel": contact.channel,
        "attempt": delivery.attempts + 1,
        "asks": may_ask(delivery.kind, incident) or delivery.kind == "alert",
        **more,
    }
    append(engine, tx, incident, [NewEvent(type=kind, data=data)])
