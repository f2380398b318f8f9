"""Many incidents while every third request fails: python tests/channels/storm.py 1000

Each alert must arrive, or be dead with its reason; and no provider may get more messages than were taken or
left without an answer. Then a crowd of services fails at once and nobody answers: whoever the steps name is told,
in few messages.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alertengine.channels import exchange
from alertengine.core.escalation import EscalationStep
from alertengine.core.policy import Policy
from alertengine.pipeline.advance import advance, sweep
from alertengine.pipeline.deliver import deliver_due
from alertengine.pipeline.poll import poll
from alertengine.pipeline.receipts import watch
from alertengine.pipeline.rehearse import rehearse
from alertengine.store import directory
from alertengine.store.base import Query
from alertengine.testing import critical_report, healthy_report
from alertengine.testing.wire import telegram, twilio
from alertengine.testing.wire.loopback import Misbehave, Reply

FAULTY = 0.3
FAULTS = [
    Reply(status=500),
    Reply(status=503, body=b"<html>"),
    Reply(status=429, headers={"retry-after": "3"}),
    Reply(status=429),
    Misbehave.CUT,
    Misbehave.CUT,
    Misbehave.GARBAGE,
    Misbehave.DRIP,
]
LOST = {
    "whatsapp": twilio.failed(400, 63024),
    "telegram": telegram.refused(403, "Forbidden: bot was blocked by the user"),
}


class Weather(list[Any]):
    """Stands for a server's `plan`: what to do with the next request is drawn."""

    def __init__(self, draw: random.Random, refusal: Reply) -> None:
        super().__init__()
        self._draw = draw
        self._refusal = refusal
        self.faults = 0

    def __bool__(self) -> bool:
        return True

    def pop(self, _: Any = 0) -> Any:
        if self._draw.random() >= FAULTY:
            return None
        self.faults += 1
        return self._draw.choice([*FAULTS, self._refusal])


@dataclass
class Outcome:
    """`chains`: how each alert ended at its last address. `taken`: messages the providers have."""

    chains: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    nameless: int = 0
    """Dead without a reason."""
    open: int = 0
    taken: int = 0
    faults: int = 0
    requests: int = 0
    without_answer: int = 0


async def storm(line: Any, number: int, seed: int) -> Outcome:
    """`line` has Tariro on WhatsApp and then Telegram; answers what became of `number` alerts."""
    draw = random.Random(seed)
    world, engine = line.world, line.world.engine
    for name, server in line.servers.items():
        server.plan = Weather(draw, LOST[name])
    for _ in range(number):
        incident = await rehearse(engine, world.tenant)
        await advance(engine, world.tenant, incident)
    told: set[str] = set()
    for _ in range(4000):
        await deliver_due(engine)
        await _report(line.servers["whatsapp"], draw, told)
        await watch(engine)
        if not await engine.store.fetch(_UNSETTLED):
            break
        world.clock.advance(1)
    return await _outcome(line)


async def _report(server: Any, draw: random.Random, told: set[str]) -> None:
    """Receipts: most come, some twice, some late, some never; some tell of a loss."""
    for sid in [sid for sid in server.messages if sid not in told]:
        told.add(sid)
        fate = draw.random()
        if fate < 0.1:
            continue
        if fate < 0.2:
            await server.report(sid, "undelivered", code=draw.choice([63016, 63018, 63003, 30008]))
            continue
        for status in [*draw.choices(["sent", "delivered", "read"], k=3), "delivered"]:
            await server.report(sid, status)


_UNSETTLED = Query(
    sql="SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending') OR fallback_at IS NOT NULL",
    params=(),
    decode=lambda rows: int(rows[0][0]),
)
_DELIVERIES = Query(
    sql="SELECT d.id, d.state, d.follows, d.fallback_at IS NULL, a.error FROM delivery AS d"
    " LEFT JOIN attempt AS a ON a.delivery = d.id AND a.attempt = d.attempts",
    params=(),
    decode=lambda rows: [tuple(row) for row in rows],
)
_ATTEMPTS = Query(
    sql="SELECT outcome, provider_message_id, error FROM attempt",
    params=(),
    decode=lambda rows: [tuple(row) for row in rows],
)


async def _outcome(line: Any) -> Outcome:
    engine, found = line.world.engine, Outcome()
    rows = await engine.store.fetch(_DELIVERIES)
    state = {row[0]: row[1] for row in rows}
    arrived = {"delivered", "read", "accepted"}
    heads = {row[0]: [row[1]] for row in rows if row[2] is None}
    owner = {row[0]: row[0] for row in rows if row[2] is None}
    for row in sorted(rows, key=lambda r: r[2] is not None):
        if row[2] is not None:
            owner[row[0]] = owner.get(row[2], row[2])
            heads.setdefault(owner[row[0]], [state.get(row[2], "")]).append(row[1])
    for states in heads.values():
        found.chains[next((s for s in ("read", "delivered", "accepted") if s in states), states[-1])] += 1
    found.nameless = sum(1 for row in rows if row[1] == "dead" and not row[4])
    found.open = sum(1 for row in rows if row[1] not in arrived | {"dead"})
    for outcome, message_id, error in await engine.store.fetch(_ATTEMPTS):
        found.attempts[outcome] += 1
        if message_id is None and error and ("broke" in error or "no answer" in error or "HTTP 200" in error):
            found.without_answer += 1
    for server in line.servers.values():
        found.taken += len(server.messages)
        found.requests += len(server.requests)
        found.faults += server.plan.faults
    return found


