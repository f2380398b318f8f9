"""A test incident: the whole way to the phone and back, where nothing real runs."""

from __future__ import annotations

from alertengine.core.events import EventType, NewEvent
from alertengine.core.model import SYSTEM, Actor, Service, rfc3339
from alertengine.core.said import Said, recorded
from alertengine.errors import Invalid
from alertengine.pipeline.engine import Engine
from alertengine.store import directory
from alertengine.store.base import Transaction


async def rehearse(engine: Engine, tenant: str, actor: Actor = SYSTEM) -> str:
    """Open a test incident for the tenant's first service, as `actor` asked; answer its id."""
    services: list[Service] = await engine.store.fetch(directory.services(tenant))
    if not services:
        raise Invalid("This tenant has no service yet.")
    service = services[0]
    incident_id = engine.new_id("inc")
    now = engine.now()
    data = {
        "service_id": service.id,
        "service": service.name,
        "severity": "critical",
        "title": f"{service.name}: this is a test",
        **recorded(reason=Said("reason.tested")),
        "kind": "test",
        "figures": {"symptom": "test"},
        "since": rfc3339(now),
        "is_test": True,
        "snapshot": None,
        "requested_by": actor.to_json(),
    }

    def work(tx: Transaction) -> None:
        tx.append(tenant, incident_id, [NewEvent(type=EventType.INCIDENT_DETECTED, data=data)], 0, now)

    await engine.store.transact(work)
    return incident_id
