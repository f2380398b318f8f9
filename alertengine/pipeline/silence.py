"""Keep a service quiet for a while, on the record: who, why and until when."""

from __future__ import annotations

from datetime import datetime, timedelta

from alertengine.core.events import NewEvent, SystemEventType
from alertengine.core.model import Actor
from alertengine.core.silence import ANY, Silence
from alertengine.errors import Invalid, NotFound
from alertengine.pipeline.engine import Engine
from alertengine.store import silences
from alertengine.store.base import Transaction
from alertengine.store.log import SYSTEM_TREE

LONGEST = timedelta(days=90)
AT_ONCE = 100
"""Of one tenant: more are a mistake, or meant to keep the daemon busy with reading them."""


async def add(
    engine: Engine,
    tenant: str,
    actor: Actor,
    reason: str,
    *,
    until: datetime,
    starts_at: datetime | None = None,
    service: str = ANY,
    route: str = ANY,
) -> Silence:
    """Raises `Invalid` for one that is over, never ends, has no reason, or is one too many."""
    now = engine.now()
    begins = starts_at or now
    if not reason.strip():
        raise Invalid("reason: say why, for those who wonder at night")
    if until <= max(begins, now):
        raise Invalid("until: give a time after its beginning that is still to come")
    if begins > now + LONGEST or until > max(begins, now) + LONGEST:
        raise Invalid(f"until: {LONGEST.days} days at most; what is quiet for longer is not watched")
    new = Silence(
        id=engine.new_id("sil"),
        tenant_id=tenant,
        service=service,
        route=route,
        reason=reason.strip(),
        by=actor.name,
        starts_at=begins,
        until=until,
    )

    def work(tx: Transaction) -> None:
        if len(tx.fetch(silences.current(tenant, now))) >= AT_ONCE:
            raise Invalid(f"{AT_ONCE} silences are not over yet: remove one, or let one cover more with *")
        silences.add(tx, new)
        event = NewEvent(type=SystemEventType.SILENCE_ADDED, data=new.to_json(), actor=actor)
        tx.append(SYSTEM_TREE, new.id, [event], 0, now)

    await engine.store.transact(work)
    return new


async def remove(engine: Engine, tenant: str, silence_id: str, actor: Actor) -> None:
    """End it now: what it kept quiet and is still broken is told. Raises `NotFound` where it is over."""

    def work(tx: Transaction) -> None:
        if not silences.end(tx, tenant, silence_id, tx.now(engine.now())):
            raise NotFound(f"There is no silence {silence_id} that is not over.")
        data = {"silence_id": silence_id, "tenant_id": tenant}
        event = NewEvent(type=SystemEventType.SILENCE_REMOVED, data=data, actor=actor)
        tx.append(SYSTEM_TREE, silence_id, [event], 1, engine.now())

    await engine.store.transact(work)
