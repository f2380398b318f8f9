"""Durable appends a second: the store against plain sqlite3 and against a commit an event through aiosqlite.

usage: python benchmarks/store.py [--rounds 5] [--seconds 0.5]

All three write each event with its hash under full synchronisation, in one run, turn by turn. The store also
keeps the Merkle tree, the signed checkpoint, the incident's look-up row and the high-water mark. Compare the
ratios: what the disk and the neighbours do moves all of them together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiosqlite
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from alertengine.core.events import EventType, NewEvent
from alertengine.ledger.note import CheckpointSigner
from alertengine.ledger.verify import verify_file
from alertengine.store import incidents
from alertengine.store.sqlite import SqliteStore

AT = datetime(2026, 1, 1, tzinfo=UTC)
PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")
TABLE = "CREATE TABLE event (seq INTEGER PRIMARY KEY, incident TEXT, body TEXT, prev BLOB, hash BLOB)"
INDEX = "CREATE INDEX event_incident ON event (incident, seq)"
INSERT = "INSERT INTO event VALUES (?, ?, ?, ?, ?)"


def data(n: int) -> dict[str, Any]:
    return {
        "service_id": f"svc_{n // 8}",
        "service": "payments",
        "severity": "critical",
        "title": "P95 latency 2847 ms exceeds threshold 1000 ms",
        "provider": "telegram",
        "attempt": n % 3 + 1,
        "digest": f"{n:032x}",
    }


class Chain:
    """What the plain variants keep: canonical JSON and a hash over it and the hash before."""

    def __init__(self) -> None:
        self.seq, self.prev = 0, bytes(32)

    def row(self) -> tuple[Any, ...]:
        n, self.seq = self.seq, self.seq + 1
        body = json.dumps({"seq": n, "type": "alert_accepted", "data": data(n)}, sort_keys=True)
        prev, self.prev = self.prev, sha256(self.prev + body.encode()).digest()
        return n, f"inc_{n // 8}", body, prev, self.prev


class Plain:
    name = "sqlite3, a commit an event"

    async def open(self, path: Path) -> None:
        self.chain, self.db = Chain(), sqlite3.connect(path, isolation_level=None)
        for sql in (*PRAGMAS, TABLE, INDEX):
            self.db.execute(sql)

    async def append(self) -> None:
        self.db.execute("BEGIN IMMEDIATE")
        self.db.execute(INSERT, self.chain.row())
        self.db.execute("COMMIT")

    async def close(self) -> None:
        self.db.close()


class Aio:
    name = "aiosqlite, a commit an event"

    async def open(self, path: Path) -> None:
        self.chain, self.lock = Chain(), asyncio.Lock()
        self.db = await aiosqlite.connect(path, isolation_level=None)
        for sql in (*PRAGMAS, TABLE, INDEX):
            await self.db.execute(sql)

    async def append(self) -> None:
        async with self.lock:
            await self.db.execute("BEGIN IMMEDIATE")
            await self.db.execute(INSERT, self.chain.row())
            await self.db.commit()

    async def close(self) -> None:
        await self.db.close()


class Ours:
    def __init__(self, name: str = "AlertEngine", tenants: int = 1) -> None:
        self.name, self.tenants = name, tenants

    async def open(self, path: Path) -> None:
        self.n, self.path = 0, path
        self.signer = CheckpointSigner(Ed25519PrivateKey.generate(), "benchmark")
        self.store = await SqliteStore.open(path, self.signer, "benchmark")

    async def append(self) -> None:
        n, self.n = self.n, self.n + 1
        kind = EventType.ALERT_ACCEPTED if n % 8 else EventType.INCIDENT_DETECTED
        event = NewEvent(type=kind, data=data(n))
        tenant = f"t_{n // 8 % self.tenants + 1}"
        await self.store.transact(lambda tx: tx.append(tenant, f"inc_{n // 8}", [event], n % 8, AT))

    async def close(self) -> None:
        await self.store.close()


async def callers(
    append: Callable[[], Awaitable[None]], count: int, seconds: float
) -> tuple[float, list[float]]:
    """Events a second, and how long each append took."""
    took: list[float] = []
    began = time.perf_counter()

    async def caller() -> None:
        while (at := time.perf_counter()) < began + seconds:
            await append()
            took.append(time.perf_counter() - at)

    await asyncio.gather(*(caller() for _ in range(count)))
    return len(took) / (time.perf_counter() - began), took


async def paced(append: Callable[[], Awaitable[None]], rate: int, seconds: float) -> list[float]:
    """How long each append took when they come at this rate, whether or not the last is done."""
    took: list[float] = []

    async def one(due: float) -> None:
        await append()
        took.append(time.perf_counter() - due)

    began, tasks = time.perf_counter(), []
    for n in range(int(rate * seconds)):
        due = began + n / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(max(due, time.perf_counter()))))
    await asyncio.gather(*tasks)
    return took


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)] * 1e3


async def throughput(folder: Path, rounds: int, seconds: float) -> None:
    one, ten = "AlertEngine, 1 tenant", "AlertEngine, 10 tenants"
    cases = [(Plain(), 1), (Aio(), 1), (Ours(one), 1), (Ours(one), 10), (Ours(one), 100)]
    cases += [(Ours(ten, 10), 1), (Ours(ten, 10), 100)]
    for n, (store, _) in enumerate(cases):
        await store.open(folder / f"{n}.db")
    rates: dict[tuple[str, int], list[float]] = {(store.name, count): [] for store, count in cases}
    latency: list[float] = []
    for n in range(rounds):
        for store, count in cases if n % 2 else cases[::-1]:
            rates[store.name, count].append((await callers(store.append, count, seconds))[0])
        latency += await paced(cases[2][0].append, 500, seconds)
    middle = {case: statistics.median(values) for case, values in rates.items()}
    for (name, count), rate in middle.items():
        print(f"{name:30} {count:4} callers {rate:9.0f} events/s")
    plain, aio = middle[Plain.name, 1], middle[Aio.name, 1]
    print(f"RATIO alone / sqlite3           {middle[one, 1] / plain:6.2f}  (goal 0.5)")
    print(f"RATIO 10 callers / aiosqlite    {middle[one, 10] / aio:6.2f}  (goal 4)")
    print(f"RATIO 100 callers / aiosqlite   {middle[one, 100] / aio:6.2f}  (goal 10)")
    print(
        f"at 500 a second: p50 {percentile(latency, 0.5):.2f} ms, p99 {percentile(latency, 0.99):.2f} ms (goal 10)"
    )
    for store, _ in cases:
        await store.close()


async def reading(folder: Path) -> None:
    """Verify 100,000 events, open the store that holds them, and fold an incident of 1,000."""
    store = Ours()
    await store.open(folder / "large.db")
    for _ in range(100):
        await asyncio.gather(*(store.append() for _ in range(1000)))
    detected = NewEvent(type=EventType.INCIDENT_DETECTED, data=data(10**6))
    more = [NewEvent(type=EventType.ALERT_ACCEPTED, data=data(n)) for n in range(999)]
    await store.store.transact(lambda tx: tx.append("t_1", "inc_long", [detected, *more], 0, AT))
    took = []
    for _ in range(5):
        began = time.perf_counter()
        await store.store.fetch(incidents.incident("t_1", "inc_long"))
        took.append(time.perf_counter() - began)
    print(f"folding an incident of 1,000 events: {min(took) * 1e3:.1f} ms (goal 50)")
    await store.close()
    speeds = []
    for _ in range(5):
        began = time.perf_counter()
        report = verify_file(store.path, [store.signer.vkey])
        speeds.append(report.size / (time.perf_counter() - began))
        assert report.verified, report.problems
    print(f"verify: {statistics.median(speeds):,.0f} events/s (goal 100,000)")
    began = time.perf_counter()
    again = await SqliteStore.open(store.path, store.signer, "benchmark")
    await again.verify()
    print(f"open and verify {report.size:,} events: {time.perf_counter() - began:.2f} s (goal 5)")
    await again.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(throughput(Path(folder), given.rounds, given.seconds))
        asyncio.run(reading(Path(folder)))


if __name__ == "__main__":
    main()
