"""Proof that an address belongs to a contact: a code is sent there, and typed back."""

from __future__ import annotations

import hmac
import logging
from datetime import timedelta

from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.message import Message, MessageKind
from alertengine.core.model import Contact
from alertengine.errors import CodeInvalid, DeliveryError, Invalid, NotFound, RateLimited
from alertengine.pipeline.engine import Engine
from alertengine.signing import new_code
from alertengine.store import directory, moves, system, verification
from alertengine.store.base import Transaction
from alertengine.store.verification import Pending

log = logging.getLogger(__name__)

LIFE_S = 600


async def send_code(engine: Engine, tenant: str, contact_id: str, code: str | None = None) -> str | None:
    """Send a new code to a contact; answer why it could not be sent, or None. Raises `NotFound`, `RateLimited`."""
    contact = await engine.store.fetch(directory.contact(tenant, contact_id))
    if contact is None:
        raise NotFound(f"There is no contact {contact_id}.")
    if contact.verified_at is not None:
        raise Invalid(f"{contact.name} is verified already.")
    channel = engine.channel_of(contact)
    word = code or new_code()
    await engine.store.transact(lambda tx: keep_code(engine, tx, contact, word))
    if channel is None:
        return f"no channel {contact.channel!r} is configured"
    try:
        await channel.send(contact, _message(engine, contact, word), engine.new_id("code"))
    except DeliveryError as error:
        log.warning("The code for %s could not be sent: %s", contact.id, error)
        return str(error)
    return None


def keep_code(engine: Engine, tx: Transaction, contact: Contact, code: str) -> None:
    """What this contact will be known by. Raises `RateLimited`, and `Invalid` where they have another address since."""
    if not moves.is_there(tx, contact):
        raise Invalid(f"{contact.name} was changed a moment ago, and is asked at the new address.")
    before = tx.fetch(verification.of_contact(contact.tenant_id, contact.id))
    now = engine.now()
    if not verification.may_send(before, now):
        raise RateLimited(
            "A code was sent a moment ago. Look at your messages, or wait a few minutes.", retry_after_s=30
        )
    fresh = before is None or now >= before.first_at + timedelta(hours=1)
    first_at, sends = (now, 0) if fresh or before is None else (before.first_at, before.sends)
    verification.put(
        tx,
        Pending(
            contact_id=contact.id,
            tenant_id=contact.tenant_id,
            sealed_code=engine.vault.seal(code),
            expires_at=now + timedelta(seconds=LIFE_S),
            tries=0,
            sent_at=now,
            first_at=first_at,
            sends=sends + 1,
        ),
    )


def _message(engine: Engine, contact: Contact, code: str) -> Message:
    """No link and no incident: whoever else reads it learns nothing."""
    words = engine.words(contact)
    command = f"alertengine verify {contact.id} {code}"
    return Message(
        kind=MessageKind.LINK,
        incident_id="",
        tenant_id=contact.tenant_id,
        service="AlertEngine",
        severity="info",
        stage="",
        title=words("verify.title", code=code),
        body=(words("verify.how", command=command),),
        footer=words("verify.footer", name=contact.name, n=LIFE_S // 60),
        url=None,
        at=engine.now(),
        is_test=False,
        facts={},
        words=words,
    )


async def confirm(engine: Engine, who: str, code: str, *, by_name: bool = False) -> Contact:
    """The contact whose code this is, verified from now on. Wrong, over and unknown are one `CodeInvalid`."""
    who = who.removeprefix("whatsapp:").strip()
    numbered = who.replace(" ", "") if who.startswith("+") else who

    def work(tx: Transaction) -> Contact | None:
        found = tx.fetch(verification.claimed_as(numbered, by_name=by_name))
        right = [pending for pending in found if _is_code(engine, pending, code)]
        # One that is right costs nobody else with this number a try.
        for pending in right or found:
            if verification.count_try(tx, pending, tx.now(engine.now())) and right:
                return take(engine, tx, pending)
        return None

    # The tries are counted whatever comes of it, so the refusal is raised outside of the transaction.
    contact = await engine.store.transact(work)
    if contact is None:
        raise CodeInvalid
    return contact


def _is_code(engine: Engine, pending: Pending, code: str) -> bool:
    return hmac.compare_digest(engine.vault.open(pending.sealed_code).encode(), code.strip().encode())


def take(engine: Engine, tx: Transaction, pending: Pending, address: str | None = None) -> Contact | None:
    """The contact is verified from now on, at the address that it came from where it had none."""
    verification.drop(tx, pending)
    contact = tx.fetch(directory.contact(pending.tenant_id, pending.contact_id))
    if contact is None or not directory.verify(tx, contact, address or contact.address, tx.now(engine.now())):
        return None
    data = {"tenant_id": contact.tenant_id, "name": contact.name, "channel": contact.channel}
    event = NewEvent(type=SystemEventType.CONTACT_VERIFIED, data=data, actor=contact.actor)
    system.note(tx, contact.id, event, engine.now())
    return contact
