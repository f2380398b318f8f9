"""Name the likely cause and the recovery to propose: by rules at once, and let the model be asked beside them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from alertengine.core.detection import Trouble, changed
from alertengine.core.diagnosis.change import LOOKS, materially
from alertengine.core.diagnosis.model import UNCLEAR, Finding
from alertengine.core.diagnosis.redaction import redacted
from alertengine.core.diagnosis.told import by_rules
from alertengine.core.events import EventType, NewEvent
from alertengine.core.incident import DECIDABLE, WAITING, Incident
from alertengine.core.message import MessageKind
from alertengine.core.model import ActionSpec, Service
from alertengine.core.said import Said
from alertengine.core.snapshot import Snapshot
from alertengine.pipeline import inquire
from alertengine.pipeline.catalogue import TEST_ACTION, fits, recommend, today
from alertengine.pipeline.engine import Engine
from alertengine.pipeline.findings import diagnosis_json, find, known_of, past_of, proposal_json
from alertengine.pipeline.notify import append, record
from alertengine.pipeline.progress import refresh
from alertengine.store import directory, evidence
from alertengine.store.base import Transaction

log = logging.getLogger(__name__)

LOOK_S = 5.0
"""Pause between two readings of an open incident's evidence."""
GoOn = Callable[[], Awaitable[None]]
"""Takes the incident's next step."""


def _nothing(key: str, confidence: float) -> Finding:
    summary, check = Said(f"summary.{key}"), Said(f"check.{key}")
    return Finding(
        cause=UNCLEAR,
        confidence=confidence,
        summary=summary.english,
        evidence=(),
        alternatives=(),
        route=None,
        dependency=None,
        check_first=check.english,
        said={"summary": summary, "check_first": check},
    )


_TEST = _nothing("test", 1.0)
_NONE = _nothing("broken", 0.0)


async def diagnose(engine: Engine, incident: Incident, go_on: GoOn) -> None:
    if incident.is_test:
        data = await diagnosis_json(engine, past_of(incident), _TEST, TEST_ACTION)
        await record(engine, incident, [NewEvent(type=EventType.DIAGNOSIS_COMPLETED, data=data)])
        return
    service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
    snapshot, finding = await find_cause(engine, service)
    action = recommend(engine.recoveries(service), finding) if service else None
    await conclude(engine, incident, service, snapshot, finding, action, go_on)


async def conclude(
    engine: Engine,
    incident: Incident,
    service: Service | None,
    snapshot: Snapshot | None,
    finding: Finding,
    action: ActionSpec | None,
    go_on: GoOn,
    look: int = 1,
    message: MessageKind | None = None,
    first: Sequence[NewEvent] = (),
) -> None:
    """Record the rules' finding, keep what it stands on, and let the model be asked: booked with the same event."""
    data = await diagnosis_json(engine, past_of(incident), finding, action)
    looked = (incident.diagnosis or {}).get("look", 0)
    question = None
    if look > looked:
        question = await inquire.prepare(engine, incident, service, snapshot, finding, look)

    def work(tx: Transaction) -> inquire.Inquiry | None:
        booked = inquire.book(engine, tx, question)
        told = {**data, "look": look, **inquire.standing(engine, booked)}
        append(
            engine, tx, incident, [*first, NewEvent(type=EventType.DIAGNOSIS_COMPLETED, data=told)], message
        )
        return booked if isinstance(booked, inquire.Inquiry) else None

    asked = await engine.store.transact(work)
    if message is not None:
        engine.memory.outbox.set()
    if asked is not None:
        inquire.start(engine, asked, go_on)
    if snapshot is not None and snapshot.report is not None:
        engine.spawn(_keep(engine, incident, look, snapshot.report))


async def _keep(engine: Engine, incident: Incident, look: int, report: Mapping[str, Any]) -> None:
    """What the diagnosis stands on, to read later. Nobody waits for it."""
    try:
        # A long report takes a while to redact: not on the loop, nor on the writer's thread.
        kept = await asyncio.to_thread(redacted, report)
        await engine.store.transact(
            lambda tx: evidence.keep(tx, incident.tenant_id, incident.id, look, kept, tx.now(engine.now()))
        )
    except Exception as error:
        log.warning("the evidence of %s is not kept: %s", incident.id, error)


async def look_again(engine: Engine, incident: Incident, go_on: GoOn) -> bool:
    """Once: diagnose anew where the facts have changed materially since people were asked. True if so."""
    diagnosis, last = incident.diagnosis, engine.watch(incident.service_id).last
    if not is_worth_a_look(engine, incident) or diagnosis is None or last is None:
        return False
    engine.memory.reread[incident.service_id] = last.at
    service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
    finding = await find(engine, service, last)
    if not materially(by_rules(diagnosis), finding):
        return False
    action = _better(engine, incident, service, finding)
    message = MessageKind.DIAGNOSIS if action == incident.action else None
    await conclude(engine, incident, service, last, finding, action, go_on, LOOKS, message)
    return True


