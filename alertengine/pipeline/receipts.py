"""What providers tell about messages they took: accepted is not delivered."""

from __future__ import annotations

import logging

from alertengine.core.events import EventType
from alertengine.errors import AlertEngineError, DeliveryError, Fault
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.fallback import fall_back
from alertengine.pipeline.notify import tell
from alertengine.ports import Report, Reporting
from alertengine.store import directory, receipts
from alertengine.store.base import Transaction
from alertengine.store.outbox import Delivery

log = logging.getLogger(__name__)

LOOK_UP_S = 5.0
WATCHED = 200
EARLY_LIMIT = 1000
_EVENTS = {"delivered": EventType.ALERT_DELIVERED, "read": EventType.ALERT_READ}


def reporting(engine: Engine) -> list[Reporting]:
    return [c for c in engine.channels.values() if c.traits.receipts]  # type: ignore[misc]


async def note(engine: Engine, kind: str, report: Report) -> None:
    found = await engine.store.fetch(receipts.of_message(kind, report.message_id))
    if found is None:
        _keep(engine, kind, report)
        return
    delivery, attempt = found

    def work(tx: Transaction) -> None:
        if report.outcome == "failed":
            _undelivered(engine, tx, delivery, attempt, report)
        elif receipts.note(tx, delivery, attempt, report.outcome):
            receipts.stop_waiting(tx, delivery)
            tell(engine, tx, delivery, _EVENTS[report.outcome], attempt)

    await engine.store.transact(work)
    engine.memory.outbox.set()


def _keep(engine: Engine, kind: str, report: Report) -> None:
    """A report may be faster than the transaction that writes the message's id. Of anything else it is no use."""
    early = engine.memory.early
    early[kind, report.message_id] = report
    while len(early) > EARLY_LIMIT:
        early.pop(next(iter(early)))


def _undelivered(engine: Engine, tx: Transaction, delivery: Delivery, attempt: int, report: Report) -> None:
    reason = report.reason or "it was not delivered"
    if not receipts.note(tx, delivery, attempt, "dead", reason):
        return
    fault = report.fault or Fault.UNKNOWN
    permanent = fault in (Fault.RECIPIENT, Fault.CONFIG, Fault.EXHAUSTED)
    data = {"error": reason, "fault": str(fault), "permanent": permanent}
    tell(engine, tx, delivery, EventType.ALERT_DEAD, attempt, **data)
    fall_back(engine, tx, delivery, reason, again=not permanent)


async def watch(engine: Engine) -> None:
    """Ask about messages whose provider cannot call us; use the next address for what has not arrived in time."""
    now = engine.now()
    for delivery, state, message_id, until in await engine.store.fetch(receipts.waiting(WATCHED)):
        try:
            over = now >= until
            if state == "accepted" and message_id and await _looked_up(engine, delivery, message_id, over):
                continue
            if over:
                await _overdue(engine, delivery)
        except AlertEngineError as error:
            log.warning("%s: what became of it is not known: %s", delivery.id, error)


async def _looked_up(engine: Engine, delivery: Delivery, message_id: str, over: bool) -> bool:
    """Its fate was learnt and recorded."""
    contact = await engine.store.fetch(directory.addressee(delivery.tenant_id, delivery.contact_id))
    channel = engine.channel_of(contact) if contact else None
    reporter = next((r for r in reporting(engine) if channel and r.name == channel.name), None)
    if reporter is None or not _is_time(engine, delivery, reporter, over):
        return False
    try:
        report = await reporter.look_up(message_id)
    except DeliveryError:
        return False
    if report is not None:
        engine.memory.looked_up.pop(delivery.id, None)
        await note(engine, reporter.kind, report)
    return report is not None


def _is_time(engine: Engine, delivery: Delivery, reporter: Reporting, over: bool) -> bool:
    """Every few seconds where the provider cannot call us; once before giving up where it can."""
    last, now = engine.memory.looked_up.get(delivery.id, float("-inf")), engine.clock.monotonic()
    if not over and (reporter.is_called or now - last < LOOK_UP_S):
        return False
    engine.memory.looked_up[delivery.id] = now
    return True


async def _overdue(engine: Engine, delivery: Delivery) -> None:
    engine.memory.looked_up.pop(delivery.id, None)

    def work(tx: Transaction) -> None:
        fall_back(engine, tx, delivery, "it has not arrived in time")

    await engine.store.transact(work)
    engine.memory.outbox.set()
