"""Tenants: onboarding, their record, their incidents, a test."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from alertengine.core.model import Contact, Role, Tenant, rfc3339
from alertengine.core.plans import DEFAULT_PLAN, plan_of
from alertengine.pipeline import approve
from alertengine.pipeline.advance import advance
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.onboard import Application, NewContact, Onboarded, onboard
from alertengine.pipeline.rehearse import rehearse
from alertengine.pipeline.verify import send_code
from alertengine.service_settings import Route, ValueSection
from alertengine.store import directory, incidents, quotas
from alertengine.tools import SEALED
from alertengine.web.auth import Admin, Forbidden, OwnTenant, Who

Short = Annotated[str, Field(min_length=1, max_length=200)]
Url = Annotated[str, Field(min_length=1, max_length=2000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ContactBody(_Strict):
    name: Short
    channel: Short
    address: Annotated[str, Field(max_length=2000)] = ""
    role: Role = Role.APPROVER
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None
    """The code of the language they are told in; else the daemon's."""


class AppAction(_Strict):
    """A recovery of the SDK's, by the name the app gave it; or a configured one, by name alone."""

    name: Annotated[str, Field(pattern=r"^[^/?#\s]{1,64}$")]
    kind: Literal["app"] | None = None
    description: Annotated[str, Field(max_length=200)] = ""
    risk: Literal["low", "high"] = "low"


class ServiceBody(_Strict):
    service_name: Short
    health_url: Url
    recovery_webhook_url: Url | None = None
    service_secret: Annotated[str, Field(min_length=8, max_length=500)] | None = None
    actions: Annotated[list[str | AppAction], Field(max_length=100)] | None = None
    value: Annotated[dict[Route, ValueSection], Field(max_length=100)] = {}
    """What one request is worth, by route: what its failure is called, and the money in it."""

    def application(self) -> Application:
        actions = None if self.actions is None else [_given(a) for a in self.actions]
        return Application(
            service_name=self.service_name,
            health_url=self.health_url,
            service_secret=self.service_secret,
            actions=actions,
            recovery_webhook_url=self.recovery_webhook_url,
            value={route: value.worth() for route, value in self.value.items()},
        )


class OnboardBody(ServiceBody):
    plan: str = DEFAULT_PLAN
    notification_channel: str | None = None
    webhook_url: Url | None = None
    whatsapp_numbers: Annotated[list[Short], Field(max_length=100)] = []
    telegram_chat_id: str | int | None = None
    telegram_bot_token: Annotated[str, Field(min_length=3, max_length=200)] | None = None
    slack_webhook_url: Url | None = None
    contacts: Annotated[list[ContactBody], Field(max_length=100)] = []

    def application(self) -> Application:
        return replace(
            super().application(),
            plan=self.plan,
            notification_channel=self.notification_channel,
            contacts=self.people(),
        )

    def people(self) -> list[NewContact]:
        """Those that are listed, then one for each address that has a field of its own."""
        found = [
            NewContact(name=c.name, channel=c.channel, address=c.address, role=c.role, language=c.language)
            for c in self.contacts
        ]
        found += [NewContact(name=n, channel="whatsapp", address=n) for n in self.whatsapp_numbers]
        if self.telegram_chat_id is not None:
            chat, token = str(self.telegram_chat_id), self.telegram_bot_token
            found.append(NewContact(name="telegram", channel="telegram", address=chat, secret=token))
        if self.slack_webhook_url:
            found.append(NewContact(name="slack", channel="slack", secret=self.slack_webhook_url))
        if self.webhook_url:
            found.append(NewContact(name="webhook", channel="webhook", address=self.webhook_url))
        return found


def _given(action: str | AppAction) -> str | dict[str, Any]:
    return action if isinstance(action, str) else action.model_dump(exclude_unset=True)


class CloseBody(_Strict):
    note: Annotated[str, Field(min_length=1, max_length=1000)]


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()

    @routes.post("/onboard", status_code=201)
    async def post_onboard(body: OnboardBody, who: Admin) -> dict[str, Any]:
        """Watch a service. The API key is shown in this answer and never again."""
        return _onboarded(await onboard(engine, body.application()))

    @routes.get("/tenant/{tenant_id}")
    async def get_tenant(tenant_id: OwnTenant) -> dict[str, Any]:
        """The tenant's record, without secrets."""
        return await _tenant(engine, tenant_id)

    @routes.get("/tenant/{tenant_id}/contacts")
    async def get_contacts(tenant_id: OwnTenant) -> dict[str, Any]:
        """Who is told, and whether they are verified."""
        return {"contacts": [_contact(c) for c in await engine.store.fetch(directory.contacts(tenant_id))]}

    @routes.post("/tenant/{tenant_id}/contacts/{contact_id}/code", status_code=202)
    async def post_code(tenant_id: OwnTenant, contact_id: str) -> dict[str, Any]:
        """Send a contact a new code."""
        return {"contact_id": contact_id, "problem": await send_code(engine, tenant_id, contact_id)}

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
    async def post_test(tenant_id: OwnTenant) -> dict[str, str]:
        """A test incident. Its link goes to the contacts only."""
        incident_id = await rehearse(engine, tenant_id)
        engine.spawn(advance(engine, tenant_id, incident_id))
        return {"incident_id": incident_id}

    return routes


def _onboarded(made: Onboarded) -> dict[str, Any]:
    pending = [c.name for c in made.contacts if c.verified_at is None]
    step = f"try it: alertengine test {made.tenant.id}"
    if pending:
        step = (
            f"verify {', '.join(pending)}: alertengine verify CONTACT CODE, with the code that each was sent"
        )
    return {
        "tenant_id": made.tenant.id,
        "api_key": made.api_key,
        "service_id": made.service.id,
        "status": "pending_verification" if pending else "active",
        "contacts_pending": pending,
        "next_step": step,
    }


async def _tenant(engine: Engine, tenant_id: str) -> dict[str, Any]:
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
        "services": [
            {
                "service_id": s.id,
                "service": s.name,
                "health_url": s.health_url,
                "signed": s.sealed_secret is not None,
                "actions": [a.name for a in engine.recoveries(s)],
            }
            for s in services
        ],
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


def _contact(contact: Contact) -> dict[str, Any]:
    return {
        "contact_id": contact.id,
        "name": contact.name,
        "channel": contact.channel,
        "address": "(kept sealed)" if contact.address.startswith(SEALED) else contact.address,
        "role": str(contact.role),
        "language": contact.language,
        "verified": contact.verified_at is not None,
    }
