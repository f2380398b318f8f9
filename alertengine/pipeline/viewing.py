"""Who may look at a tenant's incidents, by which link. Looking decides nothing and is never asked to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alertengine.core.language import Words
from alertengine.core.model import Contact
from alertengine.errors import TokenInvalid
from alertengine.passes import Pass, Purpose
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, passes
from alertengine.store.base import Transaction
from alertengine.store.passes import OPERATOR, Holder

LIFE = timedelta(days=7)
"""As long as a closed incident is kept unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody who may look. `until`: when they may not any more. What the operator gave to nobody in particular
    has no name and no language."""

    name: str
    tenants: tuple[str, ...]
    until: datetime
    words: Words | None
    session: str = ""
    """Where they are signed in: what proves that a form is from their page."""


def list_link(engine: Engine, tx: Transaction, tenant: str, reader: Contact | None, jti: str) -> str:
    """The address of the tenant's incidents for `reader`, or for whom the operator gives it to.

    It opens from when the transaction is durable. A message uses its own link's id, so that a retry extends it.
    """
    issued = datetime.fromtimestamp(int(engine.now().timestamp()), UTC)
    new = Pass(purpose=Purpose.VIEW, jti=jti, issued_at=issued, expires_at=issued + LIFE)
    holder = Holder(subject=reader.id if reader else OPERATOR, tenants=(tenant,))
    passes.give(tx, new, holder)
    return f"{engine.base_url}/incidents?token={engine.passes.sign(new)}"


async def new_link(engine: Engine, tenant: str, reader: Contact | None) -> str:
    """The same in a transaction of its own."""
    return await engine.store.transact(
        lambda tx: list_link(engine, tx, tenant, reader, engine.new_id("view"))
    )


async def take_back(engine: Engine, tenant: str, readers: Sequence[Contact] | None = None) -> int:
    """End the links of these readers, or every one of the tenant. Answers how many there were."""
    ids = None if readers is None else [r.id for r in readers]
    return await engine.store.transact(lambda tx: passes.end_views(tx, tenant, engine.now(), ids))


async def read_link(engine: Engine, token: str) -> Reader:
    """Whose link this is. Raises `TokenInvalid`: over, taken back, or its reader is not known any more."""
    read = engine.passes.read(Purpose.VIEW, token, engine.now())
    holder = await engine.store.fetch(passes.holder(Purpose.VIEW, read.jti))
    if holder is None:
        raise TokenInvalid
    (tenant,) = holder.tenants
    found = await engine.store.fetch(directory.tenant(tenant))
    if found is None or found.status != "active":
        raise TokenInvalid
    if holder.subject == OPERATOR:
        return Reader(name="", tenants=(tenant,), until=read.expires_at, words=None)
    contact = await engine.store.fetch(directory.contact(tenant, holder.subject))
    if contact is None or contact.verified_at is None:
        raise TokenInvalid
    words = engine.words(contact)
    return Reader(name=contact.name, tenants=(tenant,), until=read.expires_at, words=words)
