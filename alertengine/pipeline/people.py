"""Whether the people that the policy names are there."""

from __future__ import annotations

from alertengine.core.people import name_key
from alertengine.pipeline.engine import Engine
from alertengine.store import directory


async def missing(engine: Engine) -> list[str]:
    """A sentence for each name that no contact has, once there is anybody at all; those of steps first."""
    known: set[str] = set()
    for tenant in await engine.store.fetch(directory.tenants()):
        known |= {contact.name for contact in await engine.store.fetch(directory.contacts(tenant.id))}
    there = {name_key(name) for name in known}
    said = ", ".join(sorted(known))
    return [
        f"{where}: there is no contact {name!r}; known are {said}, the roles, and everyone"
        for where, name in engine.policy.people()
        if known and name_key(name) not in there
    ]
