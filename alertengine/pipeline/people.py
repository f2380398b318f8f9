"""Whether the people that the policy names are there."""

from __future__ import annotations

from collections.abc import Mapping

from alertengine.pipeline.engine import Engine
from alertengine.store import directory


async def missing(engine: Engine, named: Mapping[str, str]) -> list[str]:
    """The problems with `named` (name: where it stands), once there is anybody at all."""
    known: set[str] = set()
    for tenant in await engine.store.fetch(directory.tenants()):
        known |= {contact.name for contact in await engine.store.fetch(directory.contacts(tenant.id))}
    there = {name.casefold() for name in known}
    said = ", ".join(sorted(known))
    return [
        f"{where}: there is no contact {name!r}; known are {said}, the roles, and everyone"
        for name, where in named.items()
        if known and name.casefold() not in there
    ]
