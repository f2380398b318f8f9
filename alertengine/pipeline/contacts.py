"""The people of a tenant: added, changed, removed. Who is new somewhere proves it first."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from alertengine.core.events import SystemEventType
from alertengine.core.given import Given
from alertengine.core.model import Actor, Contact, Role, Tenant
from alertengine.core.people import is_vouched, name_key
from alertengine.errors import AlertEngineError, Invalid, NotFound
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.identity import note, put_mailbox
from alertengine.pipeline.invite import by_link_alone
from alertengine.pipeline.onboard import NewContact, check_plan, new_contact
from alertengine.pipeline.verify import send_code
from alertengine.store import directory, moves, people
from alertengine.store.base import Transaction

log = logging.getLogger(__name__)

_KEPT = ("name", "channel", "address", "role", "verified_at", "language", "given_by", "shared")
"""What of a contact can change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactChange:
    """What is to be different; None leaves as it is. A new channel or address is verified anew."""

    name: str | None = None
    channel: str | None = None
    address: str | None = None
    role: Role | None = None
    language: str | None = None
    email: str | None = None
    shared: bool | None = None
    given_by: Given = Given.OPERATOR


async def add(engine: Engine, tenant: Tenant, new: NewContact, actor: Actor, given: Given) -> Contact:
    """Told from now on, once their address is verified."""
    _check_role(new.role, given)
    _check_known_by(new.email, new.shared or None, given)
    contact = new_contact(engine, tenant.id, new, given)
    check_plan(engine, tenant, None, (contact,))

    def work(tx: Transaction) -> None:
        _check_name(tx, contact, given)
        _check_free(tx.fetch(directory.contacts(tenant.id)), contact)
        _leave(tx, contact)
        directory.add_contact(tx, contact)
        if new.email is not None:
            put_mailbox(tx, tenant.id, contact.name, new.email)
        note(engine, tx, contact, SystemEventType.CONTACT_ADDED, actor)

    await engine.store.transact(work)
    _ask_for_proof(engine, contact)
    return contact


async def change(
    engine: Engine, tenant: Tenant, contact_id: str, wanted: ContactChange, actor: Actor
) -> Contact:
    def work(tx: Transaction) -> Contact:
        before = _found(tx, tenant.id, contact_id)
        after = _changed(engine, before, wanted)
        check_plan(engine, tenant, None, (after,))
        _check_name(tx, after, wanted.given_by)
        _check_free([c for c in tx.fetch(directory.contacts(tenant.id)) if c.id != contact_id], after)
        changed = [name for name in _KEPT if getattr(after, name) != getattr(before, name)]
        if changed:
            directory.put_contact(tx, after)
            _leave(tx, before, after if wanted.given_by is Given.OPERATOR else None)
            if moves.moved(before, after):
                moves.leave(tx, before, lambda: engine.new_id("lnk"), tx.now(engine.now()))
        if wanted.email is not None:
            put_mailbox(tx, tenant.id, after.name, wanted.email)
            changed.append("email")
        if changed:
            note(engine, tx, after, SystemEventType.CONTACT_CHANGED, actor, changed)
        return after

    after = await engine.store.transact(work)
    _ask_for_proof(engine, after)
    return after


async def remove(engine: Engine, tenant: Tenant, contact_id: str, actor: Actor, given: Given) -> None:
    """Told nothing any more, from this moment on; their links decide nothing."""

    def work(tx: Transaction) -> None:
        contact = _found(tx, tenant.id, contact_id)
        check_managed(contact, given)
        moves.leave(tx, contact, lambda: engine.new_id("lnk"), tx.now(engine.now()))
        directory.remove_contact(tx, contact, engine.now())
        _leave(tx, contact)
        note(engine, tx, contact, SystemEventType.CONTACT_REMOVED, actor)

    await engine.store.transact(work)


def _found(tx: Transaction, tenant: str, contact_id: str) -> Contact:
    contact = next((c for c in tx.fetch(directory.contacts(tenant)) if c.id == contact_id), None)
    if contact is None:
        raise NotFound(f"This tenant has no contact {contact_id}.")
    return contact


def _changed(engine: Engine, before: Contact, wanted: ContactChange) -> Contact:
    check_managed(before, wanted.given_by)
    _check_role(wanted.role or before.role, wanted.given_by)
    _check_known_by(wanted.email, wanted.shared, wanted.given_by)
    moves = wanted.channel not in (None, before.channel) or wanted.address not in (None, before.address)
    new = NewContact(
        name=before.name if wanted.name is None else wanted.name,
        channel=wanted.channel or before.channel,
        address=before.address if wanted.address is None else wanted.address,
        role=wanted.role or before.role,
        language=wanted.language or before.language,
        shared=before.shared if wanted.shared is None else wanted.shared,
    )
    checked = new_contact(engine, before.tenant_id, new, wanted.given_by if moves else before.given_by)
    kept = {"id": before.id} if moves else {"id": before.id, "verified_at": before.verified_at}
    return replace(checked, **kept)


def check_managed(contact: Contact, given: Given) -> None:
    """A key that leaked must not be enough to take the place of somebody whom the operator named, nor to leave a
    tenant without anybody who is told and may decide."""
    if given is Given.TENANT and is_vouched(contact):
        raise Invalid(
            "contact: with a tenant's key, a viewer whom it added; others are for the operator alone"
        )


def _leave(tx: Transaction, who: Contact, now_called: Contact | None = None) -> None:
    """A PIN and a mailbox are a person's, not a name's: whoever is called so later begins without.

    They go along with a new name, unless somebody is called so already. Whom a tenant's key added keeps neither
    for somebody whom the operator named.
    """
    beside = tx.fetch(directory.contacts(who.tenant_id))
    called = [name_key(c.name) for c in beside if is_vouched(c) or not is_vouched(who)]
    if name_key(who.name) in called:
        return
    if now_called is not None and called.count(name_key(now_called.name)) == 1:
        people.rename(tx, who.tenant_id, who.name, now_called.name)
    people.forget(tx, who.tenant_id, who.name)


def _check_role(role: Role, given: Given) -> None:
    """A key that leaked must not be enough to become an approver."""
    if given is Given.TENANT and role is not Role.VIEWER:
        raise Invalid("role: with a tenant's key a viewer; approvers are named by the operator")


def _check_name(tx: Transaction, contact: Contact, given: Given) -> None:
    """Who is called like somebody is told in their place, and counts as them: a key that leaked names nobody so."""
    taken = given is Given.TENANT and name_key(contact.name) in tx.fetch(
        directory.vouched_names(contact.tenant_id)
    )
    if taken:
        raise Invalid(f"name: {contact.name} is or was somebody whom the operator named; choose another name")


def _check_known_by(email: str | None, shared: bool | None, given: Given) -> None:
    """Whoever names the mailbox names who decides where several read."""
    if given is Given.TENANT and (email is not None or shared is not None):
        raise Invalid("email, shared: by what somebody is known is said by the operator alone")


def _check_free(beside: list[Contact], contact: Contact) -> None:
    if (contact.name, contact.channel, contact.address) in ((c.name, c.channel, c.address) for c in beside):
        raise Invalid("contacts: this contact is there already")


def _ask_for_proof(engine: Engine, contact: Contact) -> None:
    if contact.verified_at is None and not by_link_alone(engine, contact):
        engine.spawn(_prove(engine, contact))


async def _prove(engine: Engine, contact: Contact) -> None:
    try:
        await send_code(engine, contact.tenant_id, contact.id)
    except AlertEngineError as error:
        log.warning("No code was sent to %s: %s", contact.id, error)
