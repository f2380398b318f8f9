"""The compliance export: a tenant's evidence in one archive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from alertengine.core.plans import Feature, require_feature
from alertengine.errors import Invalid
from alertengine.pipeline import limits
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.export import export
from alertengine.web.auth import OwnTenant, Who, tenant_of

ZIP = "application/zip"
NOW_TOO = timedelta(microseconds=1)
Moment = Annotated[AwareDatetime | None, Query(description="RFC 3339, with its zone.")]


def router(engine: Engine) -> APIRouter:
    routes = APIRouter()

    @routes.get(
        "/tenant/{tenant_id}/export",
        response_class=StreamingResponse,
        responses={200: {"content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}},
    )
    async def get_export(
        tenant_id: OwnTenant, who: Who, since: Moment = None, until: Moment = None
    ) -> StreamingResponse:
        """Its incidents of a range of time as evidence bundles in a ZIP, with a manifest. Sent as it is made."""
        if not who.is_admin:
            require_feature(
                engine.plans, (await tenant_of(engine, tenant_id)).plan, Feature.COMPLIANCE_EXPORT
            )
            limits.spend(engine, "export", tenant_id)
        begin, end = _utc("since", since), _utc("until", until) or engine.now() + NOW_TOO
        if begin is not None and begin >= end:
            raise Invalid("since: give a time before until")
        name = f"alertengine-{tenant_id}-{end:%Y%m%dT%H%M%SZ}.zip"
        headers = {
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        return StreamingResponse(export(engine, tenant_id, begin, end), media_type=ZIP, headers=headers)

    return routes


def _utc(name: str, given: datetime | None) -> datetime | None:
    try:
        return None if given is None else given.astimezone(UTC)
    except OverflowError:
        raise Invalid(f"{name}: too far away") from None
