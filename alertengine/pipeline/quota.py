"""The number of incidents that a plan includes. Past it nothing is lost but the messages: one a day is left."""

from __future__ import annotations

from typing import Any

from alertengine.core.events import EventType, NewEvent
from alertengine.core.incident import Incident
from alertengine.core.message import MessageKind
from alertengine.core.model import rfc3339
from alertengine.core.plans import plan_of
from alertengine.core.said import Said, recorded
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import append
from alertengine.store import directory, quotas
from alertengine.store.base import Transaction


def count(engine: Engine, tx: Transaction, tenant_id: str) -> dict[str, Any]:
    """Count an incident that opens; answer what its first event says about that: nothing, within the number."""
    opened = quotas.count(tx, tenant_id, engine.now())
    tenant = tx.fetch(directory.tenant(tenant_id))
    limit = plan_of(engine.plans, tenant.plan).incidents if tenant else None
    if tenant is None or limit is None or opened <= limit:
        return {}
    return {"quota": {"plan": tenant.plan, "included": limit, "opened": opened}}


async def ask_sparingly(engine: Engine, incident: Incident) -> None:
    """Alert if none past the number was alerted today; else say on the record until when this one waits."""

    def work(tx: Transaction) -> None:
        now = engine.now()
        if quotas.take_turn(tx, incident.tenant_id, now):
            append(engine, tx, incident, [], MessageKind.ALERT)
            return
        until = tx.fetch(quotas.next_turn(incident.tenant_id))
        data = {**recorded(reason=Said("reason.quota")), "until": rfc3339(until)}
        append(engine, tx, incident, [NewEvent(type=EventType.INCIDENT_SILENCED, data=data)])

    await engine.store.transact(work)
    engine.memory.outbox.set()
