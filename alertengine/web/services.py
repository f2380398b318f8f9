"""The services of a tenant."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from alertengine.pipeline.engine import Engine
from alertengine.pipeline.onboard import add_service
from alertengine.store import directory
from alertengine.web.auth import Admin, OwnTenant
from alertengine.web.tenants import ServiceBody


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()

    @routes.post("/tenant/{tenant_id}/services", status_code=201)
    async def post_service(who: Admin, tenant_id: OwnTenant, body: ServiceBody) -> dict[str, Any]:
        """Watch one more service of a tenant, as far as its plan goes."""
        tenant = await engine.store.fetch(directory.tenant(tenant_id))
        assert tenant is not None
        made = await add_service(engine, tenant, body.application())
        return {"tenant_id": tenant_id, "service_id": made.id, "service": made.name}

    return routes
