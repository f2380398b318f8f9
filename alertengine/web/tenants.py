"""Tenants: onboarding, their record, their incidents, a test."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from alertengine.core.model import Service, Tenant, rfc3339
from alertengine.core.plans import plan_of
from alertengine.pipeline import approve, limits
from alertengine.pipeline.advance import advance
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.onboard import Onboarded, onboard
from alertengine.pipeline.rehearse import rehearse
from alertengine.store import directory, incidents, quotas
from alertengine.web.auth import Admin, Forbidden, OwnTenant, Who
from alertengine.web.bodies import CloseBody, OnboardBody


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()

    @routes.post("/onboard", status_code=201)
    async def post_onboard(body: OnboardBody, who: Admin) -> dict[str, Any]:
        """Watch a service. The API key is shown in this answer and never again; `webhook_secret` signs what is sent
        to the tenant's own URLs."""
        return _onboarded(engine, await onboard(engine, body.application()))

    @routes.get("/tenant/{tenant_id}")
    async def get_tenant(tenant_id: OwnTenant) -> dict[str, Any]:
        """The tenant's record, without secrets."""
        return await record(engine, tenant_id)

    @routes.get("/tenant/{tenant_id}/incidents")
    async def get_incidents(
        tenant_id: OwnTenant,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        before: Annotated[str | None, Query(max_length=100)] = None,
        open: bool = False,
    ) -> dict[str, Any]:
        """Newest first. `next` goes into `before` for the page after."""
        rows = await engine.store.fetch(
            incidents.listing(tenant_id, open_only=open, limit=limit + 1, before=before)
        )
        page = rows[:limit]
        following = incidents.cursor(page[-1]) if len(rows) > limit else None
        return {"incidents": [row.to_json() for row in page], "next": following}

    @routes.post("/tenant/{tenant_id}/incidents/{incident_id}/close")
    async def post_close(tenant_id: OwnTenant, incident_id: str, body: CloseBody, who: Who) -> dict[str, Any]:
        """A person ends what cannot end by itself."""
        if not who.is_admin and await engine.store.fetch(incidents.owner(incident_id)) != tenant_id:
            raise Forbidden
        await approve.close(engine, tenant_id, incident_id, who.actor, body.note)
        return {"closed": True, "incident_id": incident_id, "tenant_id": tenant_id}

    @routes.post("/tenant/{tenant_id}/test", status_code=202)
    async def post_test(tenant_id: OwnTenant, who: Who) -> dict[str, str]:
        """A test incident. Its link goes to the contacts only."""
        if not who.is_admin:
            limits.spend(engine, "test", tenant_id)
        incident_id = await rehearse(engine, tenant_id, who.actor)
        engine.spawn(advance(engine, tenant_id, incident_id))
        return {"incident_id": incident_id}

    return routes


def _onboarded(engine: Engine, made: Onboarded) -> dict[str, Any]:
    pending = [c.name for c in made.contacts if c.verified_at is None]
    step = f"try it: alertengine test {made.tenant.id}"
    if pending:
        step = (
            f"verify {', '.join(pending)}: the link that each has in contact_links, or alertengine verify CONTACT"
            " CODE with the code that they were sent"
        )
    return {
        "tenant_id": made.tenant.id,
        "api_key": made.api_key,
        "webhook_secret": engine.tenant_secrets("webhook", made.tenant.id)[0],
        "service_id": made.service.id,
        "status": "pending_verification" if pending else "active",
        "contacts_pending": pending,
        "contact_links": made.links,
        "next_step": step,
    }


async def record(engine: Engine, tenant_id: str) -> dict[str, Any]:
    """A tenant as everybody who may see it sees it."""
    tenant = await engine.store.fetch(directory.tenant(tenant_id))
    assert tenant is not None
    services = await engine.store.fetch(directory.services(tenant_id))
    return {
        "tenant_id": tenant.id,
        "name": tenant.name,
        "plan": tenant.plan,
        "quota": await _quota(engine, tenant, len(services)),
        "status": tenant.status,
        "notification_channel": tenant.notification_channel,
        "created_at": rfc3339(tenant.created_at),
        "services": [service_json(engine, s) for s in services],
    }


def service_json(engine: Engine, service: Service) -> dict[str, Any]:
    return {
        "service_id": service.id,
        "service": service.name,
        "health_url": service.health_url,
        "given_by": str(service.given_by),
        "signed": service.sealed_secret is not None,
        "actions": [a.name for a in engine.recoveries(service)],
        "thresholds": dict(service.thresholds),
    }


async def _quota(engine: Engine, tenant: Tenant, services: int) -> dict[str, Any]:
    """What of the plan is used up; a limit of null is no limit."""
    plan = plan_of(engine.plans, tenant.plan)
    used = await engine.store.fetch(quotas.used(tenant.id, engine.now()))
    return {
        "services": {"used": services, "limit": plan.services},
        "incidents": {
            "used": used.incidents if used else 0,
            "limit": plan.incidents,
            "resets_at": rfc3339(used.until) if used else None,
        },
        "features": sorted(plan.features),
    }
