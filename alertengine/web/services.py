"""The services of a tenant."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from alertengine.pipeline import services
from alertengine.pipeline.engine import Engine
from alertengine.store import directory
from alertengine.web.auth import OwnTenant, Who, tenant_of
from alertengine.web.bodies import ServiceBody, Short, Strict, Thresholds, Url
from alertengine.web.tenants import service_json


class ServiceChangeBody(Strict):
    """What is given is changed; an empty `service_secret` takes it away."""

    service_name: Short | None = None
    health_url: Url | None = None
    service_secret: Annotated[str, Field(max_length=500)] | None = None
    thresholds: Thresholds | None = None


def router(engine: Engine) -> APIRouter:
    routes = APIRouter(prefix="/tenant/{tenant_id}/services")

    @routes.get("")
    async def get_services(tenant_id: OwnTenant) -> dict[str, Any]:
        """What is watched, without secrets."""
        found = await engine.store.fetch(directory.services(tenant_id))
        return {"services": [service_json(engine, service) for service in found]}

    @routes.post("", status_code=201)
    async def post_service(tenant_id: OwnTenant, body: ServiceBody, who: Who) -> dict[str, Any]:
        """Watch one more service, as far as the plan goes."""
        tenant = await tenant_of(engine, tenant_id)
        made = await services.add(engine, tenant, body.application(who.given), who.actor)
        return {"tenant_id": tenant_id, **service_json(engine, made)}

    @routes.patch("/{service_id}")
    async def patch_service(
        tenant_id: OwnTenant, service_id: str, body: ServiceChangeBody, who: Who
    ) -> dict[str, Any]:
        """Change a service. With a tenant's key, another host needs its secret given anew."""
        wanted = services.ServiceChange(
            name=body.service_name,
            health_url=body.health_url,
            secret=body.service_secret,
            thresholds=None if body.thresholds is None else body.thresholds.given(),
            given_by=who.given,
        )
        tenant = await tenant_of(engine, tenant_id)
        after = await services.change(engine, tenant, service_id, wanted, who.actor)
        return {"tenant_id": tenant_id, **service_json(engine, after)}

    @routes.delete("/{service_id}")
    async def delete_service(tenant_id: OwnTenant, service_id: str, who: Who) -> dict[str, Any]:
        """Watch it no more. Its incidents stay on record."""
        await services.remove(engine, await tenant_of(engine, tenant_id), service_id, who.actor)
        return {"removed": True, "tenant_id": tenant_id, "service_id": service_id}

    return routes
