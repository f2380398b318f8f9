"""Send what the outbox holds: claimed before it is sent, settled after, tried again with patience."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from alertengine.core import backoff
from alertengine.core.approval import Claims
from alertengine.core.events import EventType
from alertengine.core.incident import Incident
from alertengine.core.message import ASKS, Letter, Message, MessageKind, compose, may_ask
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError, Fault
from alertengine.pipeline import gates
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.fallback import fall_back
from alertengine.pipeline.notify import may_decide, tell
from alertengine.pipeline.receipts import note
from alertengine.ports import Channel, Receipt
from alertengine.store import directory, incidents, links, outbox, receipts
from alertengine.store.base import Transaction
from alertengine.store.checkpoints import checkpoint, short
from alertengine.store.outbox import Delivery

log = logging.getLogger(__name__)

BATCH = 50
OPEN = ASKS | {MessageKind.ACKNOWLEDGED}
"""What leaves the question open, and so the buttons under it."""
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


async def deliver(engine: Engine, delivery: Delivery) -> bool:
    """One try. False where none was made: its turn comes later, or somebody else has it."""
    tenant = delivery.tenant_id
    contact = await engine.store.fetch(directory.contact(tenant, delivery.contact_id))
    incident = await engine.store.fetch(incidents.incident(tenant, delivery.incident_id))
    if contact is None or incident is None:
        raise ValueError(f"{delivery.id} has lost its contact or incident")
    channel = engine.channel_of(contact)
    if channel is not None and not await _let_through(engine, channel, contact, delivery):
        return False
    claims = _claims(engine, delivery, contact, incident)
    if not await _claim(engine, delivery, contact, channel, claims):
        return False
    try:
        message = await _compose(engine, delivery, contact, incident, claims)
        receipt = await _send(engine, channel, contact, message, delivery)
    except DeliveryError as error:
        await _failed(engine, delivery, error)
    except Exception as error:  # a channel's own fault is a failed try like any other
        log.exception("%s: the channel broke", delivery.id)
        await _failed(engine, delivery, DeliveryError(f"{type(error).__name__} in the channel"))
    else:
        assert channel is not None
        await _accepted(engine, delivery, channel, receipt)
        if channel.traits.amends and delivery.kind not in OPEN:
            await _amend(engine, delivery, channel, replace(message, body=(*message.body, incident.title)))
    return True


async def _amend(engine: Engine, delivery: Delivery, channel: Channel, message: Message) -> None:
    """Where the person was asked, show what came of it. A courtesy: the message itself has arrived."""
    asked = outbox.asked(delivery.tenant_id, delivery.incident_id, delivery.contact_id)
    for message_id in await engine.store.fetch(asked):
        try:
            await channel.amend(message_id, message)  # type: ignore[attr-defined]
        except DeliveryError as error:
            log.info("%s could not be amended: %s", message_id, error)


async def _let_through(engine: Engine, channel: Channel, contact: Contact, delivery: Delivery) -> bool:
    """Not faster than the provider takes, and not while it fails: then the person's next address is used at once."""
    gate, now = gates.gate(engine, channel, contact), engine.clock.monotonic()
    shut = gate.shut_s(now)
    wait = max(shut, gate.wait_s(now))
    if not wait:
        gates.put(engine, channel, contact, gate.tried(now))
        return True

    def work(tx: Transaction) -> None:
        outbox.postpone(tx, delivery, engine.now() + timedelta(seconds=wait))
        if shut:
            fall_back(engine, tx, delivery, f"{channel.name} fails; it is tried again in {shut:.0f} s")

    await engine.store.transact(work)
    return False


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
    head = await engine.store.fetch(checkpoint(incident.tenant_id))
    letter = Letter(
        recipient=contact.name,
        now=engine.now(),
        queued_at=delivery.queued_at,
        url=url,
        reference=claims.jti if claims else None,
        code=engine.tokens.short_code(claims.jti) if claims else None,
        valid_until=claims.expires_at if claims else None,
        anchor=short(head) if head else None,
        checkpoint=head.decode() if head else None,
    )
    return compose(delivery.kind, incident, letter)


async def _send(
    engine: Engine, channel: Channel | None, contact: Contact, message: Message, delivery: Delivery
) -> Receipt:
    if channel is None:
        raise DeliveryError(f"no channel {contact.channel!r} is configured", permanent=True)
    with gates.watched(engine, channel, contact):
        try:
            async with asyncio.timeout(SEND_DEADLINE_S):
                return await channel.send(contact, message, delivery.key)
        except TimeoutError:
            reason = f"no answer within {SEND_DEADLINE_S:g} s"
            raise DeliveryError(reason, fault=Fault.UNKNOWN) from None


async def _accepted(engine: Engine, delivery: Delivery, channel: Channel, receipt: Receipt) -> None:
    def work(tx: Transaction) -> None:
        outbox.settle(tx, delivery, "accepted", provider_message_id=receipt.provider_message_id)
        if not channel.traits.receipts:
            receipts.stop_waiting(tx, delivery)  # more than this can never be known
        tell(engine, tx, delivery, EventType.ALERT_ACCEPTED, delivery.attempts + 1)

    await engine.store.transact(work)
    early = engine.memory.early.pop((channel.kind, receipt.provider_message_id or ""), None)
    if early is not None:
        await note(engine, channel.kind, early)


async def _failed(engine: Engine, delivery: Delivery, error: DeliveryError) -> None:
    attempt = delivery.attempts + 1
    dead = error.permanent or attempt - delivery.forgiven >= backoff.ATTEMPTS
    wait = _wait(engine, attempt, error)
    data = {"error": str(error), "fault": str(error.fault), "permanent": error.permanent}

    def work(tx: Transaction) -> None:
        again_at = None if dead else engine.now() + timedelta(seconds=wait)
        outbox.settle(tx, delivery, "dead" if dead else "failed", error=str(error), again_at=again_at)
        kind = EventType.ALERT_DEAD if dead else EventType.ALERT_FAILED
        tell(engine, tx, delivery, kind, attempt, **data)
        if dead:
            fall_back(engine, tx, delivery, str(error))

    await engine.store.transact(work)


def _wait(engine: Engine, attempt: int, error: DeliveryError) -> float:
    """Seconds until the next try. The channel mended it: at once, but not for ever."""
    if attempt <= 2 and (error.fault is Fault.TEMPLATE or error.retry_after_s == 0):
        return 0.0
    return backoff.delay_s(attempt, engine.jitter(), error.retry_after_s)
