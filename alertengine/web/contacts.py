"""The people of a tenant."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from alertengine.core.model import Contact
from alertengine.core.people import name_key
from alertengine.errors import NotFound
from alertengine.pipeline import contacts, limits
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.invite import ask
from alertengine.store import directory, people
from alertengine.tools import SEALED
from alertengine.web.auth import OwnTenant, Who, tenant_of
from alertengine.web.bodies import Code, ContactBody, Mailbox, RoleName, Short, Strict


class ContactChangeBody(Strict):
    """What is given is changed; a new channel or address is verified anew; an empty `email` takes it away."""

    name: Short | None = None
    channel: Short | None = None
    address: Annotated[str, Field(max_length=2000)] | None = None
    role: RoleName | None = None
    language: Code | None = None
    email: Mailbox | Literal[""] | None = None
    shared: bool | None = None


def router(engine: Engine) -> APIRouter:
    routes = APIRouter(prefix="/tenant/{tenant_id}/contacts")

    @routes.get("")
    async def get_contacts(tenant_id: OwnTenant) -> dict[str, Any]:
        """Who is told, and whether they are verified."""
        found = await engine.store.fetch(directory.contacts(tenant_id))
        known = {p.name: p.email for p in await engine.store.fetch(people.persons(tenant_id))}
        return {"contacts": [_json(contact, known.get(name_key(contact.name))) for contact in found]}

    @routes.post("", status_code=201)
    async def post_contact(tenant_id: OwnTenant, body: ContactBody, who: Who) -> dict[str, Any]:
        """Tell one more person. With a tenant's key they are viewers: approvers are named by the operator."""
        if not who.is_admin:
            limits.spend(engine, "code", tenant_id)
        tenant = await tenant_of(engine, tenant_id)
        made = await contacts.add(engine, tenant, body.person(), who.actor, who.given)
        return {"tenant_id": tenant_id, **await _told(engine, made)}

    @routes.patch("/{contact_id}")
    async def patch_contact(
        tenant_id: OwnTenant, contact_id: str, body: ContactChangeBody, who: Who
    ) -> dict[str, Any]:
        """Change a person. With a tenant's key, a viewer whom it added."""
        if not who.is_admin:
            limits.spend(engine, "code", tenant_id)
        wanted = contacts.ContactChange(**body.model_dump(), given_by=who.given)
        tenant = await tenant_of(engine, tenant_id)
        after = await contacts.change(engine, tenant, contact_id, wanted, who.actor)
        return {"tenant_id": tenant_id, **await _told(engine, after)}

    @routes.delete("/{contact_id}")
    async def delete_contact(tenant_id: OwnTenant, contact_id: str, who: Who) -> dict[str, Any]:
        """Tell them nothing any more; their links decide nothing from now on.
        With a tenant's key, a viewer whom it added."""
        await contacts.remove(engine, await tenant_of(engine, tenant_id), contact_id, who.actor, who.given)
        return {"removed": True, "tenant_id": tenant_id, "contact_id": contact_id}

    @routes.post("/{contact_id}/code", status_code=202)
    async def post_code(tenant_id: OwnTenant, contact_id: str, who: Who) -> dict[str, Any]:
        """Send a contact a new code. The operator is also given the link that proves more; with a tenant's key, to
        a viewer whom it added."""
        if not who.is_admin:
            limits.spend(engine, "code", tenant_id)
        contact = await engine.store.fetch(directory.contact(tenant_id, contact_id))
        if contact is None:
            raise NotFound(f"There is no contact {contact_id}.")
        contacts.check_managed(contact, who.given)
        asked = await ask(engine, contact, who.given)
        return {"contact_id": contact_id, "problem": asked.problem, "url": asked.url}

    return routes


async def _told(engine: Engine, contact: Contact) -> dict[str, Any]:
    person = await engine.store.fetch(people.person(contact.tenant_id, contact.name))
    return _json(contact, person.email if person else None)


def _json(contact: Contact, email: str | None) -> dict[str, Any]:
    return {
        "contact_id": contact.id,
        "name": contact.name,
        "channel": contact.channel,
        "address": "(kept sealed)" if contact.address.startswith(SEALED) else contact.address,
        "role": str(contact.role),
        "language": contact.language,
        "email": email,
        "shared": contact.shared,
        "verified": contact.verified_at is not None,
    }
