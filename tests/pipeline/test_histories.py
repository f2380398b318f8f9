"""Promises about messages that hold in any history: drawn at random, replayed by their seed."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alertengine.core.audience import BEARABLE, BEARABLE_S
from alertengine.core.escalation import EscalationStep
from alertengine.core.events import Event
from alertengine.core.incident import fold
from alertengine.core.model import Actor
from alertengine.core.policy import Policy
from alertengine.core.quiet import QuietHours
from alertengine.errors import AlertEngineError, DeliveryError
from alertengine.pipeline import approve, silence
from alertengine.pipeline.engine import Memory
from alertengine.ports import Outcome
from alertengine.store import incidents, outbox, silences
from alertengine.store.base import Query
from team import Team, gather_team
from world import open_world

SERVICES = ("payments", "orders", "mail")
OPERATOR = Actor(kind="operator", id="os:ops", name="ops")
NIGHT = QuietHours(begins=time(22), ends=time(6), zone=ZoneInfo("Africa/Harare"), lets_through="nothing")
LADDER = (
    EscalationStep(who=("Tariro",)),
    EscalationStep(after_s=60, who=("Rudo",), channels=("phone",), repeats=2, repeat_every_s=40),
    EscalationStep(after_s=300, who=("admin",), channels=("all",)),
)
POLICIES = (
    Policy(),
    Policy(steps=LADDER, ack_timeout_s=120),
    Policy(steps=LADDER, quiet=(NIGHT,), ack_timeout_s=60, remind_after_s=300),
    Policy(quiet=(replace(NIGHT, who=("Rudo", "Tariro")),), escalate_after_s=20, group_s=0, cooldown_s=0),
    Policy(steps=tuple(EscalationStep(after_s=20 * n, channels=("all",)) for n in range(30))),
)


class History:
    def __init__(self, team: Team, draw: random.Random) -> None:
        self.team = team
        self.draw = draw
        self.failing: set[str] = set()

    async def go(self, steps: int) -> None:
        for _ in range(steps):
            await self._happen()
            seconds = self.draw.choice([5, 5, 5, 20, 60, 200, 700])
            await self.team.tick(seconds, failing=tuple(self.failing))
        self.team.chat.failures, self.team.phone.failures = [], []
        for _ in range(60):  # everything heals, and what is left is delivered
            await self.team.tick(60)
        world = self.team.world
        for tenant, incident, _ in await world.engine.store.fetch(incidents.open_incidents()):
            await approve.close(world.engine, tenant, incident, OPERATOR, "nobody knows whether it ran")
        await world.settle()

    async def _happen(self) -> None:
        acts = [
            self._change,
            self._change,
            self._answer,
            self._answer,
            self._trouble,
            self._restart,
            self._hush,
        ]
        try:
            await self.draw.choice(acts)()
        except AlertEngineError:
            pass  # too late, twice, or over: refused

    async def _change(self) -> None:
        self.failing ^= set(self.draw.sample(SERVICES, self.draw.randint(1, 3)))

    async def _answer(self) -> None:
        engine, world = self.team.world.engine, self.team.world
        rows = await engine.store.fetch(incidents.open_incidents())
        if not rows:
            return
        _, incident, _ = self.draw.choice(rows)
        world.action.outcome = Outcome(
            status=self.draw.choice(["succeeded", "failed", "unknown"]), detail="so it ended", facts={}
        )
        links = [m.url for _, m, _ in self.team.chat.sent if m.url]
        if links and self.draw.random() < 0.6:
            claims = approve.read(engine, self.draw.choice(links[-3:]).partition("token=")[2])
            act = self.draw.choice([approve.acknowledge, approve.confirm_claims, approve.reject_claims])
            await act(engine, claims, {})
        elif self.draw.random() < 0.5:
            await approve.confirm_as(engine, world.tenant, incident, OPERATOR, {})
        else:
            await approve.close(engine, world.tenant, incident, OPERATOR, "looked at")

    async def _trouble(self) -> None:
        channel = self.draw.choice([self.team.chat, self.team.phone])
        faults = [DeliveryError("busy", retry_after_s=40), DeliveryError("blocked", permanent=True)]
        channel.failures = self.draw.choices(faults, k=self.draw.randint(1, 4))

    async def _restart(self) -> None:
        world = self.team.world
        world.engine = replace(world.engine, boot=f"boot {self.draw.random()}", memory=Memory())
        await world.engine.store.transact(lambda tx: outbox.reclaim(tx, world.engine.now()))

    async def _hush(self) -> None:
        engine, tenant = self.team.world.engine, self.team.world.tenant
        current = await engine.store.fetch(silences.current(tenant, engine.now()))
        if current and self.draw.random() < 0.5:
            await silence.remove(engine, tenant, self.draw.choice(current).id, OPERATOR)
            return
        until = engine.now() + timedelta(seconds=self.draw.choice([30, 200, 900]))
        service = self.draw.choice(["*", "pay*", "mail"])
        await silence.add(engine, tenant, OPERATOR, "a drill", until=until, service=service)


def _rows(sql: str) -> Query[list[tuple[Any, ...]]]:
    return Query(sql=sql, params=(), decode=lambda rows: [tuple(row) for row in rows])


MESSAGES = _rows(
    "SELECT a.incident, a.seq, c.name, d.kind, d.queued_at, d.state, d.id,"
    " EXISTS (SELECT 1 FROM delivery AS f WHERE f.follows = d.id), d.follows IS NOT NULL, d.attempts"
    " FROM about AS a JOIN delivery AS d ON d.id = a.delivery JOIN contact AS c ON c.id = d.contact"
)


async def check(team: Team) -> Counter[str]:
    """Every promise, on everything that happened. Answers what did."""
    engine = team.world.engine
    messages = await engine.store.fetch(MESSAGES)
    happened: Counter[str] = Counter()
    for _, incident in await engine.store.fetch(_rows("SELECT tenant, id FROM incident")):
        events = await engine.store.fetch(incidents.events(team.world.tenant, incident))
        own = [m for m in messages if m[0] == incident]
        happened += Counter(str(e.type) for e in events)
        _somebody_is_told(events, own)
        _people_can_bear_it(events, own)
        _no_turn_is_taken_twice(events)
        _there_is_silence_after_the_end(events, own)
        _those_hear_of_the_end_who_were_told(own)
    assert not [m for m in messages if m[5] in ("queued", "sending")]
    assert (await engine.store.verify()).problems == ()
    return happened


def _somebody_is_told(events: list[Event], own: list[Any]) -> None:
    """Each question reaches somebody, and no incident ends without an attempt but one that was silenced."""
    for event in events:
        if event.type == "alert_queued" and event.data["message"] == "alert" and not event.data.get("woken"):
            assert event.data["deliveries"]
    silenced = any(e.type == "incident_silenced" for e in events)
    assert fold(events).stage == "RESOLVED"
    assert silenced or any(m[9] for m in own)


NEWS = {
    "incident_detected", "incident_acknowledged", "recovery_approved", "recovery_authorized", "recovery_rejected",
    "recovery_succeeded", "recovery_failed", "recovery_outcome_unknown", "health_verified", "health_not_recovered",
    "incident_resolved", "incident_expired", "link_reissued", "diagnosis_completed",
}  # fmt: skip


def _people_can_bear_it(events: list[Event], own: list[Any]) -> None:
    """Three at most in ten minutes between two news; a message that was lost or replaced is none.

    A link follows a decision of the same person, on this incident or on one that was told with it.
    """
    for person in {m[2] for m in own}:
        for begin, end in _stretches(events):
            times = sorted(
                events[m[1] - 1].at  # when this incident was put into it, be it one that was waiting already
                for m in own
                if m[2] == person
                and begin < m[1] <= end
                and m[3] != "link"
                and m[5] != "dead"
                and not m[7]
                and not m[8]
            )
            assert max(_crowd(times), default=0) <= BEARABLE, (person, times)


def _stretches(events: list[Event]) -> Iterator[tuple[int, int]]:
    news = [e.seq for e in events if str(e.type) in NEWS]
    yield from zip(news, [*news[1:], events[-1].seq + 1], strict=True)


def _crowd(times: list[datetime]) -> Iterator[int]:
    window = timedelta(seconds=BEARABLE_S)
    for first in times:
        yield sum(1 for t in times if first <= t < first + window)


def _no_turn_is_taken_twice(events: list[Event]) -> None:
    taken = [
        (e.data["round"], e.data["turn"])
        for e in events
        if e.type == "incident_escalated" and not e.data["acknowledged_by"]
    ]
    assert len(taken) == len(set(taken))
    assert taken == sorted(taken)


def _there_is_silence_after_the_end(events: list[Event], own: list[Any]) -> None:
    end = next(e.seq for e in events if e.type == "incident_resolved")
    after = Counter(m[2] for m in own if m[1] > end and not m[8])
    assert max(after.values(), default=0) <= 1


def _those_hear_of_the_end_who_were_told(own: list[Any]) -> None:
    told = {m[2] for m in own if m[3] not in ("healed", "recovered", "closed")}
    heard = {m[2] for m in own if m[3] in ("healed", "recovered", "closed")}
    assert heard <= told or not told


async def history(folder: Path, seed: int, steps: int) -> Counter[str]:
    draw = random.Random(seed)
    async with open_world(folder) as world:
        team = await gather_team(world)
        team.policy(POLICIES[seed % len(POLICIES)])
        for name in SERVICES[1:]:
            await team.add_service(name)
        await History(team, draw).go(steps)
        return await check(team)


@pytest.mark.parametrize("seed", range(5))
async def test_promises_hold_in_any_history(tmp_path: Path, seed: int) -> None:
    happened = await history(tmp_path, seed, 25)
    assert happened["incident_detected"] > 3


@pytest.mark.slow
async def test_promises_hold_in_many_histories(tmp_path: Path) -> None:
    """Ten, and as many as `HISTORIES` says."""
    happened: Counter[str] = Counter()
    for seed in range(100, 100 + int(os.environ.get("HISTORIES", "10"))):
        happened += await history(tmp_path / str(seed), seed, 100)
    for kind in ("incident_escalated", "incident_silenced", "incident_acknowledged", "alert_dead"):
        assert happened[kind] > 20
