"""What the operator does for people on the local socket: links to look by, PINs, mailboxes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from alertengine.core.model import Contact
from alertengine.core.people import name_key
from alertengine.errors import Invalid, NotFound
from alertengine.pins import seal_pin
from alertengine.pipeline import identity, viewing
from alertengine.pipeline.engine import Engine
from alertengine.store import directory
from alertengine.store import people as kept
from alertengine.store.people import Person
from alertengine.web.auth import AT_TERMINAL
from alertengine.web.bodies import Mailbox, Strict

Name = Annotated[str, Field(min_length=1, max_length=200)]


class LinkBody(Strict):
    """`tenant` may be left out where there is one; `reader` is a contact's name or id."""

    tenant: Name | None = None
    reader: Name | None = None


class ListBody(Strict):
    tenant: Name | None = None


class PersonBody(ListBody):
    """`name`: of a person, as their contact is called."""

    name: Name


class PinBody(PersonBody):
    pin: Annotated[str, Field(max_length=100)] | None = None


class EmailBody(PersonBody):
    email: Mailbox | None = None


class SharedBody(PersonBody):
    shared: bool


def router(engine: Engine) -> APIRouter:
    routes = APIRouter(prefix="/local")
    _links(routes, engine)
    _people(routes, engine)
    return routes


def _people(routes: APIRouter, engine: Engine) -> None:
    @routes.post("/people")
    async def list_people(body: ListBody) -> dict[str, Any]:
        tenant = await the_tenant(engine, body.tenant)
        return {"tenant_id": tenant, "people": await _listed(engine, tenant)}

    @routes.post("/people/pin")
    async def post_pin(body: PinBody) -> dict[str, Any]:
        tenant = await the_tenant(engine, body.tenant)
        contact = (await people(engine, tenant, body.name))[0]
        sealed = None if body.pin is None else seal_pin(body.pin)
        await identity.set_pin(engine, contact, sealed, AT_TERMINAL.actor)
        return {"tenant_id": tenant, "name": contact.name, "pin": sealed is not None}

    @routes.post("/people/email")
    async def post_email(body: EmailBody) -> dict[str, Any]:
        tenant = await the_tenant(engine, body.tenant)
        contact = (await people(engine, tenant, body.name))[0]
        await identity.set_mailbox(engine, contact, body.email, AT_TERMINAL.actor)
        signs_in = engine.identities is not None
        return {"tenant_id": tenant, "name": contact.name, "email": body.email, "sign_in": signs_in}

    @routes.post("/people/shared")
    async def post_shared(body: SharedBody) -> dict[str, Any]:
        tenant = await the_tenant(engine, body.tenant)
        found = await people(engine, tenant, body.name)
        await identity.share(engine, found, AT_TERMINAL.actor, shared=body.shared)
        signs_in = engine.identities is not None
        return {
            "tenant_id": tenant,
            "contacts": [c.id for c in found],
            "shared": body.shared,
            "sign_in": signs_in,
        }


async def _listed(engine: Engine, tenant: str) -> list[dict[str, Any]]:
    """Each person once, in the order of their first address."""
    known = {p.name: p for p in await engine.store.fetch(kept.persons(tenant))}
    rows: dict[str, dict[str, Any]] = {}
    for contact in await engine.store.fetch(directory.contacts(tenant)):
        key = name_key(contact.name)
        person = known.get(key, Person(tenant_id=tenant, name=key))
        row = rows.setdefault(
            key,
            {
                "name": contact.name,
                "role": str(contact.role),
                "by": [],
                "email": person.email,
                "pin": _pin(engine, person),
            },
        )
        marks = [*(["shared"] if contact.shared else []), *([] if contact.verified_at else ["not verified"])]
        row["by"].append(contact.channel + (f" ({', '.join(marks)})" if marks else ""))
    return list(rows.values())


def _pin(engine: Engine, person: Person) -> str:
    if person.pin is None:
        return ""
    locked = person.locked_till is not None and person.locked_till > engine.now()
    return "locked" if locked else "set"


def _links(routes: APIRouter, engine: Engine) -> None:
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


async def the_tenant(engine: Engine, named: str | None) -> str:
    """The tenant of this id or name; the only one where none is named."""
    known = await engine.store.fetch(directory.tenants())
    if not known:
        raise NotFound("There is no tenant yet: alertengine onboard.")
    found = [t for t in known if named in (None, t.id, t.name)]
    if named is None:
        found = [t for t in found if t.status == "active"] or found
    if not found:
        raise NotFound(f"There is no tenant {named}: alertengine tenants list.")
    if len(found) > 1:
        names = ", ".join(f"{t.id} ({t.name})" for t in found)
        raise Invalid(f"There are several tenants{' of this name' if named else ''}; say which: {names}")
    return found[0].id


async def people(engine: Engine, tenant: str, who: str) -> list[Contact]:
    """Every address of the person who is called so, or the one with this id."""
    known = await engine.store.fetch(directory.contacts(tenant))
    found = [c for c in known if who == c.id or who.casefold() == c.name.casefold()]
    if not found:
        raise NotFound(f"There is no contact {who}.")
    return found
