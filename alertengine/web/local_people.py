"""What the operator does for people on the local socket: links to look by."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from alertengine.core.model import Contact
from alertengine.errors import NotFound
from alertengine.pipeline import viewing
from alertengine.pipeline.engine import Engine
from alertengine.store import directory

Name = Annotated[str, Field(min_length=1, max_length=200)]


class LinkBody(BaseModel):
    """`tenant` may be left out where there is one; `reader` is a contact's name or id."""

    model_config = ConfigDict(extra="forbid")

    tenant: Name | None = None
    reader: Name | None = None


def router(engine: Engine) -> APIRouter:
    routes = APIRouter(prefix="/local")

    @routes.post("/links")
    async def post_link(body: LinkBody) -> dict[str, Any]:
        tenant = await the_tenant(engine, body.tenant)
        reader = (await people(engine, tenant, body.reader))[0] if body.reader else None
        if reader is not None and reader.verified_at is None:
            raise NotFound(f"{reader.name} is not verified yet: alertengine verify {reader.name}")
        url = await viewing.new_link(engine, tenant, reader)
        return {"tenant_id": tenant, "url": url, "life_s": viewing.LIFE.total_seconds()}

    @routes.post("/links/end")
    async def post_end(body: LinkBody) -> dict[str, Any]:
        tenant = await the_tenant(engine, body.tenant)
        readers = await people(engine, tenant, body.reader) if body.reader else None
        return {"tenant_id": tenant, "ended": await viewing.take_back(engine, tenant, readers)}

    return routes


async def the_tenant(engine: Engine, named: str | None) -> str:
    """The tenant of this id or name; the only one where none is named."""
    known = await engine.store.fetch(directory.tenants())
    found = [t for t in known if named in (None, t.id, t.name)]
    if len(found) != 1:
        raise NotFound(
            "Name one tenant: --tenant TENANT_ID."
            if found and not named
            else f"There is no one tenant {named}."
        )
    return found[0].id


async def people(engine: Engine, tenant: str, who: str) -> list[Contact]:
    """Every address of the person who is called so, or the one with this id."""
    known = await engine.store.fetch(directory.contacts(tenant))
    found = [c for c in known if who == c.id or who.casefold() == c.name.casefold()]
    if not found:
        raise NotFound(f"There is no contact {who}.")
    return found
