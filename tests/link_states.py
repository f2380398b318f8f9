"""Every state that the page of a link can be in, made by really going there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from alertengine.core.diagnosis.model import EvidenceItem, Finding
from alertengine.core.events import EventType, NewEvent
from alertengine.core.model import Actor, Contact, rfc3339
from alertengine.core.policy import Policy
from alertengine.core.snapshot import Snapshot
from alertengine.pipeline import approve, reissue
from alertengine.pipeline.notify import record
from alertengine.pipeline.poll import poll
from alertengine.pipeline.rehearse import rehearse
from alertengine.store import directory
from alertengine.testing import RESTART_POOL, critical_report, healthy_report
from alertengine.tools import ended
from world import World

HOW = {"address": "192.0.2.7"}
OPERATOR = Actor(kind="operator", id="os:rudo", name="rudo")
POLICY = Policy(escalate_after_s=800)
ACTION = replace(
    RESTART_POOL,
    description="recycle the connection pool of payments",
    params={"name": "restart-pool", "timeout_s": 30},
)
FINDING = Finding(
    cause="pool_exhaustion",
    confidence=0.92,
    summary="Requests wait 1.3 s for a database connection; the queries themselves are as fast as usual.",
    evidence=(
        EvidenceItem(id="dependencies/0", text="waiting for a db connection: 1.3 s at P95 (usual 0 ms)"),
        EvidenceItem(id="dependencies/1", text="db queries: 9 ms at P95 (usually 8 ms)"),
        EvidenceItem(id="exceptions/0", text="PoolTimeout in take_connection: 113 of 187 requests"),
    ),
    alternatives=(("db_slow", 0.05),),
    route="POST /pay",
    dependency="db",
    check_first="the pool’s size, and who holds its connections",
)


class Diagnosed:
    name = "rules"

    async def diagnose(self, snapshot: Snapshot) -> Finding:
        return FINDING


async def alerted(world: World, *, approvals: int = 1, polls: int = 20) -> str:
    """A quarter of an hour of ordinary life, then trouble. Answers the incident."""
    world.engine = replace(world.engine, diagnoser=Diagnosed())
    world.source.offers = (replace(ACTION, approvals=approvals),)
    world.engine.memory.offered[world.service.id] = world.source.offers
    await ordinary_life(world, polls)
    return await fail(world)


async def ordinary_life(world: World, polls: int) -> None:
    for number in range(polls):
        score = 99.0 - (number * 7 % 5)
        world.source.report = healthy_report(health_score={"score": score, "status": "healthy"})
        world.clock.advance(5)
        await poll(world.engine, world.service)


async def fail(world: World) -> str:
    """As its report says, for a quarter of a minute."""
    report = critical_report()
    since = rfc3339(world.engine.now() - timedelta(seconds=10))
    report["alerts"][0] |= {"since": since, "usual": 0.002}
    world.source.report = report
    incident = await world.tick()
    assert incident is not None
    return incident


async def second_contact(world: World, name: str = "Rudo") -> None:
    contact = Contact(
        id="con_rudo",
        tenant_id=world.tenant,
        name=name,
        channel="console",
        verified_at=world.engine.now(),
    )
    await world.engine.store.transact(lambda tx: directory.add_contact(tx, contact))


def token_of(world: World, name: str = "Tariro") -> str:
    """The newest link that this person was sent."""
    url = next(m.url for c, m, _ in reversed(world.channel.sent) if c.name == name and m.url)
    return url.partition("token=")[2]


async def awaiting(world: World) -> str:
    await alerted(world)
    return token_of(world)


async def more_needed(world: World) -> str:
    await second_contact(world)
    await alerted(world, approvals=2)
    await approve.confirm(world.engine, token_of(world, "Rudo"), HOW)
    return token_of(world)


async def approved(world: World) -> str:
    await second_contact(world)
    await alerted(world, approvals=2)
    await approve.confirm(world.engine, token_of(world), HOW)
    return token_of(world)


async def authorized(world: World) -> str:
    """By somebody else, before it starts."""
    await second_contact(world)
    await alerted(world)
    await approve.confirm(world.engine, token_of(world, "Rudo"), HOW)
    return token_of(world)


async def running(world: World) -> str:
    incident = await alerted(world)
    token = token_of(world)
    state = await approve.confirm(world.engine, token, HOW)
    assert state.execution is not None
    started = {"execution_id": state.execution.id, "boot": world.engine.boot, "action": "restart-pool"}
    world.clock.advance(1)
    state = await world.incident(incident)
    await record(world.engine, state, [NewEvent(type=EventType.RECOVERY_STARTED, data=started)])
    world.clock.advance(2)
    return token


async def verifying(world: World, polls: int = 20) -> str:
    await alerted(world, polls=polls)
    return await _run(world)


async def _run(world: World, **outcome: Any) -> str:
    token = token_of(world)
    reported = ended("succeeded", "app", {"duration_s": 2.1})
    world.action.outcome = replace(reported, **outcome, said=None) if outcome else reported
    world.clock.advance(41)
    await approve.confirm(world.engine, token, HOW)
    await world.settle()
    return token


async def recovered(world: World, polls: int = 20) -> str:
    token = await verifying(world, polls)
    await world.heal()
    return token


async def not_recovered(world: World) -> str:
    token = await verifying(world)
    for _ in range(13):
        await world.tick(10)
    return token


async def failed(world: World) -> str:
    await alerted(world)
    output = "\n".join(
        [*(f"step {n} of 9: done" for n in range(1, 10)), "systemctl: payments.service not found"]
    )
    return await _run(
        world, status="failed", detail="exit 5 after 0.4 s", facts={"ran": True, "output": output}
    )


async def unknown(world: World) -> str:
    await alerted(world)
    detail = "the request was sent, but no answer came (30 s). It may or may not have run"
    return await _run(world, status="unknown", detail=detail, facts={})


async def rejected(world: World) -> str:
    await second_contact(world)
    await alerted(world)
    await approve.reject(world.engine, token_of(world, "Rudo"), HOW)
    return token_of(world)


async def expired_open(world: World) -> str:
    await alerted(world)
    token = token_of(world)
    world.clock.advance(301)
    return token


async def expired_over(world: World) -> str:
    token = await expired_open(world)
    await world.heal()
    return token


async def healed(world: World) -> str:
    await alerted(world)
    await world.heal()
    return token_of(world)


async def closed(world: World) -> str:
    incident = await alerted(world)
    await approve.close(world.engine, world.tenant, incident, OPERATOR, "a load test, not customers")
    return token_of(world)


async def earlier(world: World) -> str:
    """The escalation's link is still young when somebody asks for a fresh proposal."""
    await alerted(world)
    first = token_of(world)
    await world.tick(801)
    young = token_of(world)
    await world.tick(100)
    await reissue.reissue(world.engine, first, HOW)
    await world.settle()
    return young


async def changed(world: World) -> str:
    await alerted(world)
    other = replace(ACTION, params={"name": "restart-all-pools", "timeout_s": 60})
    world.engine.memory.offered[world.service.id] = (other,)
    return token_of(world)


async def a_test(world: World) -> str:
    await ordinary_life(world, 20)
    await rehearse(world.engine, world.tenant)
    await world.settle()
    return token_of(world)


async def invalid(world: World) -> str:
    return "cut-off"


STATES: Mapping[str, Callable[[World], Awaitable[str]]] = {
    "awaiting": awaiting,
    "more-needed": more_needed,
    "approved": approved,
    "authorized": authorized,
    "running": running,
    "verifying": verifying,
    "recovered": recovered,
    "not-recovered": not_recovered,
    "failed": failed,
    "unknown": unknown,
    "rejected": rejected,
    "expired-open": expired_open,
    "expired-over": expired_over,
    "healed": healed,
    "closed": closed,
    "earlier": earlier,
    "changed": changed,
    "invalid": invalid,
    "test": a_test,
}
"""All but "unrecordable", for which the store must be broken by other means."""
