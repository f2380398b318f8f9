"""Proof of an address by a link: who opens it writes to us from there, which is proof and consent in one.

Telegram's opens the bot with a one-time word; WhatsApp's writes a number to the sender's, which is not the code: that
one proves that somebody reads what is sent to them, and is only sent to them.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass

from alertengine.core.given import Given
from alertengine.core.language import words
from alertengine.core.model import Contact
from alertengine.errors import DeliveryError
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.verify import keep_code, send_code, take
from alertengine.ports import Answering, Inviting, Reply, Tap
from alertengine.signing import new_code
from alertengine.store import directory, verification
from alertengine.store.base import Transaction

_START = re.compile(r"/start(?:@\w+)? ([0-9a-f]{20})-([A-Za-z0-9_-]{16,43})")
_VERIFY = re.compile(r"verify[ +]([0-9]{6})", re.IGNORECASE)
OPENED_FREELY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a contact was asked to prove their address. `problem`: why no code could be sent; `url`: a link for
    them alone, which works once and lives ten minutes, where their channel has such links."""

    problem: str | None = None
    url: str | None = None


async def ask(engine: Engine, contact: Contact, given: Given = Given.OPERATOR, *, wait: bool = True) -> Asked:
    """Send the code, and give the operator the link. Without an address there is only the link.

    Raises `RateLimited`, and `Invalid` for somebody who is verified already; without `wait` the code is sent beside.
    """
    channel = _inviting(engine.channel_of(contact))
    if given is Given.TENANT:
        if by_link_alone(engine, contact):
            return Asked(problem="they are verified by a link, which the operator hands out")
        channel = None
    if not by_link_alone(engine, contact) or channel is None:
        code = new_code()
        sending = engine.spawn(send_code(engine, contact.tenant_id, contact.id, code))
        problem = await sending if wait else None
        return Asked(
            problem=problem, url=await _url(channel, contact, engine.tokens.invitation(contact.id, code))
        )
    word = f"{contact.id.removeprefix('con_')}-{secrets.token_urlsafe(18)}"
    url = await _url(channel, contact, word)
    if url is None:
        return Asked(problem=f"{channel.name} does not answer, so there is no link")
    await engine.store.transact(lambda tx: keep_code(engine, tx, contact, word))
    return Asked(url=url)


def by_link_alone(engine: Engine, contact: Contact) -> bool:
    """Nothing can be sent to them before they have opened their link: nobody knows their address."""
    return not contact.address and _inviting(engine.channel_of(contact)) is not None


def _inviting(channel: object) -> Inviting | None:
    return channel if isinstance(channel, Inviting) else None


async def _url(channel: Inviting | None, contact: Contact, word: str) -> str | None:
    if channel is None:
        return None
    try:
        return await channel.invitation(contact, word)
    except DeliveryError:
        return None


async def opened(engine: Engine, channel: Answering, tap: Tap) -> Reply | None:
    """Somebody wrote what an invitation makes them write. None where it is not that."""
    start, verify = _START.fullmatch(tap.text.strip()), _VERIFY.fullmatch(tap.text.strip())
    if start is None and verify is None:
        return None
    if not engine.worth_noting(f"invitation {channel.name} {tap.chat}", OPENED_FREELY, 60.0):
        return Reply(lines=())
    if start is not None:
        found = await engine.store.fetch(directory.pending(f"con_{start[1]}"))
        contact = await _bind(engine, channel, found, f"{start[1]}-{start[2]}", tap.chat)
    else:
        assert verify is not None
        known = await engine.store.fetch(directory.known_as(tap.sender))
        found = [contact for contact in known if contact.address == tap.sender]
        contact = await _bind(engine, channel, found, verify[1], tap.sender)
    if contact is None:
        return Reply(lines=(words(engine.language)("verify.over"),))
    services = await engine.store.fetch(directory.services(contact.tenant_id))
    names = engine.words(contact).also([service.name for service in services] or ["AlertEngine"])
    return Reply(lines=(engine.words(contact)("verify.done", name=contact.name, service=names),))


async def _bind(
    engine: Engine, channel: Answering, found: list[Contact], word: str, address: str
) -> Contact | None:
    """The contact whose word this is, verified at the address that it came from."""

    def work(tx: Transaction) -> Contact | None:
        for contact in found:
            own = getattr(engine.channel_of(contact), "name", None) == channel.name
            pending = tx.fetch(verification.of_contact(contact.tenant_id, contact.id))
            if not own or pending is None:
                continue
            code = engine.vault.open(pending.sealed_code)
            words = (code, engine.tokens.invitation(contact.id, code))
            right = any(hmac.compare_digest(known.encode(), word.encode()) for known in words)
            now = tx.now(engine.now())
            # Who writes from the very address has proved it: what strangers tried elsewhere costs them nothing.
            proven = contact.address == address and now < pending.expires_at
            if (proven or verification.count_try(tx, pending, now)) and right:
                return take(engine, tx, pending, address)
        return None

    return await engine.store.transact(work)
