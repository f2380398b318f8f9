"""Who is signed in: a mailbox that a provider verified, and the people here who have it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alertengine.core.approval import refusal
from alertengine.core.language import Words
from alertengine.core.model import Contact
from alertengine.core.people import name_key
from alertengine.core.plans import Feature, plan_of
from alertengine.errors import SignInFailed, TokenInvalid
from alertengine.passes import Pass, Purpose
from alertengine.pipeline import identity as known_by
from alertengine.pipeline.engine import Engine
from alertengine.ports import Identity
from alertengine.store import directory, passes, people
from alertengine.store.base import Transaction
from alertengine.store.passes import Holder
from alertengine.store.people import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`people` are who this mailbox is, one for each tenant that knows it; never none."""

    jti: str
    email: str
    people: tuple[Person, ...]
    until: datetime
    words: Words
    """The language they are told in."""

    @property
    def tenants(self) -> tuple[str, ...]:
        return tuple(p.tenant_id for p in self.people)


async def begin_session(engine: Engine, identity: Identity) -> str:
    """The cookie of somebody who signed in. Raises `SignInFailed` where nobody here is known by that mailbox.

    The session is named by the occasion, so that a provider's answer that is sent in twice makes one session.
    """
    issued = datetime.fromtimestamp(int(engine.now().timestamp()), UTC)
    until = issued + timedelta(seconds=engine.session_s)
    new = Pass(purpose=Purpose.SESSION, jti=f"ses_{identity.occasion}", issued_at=issued, expires_at=until)
    found = await _known(engine, identity.email, identity.tenants)
    if not found:
        raise refusal("refused.sign_in.unknown", SignInFailed)

    def work(tx: Transaction) -> None:
        if tx.fetch(passes.seen(new.jti)):
            raise SignInFailed
        passes.give(tx, new, Holder(subject=identity.email, tenants=tuple(p.tenant_id for p in found)))

    await engine.store.transact(work)
    return engine.passes.sign(new)


async def read_session(engine: Engine, cookie: str) -> Session | None:
    """None for whatever is not a session, or not any more: ended, over, or its people are gone."""
    try:
        read = engine.passes.read(Purpose.SESSION, cookie, engine.now())
    except TokenInvalid:
        return None
    holder = await engine.store.fetch(passes.holder(Purpose.SESSION, read.jti))
    if holder is None:
        return None
    found = await _known(engine, holder.subject, holder.tenants)
    if not found:
        return None
    words = await _words(engine, found[0])
    return Session(jti=read.jti, email=holder.subject, people=found, until=read.expires_at, words=words)


async def _words(engine: Engine, person: Person) -> Words:
    """In the language that one of their addresses asks for."""
    theirs = await _addresses(engine, person)
    return engine.words(next((c for c in theirs if c.language), theirs[0]))


async def end_session(engine: Engine, session: Session) -> None:
    await engine.store.transact(lambda tx: passes.end(tx, session.jti, engine.now()))


async def set_own_pin(engine: Engine, session: Session, sealed: str) -> None:
    """For every tenant that knows them by this mailbox."""
    for person in session.people:
        contact = (await _addresses(engine, person))[0]
        await known_by.set_pin(engine, contact, sealed, contact.actor)


async def _known(engine: Engine, email: str, tenants: tuple[str, ...] | None) -> tuple[Person, ...]:
    """Who has this mailbox, in tenants that are active, whose plan has sign-in, and that know them still."""
    rows = await engine.store.fetch(people.with_email(email))
    asked = [p for p in rows if tenants is None or p.tenant_id in tenants]
    return tuple([p for p in asked if await _is_here(engine, p)])


async def _is_here(engine: Engine, person: Person) -> bool:
    tenant = await engine.store.fetch(directory.tenant(person.tenant_id))
    if tenant is None or tenant.status != "active":
        return False
    if Feature.SSO not in plan_of(engine.plans, tenant.plan).features:
        return False
    return bool(await _addresses(engine, person))


async def _addresses(engine: Engine, person: Person) -> list[Contact]:
    """Those that are verified."""
    contacts = await engine.store.fetch(directory.contacts(person.tenant_id))
    return [c for c in contacts if c.verified_at is not None and name_key(c.name) == person.name]
