"""A service's own word that its health changed: worth a poll at once, and nothing more is believed of it."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request

from alertengine.pipeline.engine import Engine
from alertengine.signing import webhook_verified
from alertengine.store import directory
from alertengine.web.auth import Unauthorized


def router(engine: Engine, nudge: Callable[[str], None]) -> APIRouter:
    routes = APIRouter()

    @routes.post("/push/{tenant_id}/{service_id}", status_code=202)
    async def post_push(tenant_id: str, service_id: str, request: Request) -> dict[str, bool]:
        """Poll this service now. Signed with the service's secret (Standard Webhooks)."""
        service = await engine.store.fetch(directory.service(tenant_id, service_id))
        body = await request.body()
        now = engine.clock.wall().timestamp()
        sealed = service.sealed_secret if service else None
        if sealed is None or not webhook_verified(engine.vault.open(sealed), request.headers, body, now):
            raise Unauthorized("A valid signature of the service is needed.")
        nudge(service_id)
        return {"polling": True}

    return routes
