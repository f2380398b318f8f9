"""A tenant's API keys: listed, changed without an interruption, revoked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from alertengine.core.model import rfc3339
from alertengine.pipeline import keys
from alertengine.pipeline.engine import Engine
from alertengine.store import api_keys
from alertengine.web.auth import OwnTenant, Who
from alertengine.web.bodies import Strict

DAY_S = 86400.0


class RotateBody(Strict):
    overlap_s: Annotated[float, Field(ge=0, le=90 * DAY_S)] = DAY_S
    """How long the keys before the new one stay valid."""


def router(engine: Engine) -> APIRouter:
    routes = APIRouter(prefix="/tenant/{tenant_id}/keys")

    @routes.get("")
    async def get_keys(tenant_id: OwnTenant) -> dict[str, Any]:
        """The keys by their public part, and when each was last used."""
        now = engine.now()
        found = await engine.store.fetch(api_keys.of_tenant(tenant_id))
        uses = {key_id: rfc3339(at) for key_id, at in engine.memory.unkept_uses.items()}
        told = [key.to_json(now) for key in found]
        return {
            "keys": [
                row | ({"last_used_at": uses[k]} if (k := row["key_id"]) in uses else {}) for row in told
            ]
        }

    @routes.post("", status_code=201)
    async def post_key(tenant_id: OwnTenant, who: Who, body: RotateBody | None = None) -> dict[str, Any]:
        """A new key, shown in this answer alone. Those before it stay valid for the overlap."""
        overlap_s = body.overlap_s if body else DAY_S
        made = await keys.rotate(engine, tenant_id, overlap_s, who.actor)
        assert made.others_until is not None
        return {
            "tenant_id": tenant_id,
            "key_id": made.id,
            "api_key": made.text,
            "others_valid_until": rfc3339(made.others_until),
        }

    @routes.delete("/{key_id}")
    async def delete_key(tenant_id: OwnTenant, key_id: str, who: Who) -> dict[str, Any]:
        """Revoke a key, from this moment on."""
        await keys.revoke(engine, tenant_id, key_id, who.actor)
        return {"revoked": True, "tenant_id": tenant_id, "key_id": key_id}

    return routes
