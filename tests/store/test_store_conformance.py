"""What every store promises, run against each entry of STORES."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alertengine import registry
from alertengine.core.events import EventType, NewEvent
from alertengine.core.model import Actor
from alertengine.errors import NotFound, SlotTaken, Stale, StoreDamaged
from alertengine.ledger import bundle
from alertengine.ledger.note import CheckpointSigner, open_checkpoint
from alertengine.store import incidents, links
from alertengine.store.base import Store, Transaction
from alertengine.store.checkpoints import checkpoint, short

AT = datetime(2026, 11, 24, 9, 41, tzinfo=UTC)
SIGNER = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(b"1" * 32), "alerts.example.com")
HUMAN = Actor(kind="contact", id="c_1", name="Tariro Ünlü 🚒")

Opener = Callable[[], Any]


@pytest.fixture(params=sorted(registry.STORES))
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    async def open_store() -> Store:
        kind = registry.load(registry.STORES, request.param)
        opened: Store = await kind.open(tmp_path / "store.db", SIGNER, SIGNER.key.name)
        return opened

    return open_store


@pytest.fixture
async def store(opener: Opener) -> AsyncIterator[Store]:
    store = await opener()
    yield store
    await store.close()


def detected(service: str = "svc", **more: Any) -> NewEvent:
    data = {"service_id": service, "service": "pay", "severity": "critical", "title": "slow", **more}
    return NewEvent(type=EventType.INCIDENT_DETECTED, data=data)


def accepted(n: int = 0) -> NewEvent:
    return NewEvent(type=EventType.ALERT_ACCEPTED, data={"n": n}, actor=HUMAN)


async def append(
    store: Store, incident: str, *events: NewEvent, expected: int = 0, tenant: str = "t_1", at: datetime = AT
) -> None:
    await store.transact(lambda tx: tx.append(tenant, incident, events, expected, at))


async def test_events_are_read_as_they_were_written(store: Store) -> None:
    odd = {
        "text": 'ü "quoted" \\u003c </script> \u2028',
        "list": [1, 2.5, None, True],
        "nested": {"b": 1, "a": 2},
    }
    appended = await store.transact(lambda tx: tx.append("t_1", "inc_a", [detected(), accepted()], 0, AT))
    more = NewEvent(type=EventType.ALERT_FAILED, data=odd, actor=HUMAN)
    appended += await store.transact(
        lambda tx: tx.append("t_1", "inc_a", [more], 2, AT + timedelta(seconds=1))
    )
    assert await store.fetch(incidents.events("t_1", "inc_a")) == appended
    assert [event.seq for event in appended] == [1, 2, 3]
    assert [event.prev_hash for event in appended] == ["", appended[0].hash, appended[1].hash]
    assert appended[2].data == odd
    assert appended[2].actor == HUMAN


async def test_an_append_of_nothing_leaves_no_trace(store: Store) -> None:
    await append(store, "inc_a", tenant="t_new")
    assert (await store.verify()).problems == ()


async def test_a_stale_writer_loses(store: Store) -> None:
    await append(store, "inc_a", detected())
    for expected in (0, 2, -1):
        with pytest.raises(Stale):
            await append(store, "inc_a", accepted(), expected=expected)
    await append(store, "inc_a", accepted(), expected=1)


async def test_of_many_who_write_at_once_one_wins(store: Store) -> None:
    await append(store, "inc_a", detected())
    done = await asyncio.gather(
        *(append(store, "inc_a", accepted(n), expected=1) for n in range(50)), return_exceptions=True
    )
    assert [type(answer) for answer in done].count(Stale) == 49
    assert len(await store.fetch(incidents.events("t_1", "inc_a"))) == 2


async def test_a_transaction_happens_whole_or_not_at_all(store: Store) -> None:
    def work(tx: Transaction) -> None:
        tx.append("t_1", "inc_a", [detected()], 0, AT)
        links.offer(tx, "t_1", "inc_a", "c_1", 1, "jti_1", AT)
        raise LookupError("at the end")

    others = [append(store, f"inc_{n}", detected(f"svc_{n}")) for n in range(5)]
    answers = await asyncio.gather(*others[:2], store.transact(work), *others[2:], return_exceptions=True)
    assert [type(answer) for answer in answers].count(LookupError) == 1
    assert await store.fetch(incidents.events("t_1", "inc_a")) == []
    assert not await store.fetch(links.offered("t_1", "inc_a", "jti_1"))
    assert len(await store.fetch(incidents.open_incidents())) == 5
    assert (await store.verify()).problems == ()


async def test_a_service_has_one_open_incident(store: Store) -> None:
    done = await asyncio.gather(
        *(append(store, f"inc_{n}", detected()) for n in range(20)), return_exceptions=True
    )
    assert [type(answer) for answer in done].count(SlotTaken) == 19
    ((_, winner, _),) = await store.fetch(incidents.open_incidents())
    await append(store, winner, NewEvent(type=EventType.INCIDENT_RESOLVED), expected=1)
    await append(store, "inc_next", detected())


async def test_a_link_is_spent_once(store: Store) -> None:
    await append(store, "inc_a", detected())
    await store.transact(lambda tx: links.offer(tx, "t_1", "inc_a", "c_1", 1, "jti_1", AT))
    spent = await asyncio.gather(
        *(store.transact(lambda tx: links.spend(tx, "t_1", "inc_a", "jti_1", AT)) for _ in range(50))
    )
    assert spent.count(True) == 1
    claims = await asyncio.gather(
        *(
            store.transact(lambda tx, n=n: links.claim_execution(tx, "t_1", "inc_a", 1, f"e_{n}"))
            for n in range(20)
        )
    )
    assert claims.count(True) == 1


async def test_who_stops_waiting_cuts_nothing_in_half(store: Store) -> None:
    await append(store, "inc_a", detected())
    waiting = [
        asyncio.create_task(append(store, f"inc_{n}", detected(f"svc_{n}"), accepted(), expected=0))
        for n in range(20)
    ]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await append(store, "inc_a", accepted(), expected=1)  # after everything that was submitted before it
    for n in range(20):
        assert len(await store.fetch(incidents.events("t_1", f"inc_{n}"))) in (0, 2)
    assert (await store.verify()).problems == ()


async def test_what_was_acknowledged_is_there_after_a_restart(opener: Opener) -> None:
    for n in range(3):
        store = await opener()
        await append(store, "inc_a", accepted() if n else detected(), expected=n)
        await store.close()
    store = await opener()
    assert len(await store.fetch(incidents.events("t_1", "inc_a"))) == 3
    assert (await store.verify()).problems == ()
    await store.close()


async def test_a_tenant_sees_nothing_of_another(store: Store) -> None:
    await append(store, "inc_a", detected(), tenant="t_1")
    await append(store, "inc_b", detected(), tenant="t_2")
    assert await store.fetch(incidents.events("t_2", "inc_a")) == []
    assert await store.fetch(incidents.incident("t_2", "inc_a")) is None
    assert not await store.fetch(links.offered("t_2", "inc_a", "jti"))
    with pytest.raises(NotFound):
        await store.bundle("t_2", "inc_a")
    assert b"t_2" not in await store.bundle("t_1", "inc_a")


async def test_no_event_is_earlier_than_the_one_before(store: Store) -> None:
    await append(store, "inc_a", detected(), at=AT + timedelta(hours=1))
    await append(store, "inc_a", accepted(), expected=1, at=AT)
    assert await store.transact(lambda tx: tx.now(AT)) == AT + timedelta(hours=1)
    times = [event.at for event in await store.fetch(incidents.events("t_1", "inc_a"))]
    assert times == sorted(times)


async def test_an_event_that_is_not_json_or_too_long_is_refused_whole(store: Store) -> None:
    for bad in (float("nan"), "x" * 70_000, object()):
        with pytest.raises((ValueError, TypeError)):
            await append(store, "inc_a", detected(bad=bad))
    with pytest.raises(ValueError, match="surrogates"):
        await append(store, "inc_a", detected(bad="\ud800"))
    assert await store.fetch(incidents.events("t_1", "inc_a")) == []


async def test_a_bundle_and_an_anchor_prove_what_was_written(store: Store) -> None:
    await append(store, "inc_a", detected(), accepted())
    before = await store.fetch(checkpoint("t_1"))
    await append(store, "inc_a", accepted(), expected=2)
    evidence = bundle.check(await store.bundle("t_1", "inc_a"), [SIGNER.vkey])
    assert [event["seq"] for event in evidence.events] == [1, 2, 3]
    assert before is not None
    assert short(before).split(" ")[0] == "2"
    assert open_checkpoint(before, [SIGNER.vkey]).size == 2


async def test_a_sealed_store_takes_nothing_and_tells(store: Store) -> None:
    await append(store, "inc_a", detected())
    store.seal("for a reason")
    with pytest.raises(StoreDamaged, match="for a reason"):
        await append(store, "inc_a", accepted(), expected=1)
    assert store.trouble == "for a reason"
    assert len(await store.fetch(incidents.events("t_1", "inc_a"))) == 1
