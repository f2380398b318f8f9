"""A tenant's incidents of a range of time as evidence for auditors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

from alertengine.core.model import rfc3339
from alertengine.errors import NotFound
from alertengine.ledger.archive import ArchiveWriter
from alertengine.pipeline.engine import Engine
from alertengine.store import checkpoints, incidents
from alertengine.store.incidents import IncidentRow

PAGE = 100


async def export(
    engine: Engine, tenant: str, since: datetime | None, until: datetime
) -> AsyncIterator[bytes]:
    """The bytes of the archive of what was opened from `since` until before `until`, newest first.

    One that is forgotten meanwhile is not in it: its bundle is where the forgotten ones are kept.
    """
    made_at = engine.now()
    writer = ArchiveWriter(made_at)
    async for row in _opened_between(engine, tenant, since, until):
        try:
            bundle = await engine.store.bundle(tenant, row.id)
        except NotFound:
            continue
        yield await asyncio.to_thread(writer.add, row.to_json(), bundle)
    head = await engine.store.fetch(checkpoints.checkpoint(tenant))
    yield writer.end(
        {
            "tenant_id": tenant,
            "since": rfc3339(since) if since else None,
            "until": rfc3339(until),
            "made_at": rfc3339(made_at),
            "checkpoint": head.decode() if head else None,
        }
    )


async def _opened_between(
    engine: Engine, tenant: str, since: datetime | None, until: datetime
) -> AsyncIterator[IncidentRow]:
    """Page by page, so that a client who reads slowly keeps nothing open in the store."""
    before = f"{rfc3339(until)}~"
    while rows := await engine.store.fetch(incidents.listing(tenant, limit=PAGE, before=before)):
        for row in rows:
            if since is not None and row.opened_at < since:
                return
            yield row
        before = incidents.cursor(rows[-1])
