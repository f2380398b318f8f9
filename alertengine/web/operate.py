"""What the operator alone sees and decides about tenants."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from alertengine.core.events import Event
from alertengine.core.model import Tenant, rfc3339
from alertengine.pipeline import refusals, tenants
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, system
from alertengine.web.auth import Admin, OwnTenant
from alertengine.web.bodies import Short, Strict

Limit = Annotated[int, Query(ge=1, le=1000)]


class SuspendBody(Strict):
    reason: Annotated[str, Field(max_length=500)] = ""


class PlanBody(Strict):
    plan: Short


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()
    _seen(routes, engine)
    _decided(routes, engine)
    return routes


def _seen(routes: APIRouter, engine: Engine) -> None:
    @routes.get("/tenants")
    async def get_tenants(who: Admin) -> dict[str, Any]:
        """Every tenant."""
        return {"tenants": [_tenant(t) for t in await engine.store.fetch(directory.tenants())]}

    @routes.get("/tenant/{tenant_id}/history")
    async def get_history(who: Admin, tenant_id: OwnTenant, limit: Limit = 100) -> dict[str, Any]:
        """What was decided about the tenant: onboarded, suspended, plan, keys."""
        return {"events": [_event(e) for e in await engine.store.fetch(system.about(tenant_id, limit))]}

    @routes.get("/refusals")
    async def get_refusals(who: Admin, limit: Limit = 100) -> dict[str, Any]:
        """The newest requests that were refused, floods as a count."""
        found = await engine.store.fetch(system.about(refusals.SUBJECT, limit))
        return {"refusals": [_event(e) for e in found]}


def _decided(routes: APIRouter, engine: Engine) -> None:
    @routes.post("/tenant/{tenant_id}/suspend")
    async def post_suspend(
        who: Admin, tenant_id: OwnTenant, body: SuspendBody | None = None
    ) -> dict[str, Any]:
        """Poll, send and run nothing of it, and let its keys open nothing, until it is resumed."""
        reason = body.reason if body else ""
        return _tenant(await tenants.suspend(engine, tenant_id, who.actor, reason))

    @routes.post("/tenant/{tenant_id}/resume")
    async def post_resume(who: Admin, tenant_id: OwnTenant) -> dict[str, Any]:
        """Go on where it was suspended."""
        return _tenant(await tenants.resume(engine, tenant_id, who.actor))

    @routes.post("/tenant/{tenant_id}/plan")
    async def post_plan(who: Admin, tenant_id: OwnTenant, body: PlanBody) -> dict[str, Any]:
        """Put a tenant on another plan."""
        return _tenant(await tenants.change_plan(engine, tenant_id, body.plan, who.actor))


def _tenant(tenant: Tenant) -> dict[str, Any]:
    return {
        "tenant_id": tenant.id,
        "name": tenant.name,
        "plan": tenant.plan,
        "status": tenant.status,
        "created_at": rfc3339(tenant.created_at),
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "at": rfc3339(event.at),
        "type": str(event.type),
        "actor": event.actor.to_json(),
        "data": dict(event.data),
    }
