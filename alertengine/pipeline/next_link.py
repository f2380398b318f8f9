"""The next link of a message about several, where what it linked to ended without anybody's decision."""

from __future__ import annotations

from datetime import timedelta

from alertengine.core.message import MessageKind, may_ask
from alertengine.core.people import may_decide, name_key
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import append
from alertengine.store import directory, incidents, tellings
from alertengine.store.base import Transaction

SETTLES_S = 30.0
"""What failed together often heals together, and then nobody needs a link."""


async def send_next_links(engine: Engine) -> None:
    """To whoever was told of something that is still to be decided, and took it on where somebody did."""
    settled = engine.now() - timedelta(seconds=SETTLES_S)
    if not await engine.store.fetch(tellings.without_link(settled)):
        return

    def work(tx: Transaction) -> None:
        served: set[str] = set()
        for tenant, incident, contact in tx.fetch(tellings.without_link(settled)):
            if contact not in served and _send(engine, tx, tenant, incident, contact):
                served.add(contact)

    await engine.store.transact(work)
    engine.memory.outbox.set()


def _send(engine: Engine, tx: Transaction, tenant: str, incident_id: str, contact_id: str) -> bool:
    incident = tx.fetch(incidents.incident(tenant, incident_id))
    contact = tx.fetch(directory.contact(tenant, contact_id))
    if incident is None or contact is None or not may_ask(MessageKind.LINK, incident):
        return False
    taken = incident.acknowledged_by
    if not may_decide(contact) or (taken is not None and name_key(taken.name) != name_key(contact.name)):
        return False
    append(engine, tx, incident, [], MessageKind.LINK, only=contact)
    return True
