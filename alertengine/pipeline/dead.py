"""Dead letters: listed, and tried again when the operator has mended what was wrong."""

from __future__ import annotations

from datetime import timedelta

from alertengine.errors import NotFound
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.notify import ARRIVES_WITHIN_S
from alertengine.store import outbox, receipts
from alertengine.store.base import Transaction


async def retry(engine: Engine, tenant: str, delivery_id: str) -> None:
    """Queue a dead message again; it is told as things stand when it leaves. Raises `NotFound`."""

    def work(tx: Transaction) -> None:
        found = tx.fetch(outbox.delivery(tenant, delivery_id))
        now = engine.now()
        fallback_at = now + timedelta(seconds=ARRIVES_WITHIN_S)
        if found is None or not receipts.spare(tx, found[0], now, fallback_at):
            raise NotFound(f"There is no dead letter {delivery_id}.")

    await engine.store.transact(work)
    engine.memory.outbox.set()
