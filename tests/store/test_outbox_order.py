"""Messages that tell of several incidents: in one order, each told once, kept as long as one of them is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from alertengine.core.message import MessageKind
from alertengine.store import outbox, receipts, tellings
from alertengine.store.base import Transaction
from alertengine.store.outbox import Delivery
from alertengine.store.prune import forget_messages
from world import World

MINUTE = timedelta(minutes=1)


def delivery(world: World, name: str, kind: MessageKind, incident: str, seq: int) -> Delivery:
    return Delivery(
        id=name,
        tenant_id=world.tenant,
        incident_id=incident,
        contact_id="con_tariro",
        kind=kind,
        jti=f"lnk {name}",
        seq=seq,
        queued_at=world.clock.now(),
    )


async def do(world: World, *steps: tuple[str, Delivery]) -> None:
    """Queue each, or join it to the message that is named before it."""
    now = world.clock.now()

    def work(tx: Transaction) -> None:
        for shared, new in steps:
            if shared:
                outbox.join(tx, shared, new)
            else:
                outbox.queue(tx, new, now, now + MINUTE)

    await world.engine.store.transact(work)


async def add_incident(world: World, incident: str) -> None:
    await world.engine.store.transact(
        lambda tx: tx.execute(
            "INSERT INTO incident (tenant, id, service_id, service, stage, severity, title, opened_at, is_test)"
            " VALUES (?, ?, ?, 's', 'ALERTED', 'critical', 't', '2026-01-01T00:00:00Z', 0)",
            world.tenant,
            incident,
            incident,
        )
    )


async def test_messages_that_tell_of_the_same_incidents_never_wait_for_each_other(world: World) -> None:
    escalation, taken = MessageKind.ESCALATION, MessageKind.ACKNOWLEDGED
    await do(
        world,
        ("", delivery(world, "m1", escalation, "a", 5)),
        ("", delivery(world, "m2", taken, "a", 7)),
        ("m2", delivery(world, "m2", taken, "b", 4)),
        ("m1", delivery(world, "m1", escalation, "b", 9)),
    )
    first, *others = await world.engine.store.fetch(outbox.due(world.clock.now(), 50))
    assert (first.id, others) == ("m1", [])


async def test_nothing_joins_a_message_that_is_before_an_older_one_of_its_incident(world: World) -> None:
    escalation, taken = MessageKind.ESCALATION, MessageKind.ACKNOWLEDGED
    for incident in "abc":
        await add_incident(world, incident)
    await do(
        world,
        ("", delivery(world, "m1", escalation, "a", 5)),
        ("", delivery(world, "m2", taken, "b", 4)),
    )
    fetch = world.engine.store.fetch
    assert await fetch(outbox.joinable(delivery(world, "m3", escalation, "b", 9))) is None
    assert await fetch(outbox.joinable(delivery(world, "m3", escalation, "c", 9))) == "m1"


async def test_nothing_joins_a_message_whose_next_address_was_used(world: World) -> None:
    await add_incident(world, "a")
    first = delivery(world, "m1", MessageKind.ALERT, "a", 5)
    await do(world, ("", first))
    fetch, new = world.engine.store.fetch, delivery(world, "m2", MessageKind.ALERT, "b", 5)
    assert await fetch(outbox.joinable(new)) == "m1"
    await world.engine.store.transact(lambda tx: receipts.stop_waiting(tx, first))
    assert await fetch(outbox.joinable(new)) is None


async def test_a_delivery_stays_until_the_last_incident_that_it_told_of_is_forgotten(world: World) -> None:
    first = delivery(world, "m1", MessageKind.ALERT, "a", 5)
    await do(world, ("", first), ("m1", replace(first, incident_id="b")))
    now, store = world.clock.now(), world.engine.store
    await store.transact(lambda tx: outbox.claim(tx, first, "console", "console", "Tariro", now, 60))
    await store.transact(lambda tx: outbox.settle(tx, first, "accepted"))

    await store.transact(lambda tx: forget_messages(tx, world.tenant, "a"))
    assert await store.fetch(tellings.attempts(world.tenant, "a")) == []
    (kept,) = await store.fetch(tellings.attempts(world.tenant, "b"))
    assert kept.delivery_id == "m1"
    await store.transact(lambda tx: forget_messages(tx, world.tenant, "b"))
    assert await store.fetch(tellings.attempts(world.tenant, "b")) == []
    assert await store.fetch(outbox.delivery(world.tenant, "m1")) is None
