"""Dead letters: what could not be delivered, and another try."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from alertengine.core.plans import Feature, require_feature
from alertengine.errors import NotFound
from alertengine.pipeline import dead as pipeline
from alertengine.pipeline.engine import Engine
from alertengine.store import dead, directory
from alertengine.web.auth import Forbidden, Who


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()

    @routes.get("/dlq")
    async def get_dlq(
        who: Who, tenant_id: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> dict[str, Any]:
        """The dead letters, newest first."""
        if not who.is_admin and tenant_id not in (None, who.tenant_id):
            raise Forbidden
        await _check_plan(engine, who.tenant_id)
        found = await engine.store.fetch(dead.letters(who.tenant_id or tenant_id, limit))
        return {"dead_letters": [letter.to_json() for letter in found]}

    @routes.post("/dlq/{delivery_id}/retry", status_code=202)
    async def post_retry(delivery_id: str, who: Who) -> dict[str, Any]:
        """Try one again."""
        await _check_plan(engine, who.tenant_id)
        owner = await engine.store.fetch(dead.owner(delivery_id))
        if not who.is_admin and owner != who.tenant_id:
            raise Forbidden
        if owner is None:
            raise NotFound(f"There is no dead letter {delivery_id}.")
        await pipeline.retry(engine, owner, delivery_id)
        return {"retried": True, "id": delivery_id, "tenant_id": owner}

    return routes


async def _check_plan(engine: Engine, tenant_id: str | None) -> None:
    tenant = await engine.store.fetch(directory.tenant(tenant_id)) if tenant_id else None
    if tenant is not None:
        require_feature(engine.plans, tenant.plan, Feature.DEAD_LETTERS)
