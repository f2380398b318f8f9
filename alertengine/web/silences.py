"""Silences and maintenance windows."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import AwareDatetime, Field, model_validator

from alertengine.core.model import Actor
from alertengine.core.silence import ANY
from alertengine.errors import Invalid
from alertengine.pipeline import silence
from alertengine.pipeline.engine import Engine
from alertengine.store import silences
from alertengine.web.auth import OwnTenant, Principal, Who
from alertengine.web.bodies import Strict

Pattern = Annotated[str, Field(min_length=1, max_length=200)]


Moment = Annotated[AwareDatetime, Field(strict=False)]


class SilenceBody(Strict):
    """`until`, or `for_s` from its beginning; it begins now unless `starts_at` is given."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    until: Moment | None = None
    for_s: Annotated[float, Field(gt=0, le=90 * 86400)] | None = None
    starts_at: Moment | None = None
    service: Pattern = ANY
    route: Pattern = ANY
    operator: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """Who sits at the terminal, where the operator asks."""

    @model_validator(mode="after")
    def one_end(self) -> SilenceBody:
        if (self.until is None) == (self.for_s is None):
            raise ValueError("give its end: until or for_s, not both")
        return self


class RemoveBody(Strict):
    operator: Annotated[str, Field(min_length=1, max_length=80)] | None = None


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()

    @routes.post("/tenant/{tenant_id}/silences", status_code=201)
    async def post_silence(tenant_id: OwnTenant, body: SilenceBody, who: Who) -> dict[str, Any]:
        """Keep matching incidents quiet for a while. They are opened and recorded all the same."""
        try:
            until = body.until or (body.starts_at or engine.now()) + timedelta(seconds=body.for_s or 0)
        except OverflowError:
            raise Invalid("starts_at: too far away") from None
        made = await silence.add(
            engine,
            tenant_id,
            _actor(who, body.operator),
            body.reason,
            until=until,
            starts_at=body.starts_at,
            service=body.service,
            route=body.route,
        )
        return made.to_json()

    @routes.get("/tenant/{tenant_id}/silences")
    async def get_silences(tenant_id: OwnTenant) -> dict[str, Any]:
        """Those that are not over, also those that have not begun."""
        found = await engine.store.fetch(silences.current(tenant_id, engine.now()))
        return {"silences": [one.to_json() for one in found]}

    @routes.post("/tenant/{tenant_id}/silences/{silence_id}/remove")
    async def post_remove(
        tenant_id: OwnTenant, silence_id: str, who: Who, body: RemoveBody | None = None
    ) -> dict[str, Any]:
        """End one now. What it kept quiet and is still broken is told."""
        await silence.remove(engine, tenant_id, silence_id, _actor(who, body.operator if body else None))
        return {"removed": True, "silence_id": silence_id, "tenant_id": tenant_id}

    return routes


def _actor(who: Principal, operator: str | None) -> Actor:
    if who.is_admin and operator:
        return Actor(kind="operator", id=f"os:{operator}", name=operator)
    return who.actor
