"""The record: an incident's trail and its deliveries."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from alertengine.core.incident import fold
from alertengine.pipeline.engine import Engine
from alertengine.store import incidents, tellings
from alertengine.web.auth import IncidentTenant


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()

    @routes.get("/audit/{incident_id}")
    async def get_audit(incident_id: str, tenant_id: IncidentTenant) -> dict[str, Any]:
        """Every event of the incident, with who and when."""
        events = await engine.store.fetch(incidents.events(tenant_id, incident_id))
        return {
            "incident_id": incident_id,
            "tenant_id": tenant_id,
            "stage": str(fold(events).stage),
            "events": [event.to_json() for event in events],
        }

    @routes.get("/delivery/{incident_id}")
    async def get_delivery(incident_id: str, tenant_id: IncidentTenant) -> dict[str, Any]:
        """Every attempt to deliver the incident's messages."""
        attempts = await engine.store.fetch(tellings.attempts(tenant_id, incident_id))
        return {"incident_id": incident_id, "attempts": [attempt.to_json() for attempt in attempts]}

    return routes
