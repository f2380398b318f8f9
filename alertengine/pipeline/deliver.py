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
from alertengine.core.letter import Letter, bare, compose, plain
from alertengine.core.message import ASKS, Message, MessageKind, may_ask
from alertengine.core.model import Contact
from alertengine.core.people import may_decide
from alertengine.core.trouble import began
from alertengine.errors import DeliveryError, Fault
from alertengine.pipeline import gates, progress
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.fallback import fall_back
from alertengine.pipeline.notify import tell
from alertengine.pipeline.postage import afford, give_back
from alertengine.pipeline.receipts import note
from alertengine.pipeline.telling import Telling, telling
from alertengine.pipeline.viewing import list_link
from alertengine.ports import Channel, Receipt
from alertengine.store import directory, links, moves, outbox, receipts
from alertengine.store.base import Transaction
from alertengine.store.checkpoints import checkpoint, short
from alertengine.store.outbox import Delivery

log = logging.getLogger(__name__)

BATCH = 50
SEND_DEADLINE_S = 20.0
LEASE_S = 60.0
"""A sender that died is taken to be gone after this; its message is sent again with the same key."""


async def begin_due(engine: Engine) -> list[asyncio.Task[None]]:
    """Begin to send everything that is due, side by side."""
    due = await engine.store.fetch(outbox.due(engine.now(), BATCH))
    return [engine.spawn(_deliver(engine, delivery)) for delivery in due]


async def deliver_due(engine: Engine) -> int:
    """The same, to the end. Answers how many there were."""
    begun = await begin_due(engine)
    await asyncio.gather(*begun)
    return len(begun)


async def _deliver(engine: Engine, delivery: Delivery) -> None:
    try:
        tried = await deliver(engine, delivery)
    except Exception as error:
        # Left to the outbox's own pace: what cannot even be tried must not be tried all the time.
        log.warning("%s could not be delivered: %s", delivery.id, error)
        return
    if tried:
        engine.memory.outbox.set()  # what waited behind it may go


async def deliver(engine: Engine, delivery: Delivery) -> bool:
    """One try. False where none was made: its turn comes later, or somebody else has it."""
    contact = await engine.store.fetch(directory.addressee(delivery.tenant_id, delivery.contact_id))
    if contact is None:
        return await _abandon(engine, delivery)
    channel = engine.channel_of(contact)
    if channel is not None and not await _let_through(engine, channel, contact, delivery):
        return False
    if not await _claim(engine, delivery, contact, channel):
        return False
    try:
        if contact.verified_at is None:  # taken off the list, or moved, since this was queued
            raise DeliveryError("nobody is told there any more", fault=Fault.RECIPIENT)
        # Read after it was claimed: from then on nothing joins it.
        about = await telling(engine, delivery)
        if about is None:
            raise DeliveryError("what it was about is gone", permanent=True)
        incident = about.incident
        claims = await _offer(engine, delivery, contact, incident)
        message = await _compose(engine, delivery, contact, about, claims)
        receipt = await _say(engine, channel, contact, incident, message, delivery)
    except DeliveryError as error:
        await _failed(engine, delivery, error)
    except Exception as error:  # a channel's own fault is a failed try like any other
        log.exception("%s: the channel broke", delivery.id)
        await _failed(engine, delivery, DeliveryError(f"{type(error).__name__} in the channel"))
    else:
        assert channel is not None
        await _accepted(engine, delivery, channel, receipt)
        if channel.traits.amends and _belongs_in_the_question(delivery.kind, incident):
            await progress.show(engine, channel, contact, incident, message)
    return True


def _belongs_in_the_question(kind: MessageKind, incident: Incident) -> bool:
    """A reading that comes late mends the open question, and is no news of how it ended."""
    if kind == MessageKind.DIAGNOSIS:
        return may_ask(MessageKind.ALERT, incident)
    return kind not in ASKS and not progress.is_quiet(kind, incident)


async def _say(
    engine: Engine,
    channel: Channel | None,
    contact: Contact,
    incident: Incident,
    message: Message,
    delivery: Delivery,
) -> Receipt:
    """In the message by which the person was asked, where that will do; else in one of its own, under it."""
    if channel is None or not channel.traits.amends or delivery.kind in ASKS:
        return await _send(engine, channel, contact, message, delivery)
    if progress.is_quiet(delivery.kind, incident) and await progress.show(
        engine, channel, contact, incident, message
    ):
        return Receipt()
    thread = await progress.thread_of(engine, contact, incident)
    return await _send(engine, channel, contact, replace(message, thread=thread), delivery)


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
    asks = may_ask(delivery.kind, incident) and not delivery.copy
    if not asks or not may_decide(contact) or incident.action is None:
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


