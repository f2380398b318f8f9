"""A diagnosis on demand: of a service as it is now, or of an incident as it was found. Records and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alertengine.core.incident import Incident
from alertengine.core.model import ActionSpec, Service
from alertengine.core.snapshot import Health, Snapshot
from alertengine.errors import NotFound
from alertengine.pipeline.catalogue import recommend
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.findings import diagnosis_json
from alertengine.store import directory, incidents, runs


async def consult(engine: Engine, subject: str) -> dict[str, Any]:
    """`subject`: an incident's id, a service's id or its name. Raises `NotFound` where that is not one thing."""
    owner = await engine.store.fetch(incidents.owner(subject))
    incident = await engine.store.fetch(incidents.incident(owner, subject)) if owner else None
    if incident is not None and incident.diagnosis is not None:
        return _as_found(incident, incident.diagnosis)
    wanted = subject if incident is None else incident.service_id
    found = [s for s in await engine.store.fetch(directory.services()) if wanted in (s.id, s.name)]
    if len(found) != 1:
        raise NotFound(_not_one(subject, found))
    return await _now(engine, found[0])


async def _now(engine: Engine, service: Service) -> dict[str, Any]:
    snapshot = await engine.source.poll(service, evidence=True)
    if snapshot.error is not None:
        # Its last words may tell why it fell silent.
        snapshot = replace(snapshot, report=engine.watch(service.id).last_report)
    finding = await engine.diagnoser.diagnose(snapshot)
    action = None
    if snapshot.health is not Health.OK:
        action = recommend(await _recoveries(engine, service, snapshot), finding)
    past = runs.executions(service.tenant_id, service.id, but="")
    return {
        "tenant_id": service.tenant_id,
        "service": service.name,
        "incident_id": None,
        "health": snapshot.to_json(),
        **await diagnosis_json(engine, past, finding, action),
    }


async def _recoveries(engine: Engine, service: Service, snapshot: Snapshot) -> tuple[ActionSpec, ...]:
    """What may be proposed; a process that does not poll has yet to ask what the service offers."""
    known = engine.recoveries(service)
    if known or service.actions is not None or snapshot.error is not None:
        return known
    return await engine.source.recoveries(service) or ()


def _as_found(incident: Incident, diagnosis: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tenant_id": incident.tenant_id,
        "service": incident.service,
        "incident_id": incident.id,
        "health": incident.detected.get("snapshot"),
        **diagnosis,
    }


def _not_one(subject: str, found: list[Service]) -> str:
    if not found:
        return f"There is no service and no incident {subject}."
    ids = ", ".join(service.id for service in found)
    return f"Several services are called {subject}; give the id of one: {ids}"