def _better(
    engine: Engine, incident: Incident, service: Service | None, finding: Finding
) -> ActionSpec | None:
    """What was proposed without a cause gives way to what fits it; else the question stays as it was."""
    known = by_rules(incident.diagnosis or {})
    if known.get("cause") != UNCLEAR or service is None or incident.approvals:
        return incident.action
    better = recommend(engine.recoveries(service), finding)
    return better if better is not None and fits(better, finding.cause) else incident.action


def is_other(engine: Engine, incident: Incident) -> Trouble | None:
    """Something else is wrong by now than what the incident says, or something graver."""
    if incident.stage not in WAITING or incident.diagnosis is None or engine.thinks(incident):
        return None
    return changed(incident, engine.watch(incident.service_id), engine.now())


async def follow(engine: Engine, incident: Incident, go_on: GoOn) -> bool:
    """Let the incident say what is wrong by now, and why; whoever was asked is told of another route. True if so."""
    trouble, last = is_other(engine, incident), engine.watch(incident.service_id).last
    if trouble is None or last is None or incident.diagnosis is None:
        return False
    event = NewEvent(type=EventType.INCIDENT_CHANGED, data=trouble.to_json(last))
    asked = incident.stage in DECIDABLE and incident.alert_queued_at is not None
    moved = trouble.figures.get("route") != (incident.detected.get("figures") or {}).get("route")
    message = MessageKind.DIAGNOSIS if asked and moved else None
    service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
    finding = await find(engine, service, last)
    if not asked or not materially(by_rules(incident.diagnosis), finding):
        await record(engine, incident, [event], message)
    else:
        await _conclude_anew(engine, incident, service, last, finding, go_on, message, event)
    if asked:  # whoever is spared a message of its own sees it in the question
        engine.spawn(refresh(engine, incident.tenant_id, incident.id, MessageKind.DIAGNOSIS))
    return True


async def _conclude_anew(
    engine: Engine,
    incident: Incident,
    service: Service | None,
    last: Snapshot,
    finding: Finding,
    go_on: GoOn,
    message: MessageKind | None,
    event: NewEvent,
) -> None:
    """With the change. The model is asked as often as if nothing had changed, and no more."""
    assert incident.diagnosis is not None
    action, look = (
        _better(engine, incident, service, finding),
        min(incident.diagnosis.get("look", 1) + 1, LOOKS),
    )
    message = message if action == incident.action else None
    await conclude(engine, incident, service, last, finding, action, go_on, look, message, [event])


def is_worth_a_look(engine: Engine, incident: Incident) -> bool:
    """People were asked, and there is newer evidence than what was looked at."""
    diagnosis, last = incident.diagnosis, engine.watch(incident.service_id).last
    asked = incident.stage in DECIDABLE and incident.alert_queued_at is not None and not incident.is_test
    if not asked or diagnosis is None or diagnosis.get("look", 1) >= LOOKS:
        return False
    if last is None or last.healthy or last.report is None or engine.thinks(incident):
        return False
    looked = engine.memory.reread.get(incident.service_id, incident.opened_at)
    return last.at >= max(looked, incident.opened_at) + timedelta(seconds=LOOK_S)


def is_outdated(engine: Engine, incident: Incident, service: Service | None) -> bool:
    """What is proposed is configured otherwise by now, or gone."""
    if incident.stage not in DECIDABLE or incident.diagnosis is None or incident.action is None:
        return False
    return today(engine, incident, service) != incident.action


async def propose_anew(engine: Engine, incident: Incident) -> bool:
    """Propose the action as it is configured now, where it is not what people were shown. True if so."""
    if incident.stage not in DECIDABLE or incident.diagnosis is None or incident.action is None:
        return False
    service = await engine.store.fetch(directory.service(incident.tenant_id, incident.service_id))
    if not is_outdated(engine, incident, service):
        return False
    current = today(engine, incident, service)
    known = await known_of(engine, past_of(incident), current, incident.diagnosis["cause"])
    data: dict[str, Any] = {**incident.diagnosis, **proposal_json(current), "experience": known}
    if data.get("model"):
        data["model"] = {**data["model"], "calls": []}  # what they cost is told once
    await record(engine, incident, [NewEvent(type=EventType.DIAGNOSIS_COMPLETED, data=data)])
    return True


async def find_cause(engine: Engine, service: Service | None) -> tuple[Snapshot | None, Finding]:
    """By fresh evidence where the service gives it. Never raises: an alert does not wait for a reason."""
    snapshot = None
    try:
        snapshot = await _evidence(engine, service)
        return snapshot, (await find(engine, service, snapshot) if snapshot else _NONE)
    except Exception:
        log.exception("the diagnosis failed")
        return snapshot, _NONE


async def _evidence(engine: Engine, service: Service | None) -> Snapshot | None:
    if service is None:
        return None
    watch = engine.watch(service.id)
    last = watch.last
    if last is not None and last.error is not None:
        return replace(last, report=watch.last_report)
    if service.sealed_secret is None:
        return last
    fresh = await engine.source.poll(service, evidence=True)
    return last if fresh.error is not None and last is not None else fresh
