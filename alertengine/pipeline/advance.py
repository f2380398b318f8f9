"""Do the one step that is due for an incident, again and again until a person or the clock is owed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from alertengine.core.audience import Audience
from alertengine.core.decide import Do, Step, calls, next_step
from alertengine.core.escalation import Turn
from alertengine.core.events import EventType, NewEvent, Stage
from alertengine.core.incident import Incident, apply
from alertengine.core.message import MessageKind
from alertengine.core.model import Service
from alertengine.core.said import Said, recorded
from alertengine.core.silence import Silence, longest
from alertengine.errors import Stale
from alertengine.pipeline.audience import audience, informs, woken
from alertengine.pipeline.diagnose import (
    GoOn,
    diagnose,
    follow,
    is_other,
    is_outdated,
    is_worth_a_look,
    look_again,
    propose_anew,
)
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.execute import execute
from alertengine.pipeline.notify import append, queue, record
from alertengine.pipeline.quota import ask_sparingly
from alertengine.store import directory, incidents, silences
from alertengine.store.base import Transaction

log = logging.getLogger(__name__)

STEPS_LIMIT = 20
"""More steps than any incident can owe at once: a mistake in the rules must not spin."""


async def advance(engine: Engine, tenant: str, incident_id: str) -> None:
    for _ in range(STEPS_LIMIT):
        incident = await _current(engine, tenant, incident_id)
        if incident is None:
            return
        watch = engine.watch(incident.service_id)
        now = engine.now()
        step, silence = next_step(incident, watch, engine.policy, now, engine.boot), None
        if step is not None and calls(step, incident):
            found: list[Silence] = await engine.store.fetch(silences.current(tenant, now))
            silence = longest(found, incident, now)
            step = next_step(incident, watch, engine.policy, now, engine.boot, silence)
        if step is not None and step.do is Do.ASK and engine.thinks(incident):
            return  # for a moment, and whoever ends it comes back here
        try:
            if step is not None and step.do is Do.SILENCE:
                await _silence(engine, incident, step, silence)
            elif step is not None:
                await _STEPS[step.do](engine, incident, step)
            elif not (
                await propose_anew(engine, incident)
                or await follow(engine, incident, _goes_on(engine, incident))
                or await look_again(engine, incident, _goes_on(engine, incident))
            ):
                return
        except Stale:
            continue  # somebody else was faster; look again


async def _current(engine: Engine, tenant: str, incident_id: str) -> Incident | None:
    """The incident as it is now; None where there is none, or it is over."""
    key = (tenant, incident_id)
    state = engine.memory.folded.get(key)
    seen = state.version if state else 0
    for event in await engine.store.fetch(incidents.events(tenant, incident_id, seen)):
        state = apply(state, event)
    if state is None or not state.open:
        engine.memory.folded.pop(key, None)
        return None
    engine.memory.folded[key] = state
    return state


async def sweep(engine: Engine) -> None:
    """Advance everything that is open. One incident that fails does not stop the others."""
    for tenant, incident_id in await _owed(engine):
        try:
            await advance(engine, tenant, incident_id)
        except Exception as error:
            log.warning("%s could not be advanced: %s", incident_id, error)
    engine.memory.ticked_at = engine.clock.monotonic()


async def _owed(engine: Engine) -> list[tuple[str, str]]:
    """The incidents of which something is new or due, in three reads however many are open; oldest first.

    What changes in between is seen by the next sweep.
    """
    folded = engine.memory.folded
    listed = await engine.store.fetch(incidents.open_incidents())
    for key in folded.keys() - {(tenant, incident) for tenant, incident, _ in listed}:
        del folded[key]  # over, by other hands than ours
    services = {s.id: s for s in await engine.store.fetch(directory.failing())} if listed else {}
    owed = []
    for tenant, incident, version in listed:
        state = folded.get((tenant, incident))
        if (
            state is None
            or state.version != version
            or _is_due(engine, state, services.get(state.service_id))
        ):
            owed.append((tenant, incident))
    return owed


def _is_due(engine: Engine, incident: Incident, service: Service | None) -> bool:
    watch = engine.watch(incident.service_id)
    return (
        next_step(incident, watch, engine.policy, engine.now(), engine.boot) is not None
        or is_outdated(engine, incident, service)
        or is_worth_a_look(engine, incident)
        or is_other(engine, incident) is not None
    )


async def _silence(engine: Engine, incident: Incident, step: Step, silence: Silence | None) -> None:
    assert silence is not None
    event = NewEvent(type=EventType.INCIDENT_SILENCED, data={**silence.to_json(), **step.record})
    await record(engine, incident, [event])


async def _diagnose(engine: Engine, incident: Incident, step: Step) -> None:
    await diagnose(engine, incident, _goes_on(engine, incident))


def _goes_on(engine: Engine, incident: Incident) -> GoOn:
    return lambda: advance(engine, incident.tenant_id, incident.id)


async def _ask(engine: Engine, incident: Incident, step: Step) -> None:
    if incident.over_quota:
        await ask_sparingly(engine, incident)
    else:
        await record(engine, incident, [], _asking(incident))


def _asking(incident: Incident) -> MessageKind:
    """The first message of a round says why it is asked again."""
    if incident.round == 1 or incident.execution is None:
        return MessageKind.ALERT
    return MessageKind.FAILED if incident.execution.status == "failed" else MessageKind.NOT_RECOVERED


async def _start(engine: Engine, incident: Incident, step: Step) -> None:
    execution, action = incident.execution, incident.action
    assert execution is not None
    assert action is not None
    data = {"execution_id": execution.id, "boot": engine.boot, "action": action.name}

    async def begin() -> None:
        # Durable before the effect: from here on a crash leaves an outcome that nobody knows, never a second run.
        await record(engine, incident, [NewEvent(type=EventType.RECOVERY_STARTED, data=data)])
        engine.spawn(execute(engine, incident, action, execution))

    # Whoever asked for it may be cancelled; a start on record without a run would be an unknown outcome.
    await asyncio.shield(engine.spawn(begin()))


async def _miss_start(engine: Engine, incident: Incident, step: Step) -> None:
    why = Said("ran.not", {"reason": step.said or step.reason})
    await _end(engine, incident, EventType.RECOVERY_FAILED, why, ran=False)


async def _lose(engine: Engine, incident: Incident, step: Step) -> None:
    await _end(engine, incident, EventType.RECOVERY_OUTCOME_UNKNOWN, Said("ran.lost"))


async def _end(engine: Engine, incident: Incident, kind: EventType, detail: Said, **facts: object) -> None:
    assert incident.execution is not None
    data = {"execution_id": incident.execution.id, **recorded(detail=detail), **facts}
    message = MessageKind.UNKNOWN if kind is EventType.RECOVERY_OUTCOME_UNKNOWN else None
    await record(engine, incident, [NewEvent(type=kind, data=data)], message)


async def _verify(engine: Engine, incident: Incident, step: Step) -> None:
    await record(engine, incident, _over(engine, incident, step), MessageKind.RECOVERED)


async def _heal(engine: Engine, incident: Incident, step: Step) -> None:
    message = None if incident.over_quota else MessageKind.HEALED
    await record(engine, incident, _over(engine, incident, step), message)


def _over(engine: Engine, incident: Incident, step: Step) -> list[NewEvent]:
    last = engine.watch(incident.service_id).last
    seen = {**step.record, "snapshot": last.to_json() if last else None}
    return [
        NewEvent(type=EventType.HEALTH_VERIFIED, data=seen),
        NewEvent(type=EventType.INCIDENT_RESOLVED, data=step.record),
    ]


async def _finish_test(engine: Engine, incident: Incident, step: Step) -> None:
    resolved = NewEvent(type=EventType.INCIDENT_RESOLVED, data=step.record)
    # Whoever did not answer it, or rejected it, has heard so: nothing was shown to work.
    message = MessageKind.RECOVERED if incident.stage is Stage.VERIFYING else None
    await record(engine, incident, [resolved], message)


async def _escalate(engine: Engine, incident: Incident, step: Step) -> None:
    turn = step.turn
    assert turn is not None

    def work(tx: Transaction) -> None:
        people = audience(engine, tx, incident, MessageKind.ESCALATION, turn)
        told = _passed_on(engine, tx, incident, turn, people) | step.record
        event = NewEvent(type=EventType.INCIDENT_ESCALATED, data=told)
        append(engine, tx, incident, [event])
        state = tx.fetch(incidents.incident(incident.tenant_id, incident.id))
        assert state is not None
        queue(engine, tx, state, MessageKind.ESCALATION, people)

    await engine.store.transact(work)
    engine.memory.outbox.set()


def _passed_on(
    engine: Engine, tx: Transaction, incident: Incident, turn: Turn, people: Audience
) -> dict[str, Any]:
    """Which step it is, whom it tells, and why it came to that."""
    channels = {c.channel: engine.channel_of(c) for c in people.contacts}
    asked = incident.alert_queued_at
    taken = incident.acknowledged_by
    known = tx.fetch(directory.contacts(incident.tenant_id))
    everyone = {c.name for c in known if c.verified_at and not informs(engine, c)}
    return {
        "turn": turn.number,
        "step": turn.step + 1,
        "repeat": turn.repeat,
        "round": incident.round,
        "to": list(people.names),
        "channels": sorted(channels),
        "by_voice": bool(channels) and all(c is not None and c.traits.calls for c in channels.values()),
        "everyone": len(everyone) > 1 and everyone <= set(people.names),
        "held": sorted(people.held),
        "spared": sorted(people.spared),
        "acknowledged_by": taken.name if taken else None,
        "lost": incident.unheard,
        "unanswered_s": (tx.now(engine.now()) - asked).total_seconds() if asked else None,
    }


async def _wake(engine: Engine, incident: Incident, step: Step) -> None:
    def work(tx: Transaction) -> None:
        people, names = woken(engine, tx, incident)
        queue(engine, tx, incident, MessageKind.ALERT, people, woken=names)

    await engine.store.transact(work)
    engine.memory.outbox.set()


async def _remind(engine: Engine, incident: Incident, step: Step) -> None:
    await record(engine, incident, [], MessageKind.REMINDER)


def _plain(
    kind: EventType, message: MessageKind | None
) -> Callable[[Engine, Incident, Step], Awaitable[None]]:
    async def do(engine: Engine, incident: Incident, step: Step) -> None:
        last = engine.watch(incident.service_id).last
        data = {**step.record, "round": incident.round, "snapshot": last.to_json() if last else None}
        await record(engine, incident, [NewEvent(type=kind, data=data)], message)

    return do


_STEPS: Mapping[Do, Callable[[Engine, Incident, Step], Awaitable[None]]] = {
    Do.DIAGNOSE: _diagnose,
    Do.ASK: _ask,
    Do.ESCALATE: _escalate,
    Do.WAKE: _wake,
    Do.REMIND: _remind,
    Do.EXPIRE: _plain(EventType.INCIDENT_EXPIRED, MessageKind.EXPIRED),
    Do.HEAL: _heal,
    Do.START: _start,
    Do.MISS_START: _miss_start,
    Do.LOSE: _lose,
    Do.VERIFY: _verify,
    Do.GIVE_UP_VERIFYING: _plain(EventType.HEALTH_NOT_RECOVERED, None),
    Do.FINISH_TEST: _finish_test,
    Do.RELEASE: _plain(EventType.HEALTH_VERIFIED, None),
}