async def _claim(engine: Engine, delivery: Delivery, contact: Contact, channel: Channel | None) -> bool:
    kind = channel.kind if channel else contact.channel

    def work(tx: Transaction) -> bool:
        found = tx.fetch(outbox.delivery(delivery.tenant_id, delivery.id))
        if found is None or found[0] != delivery or found[1] not in ("queued", "sending"):
            return False  # somebody else took it since it was read
        if not moves.is_there(tx, contact):
            return False  # it goes to where they are now
        if not afford(engine, tx, delivery, contact):
            engine.memory.outbox.set()
            return False
        return outbox.claim(tx, delivery, contact.channel, kind, contact.name, engine.now(), LEASE_S)

    return await engine.store.transact(work)


async def _abandon(engine: Engine, delivery: Delivery) -> bool:
    """Whom it was for is gone: it is dead, and where it was the only one, the next step is due."""
    name = delivery.contact_id

    def work(tx: Transaction) -> bool:
        error = "the contact was removed"
        if not outbox.give_up(tx, delivery, "", name, error, engine.now()):
            return False
        data = {"error": error, "fault": str(Fault.RECIPIENT), "permanent": True}
        tell(engine, tx, delivery, EventType.ALERT_DEAD, delivery.attempts + 1, **data)
        return True

    return await engine.store.transact(work)


async def _offer(engine: Engine, delivery: Delivery, contact: Contact, incident: Incident) -> Claims | None:
    """The link, which lives from now. None where nothing is asked."""
    claims = _claims(engine, delivery, contact, incident)
    if claims is not None:
        await engine.store.transact(lambda tx: _open(tx, claims, contact))
    return claims


def _open(tx: Transaction, claims: Claims, contact: Contact) -> None:
    _check_place(tx, contact)
    round_, expires_at = claims.round, claims.expires_at
    links.offer(tx, claims.tenant_id, claims.incident_id, contact.id, round_, claims.jti, expires_at)


def _check_place(tx: Transaction, contact: Contact) -> None:
    """No link is opened for an address that the contact has left."""
    if not moves.is_there(tx, contact):
        raise DeliveryError("the contact has another address since")


async def _compose(
    engine: Engine, delivery: Delivery, contact: Contact, about: Telling, claims: Claims | None
) -> Message:
    incident = about.incident
    url = f"{engine.base_url}/action/recover?token={engine.tokens.sign(claims)}" if claims else None
    head = await engine.store.fetch(checkpoint(incident.tenant_id))
    service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
    listed = await _list_link(engine, delivery, contact) if about.others else None
    letter = Letter(
        recipient=contact.name,
        now=engine.now(),
        queued_at=delivery.queued_at,
        cost=engine.cost(service, began(incident)),
        then=about.then,
        others=about.others,
        list_url=listed,
        words=engine.words(contact),
        url=url,
        reference=claims.jti if claims else None,
        code=engine.tokens.short_code(claims.jti) if claims else None,
        valid_until=claims.expires_at if claims else None,
        anchor=short(head) if head else None,
        checkpoint=head.decode() if head else None,
        condition=engine.memory.condition,
    )
    return _drawn(engine, delivery.kind, incident, letter)


def _drawn(engine: Engine, kind: MessageKind, incident: Incident, letter: Letter) -> Message:
    """What cannot be told is left out of the message, and keeps it from nobody."""
    try:
        return compose(kind, incident, letter)
    except Exception:
        if engine.worth_noting(f"bare {incident.id}", freely=1, every_s=600.0):
            log.exception("%s: only the bare message could be written", incident.id)
        return compose(kind, bare(incident), plain(letter))


async def _list_link(engine: Engine, delivery: Delivery, contact: Contact) -> str:
    def work(tx: Transaction) -> str:
        _check_place(tx, contact)
        return list_link(engine, tx, delivery.tenant_id, contact, delivery.jti)

    return await engine.store.transact(work)


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
        if error.fault is not Fault.UNKNOWN:
            give_back(engine, tx, delivery)
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