@dataclass
class Crowd:
    """Services that failed at once: to whom each step reached, and how many messages that took."""

    incidents: int = 0
    told: Counter[str] = field(default_factory=Counter)
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    escalations: int = 0
    open: int = 0


async def crowd(line: Any, services: int, seed: int) -> Crowd:
    """`line` has Tariro as in `storm`, and Rudo, whom the second step names. They fail for ten minutes."""
    draw, world = random.Random(seed), line.world
    for name, server in line.servers.items():
        server.plan = Weather(draw, LOST[name])
    steps = (EscalationStep(who=("Tariro",)), EscalationStep(after_s=120, who=("Rudo",)))
    world.engine = replace(world.engine, policy=Policy(steps=steps))
    names = [replace(world.service, id=world.engine.new_id("svc"), name=f"svc {n}") for n in range(services)]
    for service in names:
        await world.engine.store.transact(lambda tx, one=service: directory.add_service(tx, one))
    told: set[str] = set()
    for second in range(0, 1200, 10):
        world.source.report = critical_report() if second < 600 else healthy_report()
        for service in names:
            await poll(world.engine, service)
        for _ in range(10):
            await sweep(world.engine)
            await deliver_due(world.engine)
            await _report(line.servers["whatsapp"], draw, told)
            await watch(world.engine)
            world.clock.advance(1)
    return await _crowd(line)


async def _crowd(line: Any) -> Crowd:
    engine, found = line.world.engine, Crowd()
    for incident, person, kind, state in await engine.store.fetch(_TOLD):
        found.told[f"{person} {kind} {state}"] += 1
        assert incident
    found.messages = Counter(dict(await engine.store.fetch(_SENT)))
    found.escalations = (await engine.store.fetch(_ESCALATED))[0][0]
    rows = await engine.store.fetch(_CLOSED)
    found.incidents = sum(number for _, number in rows)
    found.open = sum(number for closed, number in rows if not closed)
    return found


_TOLD = Query(
    sql="SELECT DISTINCT a.incident, c.name, d.kind, CASE WHEN d.state = 'dead' THEN 'dead' ELSE 'arrived' END"
    " FROM about AS a JOIN delivery AS d ON d.id = a.delivery JOIN contact AS c ON c.id = d.contact",
    params=(),
    decode=lambda rows: [tuple(row) for row in rows],
)
_SENT = Query(
    sql="SELECT c.name, d.kind, count(*) FROM delivery AS d JOIN contact AS c ON c.id = d.contact GROUP BY 1, 2",
    params=(),
    decode=lambda rows: [((row[0], row[1]), row[2]) for row in rows],
)
_ESCALATED = Query(
    sql="SELECT count(*) FROM event WHERE type = 'incident_escalated'",
    params=(),
    decode=lambda rows: [tuple(row) for row in rows],
)
_CLOSED = Query(
    sql="SELECT closed_at IS NOT NULL, count(*) FROM incident GROUP BY 1",
    params=(),
    decode=lambda rows: [tuple(row) for row in rows],
)


async def main(number: int) -> None:
    from channels import benches
    from channels.wired import wired
    from world import open_world

    exchange.TIMEOUT_S = 0.5
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with open_world(Path(folder)) as world:
            world.engine.memory.tasks.clear()
            benches_used = {"whatsapp": benches.WHATSAPP_TWILIO, "telegram": benches.TELEGRAM}
            async with wired(world, **benches_used) as line:
                await line.add("Tariro", "whatsapp", benches.PHONE)
                await line.add("Tariro", "telegram", "1001")
                found = await storm(line, number, 7)
                events = Counter(str(e) for e in await world.engine.store.fetch(_EVENTS))
    print(f"{number} alerts in {time.monotonic() - began:.0f} s: {found}")
    print(dict(events))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        async with open_world(Path(folder)) as world, wired(world, **benches_used) as line:
            await line.add("Tariro", "whatsapp", benches.PHONE)
            await line.add("Tariro", "telegram", "1001")
            await line.add("Rudo", "telegram", "1002")
            services = max(2, number // 20)
            print(f"{services} services at once: {await crowd(line, services, 7)}")
    print(f"in {time.monotonic() - began:.0f} s")


_EVENTS = Query(sql="SELECT type FROM event", params=(), decode=lambda rows: [row[0] for row in rows])

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
