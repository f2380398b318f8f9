"""What the command line asks on the local socket, beside the API: the operator's own decisions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from alertengine.core.approval import check_decidable
from alertengine.core.incident import Incident
from alertengine.core.model import Actor, Tenant
from alertengine.errors import NotFound
from alertengine.pipeline import approve
from alertengine.pipeline.advance import advance
from alertengine.pipeline.consult import consult
from alertengine.pipeline.doctor import State, examine, look
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.invite import ask
from alertengine.pipeline.preview import preview
from alertengine.pipeline.rehearse import rehearse
from alertengine.store import directory, incidents
from alertengine.web.auth import tenant_of
from alertengine.web.bodies import Strict


class OperatorBody(Strict):
    """Who sits at the terminal: the name of the account."""

    operator: Annotated[str, Field(min_length=1, max_length=80)]
    note: Annotated[str, Field(max_length=1000)] = ""

    @property
    def actor(self) -> Actor:
        return Actor(kind="operator", id=f"os:{self.operator}", name=self.operator)


class ApproveBody(OperatorBody):
    """`digest`: of the action that was shown, as the preview gave it. Another one is not approved by mistake.
    `reason`: to authorize alone what needs several."""

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    reason: Annotated[str, Field(max_length=1000)] | None = None


class ContactBody(Strict):
    """A contact by name, address or id."""

    contact: Annotated[str, Field(min_length=1, max_length=200)]


def router(engine: Engine) -> APIRouter:
    routes = APIRouter(prefix="/local")
    _lists(routes, engine)
    _contacts(routes, engine)
    _decisions(routes, engine)
    _secrets(routes, engine)
    return routes


def _lists(routes: APIRouter, engine: Engine) -> None:
    @routes.get("/incidents")
    async def list_incidents(
        tenant: str | None = None,
        service: str | None = None,
        open: bool = False,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    ) -> dict[str, Any]:
        rows = await engine.store.fetch(
            incidents.listing(tenant, open_only=open, service=service, limit=limit, before=None)
        )
        known = {t.id: t for t in await engine.store.fetch(directory.tenants())}
        return {"incidents": [{**row.to_json(), **_standing(known.get(row.tenant_id))} for row in rows]}

    @routes.get("/doctor")
    async def get_doctor(service: str | None = None) -> dict[str, Any]:
        checks = [await look(engine, service)] if service else await examine(engine)
        failed = any(check.state is State.FAILED for check in checks)
        return {"ok": not failed, "checks": [check.to_json() for check in checks]}

    @routes.get("/diagnosis")
    async def get_diagnosis(
        of: Annotated[str, Query(min_length=1, max_length=200)], model: bool = False, evidence: bool = False
    ) -> dict[str, Any]:
        return await consult(engine, of, model=model, evidence=evidence)


def _standing(tenant: Tenant | None) -> dict[str, Any]:
    return {"tenant": tenant.name, "suspended": tenant.status != "active"} if tenant else {}


def _contacts(routes: APIRouter, engine: Engine) -> None:
    @routes.get("/contacts")
    async def get_contacts(who: str) -> dict[str, Any]:
        """How many of this name, address or id are not verified yet."""
        found = await engine.store.fetch(directory.known_as(who))
        return {"waiting": len(found)}

    @routes.post("/contacts/code")
    async def post_code(body: ContactBody) -> dict[str, Any]:
        found = await engine.store.fetch(directory.known_as(body.contact))
        if len(found) != 1:
            many = "several contacts are called" if found else "there is no contact"
            raise NotFound(f"{many} {body.contact}; give the id: GET /tenant/ID/contacts".capitalize())
        asked = await ask(engine, found[0])
        return {"contact_id": found[0].id, "name": found[0].name, "problem": asked.problem, "url": asked.url}


def _secrets(routes: APIRouter, engine: Engine) -> None:
    @routes.post("/tenant/{tenant_id}/webhook-secret")
    async def post_webhook_secret(tenant_id: str) -> dict[str, Any]:
        """For whoever receives the tenant's calls, to check their signature."""
        await tenant_of(engine, tenant_id)
        told, runs = (engine.tenant_secrets(purpose, tenant_id) for purpose in ("webhook", "recovery"))
        return {"tenant_id": tenant_id, "webhook_secret": told[0], "recovery_secret": runs[0]}


def _decisions(routes: APIRouter, engine: Engine) -> None:
    @routes.post("/tenants/{tenant_id}/test", status_code=202)
    async def post_test(tenant_id: str, body: OperatorBody) -> dict[str, str]:
        """A test that says who asked for it."""
        incident_id = await rehearse(engine, tenant_id, body.actor)
        engine.spawn(advance(engine, tenant_id, incident_id))
        return {"incident_id": incident_id}

    @routes.post("/incidents/{incident_id}/preview")
    async def post_preview(incident_id: str, body: OperatorBody) -> dict[str, Any]:
        return await _preview(engine, await _find(engine, incident_id), body.actor)

    @routes.post("/incidents/{incident_id}/approve")
    async def post_approve(incident_id: str, body: ApproveBody) -> dict[str, Any]:
        tenant = (await _find(engine, incident_id)).tenant_id
        how = {"channel": "terminal", "token": None, "note": body.note}
        incident = await approve.confirm_as(
            engine, tenant, incident_id, body.actor, how, body.digest, body.reason
        )
        engine.spawn(advance(engine, tenant, incident_id))
        return _decided(incident)

    @routes.post("/incidents/{incident_id}/reject")
    async def post_reject(incident_id: str, body: OperatorBody) -> dict[str, Any]:
        tenant = (await _find(engine, incident_id)).tenant_id
        how = {"channel": "terminal", "note": body.note}
        await approve.reject_as(engine, tenant, incident_id, body.actor, how)
        return {"rejected": True, "incident_id": incident_id, "tenant_id": tenant}

    @routes.post("/incidents/{incident_id}/close")
    async def post_close(incident_id: str, body: OperatorBody) -> dict[str, Any]:
        tenant = (await _find(engine, incident_id)).tenant_id
        note = body.note or "closed at the terminal"
        await approve.close(engine, tenant, incident_id, body.actor, note)
        return {"closed": True, "incident_id": incident_id, "tenant_id": tenant}


async def _find(engine: Engine, incident_id: str) -> Incident:
    owner = await engine.store.fetch(incidents.owner(incident_id))
    found = await engine.store.fetch(incidents.incident(owner, incident_id)) if owner else None
    if found is None:
        raise NotFound(f"There is no incident {incident_id}.")
    return found


async def _preview(engine: Engine, incident: Incident, actor: Actor) -> dict[str, Any]:
    check_decidable(incident)
    service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
    shown = await preview(engine, incident, service)
    assert shown is not None
    await approve.note_terminal_preview(engine, incident, actor)
    return {
        "incident_id": incident.id,
        "tenant_id": incident.tenant_id,
        **shown.to_json(),
        "digest": shown.action.digest(),
    }


def _decided(incident: Incident) -> dict[str, Any]:
    execution = incident.execution
    return {
        "authorized": execution is not None and execution.status == "authorized",
        "incident_id": incident.id,
        "tenant_id": incident.tenant_id,
        "action": incident.action.name if incident.action else None,
        "approvals": {"required": incident.approvals_needed, "given": len(incident.approvals)},
        "execution": execution.to_json() if execution else None,
    }
