"""What somebody shows beside their link: a PIN, a session of their own, a reason to decide alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from alertengine.core import authority
from alertengine.core.approval import refusal
from alertengine.core.authority import Asker, PinShown
from alertengine.core.incident import DECIDABLE, Incident
from alertengine.core.model import Contact
from alertengine.core.people import may_decide, name_key
from alertengine.errors import NotAnApprover, PinLocked, PinWrong
from alertengine.pins import is_pin
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, people
from alertengine.store.base import Transaction
from alertengine.store.people import Person

TRIES = 5
LOCKED = timedelta(hours=1)
"""After so many wrong ones in a row, and after each further one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """`email` is that of the session, as a provider of identities vouched for it; `reason` breaks the glass."""

    pin: str = ""
    email: str | None = None
    reason: str | None = None


NOTHING = Proof()


def decider(tx: Transaction, holder: Contact, proof: Proof) -> Contact:
    """Who decides by this link: its holder; where several people read there, whoever of them signed in."""
    if not holder.shared or proof.email is None:
        return holder
    names = {p.name for p in tx.fetch(people.with_email(proof.email)) if p.tenant_id == holder.tenant_id}
    known = [c for c in tx.fetch(directory.contacts(holder.tenant_id)) if name_key(c.name) in names]
    found = [c for c in known if may_decide(c)]
    if not found:
        raise refusal("refused.signed_in", NotAnApprover)
    return min(found, key=lambda c: c.shared)


def asker(tx: Transaction, holder: Contact, proof: Proof, pin: PinShown) -> Asker:
    """Whom the decision function is asked about."""
    contact = decider(tx, holder, proof)
    proven = not holder.shared or proof.email is not None
    return authority.holder(contact, proven=proven, pin=pin, reason=proof.reason)


async def show_pin(engine: Engine, incident: Incident, holder: Contact, proof: Proof) -> PinShown:
    """Compare the PIN, where one is asked for. The try counts before it is made, in the store.

    Raises `PinWrong`, or `PinLocked` where no try is left, whatever links and restarts lie between them.
    """
    action = incident.action
    if action is None or incident.stage not in DECIDABLE or not engine.rules.pin_needed(action):
        return PinShown.MISSING

    def work(tx: Transaction) -> Person | PinShown:
        who = tx.fetch(people.person(holder.tenant_id, decider(tx, holder, proof).name))
        if who is None or who.pin is None:
            return PinShown.UNSET
        if not proof.pin:
            return PinShown.MISSING
        now = tx.now(engine.now())
        if not people.claim_try(tx, who, now, TRIES, now + LOCKED):
            raise PinLocked
        return who

    claimed = await engine.store.transact(work)
    if isinstance(claimed, PinShown):
        return claimed
    assert claimed.pin is not None
    if not await asyncio.to_thread(is_pin, proof.pin, claimed.pin):
        raise PinWrong
    await engine.store.transact(lambda tx: people.forget_tries(tx, claimed))
    return PinShown.RIGHT
