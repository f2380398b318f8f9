"""Who is asking: the admin key, a tenant's API key, or the operator on the local socket."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from alertengine.core.given import Given
from alertengine.core.model import Actor, Tenant
from alertengine.errors import AlertEngineError, Invalid, NotFound
from alertengine.pipeline import keys, limits
from alertengine.pipeline.engine import Engine
from alertengine.store import directory, incidents


class Unauthorized(AlertEngineError):
    """A valid key is needed: Authorization: Bearer KEY."""

    code = "UNAUTHORIZED"
    status = 401


class Forbidden(AlertEngineError):
    """This key does not reach that."""

    code = "FORBIDDEN"
    status = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """`tenant_id` is None for the operator, who may see every tenant."""

    tenant_id: str | None
    key_id: str = ""

    @property
    def given(self) -> Given:
        """Whose word a URL from this caller is."""
        return Given.OPERATOR if self.is_admin else Given.TENANT

    @property
    def is_admin(self) -> bool:
        return self.tenant_id is None

    @property
    def actor(self) -> Actor:
        if self.tenant_id is None:
            return Actor(kind="operator", id=self.key_id or "admin-key", name="the operator")
        return Actor(kind="api_key", id=self.key_id, name=f"API key {self.key_id}")


OPERATOR = Principal(tenant_id=None)
AT_TERMINAL = Principal(tenant_id=None, key_id="terminal")
_bearer = HTTPBearer(auto_error=False, description="The admin key, or a tenant's API key")


async def principal(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    if request.app.state.local:
        return AT_TERMINAL
    if given is None or len(request.headers.getlist("authorization")) > 1:
        raise Unauthorized
    if hmac.compare_digest(given.credentials.encode(), request.app.state.admin_key.encode()):
        request.state.principal = OPERATOR
        return OPERATOR
    engine: Engine = request.app.state.engine
    key = await keys.check(engine, given.credentials)
    if key is None:
        raise Unauthorized
    who = request.state.principal = Principal(tenant_id=key.tenant_id, key_id=key.id)
    limits.spend(engine, "key", key.id)
    return who


Who = Annotated[Principal, Depends(principal)]


async def admin(who: Who) -> Principal:
    if not who.is_admin:
        raise Forbidden
    return who


Admin = Annotated[Principal, Depends(admin)]


async def own_tenant(request: Request, tenant_id: str, who: Who) -> str:
    """The tenant in the path, if the caller may see it. A tenant's key learns nothing of others."""
    if not who.is_admin and who.tenant_id != tenant_id:
        raise Forbidden
    engine: Engine = request.app.state.engine
    if await engine.store.fetch(directory.tenant(tenant_id)) is None:
        raise NotFound("There is no such tenant.")
    if not who.is_admin and request.method != "GET":
        limits.spend(engine, "change", tenant_id)  # each leaves a row or an event that is kept
    return tenant_id


OwnTenant = Annotated[str, Depends(own_tenant)]


async def tenant_of(engine: Engine, tenant_id: str) -> Tenant:
    """The record of a tenant that the caller may see."""
    tenant = await engine.store.fetch(directory.tenant(tenant_id))
    if tenant is None:
        raise NotFound("There is no such tenant.")
    return tenant


async def incident_tenant(request: Request, incident_id: str, who: Who, tenant_id: str | None = None) -> str:
    """The incident's tenant, if the caller may see it; unknown and foreign ones are answered alike."""
    if len(request.query_params.getlist("tenant_id")) > 1:
        raise Invalid("tenant_id: give it once")
    engine: Engine = request.app.state.engine
    owner = await engine.store.fetch(incidents.owner(incident_id))
    if who.is_admin:
        if owner is None or tenant_id not in (None, owner):
            raise NotFound(f"There is no incident {incident_id}.")
        return owner
    if owner is None or owner != who.tenant_id or tenant_id not in (None, owner):
        raise Forbidden
    return owner


IncidentTenant = Annotated[str, Depends(incident_tenant)]
